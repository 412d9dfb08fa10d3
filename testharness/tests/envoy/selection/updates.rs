//! A configuration that is replaced under load takes nothing with it: what is in flight, what was counted, what was
//! learned, and the sessions stay.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ipp_testharness::answer::{Answer, Gate, Step};
use ipp_testharness::artifacts;
use ipp_testharness::client::{Request, Response, fetch, h1, h2};
use ipp_testharness::envoy::Update;
use ipp_testharness::upstream::Protocol::{self, H1, H2};
use ipp_testharness::wait::{PATIENCE, until, within};

use super::{CHOSEN, Selection, ask, connections, total, until_in_flight};
use crate::config_update::{Bench, Way};
use crate::support::CHAT;
use crate::support::configs::HI;
use crate::support::kept::Kept;
use crate::support::rig::{CASE, Rig, stock, tag};

const SESSION: &str = "x-session-id";

/// A configuration whose responses say that it is this one.
fn config(revision: u32) -> String {
    let mark = format!(
        "{{type: model-name-to-header, name: mark, parameters: {{headerName: x-revision-{revision}}}}}"
    );
    let extractor = "{type: ttft-percentile-extractor, parameters: {intervalDuration: 1ns, minRequests: 2}}";
    let config = Selection {
        models: "{name: a}, {name: b}, {name: c}",
        plugins: &[
            "type: inflight-requests-scorer",
            "type: ttft-aware-scorer",
            "type: session-affinity",
            "type: scoring-debug-headers",
            extractor,
            &mark,
        ],
        request: &[
            "{pluginRef: inflight-requests-scorer, weight: 1}",
            "{pluginRef: ttft-aware-scorer, weight: 0.1}",
            "{pluginRef: session-affinity, weight: 5}",
        ],
        response: &["pluginRef: scoring-debug-headers", "pluginRef: mark"],
    };
    let extracted = "model-config-datasource}], extractors: [{pluginRef: ttft-percentile-extractor}]}";
    config.config().replace("model-config-datasource}]}\nprofiles", &format!("{extracted}\nprofiles"))
}

/// What has to be true whenever a session asks again: it is with its model, of which enough is known.
fn as_before(response: &Response, model: &str) -> Result<()> {
    ensure!(response.status == 200 && response.broken.is_none(), "{response:?}");
    let told = |name: &str| response.headers.get(name).with_context(|| format!("no {name} in {response:?}"));
    ensure!(told(CHOSEN)? == model, "a session of {model} was moved: {response:?}");
    ensure!(told("x-ipp-scorer-recentn")?.parse::<u32>()? >= 2, "what was learned is gone: {response:?}");
    ensure!(told("x-ipp-scorer-state")? != "cold", "what was learned is gone: {response:?}");
    Ok(())
}

/// Sessions of each model, which begin with a stream, so that each model is measured.
async fn bind(rig: &Rig) -> Result<BTreeMap<String, String>> {
    let mut sessions = BTreeMap::new();
    for number in 0..12 {
        let (session, model) = (format!("chat-{number:02}"), ["a", "b", "c"][number % 3]);
        let body = format!(r#"{{"model":"{model}","stream":true}}"#);
        let (case, request) = tag(Request::post(CHAT, body).header(SESSION, &session));
        rig.script(&case, Answer::events([(Duration::from_millis(2), HI), (Duration::ZERO, "[DONE]")]));
        ensure!(fetch(H1, rig.address("main"), &request).await?.status == 200);
        sessions.insert(session, model.to_owned());
    }
    Ok(sessions)
}

/// Waits until every worker has taken over what was learned of each model.
async fn until_known(rig: &Rig, sessions: &BTreeMap<String, String>, asked: &AtomicU64) -> Result<()> {
    for mut connection in connections(rig, "main").await? {
        for (session, model) in sessions.iter().take(3) {
            let deadline = Instant::now() + PATIENCE;
            loop {
                asked.fetch_add(1, Ordering::Relaxed);
                let request = tag(ask("auto").header(SESSION, session)).1;
                let response = within("an answer", connection.exchange(&request)).await?;
                match as_before(&response, model) {
                    Ok(()) => break,
                    error if Instant::now() > deadline => return error,
                    Err(_) => {}
                }
            }
        }
    }
    Ok(())
}

/// Requests of the sessions, one after the other, until it is told to stop.
async fn load(
    rig: &Rig,
    protocol: Protocol,
    sessions: &BTreeMap<String, String>,
    stop: &AtomicBool,
    asked: &AtomicU64,
) -> Result<()> {
    let mut client = Kept::new(protocol, rig.address("main"));
    for (session, model) in sessions.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        asked.fetch_add(1, Ordering::Relaxed);
        as_before(&client.exchange(&tag(ask("auto").header(SESSION, session)).1).await?, model)?;
    }
    Ok(())
}

/// Thirty streams that the model servers hold, on connections of both kinds.
async fn held(rig: &Rig, gate: &Gate) -> Result<(Vec<h1::Connection>, h2::Connection, Vec<h2::Stream>)> {
    let (mut one, mut two) = (Vec::new(), Vec::new());
    let mut connection = h2::Connection::open(rig.address("main")).await?;
    for number in 0..30 {
        let (case, request) = tag(ask("auto"));
        rig.script(&case, Answer::events([(Duration::ZERO, "one")]).then(Step::Hold(gate.clone())));
        if number % 2 == 0 {
            let mut connection = h1::Connection::open(rig.address("main")).await?;
            connection.send_request(&request).await?;
            one.push(connection);
        } else {
            two.push(connection.send_request(&request).await?);
        }
        rig.log.arrival(CASE, &case).await?;
    }
    Ok((one, connection, two))
}

async fn replaced_under_load(way: Way) -> Result<()> {
    let bench = Bench::start_on(4, way, stock("main", &config(1))).await?;
    let (rig, address, asked) = (&bench.rig, bench.rig.address("main"), AtomicU64::new(0));
    let count = |by: u64| asked.fetch_add(by, Ordering::Relaxed);

    let sessions = bind(rig).await?;
    count(sessions.len() as u64);
    until_known(rig, &sessions, &asked).await?;
    let gate = Gate::new();
    let (mut one, connection, two) = held(rig, &gate).await?;
    count(30);
    let stop = AtomicBool::new(false);
    let [a, b, c] = [H1, H1, H2].map(|protocol| load(rig, protocol, &sessions, &stop, &asked));
    let updates = async {
        for revision in 2..6 {
            let before = asked.load(Ordering::Relaxed);
            ensure!(bench.update(&config(revision)).await? == Update::Accepted);
            until("the new configuration", async || {
                count(1);
                let response = fetch(H1, address, &tag(ask("auto").header(SESSION, "chat-00")).1).await?;
                as_before(&response, "a")?;
                Ok(response.headers.contains(&format!("x-revision-{revision}")).then_some(()))
            })
            .await?;
            let enough = async || Ok((asked.load(Ordering::Relaxed) >= before + 30).then_some(()));
            until("requests under the new configuration", enough).await?;
        }
        stop.store(true, Ordering::Relaxed);
        Ok(())
    };
    tokio::try_join!(a, b, c, updates)?;

    // Under five configurations, exactly these.
    until_in_flight(rig, 30.0).await?;
    let asked = asked.into_inner() as f64;
    ensure!(total(rig, "ipp_model_selected_total").await? == asked, "of {asked}");
    until("every end to be counted", async || {
        Ok((total(rig, "ipp_model_observations_total").await? == asked - 30.0).then_some(()))
    })
    .await?;
    ensure!(total(rig, "ipp_session_affinity_moved_total").await? == 0.0);

    // Those that began under the first configuration end under the last: by their clients, and by themselves.
    for connection in one.drain(..5) {
        connection.abort()?;
    }
    until_in_flight(rig, 25.0).await?;
    gate.open();
    for connection in &mut one {
        let response = within("the end of a stream", connection.response("POST")).await?;
        ensure!(response.status == 200 && response.broken.is_none(), "{response:?}");
    }
    for stream in two {
        let response = within("the end of a stream", stream.response()).await?;
        ensure!(response.status == 200 && response.broken.is_none(), "{response:?}");
    }
    drop(connection);
    until_in_flight(rig, 0.0).await?;
    ensure!(total(rig, "ipp_inflight_tokens").await? == 0.0);
    rig.assert_healthy().await;
    Ok(())
}

#[tokio::test]
async fn replaced_through_the_listener_under_load_it_loses_nothing() -> Result<()> {
    replaced_under_load(Way::Listener).await
}

#[tokio::test]
async fn replaced_through_the_filter_under_load_it_loses_nothing() -> Result<()> {
    replaced_under_load(Way::Filter).await
}

/// Another module under the same `vm_id` is another VM beside the old one, as in an upgrade.
#[tokio::test]
async fn another_module_goes_on_with_what_is_in_flight_learned_and_bound() -> Result<()> {
    let bench = Bench::start_on(4, Way::Listener, stock("main", &config(1))).await?;
    let (rig, address) = (&bench.rig, bench.rig.address("main"));
    let sessions = bind(rig).await?;
    let asked = AtomicU64::new(sessions.len() as u64);
    until_known(rig, &sessions, &asked).await?;
    let gate = Gate::new();
    let (mut one, connection, two) = held(rig, &gate).await?;
    asked.fetch_add(30, Ordering::Relaxed);
    let mut bootstrap = rig.bootstrap.clone();
    for filter in &mut bootstrap.listeners[0].filters {
        filter.module = artifacts::custom_module();
        filter.config = config(2);
    }
    ensure!(rig.envoy.replace_listeners(&bootstrap, 2).await? == Update::Accepted);
    until("the new module", async || {
        asked.fetch_add(1, Ordering::Relaxed);
        let response = fetch(H1, address, &tag(ask("auto")).1).await?;
        Ok(response.headers.contains("x-revision-2").then_some(()))
    })
    .await?;
    for (session, model) in &sessions {
        asked.fetch_add(1, Ordering::Relaxed);
        as_before(&fetch(H2, address, &tag(ask("auto").header(SESSION, session)).1).await?, model)?;
    }
    until_in_flight(rig, 30.0).await?;
    ensure!(total(rig, "ipp_model_selected_total").await? == asked.into_inner() as f64);
    for connection in one.drain(..5) {
        connection.abort()?;
    }
    until_in_flight(rig, 25.0).await?;
    gate.open();
    for connection in &mut one {
        within("the end of a stream", connection.response("POST")).await?;
    }
    for stream in two {
        within("the end of a stream", stream.response()).await?;
    }
    drop(connection);
    until_in_flight(rig, 0.0).await?;
    rig.assert_healthy().await;
    Ok(())
}
