//! Questions to Envoy's admin interface.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::Envoy;
use crate::client::{Request, Response, fetch};
use crate::upstream::Protocol;

/// Counters and gauges by name.
#[derive(Clone, Debug, Default)]
pub struct Stats(BTreeMap<String, u64>);

impl Stats {
    /// The value; 0 for a name that Envoy has not made yet.
    pub fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }
}

impl Envoy {
    /// Where the admin interface listens.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Where the listener of that name listens.
    pub async fn address(&self, listener: &str) -> Result<SocketAddr> {
        let answer = self.ask("GET", "/listeners?format=json").await?.json();
        let all = answer["listener_statuses"].as_array().context("no listeners")?;
        let found = all.iter().find(|status| status["name"] == listener);
        let socket =
            &found.with_context(|| format!("no listener {listener:?} in {answer}"))?["local_address"];
        let socket = &socket["socket_address"];
        let (Some(ip), Some(port)) = (socket["address"].as_str(), socket["port_value"].as_u64()) else {
            bail!("no address in {socket}");
        };
        Ok(SocketAddr::new(ip.parse()?, port.try_into()?))
    }

    /// Counters and gauges.
    pub async fn stats(&self) -> Result<Stats> {
        self.stats_like("").await
    }

    /// Those whose names match the regular expression; cheaper when asked often.
    pub async fn stats_like(&self, filter: &str) -> Result<Stats> {
        let answer = self.ask("GET", &format!("/stats?format=json&filter={filter}")).await?.json();
        let all = answer["stats"].as_array().context("no stats")?;
        let pair = |stat: &Value| Some((stat["name"].as_str()?.to_owned(), stat["value"].as_u64()?));
        Ok(Stats(all.iter().filter_map(pair).collect()))
    }

    /// All statistics in Prometheus' text format.
    pub async fn prometheus(&self) -> Result<String> {
        Ok(self.ask("GET", "/stats/prometheus").await?.text())
    }

    /// Every series of the metrics whose names start with `prefix`, such as
    /// `ipp_requests_total{outcome="processed"}`, with its value. A series without labels has no braces.
    pub async fn metrics(&self, prefix: &str) -> Result<BTreeMap<String, f64>> {
        let text = self.prometheus().await?;
        let mut metrics = BTreeMap::new();
        for line in text.lines().filter(|line| line.starts_with(prefix)) {
            let (series, value) = line.rsplit_once(' ').with_context(|| format!("no value in {line:?}"))?;
            metrics.insert(series.trim_end_matches("{}").to_owned(), value.parse()?);
        }
        Ok(metrics)
    }

    /// Any other question.
    pub async fn ask(&self, method: &str, path: &str) -> Result<Response> {
        let request = Request::new(method, path).header("connection", "close");
        fetch(Protocol::H1, self.admin, &request).await
    }
}
