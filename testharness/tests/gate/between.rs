//! A filter between reader and gate that holds requests for a while, so that the decision may be there before the gate is
//! reached: one that waits for a time, and one that waits for the whole body.

use anyhow::{Result, ensure};
use ipp_testharness::bootstrap::Listener;
use ipp_testharness::client::{Request, h1, h2};
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::wait::within;
use serde_json::{Value, json};

use crate::pairs::{VARIANTS, stock};
use crate::support::rig::{CASE, Rig, Shared, tag};
use crate::support::{BASE, CHAT, LLAMA, QWEN, configs};

static RIG: Shared = Shared::new();

fn delay() -> Value {
    json!({"name": "envoy.filters.http.fault", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
        "delay": {"fixed_delay": "0.06s", "percentage": {"numerator": 100}},
    }})
}

fn buffer() -> Value {
    json!({"name": "envoy.filters.http.buffer", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer",
        "max_request_bytes": 9_437_184,
    }})
}

fn names() -> Vec<String> {
    ["delay", "buffer"].iter().flat_map(|kind| VARIANTS.map(|it| format!("{kind}-{}", it.name))).collect()
}

fn listeners() -> Vec<Listener> {
    let mut listeners = Vec::new();
    for (kind, filter) in [("delay", delay()), ("buffer", buffer())] {
        for variant in VARIANTS {
            let listener = variant.listener(stock(configs::PLAIN));
            let (name, others) = (format!("{kind}-{}", variant.name), vec![(1, filter.clone())]);
            listeners.push(Listener { name, others, ..listener });
        }
    }
    listeners
}

async fn run(test: impl AsyncFn(&Rig, &str) -> Result<()>) {
    RIG.run(listeners, async |rig: &Rig| {
        for name in names() {
            test(rig, &name).await.map_err(|error| error.context(name))?;
        }
        let metrics = rig.envoy.metrics("ipp_").await?;
        for metric in ["ipp_gate_missing_total", "ipp_reader_missing_total", "ipp_gate_timeouts_total"] {
            ensure!(metrics[metric] == 0.0, "{metric} is {}", metrics[metric]);
        }
        Ok(())
    })
    .await;
}

fn request(size: usize) -> Request {
    Request::post(CHAT, format!(r#"{{"x":"{}","model":"sql-lora"}}"#, "x".repeat(size)))
}

#[tokio::test]
async fn bodies_of_every_framing() {
    run(async |rig, listener| {
        for size in [10, 300_000, 2_000_000] {
            for request in [
                request(size),
                request(size).pieces(&[20, size / 2]),
                request(size).chunked(&[20, size / 2]).header(BASE, LLAMA),
            ] {
                for protocol in [H1, H2] {
                    let (case, request) = tag(request.clone());
                    let response =
                        ipp_testharness::client::fetch(protocol, rig.address(listener), &request).await?;
                    ensure!(response.status == 200, "{}", response.text());
                    let arrived = rig.log.arrival(CASE, &case).await?;
                    assert_eq!(
                        (arrived.upstream.as_str(), arrived.header(BASE).as_deref()),
                        ("qwen-pool", Some(QWEN))
                    );
                    ensure!(arrived.body == request.body, "the body was changed");
                }
            }
        }
        Ok(())
    })
    .await;
}

/// The second half comes when the filter between them has let go long ago.
#[tokio::test]
async fn the_second_half_comes_later() {
    run(async |rig, listener| {
        let (_, one) = tag(request(300_000));
        let (_, two) = tag(request(1000));
        let mut first = h1::Connection::open(rig.address(listener)).await?;
        let half = one.head().len() + 150_000;
        first.send(&one.wire()[..half]).await?;
        let mut second = h2::Connection::open(rig.address(listener)).await?;
        let mut stream = second.open_stream(&two, false).await?;
        stream.body.send_data(two.body.slice(..500), false)?;
        tokio::time::sleep(std::time::Duration::from_millis(120)).await;
        first.send(&one.wire()[half..]).await?;
        stream.body.send_data(two.body.slice(500..), true)?;
        let responses = async { tokio::try_join!(first.response("POST"), stream.response()) };
        let (response, other) = within("the answers", responses).await?;
        rig.seen(one, response).forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
        // The filter that waits for the whole body knows its length then, and says it.
        ensure!(other.status == 200, "{}", other.text());
        let arrived = rig.log.with(CASE, &two.headers.get(CASE).unwrap_or_default());
        ensure!(arrived.len() == 1 && arrived[0].body == two.body && arrived[0].upstream == "qwen-pool");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn refusals_and_clients_that_leave() {
    run(async |rig, listener| {
        for protocol in [H1, H2] {
            rig.ask(protocol, listener, Request::post(CHAT, "{")).await?.refused(400, "invalid_json");
            let passed = rig.ask(protocol, listener, Request::get("/v1/models").header(BASE, QWEN)).await?;
            passed.forwarded("default-pool", None, None);
        }
        for cut in [0, 5, 22] {
            let (_, request) = tag(request(0));
            let mut first = h1::Connection::open(rig.address(listener)).await?;
            first.send(&request.wire()[..request.head().len() + cut]).await?;
            let mut second = h2::Connection::open(rig.address(listener)).await?;
            let mut stream = second.open_stream(&request, false).await?;
            stream.body.send_data(request.body.slice(..cut), cut == request.body.len())?;
            rig.active(listener).await?;
            first.abort()?;
            stream.reset();
        }
        Ok(())
    })
    .await;
}
