//! A stream of two hundred chunks: the first byte comes as early as without the filter.

use std::time::{Duration, Instant};

use anyhow::Result;
use ipp_testharness::answer::Answer;
use ipp_testharness::bootstrap::Listener;
use ipp_testharness::client::{Request, h1};
use ipp_testharness::wait::within;

use crate::support::CHAT;
use crate::support::configs::{HI, OBSERVED};
use crate::support::rig::{Rig, stock, tag};

/// How long the model server thinks before the first event.
const THINKS: Duration = Duration::from_millis(20);
const ROUNDS: usize = 15;

async fn first_byte(rig: &Rig, listener: &str) -> Result<Duration> {
    let (case, request) = tag(Request::post(CHAT, r#"{"model":"llama","stream":true}"#));
    let events = (0..200).map(|number| (if number == 0 { THINKS } else { Duration::from_millis(1) }, HI));
    rig.script(&case, Answer::events(events));
    let mut connection = h1::Connection::open(rig.address(listener)).await?;
    let start = Instant::now();
    connection.send(&request.wire()).await?;
    let mut incoming = within("the head", connection.incoming("POST")).await?;
    within("the first byte", connection.piece(&mut incoming)).await?;
    let first = start.elapsed();
    while within("the rest", connection.piece(&mut incoming)).await?.is_some() {}
    // A response that was held would have come after all of its chunks.
    assert!(first < start.elapsed() / 2, "{first:?} of {:?}", start.elapsed());
    Ok(first)
}

#[tokio::test]
async fn it_comes_as_early_as_without_the_filter() -> Result<()> {
    let bare = Listener::new("bare", Vec::new(), Vec::new(), "default-pool");
    let rig = Rig::start(vec![stock("main", OBSERVED), bare]).await?;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(first_byte(&rig, "bare").await?);
        with.push(first_byte(&rig, "main").await?);
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort();
        times[ROUNDS / 2]
    };
    let (with, without) = (median(&mut with), median(&mut without));
    assert!(with < without.mul_f64(1.2), "{with:?} with the filter, {without:?} without");
    rig.assert_healthy().await;
    Ok(())
}
