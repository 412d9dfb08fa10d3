//! What happens when a plugin crashes, and that the harness sees it: a check that cannot fail proves nothing.

use anyhow::Result;
use ipp_testharness::artifacts;
use ipp_testharness::bootstrap::{Bootstrap, Filter, OnFailure};
use ipp_testharness::client::{Request, h2};
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::wait::{until, within};

use crate::support::rig::{CASE, Rig, listener, tag};
use crate::support::{BASE, CHAT, LLAMA, QWEN, configs};

/// One worker, so that every request meets the module that crashed.
async fn rig() -> Result<Rig> {
    rig_with(OnFailure::Reload).await
}

async fn rig_with(rule: OnFailure) -> Result<Rig> {
    let config = configs::PLAIN
        .replacen("plugins:\n", "plugins:\n- type: trap\n", 1)
        .replace("request:\n", "request:\n    - pluginRef: trap\n");
    let filter = Filter::new(&artifacts::trap_module(), &config).on_failure(rule);
    let mut bootstrap = Bootstrap::new(vec![listener("main", filter, "")], Vec::new());
    bootstrap.concurrency = 1;
    Rig::start_with(bootstrap).await
}

fn good() -> Request {
    Request::post(CHAT, r#"{"model":"sql-lora"}"#)
}

fn trap() -> Request {
    Request::post(CHAT, r#"{"model":"trap"}"#)
}

/// Serves as before, once Envoy has given the worker a new module.
async fn recovered(rig: &Rig) -> Result<()> {
    until("the worker to serve again", || async {
        let exchange = rig.ask(H1, "main", good()).await?;
        Ok((exchange.response.status == 200).then_some(()))
    })
    .await?;
    for protocol in [H1, H2] {
        rig.ask(protocol, "main", good()).await?.forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
    }
    Ok(())
}

#[tokio::test]
async fn the_harness_sees_a_crash() -> Result<()> {
    let rig = rig().await?;
    rig.assert_healthy().await;
    rig.ask(H1, "main", trap()).await?;
    recovered(&rig).await?;
    let findings = rig.envoy.findings(&[]).await?.join("\n");
    for sign in ["panicked at", "[error][wasm]", "Uncaught RuntimeError", "vm_reload_success is 1"] {
        assert!(findings.contains(sign), "no {sign:?} in:\n{findings}");
    }
    Ok(())
}

#[tokio::test]
async fn the_request_fails_closed_and_the_worker_recovers() -> Result<()> {
    let rig = rig().await?;
    for protocol in [H1, H2] {
        rig.ask(protocol, "main", good()).await?.forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
        let exchange = rig.ask(protocol, "main", trap()).await?;
        assert_eq!(exchange.response.status, 503);
        assert!(exchange.arrived.is_empty(), "it was forwarded: {exchange:?}");
        recovered(&rig).await?;
    }
    Ok(())
}

/// What was being read when the module crashed is lost, but it is answered, and nothing of it goes on
/// undecided.
#[tokio::test]
async fn requests_under_way_are_answered_and_never_forwarded() -> Result<()> {
    let rig = rig().await?;
    let mut connection = h2::Connection::open(rig.address("main")).await?;
    let mut held = Vec::new();
    for _ in 0..4 {
        let (case, request) = tag(good());
        let mut stream = connection.open_stream(&request, false).await?;
        stream.body.send_data(request.body.slice(..5), false)?;
        held.push((stream, case, request));
    }
    rig.active("main").await?;
    let response = within("the answer", connection.exchange(&trap())).await?;
    assert_eq!(response.status, 503);
    for (mut stream, case, request) in held {
        // Envoy may have ended the stream already.
        let _ = stream.body.send_data(request.body.slice(5..), true);
        if let Ok(response) = within("the answer", stream.response()).await {
            assert_eq!(response.status, 503);
        }
        assert!(!rig.log.has_head(CASE, &case), "it was forwarded undecided");
    }
    recovered(&rig).await?;
    rig.idle("main").await
}

/// The table of docs/operations.md, a row a test: the request that crashes the module, and those that come after
/// it on the same worker, one of them with a routing header that the client made up.
async fn after_a_crash(rule: OnFailure, crashing: u16, later: u16) -> Result<Rig> {
    let rig = rig_with(rule).await?;
    rig.ask(H1, "main", good()).await?.forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
    let exchange = rig.ask(H1, "main", trap()).await?;
    assert_eq!(exchange.response.status, crashing, "{exchange:?}");
    for _ in 0..3 {
        let exchange = rig.ask(H1, "main", good()).await?;
        assert_eq!(exchange.response.status, later, "{exchange:?}");
    }
    Ok(rig)
}

#[tokio::test]
async fn fail_closed_refuses_every_later_request() -> Result<()> {
    after_a_crash(OnFailure::Closed, 503, 503).await.map(drop)
}

#[tokio::test]
async fn fail_open_lets_later_requests_pass_unread_with_what_clients_made_up() -> Result<()> {
    let rig = after_a_crash(OnFailure::Open, 503, 200).await?;
    made_up_headers_pass(&rig).await
}

#[tokio::test]
async fn the_deprecated_fail_open_spares_the_crashing_request_too() -> Result<()> {
    let rig = after_a_crash(OnFailure::LegacyOpen, 200, 200).await?;
    made_up_headers_pass(&rig).await
}

/// What "open" means: without the filter nobody removes a routing header that the client sent.
async fn made_up_headers_pass(rig: &Rig) -> Result<()> {
    let exchange = rig.ask(H1, "main", good()).await?;
    exchange.forwarded("default-pool", None, None);
    let exchange = rig.ask(H1, "main", good().header(BASE, LLAMA)).await?;
    exchange.forwarded("llama-pool", None, Some(LLAMA));
    Ok(())
}
