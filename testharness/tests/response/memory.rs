//! Ten thousand streams through one Envoy, observed and changed: its memory does not grow with them.

use std::time::Duration;

use anyhow::{Context, Result};
use ipp_testharness::answer::Answer;
use ipp_testharness::client::{Request, h1};
use ipp_testharness::wait::within;

use crate::support::CHAT;
use crate::support::configs::{HI, OBSERVED, USAGE};
use crate::support::rig::{Rig, stock};

/// Resident memory of a process in KiB.
fn resident(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_streams_leave_nothing_behind() -> Result<()> {
    const CONNECTIONS: usize = 8;
    let rig = Rig::start(vec![stock("main", OBSERVED)]).await?;
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(h1::Connection::open(rig.address("main")).await?);
    }
    let mut data = vec![HI; 20];
    data.extend([USAGE, "[DONE]"]);
    let stream =
        Answer::events(data.into_iter().map(|data| (Duration::ZERO, data))).split_at(&[100, 333, 1001]);
    let (mut sent, mut early) = (0_usize, 0);
    while sent < 10_000 {
        for (number, connection) in connections.iter_mut().enumerate() {
            let case = format!("memory-{number}");
            rig.script(&case, stream.clone());
            let request = Request::post(CHAT, r#"{"model":"llama","stream":true}"#).header("x-case", &case);
            connection.send(&request.wire()).await?;
        }
        for connection in &mut connections {
            let response = within("a stream", connection.response("POST")).await?;
            assert!(response.text().ends_with("[DONE]\n\n") && !response.text().contains("prompt_tokens"));
            sent += 1;
        }
        rig.log.clear();
        if sent == 2000 {
            early = resident(rig.envoy.process())?;
        }
    }
    let late = resident(rig.envoy.process())?;
    assert!(early > 0 && late <= early + early / 20, "{early} KiB after 2000 streams, {late} after 10000");
    let metrics = rig.envoy.metrics("ipp_").await?;
    assert_eq!(metrics[r#"ipp_responses_total{model="llama",result="ok"}"#], 10_000.0);
    assert_eq!(metrics[r#"ipp_prompt_tokens_total{model="llama",tenant="other"}"#], 90_000.0);
    rig.assert_healthy().await;
    Ok(())
}
