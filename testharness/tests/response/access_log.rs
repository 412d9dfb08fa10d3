//! The access log of `envoy/multi-pool.yaml`: one JSON object a line that says what a request took.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use ipp_testharness::answer::{Answer, Gate, Step};
use ipp_testharness::artifacts;
use ipp_testharness::client::{Request, fetch, h1};
use ipp_testharness::envoy::{Envoy, Launch};
use ipp_testharness::shipped::Shipped;
use ipp_testharness::upstream::Protocol::H1;
use ipp_testharness::upstream::{Log, Upstream};
use ipp_testharness::wait::{until, within};
use serde_json::{Value, json};

use crate::support::CHAT;

const HI: &str = r#"{"model":"served-lora","choices":[{"delta":{"content":"Hi"}}]}"#;
const USAGE: &str = r#"{"model":"served-lora","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":1}}}"#;

fn answer(path: &str, gate: &Gate) -> Answer {
    let hi = Answer::events([(Duration::from_millis(30), HI)]);
    match path {
        "/v1/completions" => hi.then(Step::Hold(gate.clone())),
        "/v1/messages" => hi.then(Step::Reset),
        "/v1/responses" => Answer::status(200).first(Step::Reset),
        _ => Answer::events([
            (Duration::from_millis(30), HI),
            (Duration::ZERO, USAGE),
            (Duration::ZERO, "[DONE]"),
        ]),
    }
}

#[tokio::test]
async fn every_ending_has_its_line() -> Result<()> {
    let (log, gate) = (Log::new(), Gate::new());
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut shipped =
        Shipped::load("multi-pool.yaml")?.module(&artifacts::module())?.on_loopback(loopback)?;
    let mut servers = Vec::new();
    for host in ["llama.models.internal", "qwen.models.internal", "default.models.internal"] {
        let gate = gate.clone();
        let server = Upstream::start(host, &log, move |request| answer(&request.path, &gate))?;
        shipped = shipped.address(host, 8000, server.address())?;
        servers.push(server);
    }
    let launch = Launch { binary: artifacts::envoy(), concurrency: 2 };
    let envoy = Envoy::start_yaml(&launch, shipped.text()).await?;
    let address = envoy.address("llm").await?;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = |path: &str| {
        Request::post(path, r#"{"model":"sql-lora","stream":true}"#).header("traceparent", parent)
    };
    for path in [CHAT, "/v1/messages", "/v1/responses"] {
        fetch(H1, address, &request(path)).await?;
    }
    let mut connection = h1::Connection::open(address).await?;
    connection.send(&request("/v1/completions").wire()).await?;
    let mut incoming = within("the head", connection.incoming("POST")).await?;
    within("an event", connection.piece(&mut incoming)).await?;
    drop(connection);
    fetch(H1, address, &Request::get("/v1/models")).await?;

    let lines = until("five lines", async || {
        let text = envoy.stdout()?;
        let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Ok((lines.len() >= 5).then_some(lines))
    })
    .await?;
    gate.open();
    let line = |path: &str| {
        lines
            .iter()
            .find(|line| line["path"] == path)
            .with_context(|| format!("no line of {path}: {lines:#?}"))
    };
    let done = line(CHAT)?;
    for (key, value) in [
        ("outcome", "ok"),
        ("profile", "default"),
        ("gen_ai.request.model", "sql-lora"),
        ("gen_ai.response.model", "served-lora"),
        ("gen_ai.usage.input_tokens", "9"),
        ("gen_ai.usage.output_tokens", "2"),
        ("gen_ai.usage.cache_read.input_tokens", "4"),
        ("gen_ai.usage.reasoning.output_tokens", "1"),
        ("trace", parent),
    ] {
        // Filter state may be logged as a number or as text.
        let text = done[key].as_str().map_or_else(|| done[key].to_string(), str::to_owned);
        assert_eq!(text, value, "{key} in {done:#}");
    }
    let ttft = done["ttft_ms"].as_str().map_or_else(|| done["ttft_ms"].to_string(), str::to_owned);
    let ttft: u64 = ttft.parse()?;
    assert!((30..5000).contains(&ttft), "{ttft}");
    for (path, outcome) in
        [("/v1/messages", "reset"), ("/v1/responses", "unanswered"), ("/v1/completions", "aborted")]
    {
        assert_eq!(line(path)?["outcome"], outcome);
        assert_eq!(line(path)?["gen_ai.request.model"], "sql-lora");
        assert_eq!(line(path)?["gen_ai.usage.input_tokens"], json!(null), "{path}");
    }
    assert_eq!(line("/v1/models")?["outcome"], json!(null));
    envoy.assert_healthy().await;
    Ok(())
}
