//! Trailers, interim answers, responses without a body, gRPC and websockets pass as they come, whatever is done with all else.

use anyhow::Result;
use ipp_testharness::answer::{Answer, Step};
use ipp_testharness::bootstrap::Listener;
use ipp_testharness::client::{Request, h1};
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::wait::within;

use crate::support::CHAT;
use crate::support::configs::OBSERVED;
use crate::support::rig::{Rig, Shared, stock, tag};

static RIG: Shared = Shared::new();

/// The plugins on headers and on whole bodies. What has no whole body is none of theirs.
const HELD: &str = "\
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: body-field-to-header
  parameters: {fieldName: model, headerName: X-Gateway-Model-Name}
- type: response-field-to-header
  parameters: {fieldName: model, headerName: X-Served, unreadable: skip}
- type: model-name-to-header
- type: scoring-debug-headers
profiles:
- name: default
  plugins:
    request: [{pluginRef: body-field-to-header}]
    response: [{pluginRef: response-field-to-header}, {pluginRef: scoring-debug-headers}]
postProcessing:
  plugins: [{pluginRef: model-name-to-header}]
proxyWasm:
  responses: {}
";
/// As far as the filter can: a reader holds no response.
fn held() -> String {
    let full_body = "{pluginRef: response-field-to-header}, ";
    HELD.replace(full_body, if crate::HOLDS_RESPONSES { full_body } else { "" })
}

/// Nothing is done with responses.
const BARE: &str = "\
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: body-field-to-header
  parameters: {fieldName: model, headerName: X-Gateway-Model-Name}
profiles:
- name: default
  plugins: {request: [{pluginRef: body-field-to-header}]}
";
/// Without the filter, with nothing of it on responses, observed and with plugins on events, held.
const LISTENERS: [&str; 4] = ["none", "bare", "observed", "held"];

fn listeners() -> Vec<Listener> {
    let none = Listener::new("none", Vec::new(), Vec::new(), "default-pool");
    let mut listeners = vec![none, stock("bare", BARE), stock("observed", OBSERVED), stock("held", &held())];
    for listener in &mut listeners {
        listener.upgrades = vec!["websocket".to_owned()];
        listener.interim = true;
    }
    let mut swallows = stock("swallows", OBSERVED);
    swallows.interim = false;
    listeners.push(swallows);
    listeners
}

async fn run(test: impl AsyncFnOnce(&Rig) -> Result<()>) {
    RIG.run(listeners, test).await;
}

#[tokio::test]
async fn trailers_and_fields() {
    run(async |rig| {
        for listener in LISTENERS {
            for protocol in [H1, H2] {
                for (kind, body) in [
                    ("application/json", "{}"),
                    ("application/json", ""),
                    ("application/json", "{\"usage\":"),
                    ("text/event-stream", "data: {}\n\n"),
                    ("text/event-stream", ""),
                    ("text/plain", "x"),
                ] {
                    let (case, request) =
                        tag(Request::post(CHAT, r#"{"model":"llama","stream":true}"#)
                            .header("te", "trailers"));
                    let answer = Answer::body(200, kind, body)
                        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
                        .header("x-twice", "1")
                        .header("x-twice", "2")
                        .trailer("x-usage", "12");
                    rig.script(&case, answer);
                    let response = rig.ask(protocol, listener, request).await?.response;
                    let what = format!("{listener} {protocol:?} {kind} {body:?}");
                    assert_eq!(response.trailers.get("x-usage").as_deref(), Some("12"), "{what}");
                    assert!(response.header("traceparent").is_some(), "{what}");
                    assert_eq!(response.headers.all("x-twice").count(), 2, "{what}");
                    assert_eq!((response.text().as_str(), response.broken), (body, None), "{what}");
                }
            }
        }
        Ok(())
    })
    .await;
}

/// Trace context goes through as it came.
#[tokio::test]
async fn trace_context() {
    run(async |rig| {
        for listener in LISTENERS {
            let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
            let request = Request::post(CHAT, r#"{"model":"llama"}"#)
                .header("traceparent", parent)
                .header("tracestate", "a=1")
                .header("baggage", "b=2");
            let exchange = rig.ask(H1, listener, request).await?;
            for (name, value) in [("traceparent", parent), ("tracestate", "a=1"), ("baggage", "b=2")] {
                assert_eq!(exchange.arrived[0].header(name).as_deref(), Some(value), "{listener}");
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn responses_without_a_body() {
    run(async |rig| {
        for listener in LISTENERS {
            for protocol in [H1, H2] {
                for status in [204, 304] {
                    let (case, request) = tag(Request::post(CHAT, r#"{"model":"llama"}"#));
                    let answer = Answer::status(status).header("etag", "\"1\"");
                    rig.script(&case, answer.header("content-type", "application/json"));
                    let response = rig.ask(protocol, listener, request).await?.response;
                    assert_eq!((response.status, response.body.len()), (status, 0), "{listener}");
                    assert_eq!(response.header("etag").as_deref(), Some("\"1\""), "{listener}");
                    assert_eq!(response.broken, None);
                }
                // The length of what a GET would have got is no length of a body.
                let (case, request) = tag(Request::new("HEAD", "/v1/models"));
                let answer = Answer::status(200).header("x-here", "1").header("content-length", "4711");
                rig.script(&case, answer.header("content-type", "application/json"));
                let response = rig.ask(protocol, listener, request).await?.response;
                assert_eq!((response.status, response.header("x-here").as_deref()), (200, Some("1")));
                assert_eq!(response.header("content-length").as_deref(), Some("4711"), "{listener}");
                assert_eq!((response.body.len(), response.broken), (0, None), "{listener}");
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn grpc() {
    run(async |rig| {
        let frame = b"\0\0\0\0\x02\x08\x01".as_slice();
        for listener in LISTENERS {
            let asks = || {
                tag(Request::post("/inference.GRPCInferenceService/ModelInfer", frame).headers(
                    [("content-type", "application/grpc"), ("te", "trailers")].into_iter().collect(),
                ))
            };
            let (case, request) = asks();
            // Frames that come one by one, as those of a stream do.
            let answer = Answer::body(200, "application/grpc", [frame, frame].concat())
                .split_at(&[3, 7])
                .trailer("grpc-status", "0");
            rig.script(&case, answer);
            let exchange = rig.ask(H2, listener, request).await?;
            let response = exchange.response;
            assert_eq!(response.trailers.get("grpc-status").as_deref(), Some("0"), "{listener}");
            assert_eq!(&response.body[..], [frame, frame].concat(), "{listener}");
            assert_eq!(&exchange.arrived[0].body[..], frame, "{listener}");
            // A failure has its trailers in the head.
            let (case, request) = asks();
            let failure = Answer::status(200).header("content-type", "application/grpc");
            rig.script(&case, failure.header("grpc-status", "8").header("grpc-message", "busy"));
            let response = rig.ask(H2, listener, request).await?.response;
            assert_eq!(response.header("grpc-status").as_deref(), Some("8"), "{listener}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn websocket() {
    run(async |rig| {
        for listener in LISTENERS {
            let (case, request) = tag(Request::get("/v1/realtime")
                .header("upgrade", "websocket")
                .header("connection", "Upgrade"));
            let answer =
                Answer::status(101).header("upgrade", "websocket").header("connection", "Upgrade").tunnel();
            rig.script(&case, answer);
            let mut connection = h1::Connection::open(rig.address(listener)).await?;
            connection.send(&request.wire()).await?;
            let incoming = within("the head", connection.incoming("GET")).await?;
            assert_eq!(incoming.status, 101, "{listener}");
            for text in [&b"data: {\"usage\":{}}\n\n"[..], b"\x81\x05hello"] {
                connection.send(text).await?;
                let back = within("the echo", connection.raw(text.len())).await?;
                assert_eq!(&back[..], text, "{listener}");
            }
        }
        Ok(())
    })
    .await;
}

/// A client that waits for `100 Continue` gets it from Envoy before it sends the body.
#[tokio::test]
async fn a_client_that_waits_for_the_go_ahead() {
    run(async |rig| {
        for listener in ["swallows", "none", "bare", "observed", "held"] {
            let request = Request::post(CHAT, r#"{"model":"llama"}"#).header("expect", "100-continue");
            let (case, request) = tag(request);
            let answer = Answer::body(200, "application/json", "{}");
            // With `proxy_100_continue` it is the model server's to say so, which does not know of the request until its
            // body is here: the client has to send it without having been told.
            let mut connection = h1::Connection::open(rig.address(listener)).await?;
            let proxied = listener != "swallows";
            let answer = if proxied {
                answer.first(Step::Send("HTTP/1.1 100 Continue\r\n\r\n".into()))
            } else {
                answer
            };
            rig.script(&case, answer);
            connection.send(&request.head()).await?;
            if !proxied {
                assert_eq!(within("the interim answer", connection.interim()).await?, 100);
            }
            connection.send(&request.body).await?;
            let response = within("the answer", connection.response("POST")).await?;
            assert_eq!((response.status, response.text().as_str()), (200, "{}"), "{listener}");
        }
        Ok(())
    })
    .await;
}

/// Envoy swallows interim answers, unless it is told to pass them on: then one of them arrives before the response, also
/// without the filter. The response behind it is observed and edited as any other.
#[tokio::test]
async fn interim_answers_of_the_model_server() {
    const INTERIM: [(&str, &[u16]); 4] = [
        ("HTTP/1.1 100 Continue\r\n\r\n", &[100]),
        ("HTTP/1.1 102 Processing\r\n\r\n", &[102]),
        ("HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n", &[103]),
        ("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n", &[102]),
    ];
    const ANSWERS: [(&str, &str); 3] = [
        ("application/json", r#"{"model":"llama","usage":{"prompt_tokens":1}}"#),
        ("text/event-stream", "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n"),
        ("application/json", ""),
    ];
    run(async |rig| {
        for listener in ["swallows", "none", "bare", "observed", "held"] {
            for (head, passed) in INTERIM {
                for (kind, body) in ANSWERS {
                    let (case, request) = tag(Request::post(CHAT, r#"{"model":"llama","stream":true}"#));
                    rig.script(&case, Answer::body(200, kind, body).first(Step::Send(head.into())));
                    let response = rig.ask(H1, listener, request).await?.response;
                    let what = format!("{listener} {head:?} {kind} {body:?}");
                    assert_eq!((response.status, response.text().as_str()), (200, body), "{what}");
                    assert_eq!(response.broken, None, "{what}");
                    let expected: &[u16] = if listener == "swallows" { &[] } else { passed };
                    assert_eq!(response.interim, expected, "{what}");
                    if crate::HOLDS_RESPONSES && listener == "held" && body.contains("prompt") {
                        assert_eq!(response.header("x-served").as_deref(), Some("llama"), "{what}");
                    }
                }
            }
        }
        let metrics = rig.envoy.metrics("ipp_responses_total").await?;
        let failed = metrics.iter().filter(|(name, _)| !name.contains("result=\"ok\""));
        assert_eq!(failed.map(|(_, count)| count).sum::<f64>(), 0.0, "{metrics:?}");
        Ok(())
    })
    .await;
}
