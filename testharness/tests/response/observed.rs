//! Tokens, models and tenants of each dialect, streamed and not, over HTTP/1 and HTTP/2, cut anywhere.

use std::time::Duration;

use anyhow::Result;
use ipp_testharness::answer::Answer;
use ipp_testharness::client::Request;
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::wait::until;

use crate::support::CHAT;
use crate::support::configs::OBSERVED;
use crate::support::rig::{Rig, stock, tag};

const CHAT_JSON: &str = r#"{"model":"llama","choices":[{"message":{"content":"Hi"}}],"usage":{"prompt_tokens":100,"completion_tokens":10,"prompt_tokens_details":{"cached_tokens":60}}}"#;
const ANTHROPIC: [&str; 3] = [
    r#"{"type":"message_start","message":{"model":"llama","usage":{"input_tokens":30,"cache_read_input_tokens":60,"cache_creation_input_tokens":10,"output_tokens":1}}}"#,
    r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"Hi"}}"#,
    r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":10}}"#,
];
const RESPONSES: [&str; 2] = [
    r#"{"type":"response.output_text.delta","delta":"Hi"}"#,
    r#"{"type":"response.completed","response":{"model":"llama","usage":{"input_tokens":100,"input_tokens_details":{"cached_tokens":60},"output_tokens":10}}}"#,
];
const GOOGLE: &str = r#"{"candidates":[{"content":{"parts":[{"text":"Hi"}]}}],"usageMetadata":{"promptTokenCount":100,"candidatesTokenCount":4,"thoughtsTokenCount":6,"cachedContentTokenCount":60},"modelVersion":"llama"}"#;

fn events(data: &[&str]) -> Answer {
    Answer::events(data.iter().map(|data| (Duration::ZERO, *data)))
}

/// Every dialect tells of the same tokens, so that the sum says whether each was understood.
#[tokio::test]
async fn every_dialect_is_counted() -> Result<()> {
    let rig = Rig::start(vec![stock("main", OBSERVED)]).await?;
    let embeddings = r#"{"model":"llama","data":[{"embedding":[0.1,-2e-3]}],"usage":{"prompt_tokens":100,"total_tokens":100}}"#;
    let answers = [
        Answer::body(200, "application/json", CHAT_JSON),
        Answer::body(200, "application/json", CHAT_JSON).split_at(&[1, 70, 71, 100, 120, 121, 122, 150]),
        events(&[r#"{"choices":[{"delta":{"content":"Hi"}}]}"#, CHAT_JSON, "[DONE]"])
            .split_at(&[3, 60, 61, 120, 200, 210]),
        events(&ANTHROPIC),
        events(&RESPONSES).split_at(&[1, 2, 3, 100, 170, 171]),
        events(&[GOOGLE]),
        Answer::body(200, "application/json", format!("[{GOOGLE}\n,{GOOGLE}]")),
    ];
    let count = answers.len() as f64 * 2.0;
    for answer in &answers {
        for protocol in [H1, H2] {
            let (case, request) =
                tag(Request::post("/v1/messages", r#"{"model":"llama"}"#).header("x-tenant-id", "red"));
            let expected: Vec<u8> = answer
                .steps
                .iter()
                .flat_map(|step| match step {
                    ipp_testharness::answer::Step::Send(bytes) => bytes.to_vec(),
                    _ => Vec::new(),
                })
                .collect();
            rig.script(&case, answer.clone());
            let exchange = rig.ask(protocol, "main", request).await?;
            assert_eq!(exchange.response.text(), String::from_utf8_lossy(&expected), "every byte as it came");
        }
    }
    let (case, request) =
        tag(Request::post("/v1/embeddings", r#"{"model":"llama"}"#).header("x-tenant-id", "nobody"));
    rig.script(&case, Answer::body(200, "application/json", embeddings));
    rig.ask(H1, "main", request).await?;
    let metrics = rig.envoy.metrics("ipp_").await?;
    for (series, value) in [
        (r#"ipp_prompt_tokens_total{model="llama",tenant="red"}"#, count * 100.0),
        (r#"ipp_completion_tokens_total{model="llama",tenant="red"}"#, count * 10.0),
        (r#"ipp_cached_tokens_total{model="llama",tenant="red"}"#, count * 60.0),
        // 100 at 500 and 10 at 1500 billionths of a dollar.
        (r#"ipp_cost_nanousd_total{model="llama",tenant="red"}"#, count * 65_000.0),
        (r#"ipp_prompt_tokens_total{model="llama",tenant="other"}"#, 100.0),
        (r#"ipp_completion_tokens_total{model="llama",tenant="other"}"#, 0.0),
        (r#"ipp_served_total{model="llama",served="llama"}"#, count + 1.0),
        (r#"ipp_responses_total{model="llama",result="ok"}"#, count + 1.0),
        (r#"ipp_usage_unobserved_total{reason="no_usage"}"#, 0.0),
        (r#"ipp_usage_unobserved_total{reason="broken"}"#, 0.0),
    ] {
        assert_eq!(metrics.get(series), Some(&value), "{series} in {metrics:#?}");
    }
    until("the histograms", async || {
        let metrics = rig.envoy.metrics("ipp_").await?;
        let series = r#"ipp_request_ttft_milliseconds_count{model="llama"}"#;
        Ok((metrics.get(series) == Some(&(count + 1.0))).then_some(()))
    })
    .await?;
    rig.assert_healthy().await;
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_read_is_counted_as_that() -> Result<()> {
    let rig = Rig::start(vec![stock("main", OBSERVED)]).await?;
    for (answer, reason) in [
        (Answer::body(200, "application/json", "\x1f\u{8b}").header("content-encoding", "gzip"), "encoded"),
        (Answer::body(200, "audio/mpeg", CHAT_JSON), "other_type"),
        (Answer::body(200, "application/json", &CHAT_JSON[..CHAT_JSON.len() - 1]), "broken"),
        (events(&["{\"usage\":"]), "broken"),
        (events(&["[DONE]"]), "no_usage"),
    ] {
        let series = format!("ipp_usage_unobserved_total{{reason=\"{reason}\"}}");
        let before = rig.envoy.metrics("ipp_").await?[&series];
        let (case, request) = tag(Request::post(CHAT, r#"{"model":"qwen"}"#));
        rig.script(&case, answer);
        assert_eq!(rig.ask(H1, "main", request).await?.response.status, 200);
        let metrics = rig.envoy.metrics("ipp_").await?;
        assert_eq!(metrics[&series], before + 1.0, "{reason}");
        assert_eq!(metrics[r#"ipp_prompt_tokens_total{model="qwen",tenant="other"}"#], 0.0);
    }
    rig.assert_healthy().await;
    Ok(())
}

/// Neither what a client nor what a model server sends becomes a name or a label.
#[tokio::test]
async fn no_response_adds_a_series() -> Result<()> {
    let rig = Rig::start(vec![stock("main", OBSERVED)]).await?;
    let before: Vec<_> =
        rig.envoy.metrics("ipp_").await?.into_keys().filter(|name| !name.contains("_bucket")).collect();
    for number in 0..20 {
        let body = format!(r#"{{"model":"m{number}"}}"#);
        let (case, request) = tag(Request::post(CHAT, body).header("x-tenant-id", format!("t{number}")));
        let served = format!(r#"{{"model":"s{number};.;x=.=y","usage":{{"prompt_tokens":{number}}}}}"#);
        rig.script(&case, Answer::body(200, "application/json", served));
        rig.ask(H1, "main", request).await?;
    }
    let metrics = rig.envoy.metrics("ipp_").await?;
    assert_eq!(metrics[r#"ipp_prompt_tokens_total{model="other",tenant="other"}"#], 190.0);
    assert_eq!(metrics[r#"ipp_served_total{model="other",served="other"}"#], 20.0);
    let after: Vec<_> = metrics.into_keys().filter(|name| !name.contains("_bucket")).collect();
    assert_eq!(before, after);
    rig.assert_healthy().await;
    Ok(())
}
