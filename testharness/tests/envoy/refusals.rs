//! Refusals: their shape, and what is left of the connection afterwards.

use anyhow::Result;
use ipp_testharness::bootstrap::Listener;
use ipp_testharness::client::{Request, h1, h2};
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::wait::within;

use crate::support::rig::{CASE, Rig, Shared, stock, tag};
use crate::support::{CHAT, QWEN, configs};

static RIG: Shared = Shared::new();

fn listeners() -> Vec<Listener> {
    vec![
        stock("main", configs::PLAIN),
        stock("early", configs::PLAIN),
        stock("plain-encoding", &configs::with(&["requestBody: {encoded: reject}"])),
        stock("upstream-errors", &configs::with(&["errors: upstream"])),
    ]
}

async fn run(test: impl AsyncFnOnce(&Rig) -> Result<()>) {
    RIG.run(listeners, test).await;
}

#[tokio::test]
async fn an_encoded_body_is_refused_when_so_configured() {
    run(async |rig| {
        for protocol in [H1, H2] {
            for encoding in ["gzip", "br", "GZIP, identity"] {
                let request =
                    Request::post(CHAT, &b"\x1f\x8b\x08\x00"[..]).header("content-encoding", encoding);
                rig.ask(protocol, "plain-encoding", request).await?.refused(415, "unsupported_encoding");
            }
            let request =
                Request::post(CHAT, r#"{"model":"sql-lora"}"#).header("content-encoding", "identity");
            rig.ask(protocol, "plain-encoding", request).await?.forwarded(
                "qwen-pool",
                Some("sql-lora"),
                Some(QWEN),
            );
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn errors_in_the_shape_of_the_go_service() {
    run(async |rig| {
        for body in ["{", "", "[]"] {
            let exchange = rig.ask(H1, "upstream-errors", Request::post(CHAT, body).chunked(&[])).await?;
            let text = exchange.response.text();
            let start = "inference error: BadRequest - failed to parse request body";
            assert_eq!((exchange.response.status, &text[..start.len().min(text.len())]), (400, start));
            // The filter names no type, and this is what Envoy then puts there.
            assert_eq!(exchange.response.header("content-type").as_deref(), Some("text/plain"));
            assert!(exchange.arrived.is_empty());
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_error_never_repeats_what_was_sent() {
    run(async |rig| {
        let bodies = [
            r#"{"model":["hush-hush"]}"#,
            r#"{"hush-hush":1,"hush-hush":2}"#,
            r#"{"model":"hush-hush\n"}"#,
            r#"{"model":"hush-hush",}"#,
            r#"{"model":hush-hush}"#,
        ];
        for listener in ["main", "upstream-errors"] {
            for body in bodies {
                let exchange = rig.ask(H1, listener, Request::post(CHAT, body)).await?;
                assert_eq!(exchange.response.status, 400);
                assert!(!exchange.response.text().contains("hush"), "{}", exchange.response.text());
            }
        }
        assert!(!rig.envoy.log()?.contains("hush-hush"), "it is in Envoy's log");
        Ok(())
    })
    .await;
}

/// The filter may refuse before it has seen everything; what is left of the body must not become a request of
/// its own.
#[tokio::test]
async fn the_rest_of_a_refused_body_is_not_taken_for_a_request() {
    run(async |rig| {
        for start in ["x", "{\"model\":[]}x", "[", "{\"a\":1,\"a\":2,"] {
            let (case, smuggled) = tag(Request::get("/smuggled"));
            let smuggled = smuggled.wire();
            let (_, request) =
                tag(Request::post(CHAT, "")
                    .header("content-length", (start.len() + smuggled.len()).to_string()));
            let mut connection = h1::Connection::open(rig.address("early")).await?;
            let before = rig.bytes_read("early").await?;
            connection.send(&[&request.head(), start.as_bytes()].concat()).await?;
            rig.has_read("early", before + (request.head().len() + start.len()) as u64).await?;
            // Envoy may have closed already.
            let _ = connection.send(&smuggled).await;
            let response = within("the refusal", connection.response("POST")).await?;
            assert_eq!(response.status, 400);
            within("the end of the connection", connection.closed()).await?;
            assert!(!rig.log.has_head(CASE, &case), "it was smuggled");
        }
        Ok(())
    })
    .await;
}

/// Envoy ends an HTTP/1 connection with a refusal, because it was given before Envoy was done with the
/// request. If it ever stops to do so, the connection must be good for more.
#[tokio::test]
async fn after_a_refusal_the_connection_is_in_order() {
    run(async |rig| {
        for body in ["{", r#"{"model":[]}"#, "[]"] {
            let mut connection = h1::Connection::open(rig.address("main")).await?;
            let response = within("the refusal", connection.exchange(&Request::post(CHAT, body))).await?;
            assert_eq!(response.status, 400);
            if response.headers.has_token("connection", "close") {
                within("the end of the connection", connection.closed()).await?;
                continue;
            }
            let (_, request) = tag(Request::post(CHAT, r#"{"model":"sql-lora"}"#));
            let response = within("the answer", connection.exchange(&request)).await?;
            rig.seen(request, response).forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
        }
        let mut connection = h2::Connection::open(rig.address("main")).await?;
        for body in ["{", r#"{"model":[]}"#, "[]"] {
            let response = within("the refusal", connection.exchange(&Request::post(CHAT, body))).await?;
            assert_eq!(response.status, 400);
            let (_, request) = tag(Request::post(CHAT, r#"{"model":"sql-lora"}"#));
            let response = within("the answer", connection.exchange(&request)).await?;
            rig.seen(request, response).forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
        }
        Ok(())
    })
    .await;
}
