//! The sample requests, and what has to become of each behind every way to attach.

use anyhow::{Context, Result};
use ipp_testharness::client::{Request, fetch};
use ipp_testharness::upstream::Protocol::{self, H1, H2};

use crate::gateway::Running;

pub(crate) const CHAT: &str = "/v1/chat/completions";
const MODEL: &str = "x-gateway-model-name";
const BASE: &str = "x-gateway-base-model-name";
const LLAMA: &str = "meta-llama/Llama-3.1-8B-Instruct";
const QWEN: &str = "Qwen/Qwen2.5-1.5B-Instruct";

/// A request that a pool gets.
struct Sample {
    what: &'static str,
    request: Request,
    pool: &'static str,
    model: Option<&'static str>,
    base: Option<&'static str>,
}

/// A body of exactly `size` bytes for `model`, which stands at its end.
pub(crate) fn body(model: &str, size: usize) -> String {
    let frame = format!(r#"{{"x":"","model":"{model}"}}"#);
    frame.replacen(r#""x":"""#, &format!(r#""x":"{}""#, "x".repeat(size - frame.len())), 1)
}

fn samples(cad_pool: &'static str) -> Vec<Sample> {
    let post = |model: &str| Request::post(CHAT, body(model, 200));
    let sample = |what, request, pool, model, base| Sample { what, request, pool, model, base };
    vec![
        sample("a base model", post(LLAMA), "llama-pool", Some(LLAMA), Some(LLAMA)),
        sample("an adapter", post("sql-lora"), "qwen-pool", Some("sql-lora"), Some(QWEN)),
        sample(
            "an adapter with its own pool",
            post("cad-fabricator"),
            cad_pool,
            Some("cad-fabricator"),
            Some(LLAMA),
        ),
        sample("an unknown model", post("gpt-4"), "default-pool", Some("gpt-4"), Some("")),
        sample("no model", Request::post(CHAT, r#"{"messages":[]}"#), "default-pool", None, None),
        sample(
            "spoofed headers",
            post("food-review-1").header(MODEL, "sql-lora").header(BASE, QWEN),
            "llama-pool",
            Some("food-review-1"),
            Some(LLAMA),
        ),
        sample(
            "spoofed without a body",
            Request::get("/v1/models").header(BASE, QWEN),
            "default-pool",
            None,
            None,
        ),
        sample(
            "5 MB",
            Request::post(CHAT, body("sql-lora", 5 << 20)),
            "qwen-pool",
            Some("sql-lora"),
            Some(QWEN),
        ),
        sample(
            "5 MB in chunks",
            Request::post(CHAT, body("sql-lora", 5 << 20)).chunked(&[1000, 70_000]),
            "qwen-pool",
            Some("sql-lora"),
            Some(QWEN),
        ),
    ]
}

/// Sends every sample over both protocols. `cad_pool` is where the adapter with servers of its own belongs.
pub(crate) async fn check(running: &Running, cad_pool: &'static str) -> Result<()> {
    for protocol in [H1, H2] {
        for sample in samples(cad_pool) {
            let what = format!("{} over {protocol:?}", sample.what);
            forwarded(running, protocol, sample).await.context(what)?;
        }
        for (what, text, code) in
            [("broken JSON", "{\"model\":", "invalid_json"), ("no object", "[]", "invalid_json")]
        {
            let before = running.log.all().len();
            let response =
                fetch(protocol, running.address, &Request::post(CHAT, text)).await.context(what)?;
            assert_eq!(response.status, 400, "{what} over {protocol:?}: {}", response.text());
            assert_eq!(response.json()["error"]["code"], code, "{what}: {}", response.text());
            assert_eq!(running.log.all().len(), before, "{what} reached a pool");
        }
    }
    Ok(())
}

async fn forwarded(running: &Running, protocol: Protocol, sample: Sample) -> Result<()> {
    let case = format!("{} {protocol:?}", sample.what);
    let request = sample.request.header("x-case", &case);
    let response = fetch(protocol, running.address, &request).await?;
    assert_eq!(response.status, 200, "{case}: {}", response.text());
    let arrived = running.log.arrival("x-case", &case).await?;
    assert_eq!(arrived.upstream, sample.pool, "{case}");
    assert_eq!(arrived.header(MODEL).as_deref(), sample.model, "{case}");
    assert_eq!(arrived.header(BASE).as_deref(), sample.base, "{case}");
    // The filter behind the processor has seen the decision, as an endpoint picker has to. Envoy sets no empty header.
    assert_eq!(
        arrived.header("x-picker-saw").filter(|it| !it.is_empty()).as_deref(),
        sample.base.filter(|it| !it.is_empty()),
        "{case}"
    );
    assert!(arrived.body == request.body, "{case}: the body was changed");
    Ok(())
}
