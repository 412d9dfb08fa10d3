//! A single filter, in role `direct`, where the flag that it needs is missing; and slow clients where it is there.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ipp_testharness::bootstrap::Bootstrap;
use ipp_testharness::client::{Request, h1, h2};
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::wait::within;

use crate::pairs::{listener, stock};
use crate::support::rig::{CASE, Rig, tag};
use crate::support::{BASE, CHAT, LLAMA, QWEN, configs};

const LINE: &str = "Set `allow_on_headers_stop_iteration: true` in the filter's `config`";

/// Longer than a stalled request waits.
const LONG: Duration = Duration::from_secs(5);

fn good() -> Request {
    Request::post(CHAT, r#"{"model":"sql-lora","messages":[]}"#)
}

async fn rig(flag: bool, config: &str) -> Result<Rig> {
    let filter = if flag { stock(config) } else { stock(config).without_flag() };
    let mut bootstrap = Bootstrap::new(vec![listener("main", vec![filter])], Vec::new());
    bootstrap.concurrency = 1;
    Rig::start_with(bootstrap).await
}

async fn stalled(rig: &Rig) -> Result<(f64, usize)> {
    let metrics = rig.envoy.metrics("ipp_").await?;
    Ok((metrics["ipp_direct_stalled_total"], rig.envoy.log()?.matches(LINE).count()))
}

#[tokio::test]
async fn without_the_flag_requests_are_answered_and_the_log_names_the_fix() -> Result<()> {
    let rig = rig(false, configs::PLAIN).await?;
    let before = Instant::now();
    let all = async {
        tokio::try_join!(
            rig.ask(H1, "main", good()),
            rig.ask(H2, "main", good()),
            rig.ask(H1, "main", good().chunked(&[5])),
            rig.ask(H2, "main", Request::post(CHAT, "x".repeat(3_000_000))),
        )
    };
    let all = within("answers", all).await?;
    ensure!(before.elapsed() < LONG, "{:?}", before.elapsed());
    for exchange in [all.0, all.1, all.2, all.3] {
        assert_eq!(exchange.response.status, 503, "{}", exchange.response.text());
        let error = &exchange.response.json()["error"];
        assert_eq!(
            (error["code"].as_str(), error["type"].as_str()),
            (Some("direct_stalled"), Some("server_error"))
        );
        ensure!(exchange.arrived.is_empty());
    }
    // What is not held is none of it.
    rig.ask(H1, "main", Request::get("/v1/models")).await?.forwarded("default-pool", None, None);
    assert_eq!(stalled(&rig).await?, (4.0, 1));
    let metrics = rig.envoy.metrics("ipp_").await?;
    assert_eq!(metrics[r#"ipp_requests_total{outcome="rejected"}"#], 4.0);
    assert_eq!(metrics[r#"ipp_rejections_total{code="direct_stalled"}"#], 4.0);
    assert_eq!(metrics[r#"ipp_requests_total{outcome="aborted"}"#], 0.0);
    rig.envoy.assert_healthy_but(&[LINE]).await;
    Ok(())
}

#[tokio::test]
async fn without_the_flag_requests_go_on_unread_when_so_configured() -> Result<()> {
    let rig = rig(false, &configs::with(&["onStall: continue"])).await?;
    let trailers = || good().trailer("x-sum", "1");
    let all = async {
        tokio::try_join!(
            rig.ask(H1, "main", good().header(BASE, LLAMA)),
            rig.ask(H2, "main", good().header(BASE, LLAMA)),
            rig.ask(H1, "main", trailers()),
            rig.ask(H2, "main", trailers()),
        )
    };
    let all = within("answers", all).await?;
    for exchange in [all.0, all.1, all.2, all.3] {
        exchange.forwarded("default-pool", None, None);
    }
    // And so do those that come after.
    rig.ask(H1, "main", good()).await?.forwarded("default-pool", None, None);
    assert_eq!(stalled(&rig).await?, (5.0, 1));
    let metrics = rig.envoy.metrics("ipp_").await?;
    assert_eq!(metrics[r#"ipp_requests_total{outcome="bypassed"}"#], 5.0);
    rig.envoy.assert_healthy_but(&[LINE]).await;
    Ok(())
}

/// Without the flag, and before anything of the body came: nobody can know, and the client is waited for.
#[tokio::test]
async fn without_the_flag_a_silent_client_is_answered_when_it_speaks() -> Result<()> {
    let rig = rig(false, configs::PLAIN).await?;
    let (case, request) = tag(good());
    let mut connection = h1::Connection::open(rig.address("main")).await?;
    connection.send(&request.head()).await?;
    tokio::time::sleep(LONG).await;
    assert_eq!(stalled(&rig).await?, (0.0, 0));
    connection.send(&request.body[..1]).await?;
    let response = within("the answer", connection.response("POST")).await?;
    assert_eq!(response.status, 503);
    ensure!(!rig.log.has_head(CASE, &case));
    // One that leaves while it hangs.
    let mut connection = h2::Connection::open(rig.address("main")).await?;
    let stream = connection.send_request(&good()).await?;
    rig.active("main").await?;
    stream.reset();
    rig.idle("main").await?;
    let metrics = rig.envoy.metrics("ipp_").await?;
    assert_eq!(metrics[r#"ipp_requests_total{outcome="aborted"}"#], 1.0);
    rig.envoy.assert_healthy_but(&[LINE]).await;
    Ok(())
}

/// The first requests that a worker ever sees, from clients that take longer than a stalled request may.
#[tokio::test]
async fn with_the_flag_a_slow_client_is_never_taken_for_a_stalled_one() -> Result<()> {
    for config in [configs::PLAIN.to_owned(), configs::with(&["onStall: continue"])] {
        let rig = rig(true, &config).await?;
        let (_, one) = tag(good());
        let (_, two) = tag(good());
        let mut first = h1::Connection::open(rig.address("main")).await?;
        first.send(&one.head()).await?;
        let mut second = h2::Connection::open(rig.address("main")).await?;
        let mut stream = second.open_stream(&two, false).await?;
        tokio::time::sleep(LONG).await;
        first.send(&one.body[..1]).await?;
        tokio::time::sleep(LONG).await;
        first.send(&one.body[1..]).await?;
        stream.body.send_data(two.body.clone(), true)?;
        let responses = (first.response("POST"), stream.response());
        let (response, other) =
            within("answers", async { tokio::try_join!(responses.0, responses.1) }).await?;
        rig.seen(one, response).forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
        rig.seen(two, other).forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
        assert_eq!(stalled(&rig).await?, (0.0, 0));
        rig.assert_healthy().await;
    }
    Ok(())
}
