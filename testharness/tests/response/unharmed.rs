//! Trailers, interim answers, responses without a body, gRPC and websockets pass as they come, while all else is observed.

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

fn listeners() -> Vec<Listener> {
    let mut main = stock("main", OBSERVED);
    main.upgrades = vec!["websocket".to_owned()];
    vec![main]
}

async fn run(test: impl AsyncFnOnce(&Rig) -> Result<()>) {
    RIG.run(listeners, test).await;
}

#[tokio::test]
async fn trailers_and_fields() {
    run(async |rig| {
        for body in ["{}", "", "{\"usage\":"] {
            let (case, request) = tag(Request::post(CHAT, r#"{"model":"llama"}"#));
            let answer = Answer::body(200, "application/json", body)
                .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
                .header("x-twice", "1")
                .header("x-twice", "2")
                .trailer("x-usage", "12");
            rig.script(&case, answer);
            let response = rig.ask(H2, "main", request).await?.response;
            assert_eq!(response.trailers.get("x-usage").as_deref(), Some("12"), "{body:?}");
            assert!(response.header("traceparent").is_some());
            assert_eq!((response.text().as_str(), response.headers.all("x-twice").count()), (body, 2));
        }
        Ok(())
    })
    .await;
}

/// Trace context goes through as it came.
#[tokio::test]
async fn trace_context() {
    run(async |rig| {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let request = Request::post(CHAT, r#"{"model":"llama"}"#)
            .header("traceparent", parent)
            .header("tracestate", "a=1")
            .header("baggage", "b=2");
        let exchange = rig.ask(H1, "main", request).await?;
        for (name, value) in [("traceparent", parent), ("tracestate", "a=1"), ("baggage", "b=2")] {
            assert_eq!(exchange.arrived[0].header(name).as_deref(), Some(value));
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn responses_without_a_body() {
    run(async |rig| {
        for protocol in [H1, H2] {
            for status in [204, 304] {
                let (case, request) = tag(Request::post(CHAT, r#"{"model":"llama"}"#));
                rig.script(&case, Answer::status(status).header("etag", "\"1\""));
                let response = rig.ask(protocol, "main", request).await?.response;
                assert_eq!((response.status, response.body.len()), (status, 0));
                assert_eq!(response.header("etag").as_deref(), Some("\"1\""));
            }
            let (case, request) = tag(Request::new("HEAD", "/v1/models"));
            rig.script(&case, Answer::status(200).header("x-here", "1"));
            let response = rig.ask(protocol, "main", request).await?.response;
            assert_eq!((response.status, response.header("x-here").as_deref()), (200, Some("1")));
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn grpc() {
    run(async |rig| {
        let frame = b"\0\0\0\0\x02\x08\x01".as_slice();
        let (case, request) = tag(Request::post("/inference.GRPCInferenceService/ModelInfer", frame)
            .headers([("content-type", "application/grpc"), ("te", "trailers")].into_iter().collect()));
        let answer = Answer::body(200, "application/grpc", frame).trailer("grpc-status", "0");
        rig.script(&case, answer);
        let response = rig.ask(H2, "main", request).await?.response;
        assert_eq!(response.trailers.get("grpc-status").as_deref(), Some("0"));
        assert_eq!(&response.body[..], frame);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn websocket() {
    run(async |rig| {
        let (case, request) =
            tag(Request::get("/v1/realtime").header("upgrade", "websocket").header("connection", "Upgrade"));
        rig.script(
            &case,
            Answer::status(101).header("upgrade", "websocket").header("connection", "Upgrade").tunnel(),
        );
        let mut connection = h1::Connection::open(rig.address("main")).await?;
        connection.send(&request.wire()).await?;
        let incoming = within("the head", connection.incoming("GET")).await?;
        assert_eq!(incoming.status, 101);
        connection.send(b"data: {\"usage\":{}}\n\n").await?;
        let back = within("the echo", connection.raw(20)).await?;
        assert_eq!(&back[..], b"data: {\"usage\":{}}\n\n");
        Ok(())
    })
    .await;
}

/// `100 Continue` comes before the response.
#[tokio::test]
async fn interim_answers() {
    run(async |rig| {
        let request = Request::post(CHAT, r#"{"model":"llama"}"#).header("expect", "100-continue");
        let (case, request) = tag(request);
        rig.script(
            &case,
            Answer::body(200, "application/json", "{}").then(Step::Sleep(std::time::Duration::ZERO)),
        );
        let mut connection = h1::Connection::open(rig.address("main")).await?;
        connection.send(&request.head()).await?;
        assert_eq!(within("the interim answer", connection.interim()).await?, 100);
        connection.send(&request.body).await?;
        let response = within("the answer", connection.response("POST")).await?;
        assert_eq!((response.status, response.text().as_str()), (200, "{}"));
        Ok(())
    })
    .await;
}
