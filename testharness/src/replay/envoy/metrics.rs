//! What Envoy's statistics say: the filter's metrics, and what is still on its way.

use anyhow::{Context, Result};

use crate::envoy::Envoy;
use crate::recording::Metrics;
use crate::recording::metrics::from_prometheus;

use super::ping::Ping;
use super::setup::LISTENER;

/// What the names of the filter's metrics begin with.
const OURS: &str = "ipp_";

/// The filter's metrics as they are now.
pub(super) async fn read(envoy: &Envoy, ping: Ping) -> Result<Metrics> {
    // To be asked makes Envoy put its workers' histograms together, but it answers before it has: the second answer
    // has them.
    ask(envoy).await?;
    ping.answered().await?;
    let text = ask(envoy).await?;
    let mut metrics = Metrics::new();
    for line in text.lines().filter(|line| line.starts_with(OURS)) {
        let (series, value) = line.rsplit_once(' ').with_context(|| format!("no value in {line:?}"))?;
        let name = from_prometheus(series).map_err(anyhow::Error::msg).context("in Envoy's statistics")?;
        metrics.insert(name, value.parse().with_context(|| format!("no number in {line:?}"))?);
    }
    Ok(metrics)
}

async fn ask(envoy: &Envoy) -> Result<String> {
    Ok(envoy.ask("GET", "/stats/prometheus?filter=wasmcustom").await?.text())
}

/// What is on its way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traffic {
    /// Requests of clients that have not ended.
    pub(super) open: u64,
    /// Requests that wait for a connection to a server.
    pub(super) waiting: u64,
    /// Requests that were sent to servers, ever.
    pub(super) sent: u64,
}

impl Traffic {
    /// That of the servers with statistics under these names.
    pub(super) async fn read(envoy: &Envoy, servers: &[String]) -> Result<Self> {
        let stats = envoy.stats_like("downstream_rq_active|upstream_rq_(total|pending_active)").await?;
        let all =
            |figure: &str| servers.iter().map(|name| stats.get(&format!("cluster.{name}.{figure}"))).sum();
        Ok(Self {
            open: stats.get(&format!("http.{LISTENER}.downstream_rq_active")),
            waiting: all("upstream_rq_pending_active"),
            sent: all("upstream_rq_total"),
        })
    }
}
