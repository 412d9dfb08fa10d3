//! The finer points of the dialects in a real Envoy: each stream and document is counted as what it says, once, however it is
//! cut, and reaches the client as it came.

use std::time::Duration;

use anyhow::Result;
use ipp_testharness::answer::{Answer, Step};
use ipp_testharness::client::Request;
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::wait::until;

use crate::support::CHAT;
use crate::support::configs::OBSERVED;
use crate::support::rig::{Rig, stock, tag};

const JSON: &str = "application/json";
const SSE: &str = "text/event-stream; charset=utf-8";
const USAGE: &str = r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}"#;

/// Prompt, completion and cached tokens, and where one of them counts: why nothing was observed.
type Counted = ([f64; 3], &'static str);

fn cases() -> Vec<(&'static str, &'static str, String, Counted)> {
    let two_lines = USAGE.replacen(':', ":\ndata: ", 1);
    let continuous = |completion: u32| {
        format!(
            "data: {{\"choices\":[{{\"delta\":{{\"content\":\"x\"}}}}],\"usage\":{{\"prompt_tokens\":9,\"completion_tokens\":{completion}}}}}\n\n"
        )
    };
    let usual = ([9.0, 2.0, 0.0], "");
    let nothing = |why| ([0.0, 0.0, 0.0], why);
    vec![
        ("usage in every chunk", SSE, format!("{}{}{}data: {USAGE}\n\n", continuous(1), continuous(1), continuous(2)), usual),
        ("usage twice", SSE, format!("data: {USAGE}\n\ndata: {USAGE}\n\ndata: [DONE]\n\n"), usual),
        ("usage null before and after", SSE, format!("data: {{\"usage\":null}}\n\ndata: {USAGE}\n\ndata: {{\"usage\":null}}\n\n"), usual),
        ("CRLF", SSE, format!("data: {USAGE}\r\n\r\ndata: [DONE]\r\n\r\n"), usual),
        ("CR, comments, fields", SSE, format!("\u{feff}: hello\rid: 7\revent: x\rdata: {USAGE}\r:\r\rdata:[DONE]\r\r"), usual),
        ("several lines", SSE, format!("data: {two_lines}\n\n"), usual),
        ("no blank line at the end", SSE, format!("data: {USAGE}\n"), usual),
        ("no line end at the end", SSE, format!("data: {USAGE}"), usual),
        ("within a string", SSE, "data: {\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\":{\\\"prompt_tokens\\\":9}\"}}]}\n\n".to_owned(), nothing("no_usage")),
        ("broken off", SSE, format!("data: {}", &USAGE[..USAGE.len() - 1]), nothing("no_usage")),
        ("an event that is no JSON", SSE, "data: hello\n\n".to_owned(), nothing("broken")),
        ("nothing", SSE, String::new(), nothing("no_usage")),
        ("nothing of a document", JSON, String::new(), nothing("broken")),
        ("a type with parameters", "Application/JSON;charset=UTF-8", USAGE.to_owned(), usual),
        ("a type of JSON", "application/vnd.x+json", format!(" {USAGE}\n"), usual),
        ("no type", "", USAGE.to_owned(), nothing("other_type")),
        ("lines of JSON", "application/x-ndjson", format!("{USAGE}\n"), nothing("other_type")),
        ("a prompt that has the cache in it", JSON, r#"{"usage":{"prompt_tokens":9,"completion_tokens":2,"cache_read_input_tokens":4,"cache_creation_input_tokens":3}}"#.to_owned(), ([9.0, 2.0, 4.0], "")),
        (
            "Anthropic, bit by bit",
            SSE,
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":2,\"cache_read_input_tokens\":4,\"cache_creation_input_tokens\":3,\"output_tokens\":1}}}\n\n\
             event: ping\ndata: {\"type\": \"ping\"}\n\n\
             event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":1}}\n\n\
             event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":2}}\n\n\
             event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n".to_owned(),
            ([9.0, 2.0, 4.0], ""),
        ),
        (
            "Responses, at the end",
            SSE,
            "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"usage\":null,\"error\":null}}\n\n\
             event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}\n\n\
             event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":9,\"input_tokens_details\":{\"cached_tokens\":4},\"output_tokens\":2}}}\n\n".to_owned(),
            ([9.0, 2.0, 4.0], ""),
        ),
        (
            "Google, in an array",
            JSON,
            "[{\"usageMetadata\":{\"promptTokenCount\":7,\"thoughtsTokenCount\":1}}\n,\r\n{\"usageMetadata\":{\"promptTokenCount\":7,\"toolUsePromptTokenCount\":2,\"candidatesTokenCount\":1,\"thoughtsTokenCount\":1}}]".to_owned(),
            usual,
        ),
    ]
}

/// In one piece, byte by byte, and in pieces that cut everything somewhere.
fn cut(content_type: &str, body: &str, every: usize) -> Answer {
    let cuts: Vec<usize> = (0..body.len()).step_by(every).collect();
    let answer = match content_type {
        "" => Answer::status(200).then(Step::Send(body.to_owned().into())),
        kind => Answer::body(200, kind, body.to_owned()),
    };
    // A pause, so that there are several reads.
    let mut answer = if every > body.len() { answer } else { answer.split_at(&cuts) };
    if every > 1 && answer.steps.len() > 1 {
        answer.steps =
            answer.steps.into_iter().flat_map(|step| [step, Step::Sleep(Duration::from_millis(1))]).collect();
    }
    answer
}

#[tokio::test]
async fn each_is_counted_once_for_what_it_says() -> Result<()> {
    let rig = Rig::start(vec![stock("main", OBSERVED)]).await?;
    let series = |name: &str| format!("ipp_{name}_tokens_total{{model=\"llama\",tenant=\"red\"}}");
    let names = ["prompt", "completion", "cached"].map(series);
    let reasons = ["encoded", "other_type", "broken", "no_usage"];
    let unobserved = |reason: &str| format!("ipp_usage_unobserved_total{{reason=\"{reason}\"}}");
    for (what, kind, body, (tokens, why)) in cases() {
        for protocol in [H1, H2] {
            for every in [usize::MAX, 1, 7, 50] {
                let before = rig.envoy.metrics("ipp_").await?;
                let (case, request) =
                    tag(Request::post(CHAT, r#"{"model":"llama"}"#).header("x-tenant-id", "red"));
                rig.script(&case, cut(kind, &body, every));
                let response = rig.ask(protocol, "main", request).await?.response;
                assert_eq!((response.text(), response.broken), (body.clone(), None), "{what}");
                rig.idle("main").await?;
                let after = rig.envoy.metrics("ipp_").await?;
                let more = |name: &str| after[name] - before[name];
                assert_eq!(names.each_ref().map(|name| more(name)), tokens, "{what}, cut at every {every}");
                for reason in reasons {
                    let expected = if reason == why { 1.0 } else { 0.0 };
                    assert_eq!(more(&unobserved(reason)), expected, "{what}: {reason}");
                }
            }
        }
    }
    rig.assert_healthy().await;
    Ok(())
}

/// What comes compressed is not guessed at, however its headers say so.
#[tokio::test]
async fn what_is_compressed_is_not_observed() -> Result<()> {
    let rig = Rig::start(vec![stock("main", OBSERVED)]).await?;
    for (encodings, reason) in [
        (&["gzip"][..], "encoded"),
        (&["br", "identity"], "encoded"),
        (&["identity"], ""),
        (&["GZIP"], "encoded"),
    ] {
        let series = "ipp_usage_unobserved_total{reason=\"encoded\"}";
        let prompt = "ipp_prompt_tokens_total{model=\"llama\",tenant=\"other\"}";
        let before = rig.envoy.metrics("ipp_").await?;
        let (case, request) = tag(Request::post(CHAT, r#"{"model":"llama"}"#));
        let answer = encodings
            .iter()
            .fold(Answer::body(200, JSON, USAGE), |answer, coding| answer.header("content-encoding", coding));
        rig.script(&case, answer);
        assert_eq!(rig.ask(H1, "main", request).await?.response.text(), USAGE);
        rig.idle("main").await?;
        let after = rig.envoy.metrics("ipp_").await?;
        let encoded = reason == "encoded";
        assert_eq!(after[series] - before[series], f64::from(u8::from(encoded)), "{encodings:?}");
        assert_eq!(after[prompt] - before[prompt], if encoded { 0.0 } else { 9.0 }, "{encodings:?}");
    }
    rig.assert_healthy().await;
    Ok(())
}

/// The first token is what was generated, not the events before it: roles, pings, empty deltas.
#[tokio::test]
async fn the_first_token_is_the_first_content() -> Result<()> {
    let rig = Rig::start(vec![stock("main", OBSERVED)]).await?;
    let pause = Duration::from_millis(150);
    let streams: [(&[&str], &str); 5] = [
        (
            &[r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#],
            r#"{"choices":[{"delta":{"content":"Hi"}}]}"#,
        ),
        (
            &[r#"{"choices":[{"delta":{"role":"assistant"}}]}"#],
            r#"{"choices":[{"delta":{"reasoning_content":"Hm"}}]}"#,
        ),
        (
            &[r#"{"choices":[{"delta":{"content":null}}]}"#],
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"f"}}]}}]}"#,
        ),
        (
            &[r#"{"type":"message_start","message":{"content":[]}}"#, r#"{"type":"ping"}"#],
            r#"{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"Hm"}}"#,
        ),
        (
            &[r#"{"type":"response.created","response":{}}"#],
            r#"{"type":"response.function_call_arguments.delta","delta":"{"}"#,
        ),
    ];
    for (number, (before, first)) in streams.into_iter().enumerate() {
        let model = if number % 2 == 0 { "llama" } else { "qwen" };
        let events = before
            .iter()
            .map(|event| (Duration::ZERO, *event))
            .chain([(pause, first), (Duration::ZERO, "[DONE]")]);
        let (case, request) = tag(Request::post(CHAT, format!(r#"{{"model":"{model}","stream":true}}"#)));
        rig.script(&case, Answer::events(events));
        rig.ask(H1, "main", request).await?;
    }
    // Five times 150 ms or more: had the first event counted, it would be next to nothing.
    until("the times", async || {
        let metrics = rig.envoy.metrics("ipp_request_ttft_milliseconds").await?;
        let total = |what: &str| {
            ["llama", "qwen"]
                .map(|model| {
                    metrics
                        .get(&format!("ipp_request_ttft_milliseconds_{what}{{model=\"{model}\"}}"))
                        .copied()
                        .unwrap_or(0.0)
                })
                .iter()
                .sum::<f64>()
        };
        if total("count") < 5.0 {
            return Ok(None);
        }
        let least = 5.0 * pause.as_millis() as f64 * 0.95;
        assert!(total("sum") >= least, "{} ms for five streams", total("sum"));
        Ok(Some(()))
    })
    .await?;
    rig.assert_healthy().await;
    Ok(())
}

/// A stream of a good status that tells of a failure is no success, in every dialect.
#[tokio::test]
async fn failures_within_a_good_status() -> Result<()> {
    let rig = Rig::start(vec![stock("main", OBSERVED)]).await?;
    let stream = |event: &str| Answer::events([(Duration::ZERO, event)]);
    let answers = [
        stream(r#"{"error":{"message":"boom","code":500}}"#),
        stream(r#"{"error":"out of memory"}"#),
        stream(r#"{"type":"error","error":{"type":"overloaded_error"}}"#),
        stream(r#"{"type":"error","code":"server_error","message":"boom","sequence_number":3}"#),
        stream(
            r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error"}}}"#,
        ),
        Answer::body(200, JSON, r#"{"error":{"message":"boom"}}"#),
        Answer::body(200, JSON, r#"[{"error":{"code":503,"status":"UNAVAILABLE"}}]"#),
    ];
    let count = answers.len() as f64;
    for answer in answers {
        let (case, request) = tag(Request::post(CHAT, r#"{"model":"llama","stream":true}"#));
        rig.script(&case, answer);
        assert_eq!(rig.ask(H1, "main", request).await?.response.status, 200);
    }
    rig.idle("main").await?;
    let metrics = rig.envoy.metrics("ipp_responses_total").await?;
    assert_eq!(metrics["ipp_responses_total{model=\"llama\",result=\"error\"}"], count);
    assert_eq!(metrics["ipp_responses_total{model=\"llama\",result=\"ok\"}"], 0.0);
    rig.assert_healthy().await;
    Ok(())
}

const PRICED: &str = "\
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: model-config-datasource
  parameters:
    models:
    - {name: llama, pricing: {input_per_million: 7, output_per_million: 7}}
    - {name: qwen, pricing: {input_per_million: 2, output_per_million: 3}}
    - {name: phi, pricing: {input_per_million: 1, output_per_million: 5}}
- type: model-name-filter
- type: model-selector
datalayer: {datasources: [{pluginRef: model-config-datasource}]}
profiles:
- name: default
  plugins: {request: [{pluginRef: model-name-filter}, {pluginRef: model-selector}]}
proxyWasm:
  responses:
    models: [{name: llama, inputPerMillion: 0.5, outputPerMillion: 1.5}, {name: qwen}]
";

/// The section's prices come first, the catalogue's hold where it names none; what is not listed counts as other.
#[tokio::test]
async fn a_catalogue_knows_what_its_models_cost() -> Result<()> {
    let rig = Rig::start(vec![stock("main", PRICED)]).await?;
    for model in ["llama", "qwen", "phi"] {
        let (case, request) = tag(Request::post(CHAT, format!(r#"{{"model":"{model}"}}"#)));
        rig.script(&case, Answer::body(200, JSON, USAGE));
        assert_eq!(rig.ask(H1, "main", request).await?.response.status, 200);
    }
    rig.idle("main").await?;
    let metrics = rig.envoy.metrics("ipp_cost_nanousd_total").await?;
    for (label, cost) in [
        ("llama", 9.0 * 500.0 + 2.0 * 1500.0),
        ("qwen", 9.0 * 2000.0 + 2.0 * 3000.0),
        ("other", 9.0 * 1000.0 + 2.0 * 5000.0),
    ] {
        let series = format!("ipp_cost_nanousd_total{{model=\"{label}\",tenant=\"other\"}}");
        assert_eq!(metrics.get(&series), Some(&cost), "{metrics:?}");
    }
    rig.assert_healthy().await;
    Ok(())
}
