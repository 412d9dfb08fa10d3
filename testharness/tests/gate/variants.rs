//! In one VM and in two, with the flag and without it: what is held, what passes, what is edited and what is refused.

use anyhow::{Result, ensure};
use ipp_testharness::answer::Answer;
use ipp_testharness::artifacts;
use ipp_testharness::bootstrap::{Filter, Listener};
use ipp_testharness::client::{Request, h1, h2};
use ipp_testharness::message::Headers;
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::wait::within;

use crate::pairs::VARIANTS;
use crate::support::exchange::assert_routing;
use crate::support::rig::{CASE, Rig, Shared, tag};
use crate::support::{BASE, CHAT, LLAMA, MODEL, QWEN};

static RIG: Shared = Shared::new();

/// `long` and `gpt-4` stand for other models, so that a body gets shorter or longer.
const CONFIG: &str = "\
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: model-alias
  parameters: {aliases: {gpt-4: meta-llama/Llama-3.1-8B-Instruct, long-name-for-it: sql-lora}}
- {type: body-field-to-header, parameters: {fieldName: model, headerName: X-Gateway-Model-Name}}
- type: base-model-to-header
  parameters:
    mappings:
    - {baseModel: meta-llama/Llama-3.1-8B-Instruct, adapters: [food-review-1]}
    - {baseModel: Qwen/Qwen2.5-1.5B-Instruct, adapters: [sql-lora]}
profiles:
- name: default
  plugins: {request: [{pluginRef: model-alias}, {pluginRef: body-field-to-header}, {pluginRef: base-model-to-header}]}
";

fn listeners() -> Vec<Listener> {
    let filter = Filter::new(&artifacts::custom_module(), CONFIG);
    let listeners = VARIANTS.map(|variant| variant.listener(filter.clone()));
    listeners.map(|listener| Listener { upgrades: vec!["websocket".to_owned()], ..listener }).into()
}

/// The same test for each variant.
async fn run(test: impl AsyncFn(&Rig, &str) -> Result<()>) {
    RIG.run(listeners, async |rig: &Rig| {
        for variant in VARIANTS {
            test(rig, variant.name).await.map_err(|error| error.context(variant.name))?;
        }
        Ok(())
    })
    .await;
}

fn body(model: &str, filler: usize) -> String {
    format!(r#"{{"x":"{}","model":"{model}","y":1.0}}"#, "é".repeat(filler / 2))
}

/// What a model is replaced with, what its base is, and where that is served.
const PLACES: [(&str, &str, &str, &str); 4] = [
    ("sql-lora", "sql-lora", QWEN, "qwen-pool"),
    ("gpt-4", LLAMA, LLAMA, "llama-pool"),
    ("long-name-for-it", "sql-lora", QWEN, "qwen-pool"),
    ("unknown", "unknown", "", "default-pool"),
];

#[tokio::test]
async fn bodies_of_every_size_and_framing() {
    run(async |rig, listener| {
        for size in [0, 300_000, 5_000_000] {
            for (model, becomes, base, pool) in PLACES {
                let text = body(model, size);
                for request in [
                    Request::post(CHAT, text.clone()),
                    Request::post(CHAT, text.clone()).chunked(&[7, size / 2]),
                    Request::post(CHAT, text.clone()).pieces(&[7, size / 3]),
                ] {
                    for protocol in [H1, H2] {
                        let exchange = rig.ask(protocol, listener, request.clone()).await?;
                        exchange.rewritten(pool, becomes, base, &body(becomes, size));
                    }
                }
                if size > 300_000 {
                    break;
                }
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_edit_does_no_harm_to_the_next_request_on_the_connection() {
    run(async |rig, listener| {
        let mut connection = h1::Connection::open(rig.address(listener)).await?;
        for (model, becomes, base, pool) in PLACES.into_iter().cycle().take(12) {
            let (_, request) = tag(Request::post(CHAT, body(model, 10)));
            let response = within("the answer", connection.exchange(&request)).await?;
            rig.seen(request, response).rewritten(pool, becomes, base, &body(becomes, 10));
        }
        let requests: Vec<_> = PLACES.map(|place| tag(Request::post(CHAT, body(place.0, 0))).1).into();
        connection.send(&requests.iter().flat_map(Request::wire).collect::<Vec<_>>()).await?;
        for (request, (_, becomes, base, pool)) in requests.into_iter().zip(PLACES) {
            let response = within("the answer", connection.response("POST")).await?;
            rig.seen(request, response).rewritten(pool, becomes, base, &body(becomes, 0));
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn trailers_and_spoofed_headers() {
    run(async |rig, listener| {
        for protocol in [H1, H2] {
            for size in [0, 300_000] {
                let request = Request::post(CHAT, body("sql-lora", size)).chunked(&[3]).trailer("x-sum", "1");
                let request = request.trailer(BASE, LLAMA).trailer(MODEL, "gpt-4");
                let (case, request) = tag(request.header(BASE, LLAMA).header(MODEL, "x").header(BASE, ""));
                let response =
                    ipp_testharness::client::fetch(protocol, rig.address(listener), &request).await?;
                assert_eq!(response.status, 200, "{}", response.text());
                let arrived = rig.log.arrival(CASE, &case).await?;
                assert_routing(&arrived, Some("sql-lora"), Some(QWEN));
                assert_eq!(arrived.trailers, Headers::new().with("x-sum", "1"));
                assert_eq!(arrived.body.len(), body("sql-lora", size).len());
            }
            let spoofed = [
                Request::get("/v1/models"),
                Request::new("PUT", "/x"),
                Request::post(CHAT, "").headers([("content-type", "text/plain")].into_iter().collect()),
            ];
            for request in spoofed {
                let request = request.header(BASE, QWEN).header(MODEL, "sql-lora");
                rig.ask(protocol, listener, request).await?.forwarded("default-pool", None, None);
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_is_refused() {
    run(async |rig, listener| {
        for protocol in [H1, H2] {
            for request in [
                Request::post(CHAT, "{"),
                Request::post(CHAT, body("sql-lora", 300_000) + "x"),
                Request::post(CHAT, "").chunked(&[]),
                Request::post(CHAT, "").trailer("x-sum", "1"),
            ] {
                rig.ask(protocol, listener, request).await?.refused(400, "invalid_json");
            }
            let large = Request::post(CHAT, body("sql-lora", 9_000_000));
            rig.ask(protocol, listener, large.clone()).await?.refused(413, "body_too_large");
            rig.ask(protocol, listener, large.chunked(&[])).await?.refused(413, "body_too_large");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn expect_http_1_0_and_upgrades() {
    run(async |rig, listener| {
        let (_, request) = tag(Request::post(CHAT, body("gpt-4", 0)).header("expect", "100-continue"));
        let mut connection = h1::Connection::open(rig.address(listener)).await?;
        connection.send(&request.head()).await?;
        assert_eq!(within("the interim answer", connection.interim()).await?, 100);
        connection.send(&request.body).await?;
        let response = within("the answer", connection.response("POST")).await?;
        rig.seen(request, response).rewritten("llama-pool", LLAMA, LLAMA, &body(LLAMA, 0));

        let (_, request) = tag(Request::post(CHAT, body("gpt-4", 0)));
        let request = Request { version: "HTTP/1.0", ..request };
        let mut connection = h1::Connection::open(rig.address(listener)).await?;
        let response = within("the answer", connection.exchange(&request)).await?;
        rig.seen(request, response).rewritten("llama-pool", LLAMA, LLAMA, &body(LLAMA, 0));

        let (case, request) = tag(Request::new("POST", CHAT).header("content-type", "application/json"));
        let request =
            request.header("connection", "Upgrade").header("upgrade", "websocket").header(BASE, QWEN);
        let switched = Answer::status(101).header("connection", "upgrade").header("upgrade", "websocket");
        rig.script(&case, switched.tunnel());
        let mut connection = h1::Connection::open(rig.address(listener)).await?;
        connection.send(&request.head()).await?;
        assert_eq!(within("the switch of protocols", connection.incoming("POST")).await?.status, 101);
        connection.send(b"echo").await?;
        assert_eq!(within("the echo", connection.raw(4)).await?, "echo");
        assert_routing(&*rig.log.arrival(CASE, &case).await?, None, None);
        connection.finish().await
    })
    .await;
}

/// Opened one after the other, then piece by piece in turns, so that all of them are held at the same time.
#[tokio::test]
async fn thirty_two_streams_that_take_turns() {
    run(async |rig, listener| {
        let mut connection = h2::Connection::open(rig.address(listener)).await?;
        let mut streams = Vec::new();
        for number in 0..32 {
            let (model, becomes, base, pool) = PLACES[number % PLACES.len()];
            let (_, request) = tag(Request::post(CHAT, body(model, number * 100)));
            let stream = connection.open_stream(&request, false).await?;
            streams.push((stream, request, (number, becomes, base, pool)));
        }
        for (stream, request, _) in &mut streams {
            stream.body.send_data(request.body.slice(..20), false)?;
        }
        rig.active(listener).await?;
        for (stream, request, _) in streams.iter_mut().rev() {
            stream.body.send_data(request.body.slice(20..), true)?;
        }
        for (stream, request, (number, becomes, base, pool)) in streams {
            let response = within("the answer", stream.response()).await?;
            rig.seen(request, response).rewritten(pool, becomes, base, &body(becomes, number * 100));
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn clients_that_leave_while_they_are_held() {
    run(async |rig, listener| {
        for cut in [0, 1, 20, 60] {
            let (case, request) = tag(Request::post(CHAT, body("sql-lora", 100)));
            let mut connection = h1::Connection::open(rig.address(listener)).await?;
            connection.send(&request.wire()[..request.head().len() + cut]).await?;
            let mut two = h2::Connection::open(rig.address(listener)).await?;
            let mut stream = two.open_stream(&request, false).await?;
            stream.body.send_data(request.body.slice(..cut), false)?;
            rig.active(listener).await?;
            connection.abort()?;
            stream.reset();
            ensure!(!rig.log.has_head(CASE, &case), "it reached a pool");
        }
        // With the last byte of the request: its decision may come when it is gone.
        for _ in 0..20 {
            let (_, request) = tag(Request::post(CHAT, body("sql-lora", 100)));
            let mut connection = h1::Connection::open(rig.address(listener)).await?;
            connection.send(&request.wire()).await?;
            connection.abort()?;
            let mut two = h2::Connection::open(rig.address(listener)).await?;
            two.send_request(&request).await?.reset();
        }
        for protocol in [H1, H2] {
            let request = Request::post(CHAT, body("sql-lora", 0));
            rig.ask(protocol, listener, request).await?.forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
        }
        Ok(())
    })
    .await;
}
