//! Bodies of every size and in every cut arrive as they were sent.

use anyhow::Result;
use bytes::Bytes;
use ipp_testharness::bootstrap::Listener;
use ipp_testharness::client::{Request, h1, h2};
use ipp_testharness::message::sha256_hex;
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::wait::within;

use crate::support::rig::{CASE, Rig, Shared, stock, tag};
use crate::support::{CHAT, QWEN, configs};

static RIG: Shared = Shared::new();

const MIB: usize = 1 << 20;

fn listeners() -> Vec<Listener> {
    let mut large = stock("large", &configs::with(&["requestBody: {maxBytes: 33554432}"]));
    large.body_buffer = Some(33 << 20);
    let mut small = stock("small", &configs::with(&["requestBody: {maxBytes: 65536}"]));
    let mut bypass = stock("bypass", &configs::with(&["requestBody: {maxBytes: 65536, tooLarge: bypass}"]));
    for listener in [&mut small, &mut bypass] {
        listener.connection_buffer = Some(32 << 10);
        listener.body_buffer = Some((64 + 32) << 10);
    }
    let default = stock("default", configs::PLAIN);
    let mut tight = stock("tight", configs::PLAIN);
    tight.body_buffer = None;
    vec![default, tight, stock("split", configs::PLAIN), large, small, bypass]
}

async fn run(test: impl AsyncFnOnce(&Rig) -> Result<()>) {
    RIG.run(listeners, test).await;
}

/// A chat completion of exactly `size` bytes, with the model at its beginning or at its end.
fn body(size: usize, model_first: bool) -> Bytes {
    let (head, tail) = match model_first {
        true => (r#"{"model":"sql-lora","messages":[{"role":"user","content":""#, r#""}]}"#),
        false => (r#"{"messages":[{"role":"user","content":""#, r#""}],"model":"sql-lora"}"#),
    };
    let filler = "abcdefghijklmnopqrstuvwxyz \\n 0123456789 \\\" é 😀 ";
    let length = size - head.len() - tail.len();
    let mut text = filler.repeat(length / filler.len());
    text.push_str(&"x".repeat(length - text.len()));
    [head, &text, tail].concat().into()
}

async fn arrives_at_qwen(rig: &Rig, listener: &str, request: Request) -> Result<()> {
    let digest = sha256_hex(&request.body);
    for protocol in [H1, H2] {
        let exchange = rig.ask(protocol, listener, request.clone()).await?;
        let arrived = exchange.forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
        assert_eq!(arrived.body_sha256(), digest);
    }
    Ok(())
}

/// Envoy has read each part before the next one is sent.
#[tokio::test]
async fn a_request_split_at_every_byte() {
    run(async |rig| {
        let mut connection = h1::Connection::open(rig.address("split")).await?;
        let length =
            tag(Request::post(CHAT, r#"{"n":1,"mod\u0065l" : "sql-lor\u0061","e":"é"}"#)).1.wire().len();
        for cut in 1..length {
            let (_, request) = tag(Request::post(CHAT, r#"{"n":1,"mod\u0065l" : "sql-lor\u0061","e":"é"}"#));
            let wire = request.wire();
            let before = rig.bytes_read("split").await?;
            connection.send(&wire[..cut]).await?;
            rig.has_read("split", before + cut as u64).await?;
            connection.send(&wire[cut..]).await?;
            let response = within("the answer", connection.response("POST")).await?;
            rig.seen(request, response).forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_body_byte_by_byte() {
    run(async |rig| {
        let text = r#"{"n":1,"model":"sql-lora","e":"é"}"#;
        let ones = vec![1; text.len()];
        arrives_at_qwen(rig, "default", Request::post(CHAT, text).pieces(&ones)).await?;
        arrives_at_qwen(rig, "default", Request::post(CHAT, text).chunked(&ones)).await
    })
    .await;
}

#[tokio::test]
async fn chunks_of_many_sizes() {
    run(async |rig| {
        let sizes = [1, 2, 3, 5, 8, 13, 1000, 1, 16384, 16383, 16385, 65536, 1, 100_000];
        arrives_at_qwen(rig, "default", Request::post(CHAT, body(300_000, true)).chunked(&sizes)).await?;
        arrives_at_qwen(rig, "default", Request::post(CHAT, body(300_000, false)).chunked(&sizes)).await
    })
    .await;
}

#[tokio::test]
async fn trailers_arrive_behind_the_body() {
    run(async |rig| {
        for text in [r#"{"model":"sql-lora"}"#.into(), body(300_000, false)] {
            let request =
                Request::post(CHAT, text).chunked(&[5]).trailer("x-checksum", "abc").trailer("x-more", "");
            arrives_at_qwen(rig, "default", request).await?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn five_megabytes() {
    run(async |rig| {
        arrives_at_qwen(rig, "default", Request::post(CHAT, body(5 * MIB, true))).await?;
        arrives_at_qwen(rig, "default", Request::post(CHAT, body(5 * MIB, false))).await?;
        arrives_at_qwen(rig, "default", Request::post(CHAT, body(5 * MIB, false)).chunked(&[MIB; 4])).await
    })
    .await;
}

#[tokio::test]
async fn twenty_megabytes() {
    run(async |rig| {
        arrives_at_qwen(rig, "large", Request::post(CHAT, body(20 * MIB, false))).await?;
        arrives_at_qwen(rig, "large", Request::post(CHAT, body(20 * MIB, true)).chunked(&[3 * MIB; 3])).await
    })
    .await;
}

#[tokio::test]
async fn several_large_bodies_at_once_over_one_http2_connection() {
    run(async |rig| {
        let mut connection = h2::Connection::open(rig.address("default")).await?;
        let mut streams = Vec::new();
        for number in 0..4 {
            let (_, request) = tag(Request::post(CHAT, body(2 * MIB, number % 2 == 0)));
            streams.push((connection.send_request(&request).await?, request));
        }
        for (stream, request) in streams {
            let response = within("the answer", stream.response()).await?;
            rig.seen(request, response).forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_largest_body_that_is_allowed() {
    run(async |rig| {
        arrives_at_qwen(rig, "default", Request::post(CHAT, body(8 * MIB, false))).await?;
        arrives_at_qwen(rig, "small", Request::post(CHAT, body(64 << 10, false))).await?;
        arrives_at_qwen(rig, "small", Request::post(CHAT, body(64 << 10, false)).chunked(&[])).await
    })
    .await;
}

#[tokio::test]
async fn a_larger_body_is_refused() {
    run(async |rig| {
        for (listener, limit) in [("default", 8 * MIB), ("small", 64 << 10)] {
            for size in [limit + 1, limit + 2 * MIB] {
                for request in [
                    Request::post(CHAT, body(size, true)),
                    Request::post(CHAT, body(size, true)).chunked(&[]),
                ] {
                    for protocol in [H1, H2] {
                        let (case, request) = tag(request.clone());
                        let exchange = rig.ask(protocol, listener, request).await?;
                        exchange.refused(413, "body_too_large");
                        assert!(!rig.log.has_head(CASE, &case), "a part of it reached a pool");
                    }
                }
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_larger_body_passes_unread_when_so_configured() {
    run(async |rig| {
        arrives_at_qwen(rig, "bypass", Request::post(CHAT, body(64 << 10, false))).await?;
        for size in [(64 << 10) + 1, 3 * MIB] {
            for request in
                [Request::post(CHAT, body(size, true)), Request::post(CHAT, body(size, true)).chunked(&[])]
            {
                for protocol in [H1, H2] {
                    let request = request.clone().header("x-gateway-base-model-name", QWEN);
                    rig.ask(protocol, "bypass", request).await?.forwarded("default-pool", None, None);
                }
            }
        }
        Ok(())
    })
    .await;
}

/// Without a limit on its routes Envoy refuses larger bodies itself, whatever the filter would take.
#[tokio::test]
async fn a_body_that_envoy_does_not_hold() {
    run(async |rig| {
        for request in
            [Request::post(CHAT, body(3 * MIB, true)), Request::post(CHAT, body(3 * MIB, true)).chunked(&[])]
        {
            let exchange = rig.ask(H1, "tight", request).await?;
            assert_eq!(
                (exchange.response.status, exchange.response.text().as_str()),
                (413, "Payload Too Large")
            );
            assert!(exchange.arrived.is_empty());
        }
        arrives_at_qwen(rig, "tight", Request::post(CHAT, body(MIB - 1000, true))).await
    })
    .await;
}

#[tokio::test]
async fn a_number_of_ten_thousand_digits() {
    run(async |rig| {
        let digits = "1234567890".repeat(1000);
        for number in [digits.clone(), format!("-{digits}"), format!("0.{digits}"), format!("1e{digits}")] {
            arrives_at_qwen(
                rig,
                "default",
                Request::post(CHAT, format!(r#"{{"seed":{number},"model":"sql-lora"}}"#)),
            )
            .await?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn white_space_order_and_spelling_stay_as_they_are() {
    run(async |rig| {
        let text = "\r\n\t {\"z\" : 1.0 ,\n\"b\":\"\\u0041\\/<>&\",\t\"model\":\"sql-lora\" , \"a\":{\"b\":1,\"b\":2} }\n\n ";
        arrives_at_qwen(rig, "default", Request::post(CHAT, text)).await
    })
    .await;
}
