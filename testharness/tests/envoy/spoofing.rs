//! Routing headers that a client sends never reach an upstream, whatever else the request is.

use anyhow::Result;
use ipp_testharness::bootstrap::Listener;
use ipp_testharness::client::{Request, fetch, h1};
use ipp_testharness::message::Headers;
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::wait::within;

use crate::support::exchange::assert_routing;
use crate::support::rig::{CASE, Rig, Shared, stock, tag};
use crate::support::{CHAT, LLAMA, QWEN, configs};

static RIG: Shared = Shared::new();

fn listeners() -> Vec<Listener> {
    let owned = ["ownedHeaders: [X-Tenant, x-quota]", "paths: [/v1/]"];
    vec![stock("main", configs::PLAIN), stock("scoped", &configs::with(&owned))]
}

async fn run(test: impl AsyncFnOnce(&Rig) -> Result<()>) {
    RIG.run(listeners, test).await;
}

/// In lower case for HTTP/2, else mixed; each twice, with another field between.
fn spoof(request: Request, mixed_case: bool) -> Request {
    let [model, base] = match mixed_case {
        true => ["X-Gateway-MODEL-Name", "x-GATEWAY-base-Model-name"],
        false => ["x-gateway-model-name", "x-gateway-base-model-name"],
    };
    let request = request.header(model, "sql-lora").header(base, QWEN).header("x-gateway-other", "stays");
    request.header(base, "").header(model, "gpt-4").header(base, QWEN)
}

#[tokio::test]
async fn with_a_body_that_names_another_model() {
    run(async |rig| {
        for protocol in [H1, H2] {
            let request = spoof(Request::post(CHAT, r#"{"model":"food-review-1"}"#), protocol == H1);
            let exchange = rig.ask(protocol, "main", request).await?;
            exchange.forwarded("llama-pool", Some("food-review-1"), Some(LLAMA));
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn with_a_body_that_names_none() {
    run(async |rig| {
        for protocol in [H1, H2] {
            let request = spoof(Request::post(CHAT, r#"{"messages":[]}"#), protocol == H1);
            rig.ask(protocol, "main", request).await?.forwarded("default-pool", None, None);
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn with_a_body_that_names_an_unknown_one() {
    run(async |rig| {
        let request = spoof(Request::post(CHAT, r#"{"model":"gpt-4"}"#), true);
        rig.ask(H1, "main", request).await?.forwarded("default-pool", Some("gpt-4"), Some(""));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn without_a_body() {
    run(async |rig| {
        for protocol in [H1, H2] {
            for request in [Request::get("/v1/models"), Request::new("DELETE", "/x"), Request::post(CHAT, "")]
            {
                let request = spoof(request, protocol == H1);
                rig.ask(protocol, "main", request).await?.forwarded("default-pool", None, None);
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn with_a_body_that_is_not_read() {
    run(async |rig| {
        for protocol in [H1, H2] {
            let encoded = Request::post(CHAT, r#"{"model":"gpt-4"}"#).header("content-encoding", "br");
            let outside = Request::post("/v2/chat", r#"{"model":"gpt-4"}"#);
            for (listener, request) in [("main", encoded), ("scoped", outside)] {
                let request = spoof(request, protocol == H1);
                rig.ask(protocol, listener, request).await?.forwarded("default-pool", None, None);
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn further_headers_by_configuration() {
    run(async |rig| {
        for path in ["/v1/completions", "/elsewhere"] {
            let request = Request::post(path, r#"{"model":"sql-lora"}"#);
            let (case, request) = tag(request);
            let dirty = request.header("x-Tenant", "a").header("X-QUOTA", "b").header("x-tenant", "c");
            let mut connection = h1::Connection::open(rig.address("scoped")).await?;
            let response = within("the answer", connection.exchange(&dirty)).await?;
            assert_eq!(response.status, 200);
            let arrived = rig.log.arrival(CASE, &case).await?;
            assert!(!arrived.headers.contains("x-tenant"), "{arrived:?}");
            assert!(!arrived.headers.contains("x-quota"), "{arrived:?}");
        }
        Ok(())
    })
    .await;
}

/// A server that merges trailers into headers must not be told what a header may not tell it.
#[tokio::test]
async fn in_trailers() {
    run(async |rig| {
        for protocol in [H1, H2] {
            for body in [r#"{"model":"food-review-1"}"#, r#"{}"#] {
                let request = Request::post(CHAT, body).trailer("x-gateway-base-model-name", QWEN);
                let (case, request) =
                    tag(request.trailer("X-Gateway-Model-Name", "sql-lora").trailer("x-mine", "1"));
                assert_eq!(fetch(protocol, rig.address("main"), &request).await?.status, 200);
                let arrived = rig.log.arrival(CASE, &case).await?;
                match body.len() {
                    2 => assert_routing(&arrived, None, None),
                    _ => assert_routing(&arrived, Some("food-review-1"), Some(LLAMA)),
                }
                assert_eq!(arrived.trailers, Headers::new().with("x-mine", "1"));
            }
        }
        Ok(())
    })
    .await;
}
