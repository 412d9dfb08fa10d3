//! A session stays with its model, on whichever worker its next request comes and while a stream of it is open.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ipp_testharness::answer::{Answer, Gate, Step};
use ipp_testharness::client::Request;
use ipp_testharness::wait::within;

use super::{CHOSEN, Selection, ask, connections, start, total, until_in_flight};
use crate::support::CHAT;
use crate::support::rig::{stock, tag};

const SESSION: &str = "x-session-id";

#[tokio::test]
async fn a_session_that_begins_with_a_stream_stays_with_its_model_on_all_workers() -> Result<()> {
    let config = Selection {
        models: "{name: a}, {name: b}, {name: c}",
        plugins: &["type: inflight-requests-scorer", "type: session-affinity"],
        request: &[
            "{pluginRef: inflight-requests-scorer, weight: 1}",
            "{pluginRef: session-affinity, weight: 2}",
        ],
        response: &["pluginRef: session-affinity"],
    };
    let rig = start(vec![stock("main", &config.config())]).await?;
    let mut workers = connections(&rig, "main").await?;
    let mut streams = connections(&rig, "main").await?;

    // Streams whose clients name no session: each is told one with the head, long before its end.
    let (gate, mut sessions) = (Gate::new(), Vec::new());
    for connection in &mut streams {
        let (case, request) = tag(Request::post(CHAT, r#"{"model":"auto","stream":true}"#));
        rig.script(&case, Answer::events([(Duration::ZERO, "one")]).then(Step::Hold(gate.clone())));
        connection.send_request(&request).await?;
        let mut incoming = within("the head", connection.incoming("POST")).await?;
        within("an event", connection.piece(&mut incoming)).await?.context("the stream ended")?;
        let told = |name: &str| incoming.headers.get(name).with_context(|| format!("no {name}"));
        sessions.push((told(SESSION)?, told(CHOSEN)?));
    }
    let (ids, models): (BTreeSet<_>, BTreeSet<_>) = sessions.iter().cloned().unzip();
    ensure!(ids.len() == sessions.len(), "a session was given to two clients: {sessions:?}");
    ensure!(models.len() == 3, "three models, and {models:?} were chosen");

    // Each goes on, with every worker once at least.
    let count = workers.len();
    for turn in 0..3 {
        for (at, (session, model)) in sessions.iter().enumerate() {
            let request = tag(ask("auto").header(SESSION, session)).1;
            let connection = &mut workers[(at + turn * 3) % count];
            let response = within("an answer", connection.exchange(&request)).await?;
            let told = |name: &str| response.headers.get(name);
            ensure!(told(CHOSEN).as_ref() == Some(model), "{session} was with {model}: {response:?}");
            ensure!(told(SESSION).as_ref() == Some(session), "{response:?}");
        }
    }
    until_in_flight(&rig, sessions.len() as f64).await?;
    gate.open();
    until_in_flight(&rig, 0.0).await?;
    ensure!(total(&rig, "ipp_session_affinity_cache_hits_total").await? == 3.0 * sessions.len() as f64);
    for none in ["cache_misses", "moved", "lost"] {
        ensure!(total(&rig, &format!("ipp_session_affinity_{none}_total")).await? == 0.0, "{none}");
    }
    rig.assert_healthy().await;
    Ok(())
}
