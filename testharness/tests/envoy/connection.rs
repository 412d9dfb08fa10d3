//! What happens on a connection besides plain requests: upgrades, interim answers, old versions, streaming.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ipp_testharness::answer::{Answer, Gate, Step};
use ipp_testharness::bootstrap::Listener;
use ipp_testharness::client::{Request, h1, h2};
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::wait::within;

use crate::support::exchange::assert_routing;
use crate::support::rig::{CASE, Rig, Shared, stock, tag};
use crate::support::{CHAT, QWEN, configs};

static RIG: Shared = Shared::new();

fn listeners() -> Vec<Listener> {
    let mut tunnels = stock("tunnels", configs::PLAIN);
    tunnels.upgrades = vec!["websocket".to_owned(), "CONNECT".to_owned()];
    vec![stock("main", configs::PLAIN), tunnels]
}

async fn run(test: impl AsyncFnOnce(&Rig) -> Result<()>) {
    RIG.run(listeners, test).await;
}

fn request() -> (String, Request) {
    tag(Request::post(CHAT, r#"{"model":"sql-lora","messages":[{"role":"user","content":"Hello"}]}"#))
}

/// Each event is seen before the next one is sent.
#[tokio::test]
async fn a_stream_of_events_is_passed_on_as_it_comes() {
    run(async |rig| {
        let gates: Vec<_> = (0..5).map(|_| Gate::new()).collect();
        let (case, request) = request();
        let mut answer = Answer::events([(Duration::ZERO, "first")]);
        for (number, gate) in gates.iter().enumerate() {
            let event = format!("data: {number}\n\n");
            answer = answer.then(Step::Hold(gate.clone())).then(Step::Send(event.into()));
        }
        rig.script(&case, answer);
        let mut connection = h1::Connection::open(rig.address("main")).await?;
        connection.send(&request.wire()).await?;
        let mut incoming = within("the head", connection.incoming("POST")).await?;
        assert_eq!(incoming.headers.get("content-type").as_deref(), Some("text/event-stream"));
        let first = within("the first event", connection.piece(&mut incoming)).await?;
        assert_eq!(first.as_deref(), Some(&b"data: first\n\n"[..]));
        for (number, gate) in gates.iter().enumerate() {
            gate.open();
            let event =
                within("an event", connection.piece(&mut incoming)).await?.context("the stream ended")?;
            assert_eq!(event, format!("data: {number}\n\n"));
        }
        ensure!(within("the end", connection.piece(&mut incoming)).await?.is_none());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_answer_cut_anywhere_arrives_whole() {
    run(async |rig| {
        for protocol in [H1, H2] {
            let (case, request) = request();
            let answer = Answer::events([(Duration::ZERO, "é😀"), (Duration::ZERO, "[DONE]")])
                .split_at(&[1, 5, 7, 9, 12, 20]);
            rig.script(&case, answer.trailer("x-usage", "12"));
            let response = ipp_testharness::client::fetch(protocol, rig.address("main"), &request).await?;
            assert_eq!(response.text(), "data: é😀\n\ndata: [DONE]\n\n");
            assert_eq!(response.broken, None);
            assert_eq!(response.status, 200);
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_pool_that_breaks_off() {
    run(async |rig| {
        for protocol in [H1, H2] {
            let (case, request) = request();
            rig.script(&case, Answer::status(200).first(Step::Reset));
            let response = ipp_testharness::client::fetch(protocol, rig.address("main"), &request).await?;
            assert_eq!(response.status, 503);
            assert_eq!(rig.log.with(CASE, &case).len(), 1);

            let (case, request) = self::request();
            rig.script(&case, Answer::events([(Duration::ZERO, "one")]).then(Step::Reset));
            let response = ipp_testharness::client::fetch(protocol, rig.address("main"), &request).await?;
            assert_eq!(response.status, 200);
            assert!(response.broken.is_some(), "{response:?}");
            rig.ask(protocol, "main", self::request().1).await?.forwarded(
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
async fn http_1_0() {
    run(async |rig| {
        let (_, request) = request();
        let request = Request { version: "HTTP/1.0", ..request };
        let mut connection = h1::Connection::open(rig.address("main")).await?;
        let response = within("the answer", connection.exchange(&request)).await?;
        rig.seen(request, response).forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
        within("the end of the connection", connection.closed()).await?;

        let (_, request) = tag(Request::post(CHAT, "{"));
        let request = Request { version: "HTTP/1.0", ..request };
        let mut connection = h1::Connection::open(rig.address("main")).await?;
        let response = within("the answer", connection.exchange(&request)).await?;
        rig.seen(request, response).refused(400, "invalid_json");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn expect_100_continue() {
    run(async |rig| {
        let (case, request) = request();
        let request = request.header("expect", "100-continue");
        let mut connection = h1::Connection::open(rig.address("main")).await?;
        connection.send(&request.head()).await?;
        assert_eq!(within("the interim answer", connection.interim()).await?, 100);
        ensure!(!rig.log.has_head(CASE, &case), "it was not held");
        connection.send(&request.body).await?;
        let response = within("the answer", connection.response("POST")).await?;
        rig.seen(request, response).forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_websocket_upgrade_passes() {
    run(async |rig| {
        let (case, request) = tag(Request::get("/v1/realtime?model=sql-lora"));
        let request = request.header("connection", "Upgrade").header("upgrade", "websocket");
        let request =
            request.header("X-Gateway-Base-Model-Name", QWEN).header("content-type", "application/json");
        rig.script(
            &case,
            Answer::status(101).header("connection", "upgrade").header("upgrade", "websocket").tunnel(),
        );
        let mut connection = h1::Connection::open(rig.address("tunnels")).await?;
        connection.send(&request.head()).await?;
        let incoming = within("the switch of protocols", connection.incoming("GET")).await?;
        assert_eq!(incoming.status, 101);
        for words in ["not json", "{\"model\":\"gpt-4\"}", "\u{0}\u{1}"] {
            connection.send(words.as_bytes()).await?;
            assert_eq!(within("the echo", connection.raw(words.len())).await?, words);
        }
        let arrived = rig.log.arrival(CASE, &case).await?;
        assert_eq!(
            (arrived.upstream.as_str(), arrived.path.as_str()),
            ("default-pool", "/v1/realtime?model=sql-lora")
        );
        assert_routing(&arrived, None, None);
        connection.finish().await
    })
    .await;
}

/// An upgrade with POST and a JSON content type looks most like a request that is to be held.
#[tokio::test]
async fn an_upgrade_of_a_post_passes() {
    run(async |rig| {
        let (case, request) = tag(Request::new("POST", CHAT));
        let request = request.header("connection", "Upgrade").header("upgrade", "websocket");
        let request = request.header("content-type", "application/json");
        rig.script(
            &case,
            Answer::status(101).header("connection", "upgrade").header("upgrade", "websocket").tunnel(),
        );
        let mut connection = h1::Connection::open(rig.address("tunnels")).await?;
        connection.send(&request.head()).await?;
        assert_eq!(within("the switch of protocols", connection.incoming("POST")).await?.status, 101);
        connection.send(b"echo").await?;
        assert_eq!(within("the echo", connection.raw(4)).await?, "echo");
        connection.finish().await
    })
    .await;
}

#[tokio::test]
async fn connect_passes() {
    run(async |rig| {
        let (case, request) = tag(Request::new("CONNECT", "models.internal:443"));
        let request =
            request.header("host", "models.internal:443").header("X-Gateway-Model-Name", "sql-lora");
        rig.script(&case, Answer::status(200).tunnel());
        let mut connection = h1::Connection::open(rig.address("tunnels")).await?;
        connection.send(&request.head()).await?;
        assert_eq!(within("the tunnel", connection.incoming("CONNECT")).await?.status, 200);
        connection.send(b"anything at all").await?;
        assert_eq!(within("the echo", connection.raw(15)).await?, "anything at all");
        let arrived = rig.log.arrival(CASE, &case).await?;
        assert_eq!((arrived.method.as_str(), arrived.upstream.as_str()), ("CONNECT", "default-pool"));
        assert_routing(&arrived, None, None);
        connection.finish().await
    })
    .await;
}

#[tokio::test]
async fn tunnels_over_http2_pass() {
    run(async |rig| {
        let mut connection = h2::Connection::open(rig.address("tunnels")).await?;
        let (case, websocket) = tag(Request::new("CONNECT", "/v1/realtime"));
        let websocket =
            websocket.header("x-gateway-base-model-name", QWEN).header("content-type", "application/json");
        let switched =
            Answer::status(101).header("connection", "upgrade").header("upgrade", "websocket").tunnel();
        rig.script(&case, switched);
        let (connect_case, connect) = tag(Request::new("CONNECT", "models.internal:443"));
        rig.script(&connect_case, Answer::status(200).tunnel());
        // What HTTP/2 may do is in Envoy's settings, which have come when the first answer has.
        within("an answer", connection.exchange(&Request::get("/"))).await?;
        let streams = [
            (connection.open_tunnel(&websocket, "websocket").await?, case),
            (connection.open_stream(&connect, false).await?, connect_case),
        ];
        for (mut stream, case) in streams {
            stream.body.send_data("echo".into(), false)?;
            let (mut body, (response, mut echo)) = within("the tunnel", stream.split()).await?;
            assert_eq!(response.status, 200);
            assert_eq!(within("the echo", h2::next(&mut echo)).await?.as_deref(), Some(&b"echo"[..]));
            let arrived = rig.log.arrival(CASE, &case).await?;
            assert_eq!(arrived.upstream, "default-pool");
            assert_routing(&arrived, None, None);
            body.send_data("".into(), true)?;
        }
        Ok(())
    })
    .await;
}

/// What `curl --http2` sends with every request to a server that it does not know yet. Envoy declines, and
/// the request is one like any other.
#[tokio::test]
async fn an_offer_to_upgrade_to_http2_changes_nothing() {
    run(async |rig| {
        let (_, request) = request();
        let offer = Request { headers: request.headers.clone(), ..request.clone() };
        let offer = offer.header("connection", "Upgrade, HTTP2-Settings").header("upgrade", "h2c");
        let offer = offer.header("http2-settings", "AAMAAABkAAQCAAAAAAIAAAAA");
        let mut connection = h1::Connection::open(rig.address("main")).await?;
        let response = within("the answer", connection.exchange(&offer)).await?;
        rig.seen(request, response).forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
        Ok(())
    })
    .await;
}

/// The client was told to go on before the filter saw the length.
#[tokio::test]
async fn expect_100_continue_with_a_body_that_is_too_large() {
    run(async |rig| {
        let (case, request) = tag(Request::post(CHAT, "").header("content-length", "9000000"));
        let request = request.header("expect", "100-continue");
        let mut connection = h1::Connection::open(rig.address("main")).await?;
        connection.send(&request.head()).await?;
        let response = within("the refusal", connection.response("POST")).await?;
        assert_eq!((response.status, response.interim.as_slice()), (413, &[100][..]));
        assert_eq!(response.json()["error"]["code"], "body_too_large");
        ensure!(!rig.log.has_head(CASE, &case), "it reached a pool");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_slow_request_does_not_delay_others() {
    run(async |rig| {
        let (case, slow) = request();
        let mut connection = h1::Connection::open(rig.address("main")).await?;
        connection.send(&slow.head()).await?;
        connection.send(&slow.body[..10]).await?;
        for _ in 0..20 {
            rig.ask(H1, "main", request().1).await?.forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
        }
        ensure!(!rig.log.has_head(CASE, &case), "it was not held");
        connection.send(&slow.body[10..]).await?;
        let response = within("the answer", connection.response("POST")).await?;
        rig.seen(slow, response).forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
        Ok(())
    })
    .await;
}
