//! Streams through `stream-usage`: the client gets each event when it comes, and not the one that it had not asked for.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ipp_testharness::answer::{Answer, Gate, Step};
use ipp_testharness::client::{Request, h1};
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::wait::within;

use crate::support::CHAT;
use crate::support::configs::{HI, OBSERVED, USAGE};
use crate::support::rig::{CASE, Rig, Shared, stock, tag};

static RIG: Shared = Shared::new();

async fn run(test: impl AsyncFnOnce(&Rig) -> Result<()>) {
    RIG.run(|| vec![stock("main", OBSERVED)], test).await;
}

fn whole() -> String {
    format!("data: {HI}\n\ndata: {USAGE}\n\ndata: [DONE]\n\n")
}

#[tokio::test]
async fn the_request_asks_and_the_client_does_not_get_what_it_had_not_asked_for() {
    run(async |rig| {
        for protocol in [H1, H2] {
            for (sent, arrives, gets) in [
                (
                    r#"{"model":"llama", "stream":true}"#,
                    r#"{"stream_options":{"include_usage":true},"model":"llama", "stream":true}"#,
                    false,
                ),
                (
                    r#"{"stream_options":{"include_usage":false,"x":1.0},"stream":true}"#,
                    r#"{"stream_options":{"include_usage":true,"x":1.0},"stream":true}"#,
                    false,
                ),
                (
                    r#"{"stream_options":{"include_usage":true},"stream":true}"#,
                    r#"{"stream_options":{"include_usage":true},"stream":true}"#,
                    true,
                ),
            ] {
                for cuts in [&[][..], &[10, 70, 71, 100, 150], &[1, 2, 3, 4, 5, 75, 160, 161, 162]] {
                    for trailer in [false, true] {
                        let (case, request) = tag(Request::post(CHAT, sent));
                        let answer = Answer::body(200, "text/event-stream", whole()).split_at(cuts);
                        rig.script(&case, if trailer { answer.trailer("x-end", "1") } else { answer });
                        let exchange = rig.ask(protocol, "main", request).await?;
                        assert_eq!(String::from_utf8_lossy(&exchange.arrived[0].body), arrives);
                        let without = format!("data: {HI}\n\ndata: [DONE]\n\n");
                        assert_eq!(exchange.response.text(), if gets { whole() } else { without });
                        assert_eq!(exchange.response.broken, None);
                    }
                }
            }
        }
        Ok(())
    })
    .await;
}

/// Each event is there before the model server sends the next one; half of one waits for its rest.
#[tokio::test]
async fn events_are_not_held() {
    run(async |rig| {
        let gates: Vec<_> = (0..4).map(|_| Gate::new()).collect();
        let (case, request) = tag(Request::post(CHAT, r#"{"stream":true}"#));
        let mut answer = Answer::events([(Duration::ZERO, "first")]);
        for (gate, sends) in gates.iter().zip(["data: 1\r\n\r\n", "data: 2\n\ndata: ", "3\r\r", ": end"]) {
            answer = answer.then(Step::Hold(gate.clone())).then(Step::Send(sends.into()));
        }
        rig.script(&case, answer);
        let mut connection = h1::Connection::open(rig.address("main")).await?;
        connection.send(&request.wire()).await?;
        let mut incoming = within("the head", connection.incoming("POST")).await?;
        let first = within("the first event", connection.piece(&mut incoming)).await?;
        assert_eq!(first.as_deref(), Some(&b"data: first\n\n"[..]));
        for (gate, expected) in gates.iter().zip(["data: 1\r\n\r\n", "data: 2\n\n", "data: 3\r\r", ": end"]) {
            gate.open();
            let piece =
                within("an event", connection.piece(&mut incoming)).await?.context("the stream ended")?;
            assert_eq!(piece, expected);
        }
        ensure!(within("the end", connection.piece(&mut incoming)).await?.is_none());
        Ok(())
    })
    .await;
}

/// A content-length would not be true any more.
#[tokio::test]
async fn a_stream_with_a_length_gets_chunks() {
    run(async |rig| {
        let (case, request) = tag(Request::post(CHAT, r#"{"stream":true}"#));
        rig.script(&case, Answer::body(200, "text/event-stream", whole()));
        let exchange = rig.ask(H1, "main", request).await?;
        assert_eq!(exchange.response.header("content-length"), None);
        assert_eq!(exchange.response.text(), format!("data: {HI}\n\ndata: [DONE]\n\n"));
        // Nobody changes this one, so that its length stays.
        let (case, request) = tag(Request::post(CHAT, "{}"));
        rig.script(&case, Answer::body(200, "text/event-stream", whole()));
        let exchange = rig.ask(H1, "main", request).await?;
        assert_eq!(exchange.response.header("content-length"), Some(whole().len().to_string()));
        ensure!(!exchange.sent.headers.get(CASE).unwrap_or_default().is_empty());
        Ok(())
    })
    .await;
}
