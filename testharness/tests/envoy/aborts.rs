//! The client goes away: at every phase of a request, by a reset, by closing, and by a reset of the stream.

use std::time::Duration;

use anyhow::{Result, ensure};
use ipp_testharness::answer::{Answer, Gate, Step};
use ipp_testharness::bootstrap::Listener;
use ipp_testharness::client::{Request, h1, h2};
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::wait::within;

use crate::support::exchange::assert_routing;
use crate::support::rig::{CASE, Rig, Shared, stock, tag};
use crate::support::{CHAT, QWEN, configs};

static RIG: Shared = Shared::new();

/// Each test has a listener of its own, so that its statistics tell how far a request has come.
const LISTENERS: [&str; 5] = ["head", "body", "waiting", "answer", "trailers"];

fn listeners() -> Vec<Listener> {
    LISTENERS.map(|name| stock(name, configs::PLAIN)).into()
}

async fn run(test: impl AsyncFnOnce(&Rig) -> Result<()>) {
    RIG.run(listeners, test).await;
}

fn request() -> (String, Request) {
    tag(Request::post(CHAT, r#"{"model":"sql-lora","messages":[{"role":"user","content":"Hello"}]}"#))
}

/// Afterwards nothing is open on that listener, and it serves as before.
async fn recovered(rig: &Rig, listener: &str) -> Result<()> {
    rig.idle(listener).await?;
    for protocol in [H1, H2] {
        let exchange = rig.ask(protocol, listener, request().1).await?;
        exchange.forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
    }
    Ok(())
}

/// How a client goes away.
#[derive(Clone, Copy, Debug)]
enum Leaving {
    Reset,
    Close,
}

impl Leaving {
    const BOTH: [Self; 2] = [Self::Reset, Self::Close];

    fn leave(self, connection: h1::Connection) -> Result<()> {
        match self {
            Self::Reset => connection.abort(),
            Self::Close => {
                drop(connection);
                Ok(())
            }
        }
    }
}

#[tokio::test]
async fn the_client_leaves_inside_the_head() {
    run(async |rig| {
        let listener = "head";
        for leaving in Leaving::BOTH {
            for cut in [1, 10, 40, 80] {
                let (case, request) = request();
                let before = rig.bytes_read(listener).await?;
                let mut connection = h1::Connection::open(rig.address(listener)).await?;
                connection.send(&request.head()[..cut]).await?;
                rig.has_read(listener, before + cut as u64).await?;
                leaving.leave(connection)?;
                rig.no_connections(listener).await?;
                ensure!(!rig.log.has_head(CASE, &case), "it reached a pool");
            }
        }
        recovered(rig, listener).await
    })
    .await;
}

#[tokio::test]
async fn the_client_leaves_inside_the_body() {
    run(async |rig| {
        let listener = "body";
        for leaving in Leaving::BOTH {
            for cut in [0, 1, 20, 60] {
                let (case, request) = request();
                let before = rig.bytes_read(listener).await?;
                let mut connection = h1::Connection::open(rig.address(listener)).await?;
                let part = &request.wire()[..request.head().len() + cut];
                connection.send(part).await?;
                rig.has_read(listener, before + part.len() as u64).await?;
                leaving.leave(connection)?;
                rig.no_connections(listener).await?;
                ensure!(!rig.log.has_head(CASE, &case), "it reached a pool");
            }
        }
        for cut in [0, 1, 20] {
            let (case, request) = request();
            let mut connection = h2::Connection::open(rig.address(listener)).await?;
            let mut stream = connection.open_stream(&request, false).await?;
            stream.body.send_data(request.body.slice(..cut), false)?;
            rig.active(listener).await?;
            stream.reset();
            rig.idle(listener).await?;
            ensure!(!rig.log.has_head(CASE, &case), "it reached a pool");
        }
        recovered(rig, listener).await
    })
    .await;
}

#[tokio::test]
async fn the_client_leaves_inside_the_trailers() {
    run(async |rig| {
        let listener = "trailers";
        for leaving in Leaving::BOTH {
            let (case, request) = request();
            let wire = request.trailer("x-checksum", "1").wire();
            let before = rig.bytes_read(listener).await?;
            let mut connection = h1::Connection::open(rig.address(listener)).await?;
            connection.send(&wire[..wire.len() - 8]).await?;
            rig.has_read(listener, before + wire.len() as u64 - 8).await?;
            leaving.leave(connection)?;
            rig.no_connections(listener).await?;
            ensure!(!rig.log.has_head(CASE, &case), "it reached a pool");
        }
        recovered(rig, listener).await
    })
    .await;
}

#[tokio::test]
async fn the_client_leaves_while_the_pool_thinks() {
    run(async |rig| {
        let listener = "waiting";
        for leaving in Leaving::BOTH {
            let gate = Gate::new();
            let (case, request) = request();
            rig.script(&case, Answer::status(200).first(Step::Hold(gate.clone())));
            let mut connection = h1::Connection::open(rig.address(listener)).await?;
            connection.send(&request.wire()).await?;
            let arrived = rig.log.arrival(CASE, &case).await?;
            assert_routing(&arrived, Some("sql-lora"), Some(QWEN));
            leaving.leave(connection)?;
            rig.idle(listener).await?;
            gate.open();
        }
        let gate = Gate::new();
        let (case, request) = request();
        rig.script(&case, Answer::status(200).first(Step::Hold(gate.clone())));
        let mut connection = h2::Connection::open(rig.address(listener)).await?;
        let stream = connection.send_request(&request).await?;
        rig.log.arrival(CASE, &case).await?;
        stream.reset();
        rig.idle(listener).await?;
        gate.open();
        recovered(rig, listener).await
    })
    .await;
}

fn endless(gate: &Gate) -> Answer {
    Answer::events([(Duration::ZERO, "one")])
        .then(Step::Hold(gate.clone()))
        .then(Step::Send("data: two\n\n".into()))
}

#[tokio::test]
async fn the_client_leaves_inside_the_answer() {
    run(async |rig| {
        let listener = "answer";
        for leaving in Leaving::BOTH {
            let gate = Gate::new();
            let (case, request) = request();
            rig.script(&case, endless(&gate));
            let mut connection = h1::Connection::open(rig.address(listener)).await?;
            connection.send(&request.wire()).await?;
            let mut incoming = within("the head", connection.incoming("POST")).await?;
            let first = within("an event", connection.piece(&mut incoming)).await?;
            assert_eq!(first.as_deref(), Some(&b"data: one\n\n"[..]));
            leaving.leave(connection)?;
            rig.idle(listener).await?;
            gate.open();
        }
        let gate = Gate::new();
        let (case, request) = request();
        rig.script(&case, endless(&gate));
        let mut connection = h2::Connection::open(rig.address(listener)).await?;
        let stream = connection.send_request(&request).await?;
        let (_, mut body) = within("the head", stream.incoming()).await?;
        assert_eq!(within("an event", h2::next(&mut body)).await?.as_deref(), Some(&b"data: one\n\n"[..]));
        drop(body);
        drop(connection);
        rig.idle(listener).await?;
        gate.open();
        recovered(rig, listener).await
    })
    .await;
}
