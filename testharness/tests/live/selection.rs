//! Model selection by what is fetched, and by what workers share: one truth for all of them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ipp_testharness::answer::Answer;
use ipp_testharness::client::{Request, h1};
use ipp_testharness::wait::{until, within};

use crate::support::api::Api;
use crate::support::rig::{Rig, Said, base, exchange, filter, not_loaded};

/// A selection whose choice the pool answers with.
pub(crate) fn config(datasource: &str, plugins: &str, request: &str, more: &str) -> String {
    format!(
        "\
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: model-selector
- {{type: body-field-to-header, parameters: {{fieldName: model, headerName: X-Gateway-Base-Model-Name}}}}
- {{type: model-config-datasource, parameters: {datasource}}}
{plugins}
datalayer:
  datasources: [{{pluginRef: model-config-datasource}}]
{more}
profiles:
- name: default
  plugins:
    request:
{request}
    - pluginRef: model-selector
    - pluginRef: body-field-to-header
"
    )
}

/// Waits until every connection gets that model; how long it was until the last one that did not was asked. A machine
/// that is slow to ask them all makes that no longer.
async fn everywhere(connections: &mut [h1::Connection], model: &str) -> Result<Duration> {
    let (began, deadline) = (Instant::now(), Instant::now() + Duration::from_secs(20));
    let mut last = Duration::ZERO;
    loop {
        let mut all = true;
        for connection in connections.iter_mut() {
            let asked = began.elapsed();
            if exchange(connection, "auto").await? != base(model) {
                (all, last) = (false, asked);
            }
        }
        if all {
            return Ok(last);
        }
        ensure!(Instant::now() < deadline, "not all are sent to {model}");
    }
}

pub(crate) async fn next_asked(api: &Api, path: &str) -> Result<()> {
    let before = api.asked(path).len();
    until("the next poll", async || Ok((api.asked(path).len() > before).then_some(()))).await
}

fn models(models: &[(&str, u32)]) -> String {
    let list: Vec<String> = models
        .iter()
        .map(|(name, price)| format!(r#"{{"name":"{name}","pricing":{{"input_per_million":{price}}}}}"#))
        .collect();
    format!(r#"{{"models":[{}]}}"#, list.join(","))
}

#[tokio::test]
async fn models_come_and_go_in_all_workers() -> Result<()> {
    let api = Api::start()?;
    let rig = Rig::start(
        &api,
        filter(&config(
            "{source: {cluster: kube-api, path: /models, interval: 1s, timeout: 1s}}",
            "- type: cost-scorer",
            "    - {pluginRef: cost-scorer, weight: 1}",
            "",
        )),
    )
    .await?;
    ensure!(rig.says("main", "auto").await? == not_loaded());
    api.serves(models(&[("a", 2), ("b", 1)]));
    rig.until_says("auto", &base("b")).await?;
    let mut connections = rig.connections().await?;
    everywhere(&mut connections, "b").await?;
    for (list, chosen) in [(models(&[("a", 2)]), "a"), (models(&[("a", 2), ("brand-new", 1)]), "brand-new")] {
        api.serves(list);
        next_asked(&api, "/models").await?;
        let took = everywhere(&mut connections, chosen).await?;
        ensure!(took < Duration::from_millis(1500), "{chosen} was everywhere after {took:?} only");
    }
    // A list that is empty, wrong or gone leaves the models as they are.
    for answer in [r#"{"models":[]}"#, r#"{"models":[{"name":""}]}"#, "<html>"] {
        api.serves(answer);
        next_asked(&api, "/models").await?;
        everywhere(&mut connections, "brand-new").await?;
    }
    ensure!(rig.metric(r#"ipp_inflight{model="brand-new"}"#).await? == 0.0);
    ensure!(rig.metric(r#"ipp_model_selected_total{model="brand-new"}"#).await? > 48.0);
    rig.envoy.assert_healthy().await;
    Ok(())
}

#[tokio::test]
async fn what_model_servers_tell_is_asked_once_and_decides_everywhere() -> Result<()> {
    let api = Api::start()?;
    let waiting =
        |count: u32| Answer::body(200, "text/plain", format!("vllm:num_requests_waiting {count}\n"));
    api.says(move |request| waiting(if request.path.starts_with("/a/") { 1 } else { 5 }));
    let rig = Rig::start(
        &api,
        filter(&config(
            "{models: [{name: a, metricsURL: 'http://a.local:8000/a/metrics'}, {name: b, metricsURL: 'http://b.local:8000/b/metrics'}]}",
            "- {type: router-metrics-collector, parameters: {cluster: kube-api, interval: 1s}}\n\
             - {type: attribute-scorer, parameters: {attribute: waiting-requests, prefer: low, missing: worst, maxAge: 5s}}",
            "    - {pluginRef: attribute-scorer, weight: 1}",
            "  collectors: [{pluginRef: router-metrics-collector}]",
        )),
    )
    .await?;
    let mut connections = rig.connections().await?;
    everywhere(&mut connections, "a").await?;
    api.says(move |request| waiting(if request.path.starts_with("/a/") { 9 } else { 5 }));
    next_asked(&api, "/a/metrics").await?;
    let took = everywhere(&mut connections, "b").await?;
    // Half a second to the next look, a fifth until a choice takes it over.
    ensure!(took < Duration::from_millis(1700), "b was everywhere after {took:?} only");

    // One of five threads asks, once in an interval.
    let (began, before) = (Instant::now(), api.asked("/a/metrics").len());
    until("six scrapes", async || Ok((api.asked("/a/metrics").len() >= before + 6).then_some(()))).await?;
    ensure!(began.elapsed() >= Duration::from_millis(5 * 900), "six scrapes in {:?}", began.elapsed());

    // `b` stops telling; what it said grows old, and is worse than any number.
    api.says(move |request| if request.path.starts_with("/a/") { waiting(9) } else { Answer::status(500) });
    everywhere(&mut connections, "a").await?;
    rig.until_failed("router-metrics-collector/b", "status", 2.0).await?;
    rig.envoy.assert_healthy().await;
    Ok(())
}

#[tokio::test]
async fn a_session_is_known_to_all_workers() -> Result<()> {
    let api = Api::start()?;
    let rig = Rig::start(
        &api,
        filter(&config(
            "{models: [{name: a}, {name: b}, {name: c}]}",
            "- {type: session-affinity, parameters: {sessionIdKey: X-Chat, maxSessions: 1000}}",
            "    - {pluginRef: session-affinity, weight: 1}",
            "",
        )),
    )
    .await?;
    let mut connections = rig.connections().await?;
    let mut bound: BTreeMap<usize, String> = BTreeMap::new();
    for turn in 0..10 {
        for session in 0..40 {
            // Another connection each time, and so another worker mostly.
            let connection = &mut connections[(turn * 7 + session) % 48];
            let request = Request::post("/v1/completions", r#"{"model":"auto"}"#)
                .header("x-chat", format!("session-{session}"));
            let response = within("an answer", connection.exchange(&request)).await?;
            let model = response.text();
            let first = bound.entry(session).or_insert_with(|| model.clone());
            ensure!(*first == model, "session {session} went from {first} to {model} in turn {turn}");
        }
    }
    for model in ["a", "b", "c"] {
        ensure!(bound.values().any(|chosen| chosen == model), "nobody was sent to {model}: {bound:?}");
    }
    let counted =
        |what: &str| format!(r#"ipp_session_affinity_cache_{what}_total{{plugin_name="session-affinity"}}"#);
    ensure!(rig.metric(&counted("hits")).await? == 360.0);
    ensure!(rig.metric(&counted("misses")).await? == 40.0);
    ensure!(matches!(exchange(&mut connections[0], "auto").await?, Said::Base(_)));
    rig.envoy.assert_healthy().await;
    Ok(())
}
