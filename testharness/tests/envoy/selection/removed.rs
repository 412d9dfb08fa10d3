//! A model that a new configuration does not have is gone from all workers: nobody is sent to it, sessions leave it for
//! good, and what it still has in flight is told until it is over.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ipp_testharness::answer::{Answer, Gate, Step};
use ipp_testharness::client::{Response, h1};
use ipp_testharness::envoy::Update;
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::wait::{until, within};

use super::{CHOSEN, Selection, ask, by_label, connections, in_flight, total};
use crate::config_update::{Bench, Way};
use crate::support::rig::{CASE, Rig, stock, tag};

const SESSION: &str = "x-session-id";
/// The response header that says by which configuration.
const REVISION: &str = "x-revision";

fn config(revision: u32, models: &str) -> String {
    let mark = format!(
        "{{type: model-name-to-header, name: mark, parameters: {{headerName: {REVISION}-{revision}}}}}"
    );
    Selection {
        models,
        plugins: &["type: inflight-requests-scorer", "type: session-affinity", &mark],
        request: &[
            "{pluginRef: inflight-requests-scorer, weight: 1}",
            "{pluginRef: session-affinity, weight: 2}",
        ],
        response: &["pluginRef: mark"],
    }
    .config()
}

fn chosen(response: &Response) -> Result<String> {
    response.headers.get(CHOSEN).with_context(|| format!("no model was chosen: {response:?}"))
}

/// Waits until connections to every worker are served by that configuration.
async fn everywhere(rig: &Rig, revision: u32) -> Result<Vec<h1::Connection>> {
    let header = format!("{REVISION}-{revision}");
    until("the new configuration on all workers", async || {
        let mut open = connections(rig, "main").await?;
        let mut all = true;
        for connection in &mut open {
            let response = within("an answer", connection.exchange(&tag(ask("auto")).1)).await?;
            all &= response.headers.contains(&header);
        }
        Ok(all.then_some(open))
    })
    .await
}

async fn removed(way: Way) -> Result<()> {
    let all = "{name: a}, {name: b}, {name: c}";
    let bench = Bench::start_on(4, way, stock("main", &config(1, all))).await?;
    let rig = &bench.rig;
    let mut sessions = BTreeMap::new();
    for number in 0..12 {
        let (session, model) = (format!("chat-{number}"), ["a", "b", "c"][number % 3]);
        let exchange = rig.ask(H1, "main", ask(model).header(SESSION, &session)).await?;
        ensure!(chosen(&exchange.response)? == model);
        sessions.insert(session, model.to_owned());
    }
    let gate = Gate::new();
    let mut held = Vec::new();
    for _ in 0..4 {
        let (case, request) = tag(ask("c"));
        rig.script(&case, Answer::events([(Duration::ZERO, "one")]).then(Step::Hold(gate.clone())));
        let mut connection = h1::Connection::open(rig.address("main")).await?;
        connection.send_request(&request).await?;
        rig.log.arrival(CASE, &case).await?;
        held.push(connection);
    }
    let of_c = async |metric: &str| anyhow::Ok(by_label(rig, metric).await?["c"]);
    let chosen_before = of_c("ipp_model_selected_total").await?;

    ensure!(bench.update(&config(2, "{name: a}, {name: b}")).await? == Update::Accepted);
    let mut workers = everywhere(rig, 2).await?;
    let count = workers.len();
    // On each worker by its name, for anybody, and for the sessions that were with it; the others stay where they are.
    for connection in &mut workers {
        let response = within("an answer", connection.exchange(&tag(ask("c")).1)).await?;
        ensure!(response.status == 404, "{response:?}");
        // A refusal closes the connection.
        *connection = h1::Connection::open(rig.address("main")).await?;
    }
    for turn in 0..3 {
        for (at, (session, model)) in sessions.iter_mut().enumerate() {
            let connection = &mut workers[(at + turn * 5) % count];
            let request = tag(ask("auto").header(SESSION, session)).1;
            let now = chosen(&within("an answer", connection.exchange(&request)).await?)?;
            ensure!(now != "c" && (model == "c" || *model == now), "{session} went from {model} to {now}");
            *model = now;
        }
    }
    ensure!(total(rig, "ipp_session_affinity_moved_total").await? == 4.0);
    // Nothing that it was given under the old configuration is over yet.
    ensure!(of_c("ipp_inflight").await? == 4.0, "{:?}", in_flight(rig).await?);
    held.pop().context("there are four")?.abort()?;
    until("one to be gone", async || Ok((of_c("ipp_inflight").await? == 3.0).then_some(()))).await?;

    // When it comes back it goes on where it was; nobody comes back to it by himself.
    ensure!(bench.update(&config(3, all)).await? == Update::Accepted);
    drop(workers);
    let mut workers = everywhere(rig, 3).await?;
    let count = workers.len();
    ensure!(of_c("ipp_inflight").await? == 3.0, "{:?}", in_flight(rig).await?);
    for (at, (session, model)) in sessions.iter().enumerate() {
        let connection = &mut workers[at % count];
        let request = tag(ask("auto").header(SESSION, session)).1;
        ensure!(chosen(&within("an answer", connection.exchange(&request)).await?)? == *model);
    }
    let exchange = rig.ask(H2, "main", ask("c")).await?;
    ensure!(chosen(&exchange.response)? == "c");
    ensure!(of_c("ipp_model_selected_total").await? > chosen_before);
    gate.open();
    for mut connection in held {
        within("the end of a stream", connection.response("POST")).await?;
    }
    super::until_in_flight(rig, 0.0).await?;
    rig.assert_healthy().await;
    Ok(())
}

#[tokio::test]
async fn removed_through_the_listener_a_model_is_gone_from_all_workers() -> Result<()> {
    removed(Way::Listener).await
}

#[tokio::test]
async fn removed_through_the_filter_a_model_is_gone_from_all_workers() -> Result<()> {
    removed(Way::Filter).await
}
