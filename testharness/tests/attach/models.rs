//! The chart's example of model selection: clients say `auto`, the cheaper pool serves until it has enough to do.

use anyhow::{Context, Result};
use ipp_testharness::answer::{Answer, Gate, Step};
use ipp_testharness::client::{Request, fetch};
use ipp_testharness::upstream::Protocol::{self, H1, H2};
use ipp_testharness::wait::until;

use crate::case::Case;
use crate::gateway::Running;
use crate::samples::CHAT;
use crate::suite::assemble;

const LLAMA: &str = "meta-llama/Llama-3.1-8B-Instruct";
const QWEN: &str = "Qwen/Qwen2.5-1.5B-Instruct";

/// So many requests the cheaper one takes before the other has the higher total: with `n` of 16 it is
/// 1 × 0.75 + 2 × 16 / (16 + n), and that of the other one, idle, 1 × 0.25 + 2.
const ENOUGH: usize = 6;

fn chat(model: &str, case: &str) -> Request {
    // Spaces and a number that a rewriting of the whole body would lose.
    Request::post(CHAT, format!(r#"{{"seed": 1.0, "model": {model}, "messages": []}}"#))
        .header("x-case", case)
}

/// The request arrived in this pool, for this model, and says so wherever a route or a picker could look.
async fn arrived(running: &Running, case: &str, pool: &str, model: &str) -> Result<()> {
    let arrived = running.log.arrival("x-case", case).await?;
    assert_eq!(arrived.upstream, pool, "{case}");
    for header in ["x-gateway-model-name", "x-gateway-base-model-name", "x-picker-saw"] {
        assert_eq!(arrived.header(header).as_deref(), Some(model), "{case}: {header}");
    }
    let body = format!(r#"{{"seed": 1.0, "model": "{model}", "messages": []}}"#);
    assert_eq!(String::from_utf8_lossy(&arrived.body), body, "{case}");
    Ok(())
}

async fn names(running: &Running, protocol: Protocol) -> Result<()> {
    for (model, pool, chosen) in [
        (r#""auto""#, "qwen-pool", QWEN),
        ("null", "qwen-pool", QWEN),
        (r#""auto/large""#, "llama-pool", LLAMA),
        (r#""meta-llama/Llama-3.1-8B-Instruct""#, "llama-pool", LLAMA),
    ] {
        let case = format!("{model} over {protocol:?}");
        let response = fetch(protocol, running.address, &chat(model, &case)).await.context(case.clone())?;
        assert_eq!(response.status, 200, "{case}: {}", response.text());
        arrived(running, &case, pool, chosen).await?;
    }
    let before = running.log.all().len();
    let response = fetch(protocol, running.address, &chat(r#""gpt-4""#, "unknown")).await?;
    assert_eq!((response.status, response.json()["error"]["code"].as_str()), (404, Some("model_not_found")));
    assert_eq!(running.log.all().len(), before, "an unknown model reached a pool");
    Ok(())
}

async fn load(running: &Running, gate: &Gate) -> Result<()> {
    let mut held = Vec::new();
    for number in 0..ENOUGH {
        let case = format!("held {number}");
        let (address, request) = (running.address, chat(r#""auto""#, &case));
        held.push(tokio::spawn(async move { fetch(H2, address, &request).await }));
        // One after the other: each is in flight before the next is sent.
        arrived(running, &case, "qwen-pool", QWEN).await?;
    }
    let response = fetch(H1, running.address, &chat(r#""auto""#, "over")).await?;
    assert_eq!(response.status, 200, "{}", response.text());
    arrived(running, "over", "llama-pool", LLAMA).await?;

    gate.open();
    for request in held {
        assert_eq!(request.await??.status, 200);
    }
    until("nothing to be in flight", async || {
        let metrics = running.envoy.metrics("ipp_inflight{").await?;
        Ok((!metrics.is_empty() && metrics.values().all(|value| *value == 0.0)).then_some(()))
    })
    .await?;
    fetch(H1, running.address, &chat(r#""auto""#, "idle again")).await?;
    arrived(running, "idle again", "qwen-pool", QWEN).await?;
    let chosen = running.envoy.metrics("ipp_model_selected_total{").await?;
    let of = |model: &str| chosen.get(&format!("ipp_model_selected_total{{model=\"{model}\"}}")).copied();
    assert_eq!((of(QWEN), of(LLAMA)), (Some(ENOUGH as f64 + 1.0), Some(1.0)), "{chosen:?}");
    Ok(())
}

async fn run(name: &str) -> Result<()> {
    let mut gateway = assemble(&Case::load(name)?)?;
    let gate = Gate::new();
    let held = gate.clone();
    gateway.serve("qwen-pool", move || Answer::status(200).first(Step::Hold(held.clone())));
    let running = gateway.run().await?;
    load(&running, &gate).await?;
    // From here on the gate is open.
    for protocol in [H1, H2] {
        names(&running, protocol).await?;
    }
    running.envoy.assert_healthy().await;
    Ok(())
}

#[tokio::test]
async fn a_reader_and_a_gate_choose_the_model() -> Result<()> {
    run("chart-istio-models").await
}

#[tokio::test]
async fn so_does_direct_mode() -> Result<()> {
    run("chart-istio-envoyfilter-models").await
}
