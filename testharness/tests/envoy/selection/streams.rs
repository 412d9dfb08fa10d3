//! What is in flight is one number for all workers, exact whatever they do at the same time, and comes back to zero.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ipp_testharness::answer::{Answer, Gate, Step};
use ipp_testharness::bootstrap::Bootstrap;
use ipp_testharness::client::{h1, h2};
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::wait::{until, within};
use tokio::task::JoinSet;

use super::{Selection, ask, connections, in_flight, start, total, until_in_flight};
use crate::support::rig::{CASE, Rig, stock, tag};

/// The model with the fewest requests in flight.
fn config(models: &str) -> String {
    Selection {
        models,
        plugins: &["type: inflight-requests-scorer", "type: scoring-debug-headers"],
        request: &["{pluginRef: inflight-requests-scorer, weight: 1}"],
        response: &["pluginRef: scoring-debug-headers"],
    }
    .config()
}

#[tokio::test]
async fn two_hundred_streams_that_end_in_every_way_leave_nothing() -> Result<()> {
    let rig = start(vec![stock("main", &config("{name: a}, {name: b}, {name: c}"))]).await?;
    assert_eq!(in_flight(&rig).await?.into_values().collect::<Vec<_>>(), [0.0; 3]);
    let gate = Gate::new();
    let mut open = Vec::new();
    for number in 0..200 {
        let (case, request) = tag(ask("auto"));
        let held = Answer::status(200).first(Step::Hold(gate.clone()));
        rig.script(
            &case,
            match number % 4 {
                // The model server breaks off, or answers; of the others it is the client who leaves.
                0 => held.first(Step::Reset),
                1 => Answer::events([(Duration::ZERO, "one")]).then(Step::Hold(gate.clone())),
                _ => held,
            },
        );
        let mut connection = h1::Connection::open(rig.address("main")).await?;
        connection.send(&request.wire()).await?;
        rig.log.arrival(CASE, &case).await?;
        open.push(connection);
    }
    // One after the other, on whichever worker: each went to a model with the fewest, so that no two differ by
    // more than one.
    let mut counts: Vec<f64> = in_flight(&rig).await?.into_values().collect();
    counts.sort_by(f64::total_cmp);
    assert_eq!(counts, [66.0, 67.0, 67.0]);
    assert_eq!(total(&rig, "ipp_inflight_tokens").await?, 2000.0);

    let mut staying = Vec::new();
    for (number, connection) in open.into_iter().enumerate() {
        match number % 4 {
            1 => connection.abort()?,
            2 => drop(connection),
            _ => staying.push(connection),
        }
    }
    until_in_flight(&rig, 100.0).await?;
    gate.open();
    for mut connection in staying {
        within("an answer", connection.incoming("POST")).await?;
    }
    until_in_flight(&rig, 0.0).await?;
    assert_eq!(in_flight(&rig).await?.into_values().collect::<Vec<_>>(), [0.0; 3]);
    assert_eq!(total(&rig, "ipp_inflight_tokens").await?, 0.0);

    // And it goes on from there.
    for protocol in [H1, H2] {
        assert_eq!(rig.ask(protocol, "main", ask("auto")).await?.response.status, 200);
    }
    until_in_flight(&rig, 0.0).await?;
    rig.assert_healthy().await;
    Ok(())
}

/// Every worker says that so many are in flight. Each connection asks once, alone, so that what it is told is exact.
async fn every_worker_says(rig: &Rig, connections: &mut [h1::Connection], wanted: u32) -> Result<()> {
    for connection in connections {
        until_in_flight(rig, f64::from(wanted)).await?;
        let response = within("an answer", connection.exchange(&tag(ask("auto")).1)).await?;
        let seen = response.headers.get("x-ipp-scorer-inflight").context("no count in the response")?;
        ensure!(seen == wanted.to_string(), "a worker says {seen}, and {wanted} are in flight");
    }
    Ok(())
}

#[tokio::test]
async fn with_two_hundred_streams_at_once_every_worker_reads_the_same_count() -> Result<()> {
    let rig = start(vec![stock("main", &config("{name: only}"))]).await?;
    let mut probes = connections(&rig, "main").await?;
    every_worker_says(&rig, &mut probes, 0).await?;

    // All in the same instant, on as many connections as there are workers many times over.
    let gate = Gate::new();
    let held = || {
        let (case, request) = tag(ask("auto"));
        rig.script(&case, Answer::events([(Duration::ZERO, "one")]).then(Step::Hold(gate.clone())));
        request
    };
    let (address, mut one, mut two) = (rig.address("main"), JoinSet::new(), JoinSet::new());
    for _ in 0..100 {
        let request = held();
        one.spawn(async move {
            let mut connection = h1::Connection::open(address).await?;
            connection.send_request(&request).await?;
            anyhow::Ok(connection)
        });
    }
    for _ in 0..10 {
        let requests: Vec<_> = (0..10).map(|_| held()).collect();
        two.spawn(async move {
            let mut connection = h2::Connection::open(address).await?;
            let mut streams = Vec::new();
            for request in &requests {
                streams.push(connection.send_request(request).await?);
            }
            anyhow::Ok((connection, streams))
        });
    }
    let one = one.join_all().await.into_iter().collect::<Result<Vec<_>>>()?;
    let two = two.join_all().await.into_iter().collect::<Result<Vec<_>>>()?;
    every_worker_says(&rig, &mut probes, 200).await?;
    // A tenth of the streams of each connection, and half of the connections.
    let mut staying = Vec::new();
    for (connection, mut streams) in two {
        streams.pop().context("there are ten")?.reset();
        staying.push((connection, streams));
    }
    let rest = one.into_iter().enumerate().filter_map(|(at, connection)| (at % 2 == 0).then_some(connection));
    let mut rest: Vec<_> = rest.collect();
    every_worker_says(&rig, &mut probes, 140).await?;

    gate.open();
    for connection in &mut rest {
        let response = within("the end of a stream", connection.response("POST")).await?;
        ensure!(response.status == 200 && response.broken.is_none(), "{response:?}");
    }
    for (_connection, streams) in staying {
        for stream in streams {
            let response = within("the end of a stream", stream.response()).await?;
            ensure!(response.status == 200 && response.broken.is_none(), "{response:?}");
        }
    }
    every_worker_says(&rig, &mut probes, 0).await?;
    // Everything was counted, and once.
    let asked = 200.0 + 4.0 * probes.len() as f64;
    until("every choice to be counted", async || {
        Ok((total(&rig, "ipp_model_selected_total").await? == asked).then_some(()))
    })
    .await?;
    until_in_flight(&rig, 0.0).await?;
    ensure!(total(&rig, "ipp_inflight_tokens").await? == 0.0);
    rig.assert_healthy().await;
    Ok(())
}

/// By that gauge workers see whether what they remember is still so: without it they have to ask each time.
#[tokio::test]
async fn a_model_that_is_free_again_is_free_for_every_worker_without_the_gauge_of_changes() -> Result<()> {
    let one_at_a_time = Selection {
        models: "{name: only, capacity: 1}",
        plugins: &["{type: load-filter, parameters: {maxLoad: 1, status: 503}}"],
        request: &["pluginRef: load-filter"],
        response: &[],
    };
    let mut bootstrap = Bootstrap::new(vec![stock("main", &one_at_a_time.config())], Vec::new());
    bootstrap.concurrency = 4;
    bootstrap.stats_dropped = vec!["ipp_inflight_changes".to_owned()];
    let rig = Rig::start_with(bootstrap).await?;
    // A refusal ends an HTTP/1 connection, and it has to be the same worker that asks again. So many reach every worker.
    let mut probes = Vec::new();
    for _ in 0..48 {
        probes.push(h2::Connection::open(rig.address("main")).await?);
    }
    let gate = Gate::new();
    let (case, request) = tag(ask("auto"));
    rig.script(&case, Answer::status(200).first(Step::Hold(gate.clone())));
    let mut held = h1::Connection::open(rig.address("main")).await?;
    held.send(&request.wire()).await?;
    until_in_flight(&rig, 1.0).await?;
    for wanted in [503, 200] {
        for probe in &mut probes {
            until_in_flight(&rig, if wanted == 503 { 1.0 } else { 0.0 }).await?;
            let response = within("an answer", probe.exchange(&tag(ask("auto")).1)).await?;
            assert_eq!(response.status, wanted);
        }
        gate.open();
    }
    within("the answer", held.response("POST")).await?;
    assert!(rig.envoy.metrics("ipp_inflight_changes").await?.is_empty());
    rig.assert_healthy().await;
    Ok(())
}
