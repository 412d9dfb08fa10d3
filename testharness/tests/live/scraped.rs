//! Models that a source brings are scraped as they come and go, and no more of them at once than is said.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ipp_testharness::answer::Answer;
use ipp_testharness::wait::until;

use crate::support::api::{Api, Crowd};
use crate::support::rig::{Rig, base, exchange, filter};

/// A selection by what is waiting at the models of a source.
fn config(at_once: usize) -> String {
    format!(
        "\
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: model-selector
- {{type: body-field-to-header, parameters: {{fieldName: model, headerName: X-Gateway-Base-Model-Name}}}}
- {{type: model-config-datasource, parameters: {{source: {{cluster: kube-api, path: /models, interval: 1s, timeout: 1s}}}}}}
- {{type: router-metrics-collector, parameters: {{cluster: kube-api, interval: 1s, maxConcurrent: {at_once}}}}}
- {{type: attribute-scorer, parameters: {{attribute: waiting-requests, prefer: low, missing: worst, maxAge: 5s}}}}
datalayer:
  datasources: [{{pluginRef: model-config-datasource}}]
  collectors: [{{pluginRef: router-metrics-collector}}]
profiles:
- name: default
  plugins:
    request:
    - {{pluginRef: attribute-scorer, weight: 1}}
    - pluginRef: model-selector
    - pluginRef: body-field-to-header
"
    )
}

fn models(names: &[&str]) -> String {
    let list: Vec<String> = names
        .iter()
        .map(|name| format!(r#"{{"name":"{name}","metricsURL":"http://{name}.local:8000/of/{name}"}}"#))
        .collect();
    format!(r#"{{"models":[{}]}}"#, list.join(","))
}

fn waiting(count: usize) -> Answer {
    Answer::body(200, "text/plain", format!("vllm:num_requests_waiting {count}\n"))
}

/// The list, and as many waiting at each of the models as it is far from the end of the list.
fn serves(api: &Api, names: &'static [&'static str]) {
    api.says(move |request| match request.path.strip_prefix("/of/") {
        Some(name) => match names.iter().rev().position(|known| *known == name) {
            Some(place) => waiting(place),
            None => Answer::status(404),
        },
        None => Answer::body(200, "application/json", models(names)),
    });
}

#[tokio::test]
async fn models_of_a_source_are_scraped_as_they_come_and_go() -> Result<()> {
    let api = Api::start()?;
    serves(&api, &["a", "b", "c"]);
    let rig = Rig::start(&api, filter(&config(8))).await?;
    let mut connections = rig.connections().await?;
    for names in [&["a", "b", "c"][..], &["c", "a", "d", "b"], &["b", "d"]] {
        serves(&api, names);
        let last = base(names[names.len() - 1]);
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut all = false;
        while !all {
            ensure!(Instant::now() < deadline, "not all go to the last of {names:?}");
            all = true;
            for connection in &mut connections {
                all &= exchange(connection, "auto").await? == last;
            }
        }
    }
    // Who has gone is asked no more: of `a` nothing comes while `b` is asked three times.
    let (gone, here) = (api.asked("/of/a").len(), api.asked("/of/b").len());
    until("more scrapes", async || Ok((api.asked("/of/b").len() >= here + 3).then_some(()))).await?;
    ensure!(api.asked("/of/a").len() == gone, "a model that has gone is still asked");
    ensure!(rig.metric(r#"ipp_source_fetches_total{source="router-metrics-collector/d"}"#).await? >= 2.0);
    rig.envoy.assert_healthy().await;
    Ok(())
}

#[tokio::test]
async fn no_more_are_asked_at_once_than_is_said() -> Result<()> {
    const NAMES: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    for at_once in [2, 12] {
        let (api, crowd) = (Api::start()?, Crowd::default());
        let slow = crowd.clone();
        api.says(move |request| match request.path.starts_with("/of/") {
            true => slow.slow(waiting(1), Duration::from_millis(300)),
            false => Answer::body(200, "application/json", models(&NAMES)),
        });
        let rig = Rig::start(&api, filter(&config(at_once))).await?;
        until("everybody was asked", async || {
            Ok(NAMES.iter().all(|name| !api.asked(&format!("/of/{name}")).is_empty()).then_some(()))
        })
        .await?;
        let most = crowd.most();
        ensure!(most <= at_once && (at_once == 2 || most > 8), "{most} at once, of at most {at_once}");
        rig.envoy.assert_healthy().await;
    }
    Ok(())
}
