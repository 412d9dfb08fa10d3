//! Model selection with four workers: one truth for all of them. What the tests of its parts share.

mod endings;
mod explained;
mod refused;
mod removed;
mod sessions;
mod streams;
mod updates;

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use ipp_testharness::bootstrap::{Bootstrap, Listener};
use ipp_testharness::client::{Request, h1};
use ipp_testharness::wait::until;

use crate::support::CHAT;
use crate::support::rig::Rig;

/// The response header with the model that was chosen.
const CHOSEN: &str = "x-chosen";

/// A selection: what the plugins beside those that every one has are, and which of them act where.
#[derive(Default)]
struct Selection<'a> {
    /// The entries of `models`.
    models: &'a str,
    plugins: &'a [&'a str],
    request: &'a [&'a str],
    response: &'a [&'a str],
}

impl Selection<'_> {
    /// The configuration.
    fn config(&self) -> String {
        let Self { models, plugins, request, response } = self;
        let (plugins, request, response) = (list("", plugins), list("    ", request), list("    ", response));
        format!(
            "\
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: model-selector
- type: model-group-name-filter
- {{type: body-field-to-header, parameters: {{fieldName: model, headerName: X-Gateway-Model-Name}}}}
- {{type: model-name-to-header, parameters: {{headerName: {CHOSEN}}}}}
- {{type: model-config-datasource, parameters: {{models: [{models}]}}}}
{plugins}datalayer: {{datasources: [{{pluginRef: model-config-datasource}}]}}
profiles:
- name: default
  plugins:
    request:
    - pluginRef: model-group-name-filter
{request}    - pluginRef: model-selector
    - pluginRef: body-field-to-header
    response:
    - pluginRef: model-name-to-header
{response}"
        )
    }
}

fn list(indent: &str, entries: &[&str]) -> String {
    entries.iter().map(|entry| format!("{indent}- {entry}\n")).collect()
}

/// A request for that model, or `auto`.
fn ask(model: &str) -> Request {
    Request::post(CHAT, format!(r#"{{"model":"{model}","max_tokens":10}}"#))
}

/// Four workers with these listeners.
async fn start(listeners: Vec<Listener>) -> Result<Rig> {
    let mut bootstrap = Bootstrap::new(listeners, Vec::new());
    bootstrap.concurrency = 4;
    Rig::start_with(bootstrap).await
}

/// The values of a metric by what its one label says.
async fn by_label(rig: &Rig, metric: &str) -> Result<BTreeMap<String, f64>> {
    let metrics = rig.envoy.metrics(&format!("{metric}{{")).await?;
    let label = |series: &str| series.split('"').nth(1).unwrap_or_default().to_owned();
    Ok(metrics.iter().map(|(series, value)| (label(series), *value)).collect())
}

/// Requests in flight of each model.
async fn in_flight(rig: &Rig) -> Result<BTreeMap<String, f64>> {
    by_label(rig, "ipp_inflight").await
}

/// The sum over all models.
async fn total(rig: &Rig, metric: &str) -> Result<f64> {
    Ok(by_label(rig, metric).await?.values().sum())
}

/// Waits until so many are in flight.
async fn until_in_flight(rig: &Rig, wanted: f64) -> Result<()> {
    let probe = async || Ok((total(rig, "ipp_inflight").await? == wanted).then_some(()));
    until(&format!("{wanted} in flight"), probe).await
}

/// Connections to a listener, at least one for each worker. Nobody else may open or close any meanwhile.
async fn connections(rig: &Rig, listener: &str) -> Result<Vec<h1::Connection>> {
    let address = rig.address(listener);
    // Listeners on a port that the system chose share a name.
    let stats = async || rig.envoy.stats_like("listener.*worker_.*downstream_cx_active").await;
    let (before, mut open) = (stats().await?, Vec::new());
    while open.len() < 200 {
        for _ in 0..8 {
            open.push(h1::Connection::open(address).await?);
        }
        let now = stats().await?;
        if now.iter().filter(|(name, value)| *value > before.get(name)).count() == 4 {
            return Ok(open);
        }
    }
    bail!("{} connections, and not one for each worker", open.len())
}
