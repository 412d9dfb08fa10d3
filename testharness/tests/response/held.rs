//! Full-body plugins: what is held, what the client gets, and what becomes of responses that cannot be read.

use anyhow::Result;
use ipp_testharness::answer::Answer;
use ipp_testharness::bootstrap::Listener;
use ipp_testharness::client::Request;
use ipp_testharness::upstream::Protocol::{H1, H2};

use crate::support::CHAT;
use crate::support::configs::{HI, USAGE};
use crate::support::rig::{Rig, Shared, stock, tag};

static RIG: Shared = Shared::new();

fn config(unreadable: &str) -> String {
    format!(
        "\
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: response-field-to-header
  parameters: {{fieldName: model, headerName: X-Served, unreadable: {unreadable}}}
profiles:
- name: default
  plugins: {{response: [{{pluginRef: response-field-to-header}}]}}
proxyWasm:
  responseBody: {{maxBytes: 100000}}
"
    )
}

fn listeners() -> Vec<Listener> {
    vec![stock("skip", &config("skip")), stock("reject", &config("reject"))]
}

async fn run(test: impl AsyncFnOnce(&Rig) -> Result<()>) {
    RIG.run(listeners, test).await;
}

#[tokio::test]
async fn a_field_of_the_response_becomes_a_header() {
    run(async |rig| {
        let large = format!(r#"{{"x":"{}","model":"llama"}}"#, "x".repeat(90_000));
        for protocol in [H1, H2] {
            for listener in ["skip", "reject"] {
                for body in [r#"{"model":"llama"}"#, &large] {
                    for (trailer, cuts) in [(false, &[][..]), (false, &[1, 9]), (true, &[3])] {
                        let (case, request) = tag(Request::post(CHAT, "{}"));
                        let answer = Answer::body(200, "application/json", body.to_owned()).split_at(cuts);
                        rig.script(&case, if trailer { answer.trailer("x-end", "1") } else { answer });
                        let exchange = rig.ask(protocol, listener, request).await?;
                        assert_eq!(exchange.response.header("x-served").as_deref(), Some("llama"));
                        assert_eq!(exchange.response.text(), body);
                        assert_eq!(exchange.response.broken, None);
                    }
                }
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_read_passes_or_is_refused() {
    run(async |rig| {
        let large = format!(r#"{{"x":"{}","model":"llama"}}"#, "x".repeat(150_000));
        let answers = [
            Answer::body(200, "text/event-stream", format!("data: {HI}\n\ndata: {USAGE}\n\n")),
            Answer::body(200, "application/json", "\x1f").header("content-encoding", "gzip"),
            Answer::body(200, "text/plain", "{}"),
            Answer::body(200, "application/json", "[1]"),
            Answer::body(200, "application/json", "{").split_at(&[]),
            Answer::body(200, "application/json", large),
        ];
        for protocol in [H1, H2] {
            for answer in &answers {
                let (case, request) = tag(Request::post(CHAT, "{}"));
                rig.script(&case, answer.clone());
                let exchange = rig.ask(protocol, "skip", request).await?;
                assert_eq!(exchange.response.status, 200);
                let sent: Vec<u8> = answer
                    .steps
                    .iter()
                    .flat_map(|step| match step {
                        ipp_testharness::answer::Step::Send(bytes) => bytes.to_vec(),
                        _ => Vec::new(),
                    })
                    .collect();
                assert!(exchange.response.body == sent, "{answer:?}");
                assert_eq!(exchange.response.header("x-served"), None);

                let (case, request) = tag(Request::post(CHAT, "{}"));
                rig.script(&case, answer.clone());
                let exchange = rig.ask(protocol, "reject", request).await?;
                assert_eq!(exchange.response.status, 502, "{answer:?}");
                assert_eq!(exchange.response.json()["error"]["code"], "response_unreadable");
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn responses_without_a_body_pass() {
    run(async |rig| {
        for protocol in [H1, H2] {
            for status in [204, 304] {
                let (case, request) = tag(Request::post(CHAT, "{}"));
                rig.script(&case, Answer::status(status).header("content-type", "application/json"));
                let exchange = rig.ask(protocol, "reject", request).await?;
                assert_eq!((exchange.response.status, exchange.response.body.len()), (status, 0));
            }
        }
        Ok(())
    })
    .await;
}

/// The model server's response is replaced, and the request accounted for once; its tokens were used all the same.
#[tokio::test]
async fn a_response_that_is_refused_is_accounted_for() -> Result<()> {
    let config = format!("{}  responses: {{models: [{{name: llama}}]}}\n", config("reject"));
    let rig = Rig::start(vec![stock("main", &config)]).await?;
    for protocol in [H1, H2] {
        let (case, request) = tag(Request::post(CHAT, r#"{"model":"llama"}"#));
        rig.script(&case, Answer::body(200, "application/json", format!("[{USAGE}]")));
        let response = rig.ask(protocol, "main", request).await?.response;
        assert_eq!(
            (response.status, &response.json()["error"]["code"]),
            (502, &"response_unreadable".into())
        );
        let (case, request) = tag(Request::post(CHAT, r#"{"model":"llama"}"#));
        rig.script(&case, Answer::body(200, "application/json", USAGE));
        let response = rig.ask(protocol, "main", request).await?.response;
        assert_eq!((response.status, response.header("x-served").as_deref()), (200, Some("llama")));
    }
    let metrics = rig.envoy.metrics("ipp_").await?;
    for (series, value) in [
        (r#"ipp_responses_total{model="llama",result="ok"}"#, 2.0),
        (r#"ipp_responses_total{model="llama",result="unanswered"}"#, 2.0),
        (r#"ipp_prompt_tokens_total{model="llama",tenant="other"}"#, 36.0),
        (r#"ipp_rejections_total{code="response_unreadable"}"#, 2.0),
    ] {
        assert_eq!(metrics.get(series), Some(&value), "{series}");
    }
    rig.assert_healthy().await;
    Ok(())
}
