//! Three Envoys that differ in the filter only, each with an upstream of its own.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::accounting::{children, started_since};
use super::congestion;
use super::cores::Cores;
use super::link::Link;
use super::options::Options;
use super::scenario::{Scenario, Task};
use super::selection::{self, By};
use super::stream::{COMPLETION_TOKENS, Watching};
use super::upstream::Upstream;
use crate::bootstrap::{Bootstrap, Cluster, Filter, Listener};
use crate::envoy::{Envoy, Launch};

/// Which of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variant {
    /// Without the filter.
    Plain,
    /// Without the filter once more.
    Control,
    /// With the filter.
    Filtered,
}

impl Variant {
    /// Also the order of every array of three.
    pub(super) const ALL: [Self; 3] = [Self::Plain, Self::Control, Self::Filtered];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Control => "control",
            Self::Filtered => "filtered",
        }
    }
}

/// What the measurement needs to know about one Envoy.
pub(super) struct Side {
    pub(super) variant: Variant,
    /// Whose CPU time is counted.
    pub(super) process: u32,
    /// The client and the upstream.
    pub(super) link: Link,
}

/// The running Envoys; dropping it stops them.
pub(super) struct Stage {
    envoys: Vec<Envoy>,
}

impl Stage {
    /// Starts everything on its core and leaves this thread on that of the client.
    pub(super) async fn build(options: &Options, cores: &Cores) -> Result<(Self, Vec<Side>)> {
        let (mut envoys, mut sides) = (Vec::new(), Vec::new());
        let launch = Launch { binary: options.envoy.clone(), concurrency: 1 };
        // The processes that this thread starts, and their threads, inherit it.
        cores.as_envoy()?;
        for variant in Variant::ALL {
            let upstream = Upstream::start()?;
            let before = children()?;
            let document = document(options, variant, upstream.address()?);
            let envoy = Envoy::start_yaml(&launch, &document.to_string()).await?;
            let process = started_since(&before)?;
            let mut addresses = vec![envoy.address(LISTENER).await?];
            for name in Watching::ALL.map(Watching::name).into_iter().chain(By::ALL.map(By::name)) {
                addresses.push(envoy.address(name).await?);
            }
            let link = Link::connect(&addresses, upstream)?;
            sides.push(Side { variant, process, link });
            envoys.push(envoy);
        }
        cores.as_client()?;
        Ok((Self { envoys }, sides))
    }

    /// Fails when one of them has trapped, logged an error or ended.
    pub(super) async fn check(&self) -> Result<()> {
        for envoy in &self.envoys {
            let faults = envoy.faults(&[]).await?;
            ensure!(faults.is_empty(), "Envoy is not healthy:\n{}", faults.join("\n"));
        }
        Ok(())
    }

    /// Fails when the filter has not counted the tokens of exactly so many streams, or else the benchmark would
    /// measure a bypass.
    pub(super) async fn check_tokens(&self, streams: u64) -> Result<()> {
        // The last of `Variant::ALL`.
        let envoy = self.envoys.last().context("no Envoy was started")?;
        let counted: f64 = envoy.metrics("ipp_completion_tokens_total").await?.values().sum();
        let expected = streams * COMPLETION_TOKENS;
        ensure!(
            counted == expected as f64,
            "the filter counted {counted} completion tokens, not the {expected} of {streams} streams"
        );
        Ok(())
    }

    /// What Envoy says about itself.
    pub(super) async fn version(&self) -> Result<String> {
        let envoy = self.envoys.first().context("no Envoy was started")?;
        let answer = envoy.ask("GET", "/server_info").await?.json();
        Ok(answer["version"].as_str().context("no version in /server_info")?.to_owned())
    }
}

const LISTENER: &str = "bench";
const CLUSTER: &str = "models";

/// The client of this scenario, which has the listener to match: that for bodies, then one for each kind of
/// [`Watching`], then those for the choice.
pub(super) fn place(scenario: &Scenario) -> usize {
    match scenario.task {
        Task::Route => 0,
        Task::Watch(watching) => watching as usize + 1,
        Task::Select(by) => Watching::ALL.len() + 1 + by as usize,
    }
}

/// A listener with a filter of this configuration, if any.
fn listener(options: &Options, name: &str, config: Option<&str>) -> Listener {
    let filters = config.map(|config| Filter::new(&options.module, config)).into_iter().collect();
    Listener::new(name, filters, Vec::new(), CLUSTER)
}

/// The listener's own limit lets bodies up to 9 MiB through, with the filter and without. JSON is YAML as
/// well.
fn document(options: &Options, variant: Variant, upstream: SocketAddr) -> Value {
    let filtered = variant == Variant::Filtered;
    let config = options.config.as_deref().unwrap_or_default();
    let mut listeners = vec![listener(options, LISTENER, filtered.then_some(config))];
    for watching in Watching::ALL {
        listeners.push(listener(options, watching.name(), filtered.then(|| watching.config()).as_deref()));
    }
    for by in By::ALL {
        let choice = selection::config(by);
        let choice = if filtered { &choice } else { selection::WITHOUT };
        listeners.push(listener(options, by.name(), Some(choice)));
    }
    let bootstrap = Bootstrap::new(listeners, vec![Cluster::new(CLUSTER, upstream)]);
    // Only files would need the folder.
    let mut document = bootstrap.document(Path::new(""));
    let resources = &mut document["static_resources"];
    for listener in resources["listeners"].as_array_mut().into_iter().flatten() {
        listener["socket_options"] = json!([congestion::envoy_option()]);
    }
    resources["clusters"][0]["upstream_bind_config"] =
        json!({"socket_options": [congestion::envoy_option()]});
    document
}
