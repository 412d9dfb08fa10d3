//! Model selection with four workers: what is in flight is one number for all of them, and comes back to zero.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use ipp_testharness::answer::{Answer, Gate, Step};
use ipp_testharness::bootstrap::Bootstrap;
use ipp_testharness::client::{Request, h1};
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::wait::{until, within};

use crate::support::CHAT;
use crate::support::rig::{CASE, Rig, stock, tag};

/// The model with the fewest requests in flight.
const CONFIG: &str = "\
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: model-selector
- type: model-group-name-filter
- type: inflight-requests-scorer
- type: body-field-to-header
  parameters: {fieldName: model, headerName: X-Gateway-Model-Name}
- type: model-config-datasource
  parameters: {models: [{name: a}, {name: b}, {name: c}]}
datalayer: {datasources: [{pluginRef: model-config-datasource}]}
profiles:
- name: default
  plugins:
    request:
    - pluginRef: model-group-name-filter
    - {pluginRef: inflight-requests-scorer, weight: 1}
    - pluginRef: model-selector
    - pluginRef: body-field-to-header
";

const BODY: &str = r#"{"model":"auto","max_tokens":10}"#;

async fn start() -> Result<Rig> {
    let mut bootstrap = Bootstrap::new(vec![stock("main", CONFIG)], Vec::new());
    bootstrap.concurrency = 4;
    Rig::start_with(bootstrap).await
}

async fn gauges(rig: &Rig, name: &str) -> Result<BTreeMap<String, f64>> {
    let mut metrics = rig.envoy.metrics("ipp_").await?;
    metrics.retain(|series, _| series.starts_with(&format!("{name}{{")));
    ensure!(metrics.len() == 3, "one for each model: {metrics:?}");
    Ok(metrics)
}

async fn in_flight(rig: &Rig) -> Result<Vec<f64>> {
    Ok(gauges(rig, "ipp_inflight").await?.into_values().collect())
}

/// Waits until so many are in flight.
async fn until_in_flight(rig: &Rig, wanted: f64) -> Result<()> {
    let probe = async || Ok((in_flight(rig).await?.iter().sum::<f64>() == wanted).then_some(()));
    until(&format!("{wanted} in flight"), probe).await
}

#[tokio::test]
async fn two_hundred_streams_that_end_in_every_way_leave_nothing() -> Result<()> {
    let rig = start().await?;
    assert_eq!(in_flight(&rig).await?, [0.0; 3]);
    let gate = Gate::new();
    let mut open = Vec::new();
    for number in 0..200 {
        let (case, request) = tag(Request::post(CHAT, BODY));
        let held = Answer::status(200).first(Step::Hold(gate.clone()));
        rig.script(
            &case,
            match number % 4 {
                // The model server breaks off, or answers; of the others it is the client who leaves.
                0 => held.first(Step::Reset),
                1 => Answer::events([(std::time::Duration::ZERO, "one")]).then(Step::Hold(gate.clone())),
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
    let mut counts = in_flight(&rig).await?;
    counts.sort_by(f64::total_cmp);
    assert_eq!(counts, [66.0, 67.0, 67.0]);
    assert_eq!(gauges(&rig, "ipp_inflight_tokens").await?.into_values().sum::<f64>(), 2000.0);

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
    assert_eq!(in_flight(&rig).await?, [0.0; 3]);
    assert_eq!(gauges(&rig, "ipp_inflight_tokens").await?.into_values().sum::<f64>(), 0.0);

    // And it goes on from there.
    for protocol in [H1, H2] {
        assert_eq!(rig.ask(protocol, "main", Request::post(CHAT, BODY)).await?.response.status, 200);
    }
    until_in_flight(&rig, 0.0).await?;
    rig.assert_healthy().await;
    Ok(())
}
