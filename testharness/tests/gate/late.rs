//! Decisions that come late, never, or of which the gate was not told.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ipp_testharness::artifacts;
use ipp_testharness::bootstrap::{Bootstrap, Filter, OnFailure};
use ipp_testharness::client::{Request, h1};
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::wait::within;

use crate::pairs::{VARIANTS, listener, stock};
use crate::support::rig::{CASE, Rig, tag};
use crate::support::{CHAT, QWEN, configs};

const TIMEOUT: Duration = Duration::from_millis(800);

fn config() -> String {
    configs::with(&["gateTimeout: 800ms"])
}

fn good() -> Request {
    Request::post(CHAT, r#"{"model":"sql-lora","messages":[]}"#)
}

async fn timeouts(rig: &Rig) -> Result<(f64, f64)> {
    let metrics = rig.envoy.metrics("ipp_").await?;
    Ok((metrics["ipp_gate_timeouts_total"], metrics["ipp_rejections_total{code=\"gate_timeout\"}"]))
}

/// The reader crashes while it decides, and Envoy is told to go on without it: the gate would wait for ever.
#[tokio::test]
async fn without_a_decision_the_gate_answers() -> Result<()> {
    let trap = configs::PLAIN
        .replacen("plugins:\n", "plugins:\n- type: trap\n", 1)
        .replace("request:\n", "request:\n    - pluginRef: trap\n");
    let reader =
        Filter::new(&artifacts::trap_module(), &trap).without_flag().in_role("reader").in_vm("reader");
    let gate = stock(&config()).without_flag().in_role("gate").in_vm("gate");
    let filters = vec![reader.on_failure(OnFailure::LegacyOpen), gate];
    let mut bootstrap = Bootstrap::new(vec![listener("main", filters)], Vec::new());
    bootstrap.concurrency = 1;
    let rig = Rig::start_with(bootstrap).await?;
    for protocol in [H1, H2] {
        rig.ask(protocol, "main", good()).await?.forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
    }
    let (case, request) = tag(Request::post(CHAT, r#"{"model":"trap"}"#));
    let before = Instant::now();
    let exchange = rig.ask(H1, "main", request).await?;
    ensure!(before.elapsed() >= TIMEOUT, "{:?}", before.elapsed());
    assert_eq!(exchange.response.status, 503);
    let error = &exchange.response.json()["error"];
    assert_eq!(
        (error["code"].as_str(), error["type"].as_str()),
        (Some("gate_timeout"), Some("server_error"))
    );
    ensure!(!rig.log.has_head(CASE, &case), "it reached a pool");
    assert_eq!(timeouts(&rig).await?, (1.0, 1.0));
    Ok(())
}

/// The time-out runs while nothing comes of the body, and not longer.
#[tokio::test]
async fn a_slow_client_is_no_lost_decision_but_a_silent_one_is_answered() -> Result<()> {
    let listeners = VARIANTS.map(|variant| variant.listener(stock(&config())));
    let rig = Rig::start(listeners.into()).await?;
    for variant in VARIANTS {
        let (_, request) = tag(good());
        let mut connection = h1::Connection::open(rig.address(variant.name)).await?;
        connection.send(&request.head()).await?;
        for piece in request.body.chunks(7) {
            tokio::time::sleep(TIMEOUT / 3).await;
            connection.send(piece).await?;
        }
        let response = within("the answer", connection.response("POST")).await?;
        rig.seen(request, response).forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
    }
    assert_eq!(timeouts(&rig).await?, (0.0, 0.0));
    for variant in VARIANTS {
        let (case, request) = tag(good());
        let mut connection = h1::Connection::open(rig.address(variant.name)).await?;
        connection.send(&request.wire()[..request.head().len() + 9]).await?;
        let response = within("the answer", connection.response("POST")).await?;
        assert_eq!(response.status, 503, "{}", response.text());
        assert_eq!(response.json()["error"]["code"], "gate_timeout");
        ensure!(!rig.log.has_head(CASE, &case), "it reached a pool");
    }
    assert_eq!(timeouts(&rig).await?, (4.0, 4.0));
    rig.assert_healthy().await;
    Ok(())
}

/// Envoy keeps the queue's callback from the gate: the decision is there, and nobody tells.
#[tokio::test]
async fn a_decision_whose_wake_up_is_lost_is_found_by_the_tick() -> Result<()> {
    let reader = stock(configs::PLAIN).without_flag().in_role("reader").in_vm("reader");
    let gate = stock(configs::PLAIN).without_flag().in_role("gate").in_vm("gate");
    let gate = gate.withhold(&["proxy_on_queue_ready"]);
    let rig = Rig::start(vec![listener("main", vec![reader, gate])]).await?;
    for protocol in [H1, H2] {
        let before = Instant::now();
        let exchange = rig.ask(protocol, "main", good()).await?;
        exchange.forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
        // Once a second it looks.
        ensure!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
    }
    assert_eq!(timeouts(&rig).await?, (0.0, 0.0));
    rig.assert_healthy().await;
    Ok(())
}

/// The reader may not use the queue: what it cannot tell the gate must not wait for the time-out.
#[tokio::test]
async fn a_decision_that_cannot_be_sent_is_an_error_at_once() -> Result<()> {
    let reader = stock(configs::PLAIN).without_flag().in_role("reader").in_vm("reader");
    let gate = stock(configs::PLAIN).without_flag().in_role("gate").in_vm("gate");
    let filters = vec![reader.withhold(&["proxy_enqueue_shared_queue"]), gate];
    let rig = Rig::start(vec![listener("main", filters)]).await?;
    for protocol in [H1, H2] {
        let exchange = rig.ask(protocol, "main", good()).await?;
        assert_eq!(exchange.response.status, 500);
        assert_eq!(exchange.response.json()["error"]["code"], "internal_error");
        ensure!(exchange.arrived.is_empty());
    }
    Ok(())
}
