//! A stream of two hundred chunks: the first byte comes as early as without the filter.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
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

/// When the first byte came, and when the last.
async fn stream(rig: &Rig, listener: &str) -> Result<(Duration, Duration)> {
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
    Ok((first, start.elapsed()))
}

#[tokio::test]
async fn it_comes_as_early_as_without_the_filter() -> Result<()> {
    let bare = Listener::new("bare", Vec::new(), Vec::new(), "default-pool");
    let rig = Rig::start(vec![stock("main", OBSERVED), bare]).await?;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(stream(&rig, "bare").await?);
        with.push(stream(&rig, "main").await?);
    }
    // The fastest of each: a busy machine makes some of them later, and none of them earlier. A filter that holds what it
    // need not makes all of them later.
    let (with, without) = (with.into_iter().min(), without.into_iter().min());
    let ((with, end), (without, _)) = (with.context("no round")?, without.context("no round")?);
    assert!(with < without.mul_f64(1.2), "{with:?} with the filter, {without:?} without");
    // A response that was held would have come after all of its chunks.
    assert!(with < end / 2, "{with:?} of {end:?}");
    rig.assert_healthy().await;
    Ok(())
}
