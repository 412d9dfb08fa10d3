//! A model that its source does not have any more is gone from all workers: nobody is sent to it, sessions leave it for
//! good, and what it still has in flight is told until it is over.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use ipp_testharness::client::{Request, h1};
use ipp_testharness::wait::{PATIENCE, until, within};

use crate::selection::config;
use crate::support::api::Api;
use crate::support::rig::{HOLD, Rig, Said, exchange, filter, request};

const SESSION: &str = "x-session-id";

fn list(models: &[&str]) -> String {
    let models: Vec<String> = models.iter().map(|name| format!(r#"{{"name":"{name}"}}"#)).collect();
    format!(r#"{{"models":[{}]}}"#, models.join(","))
}

/// Whether a worker has the model; one that has not refuses its name, and closes the connection.
async fn has(rig: &Rig, connection: &mut h1::Connection, model: &str) -> Result<bool> {
    match exchange(connection, model).await? {
        Said::Base(base) => {
            ensure!(base == model, "asked for {model}, sent to {base}");
            Ok(true)
        }
        Said::Refused(status, code) => {
            ensure!((status, code.as_str()) == (404, "model_not_found"), "{status} {code}");
            *connection = h1::Connection::open(rig.address("main").await?).await?;
            Ok(false)
        }
    }
}

/// Waits until all workers have the model, or none.
async fn everywhere(rig: &Rig, model: &str, wanted: bool) -> Result<Vec<h1::Connection>> {
    let mut open = rig.connections_for("a").await?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut all = true;
        for connection in &mut open {
            all &= has(rig, connection, model).await? == wanted;
        }
        if all {
            // Those that were refused are new, on whichever worker.
            return rig.connections_for("a").await;
        }
        ensure!(Instant::now() < deadline, "not every worker says {wanted} to {model}");
    }
}

fn of_session(session: &str, model: &str) -> Request {
    request(model).header(SESSION, session)
}

async fn chosen(connection: &mut h1::Connection, request: &Request) -> Result<String> {
    let response = within("an answer", connection.exchange(request)).await?;
    ensure!(response.status == 200, "{}", response.text());
    Ok(response.text())
}

#[tokio::test]
async fn removed_from_its_source_a_model_is_gone_from_all_workers() -> Result<()> {
    let api = Api::start()?;
    api.serves(list(&["a", "b", "c"]));
    let config = config(
        "{source: {cluster: kube-api, path: /models, interval: 1s, timeout: 1s}}",
        "- type: model-group-name-filter\n- type: inflight-requests-scorer\n- type: session-affinity",
        "    - pluginRef: model-group-name-filter\n    - {pluginRef: inflight-requests-scorer, weight: 1}\n    \
         - {pluginRef: session-affinity, weight: 2}",
        "",
    );
    let rig = Rig::start(&api, filter(&config)).await?;
    let mut workers = everywhere(&rig, "c", true).await?;
    let count = workers.len();
    let mut sessions = BTreeMap::new();
    for number in 0..12 {
        let (session, model) = (format!("chat-{number}"), ["a", "b", "c"][number % 3]);
        ensure!(chosen(&mut workers[number % count], &of_session(&session, model)).await? == model);
        sessions.insert(session, model.to_owned());
    }
    let (mut held, address) = (Vec::new(), rig.address("main").await?);
    for number in 0..3 {
        let mut connection = h1::Connection::open(address).await?;
        connection.send_request(&request("c").header(HOLD, number.to_string())).await?;
        rig.log.arrival(HOLD, &number.to_string()).await?;
        held.push(connection);
    }
    let in_flight = async |wanted: f64| {
        until(&format!("{wanted} in flight"), async || {
            Ok((rig.metric(r#"ipp_inflight{model="c"}"#).await? == wanted).then_some(()))
        })
        .await
    };
    in_flight(3.0).await?;

    api.serves(list(&["a", "b"]));
    let mut workers = everywhere(&rig, "c", false).await?;
    for turn in 0..4 {
        for (at, (session, model)) in sessions.iter_mut().enumerate() {
            // Another connection each time, and so another worker mostly.
            let connection = &mut workers[(turn * 7 + at) % count];
            let now = chosen(connection, &of_session(session, "auto")).await?;
            ensure!(now != "c" && (model == "c" || *model == now), "{session} went from {model} to {now}");
            *model = now;
        }
    }
    let moved = r#"ipp_session_affinity_moved_total{plugin_name="session-affinity"}"#;
    ensure!(rig.metric(moved).await? == 4.0);
    // The model is gone, and its requests are not.
    in_flight(3.0).await?;
    held.pop().context("there are three")?.abort()?;
    in_flight(2.0).await?;
    rig.gate.open();
    for mut connection in held {
        let response = within("an answer", connection.response("POST")).await?;
        ensure!(response.text() == "c", "{response:?}");
    }
    in_flight(0.0).await?;

    // When it comes back nobody comes back to it by himself, and it may be chosen.
    api.serves(list(&["a", "b", "c"]));
    let mut workers = everywhere(&rig, "c", true).await?;
    for (at, (session, model)) in sessions.iter().enumerate() {
        ensure!(chosen(&mut workers[at % count], &of_session(session, "auto")).await? == *model);
    }
    in_flight(0.0).await?;
    rig.envoy.assert_healthy().await;
    Ok(())
}
