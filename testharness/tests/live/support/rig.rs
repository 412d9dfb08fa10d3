//! An Envoy whose filter asks the API server, and a pool that answers with the base model that it was sent, at once or
//! when it may.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use ipp_testharness::answer::{Answer, Gate, Step};
use ipp_testharness::artifacts;
use ipp_testharness::bootstrap::{Bootstrap, Cluster, Filter, Listener};
use ipp_testharness::client::{Request, Response, fetch, h1};
use ipp_testharness::envoy::{Envoy, Update};
use ipp_testharness::upstream::{Log, Protocol::H1, Upstream};
use ipp_testharness::wait::{until, within};

use super::api::Api;

/// What a request was answered with: the base model, or a status and a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Base(String),
    Refused(u16, String),
}

/// The base model of that name.
pub(crate) fn base(name: &str) -> Said {
    Said::Base(name.to_owned())
}

/// As long as nothing was fetched.
pub(crate) fn not_loaded() -> Said {
    Said::Refused(503, "models_not_loaded".to_owned())
}

/// Everything that a test needs.
pub(crate) struct Rig {
    pub(crate) envoy: Envoy,
    pub(crate) bootstrap: Bootstrap,
    /// Requests with the header [`HOLD`] are answered when it is open.
    pub(crate) gate: Gate,
    pub(crate) log: Log,
    _pool: Upstream,
}

/// A request that has it is answered late.
pub(crate) const HOLD: &str = "x-hold";

/// The stock filter with this configuration.
pub(crate) fn filter(config: &str) -> Filter {
    Filter::new(&artifacts::module(), config)
}

/// A listener with that filter, from which everything goes to the pool.
pub(crate) fn listener(name: &str, filter: Filter) -> Listener {
    Listener::new(name, vec![filter], Vec::new(), "pool")
}

impl Rig {
    /// Four workers with that filter.
    pub(crate) async fn start(api: &Api, filter: Filter) -> Result<Self> {
        Self::start_with(api, Bootstrap::new(vec![listener("main", filter)], Vec::new())).await
    }

    /// Four workers with that configuration, to which the clusters `pool` and `kube-api` are added.
    pub(crate) async fn start_with(api: &Api, mut bootstrap: Bootstrap) -> Result<Self> {
        let (gate, log) = (Gate::new(), Log::new());
        let held = gate.clone();
        let pool = Upstream::start("pool", &log, move |request| {
            let base = request.header("x-gateway-base-model-name").unwrap_or_else(|| "none".to_owned());
            let answer = Answer::body(200, "text/plain", base);
            match request.header(HOLD) {
                Some(_) => answer.first(Step::Hold(held.clone())),
                None => answer,
            }
        })?;
        bootstrap.concurrency = 4;
        bootstrap.clusters.push(Cluster::new("pool", pool.address()));
        bootstrap.clusters.push(Cluster::new("kube-api", api.upstream.address()));
        let envoy = Envoy::start(&artifacts::envoy(), &bootstrap).await?;
        Ok(Self { envoy, bootstrap, gate, log, _pool: pool })
    }

    pub(crate) async fn address(&self, listener: &str) -> Result<SocketAddr> {
        self.envoy.address(listener).await
    }

    /// What a request for that model is answered with, on a connection of its own.
    pub(crate) async fn ask(&self, listener: &str, model: &str) -> Result<Response> {
        fetch(H1, self.address(listener).await?, &request(model)).await
    }

    /// The same, in short.
    pub(crate) async fn says(&self, listener: &str, model: &str) -> Result<Said> {
        Ok(said(&self.ask(listener, model).await?))
    }

    /// Waits until new connections get that answer, and gives up when they never do.
    pub(crate) async fn until_says(&self, model: &str, expected: &Said) -> Result<()> {
        until(&format!("{model} to lead to {expected:?}"), async || {
            Ok((self.says("main", model).await? == *expected).then_some(()))
        })
        .await
    }

    /// A connection to each worker at least.
    pub(crate) async fn connections(&self) -> Result<Vec<h1::Connection>> {
        self.connections_for("warm-up").await
    }

    /// The same where not every name is one of a model.
    pub(crate) async fn connections_for(&self, model: &str) -> Result<Vec<h1::Connection>> {
        let address = self.address("main").await?;
        let mut open = Vec::new();
        for _ in 0..48 {
            // A refusal, of a worker that has not looked yet, closes the connection.
            open.push(
                until("a connection to a worker with a document", async || {
                    let mut connection = h1::Connection::open(address).await?;
                    let said = exchange(&mut connection, model).await?;
                    Ok(matches!(said, Said::Base(_)).then_some(connection))
                })
                .await?,
            );
        }
        let stats = self.envoy.stats_like("listener.*downstream_cx_active").await?;
        let busy: Vec<_> =
            stats.iter().filter(|(name, value)| name.contains("worker_") && *value > 0).collect();
        ensure!(busy.len() == 4, "not all workers have a connection: {busy:?}");
        Ok(open)
    }

    /// The value of a series, 0 where there is none.
    pub(crate) async fn metric(&self, series: &str) -> Result<f64> {
        Ok(self.envoy.metrics("ipp_").await?.get(series).copied().unwrap_or(0.0))
    }

    /// How many fetches of a source failed for that reason.
    pub(crate) async fn failures(&self, source: &str, reason: &str) -> Result<f64> {
        let all = self.envoy.metrics("ipp_source_fetch_failures_total").await?;
        let series = |labels: &str| all.get(&format!("ipp_source_fetch_failures_total{{{labels}}}")).copied();
        let one = series(&format!(r#"source="{source}",reason="{reason}""#));
        let other = series(&format!(r#"reason="{reason}",source="{source}""#));
        one.or(other).with_context(|| format!("no series for {source} and {reason} in {all:?}"))
    }

    /// Waits until so many fetches have failed for that reason.
    pub(crate) async fn until_failed(&self, source: &str, reason: &str, times: f64) -> Result<()> {
        until(&format!("{times} failures of {source} for {reason}"), async || {
            Ok((self.failures(source, reason).await? >= times).then_some(()))
        })
        .await
    }

    /// Lines of Envoy's log that say this.
    pub(crate) fn logged(&self, text: &str) -> Result<Vec<String>> {
        Ok(self.envoy.log()?.lines().filter(|line| line.contains(text)).map(str::to_owned).collect())
    }

    /// Gives the first filter, whose configuration is in a file, another one.
    pub(crate) async fn replace(&self, config: &str, version: u64) -> Result<()> {
        let mut filter = self.bootstrap.listeners[0].filters[0].clone();
        config.clone_into(&mut filter.config);
        let update = self.envoy.replace_filter(&filter, version).await?;
        ensure!(update == Update::Accepted, "{update:?}");
        Ok(())
    }
}

/// A request for that model.
pub(crate) fn request(model: &str) -> Request {
    Request::post("/v1/completions", format!(r#"{{"model":"{model}"}}"#))
}

/// What a request for that model is answered with on this connection.
pub(crate) async fn exchange(connection: &mut h1::Connection, model: &str) -> Result<Said> {
    let response = within("an answer", connection.exchange(&request(model))).await?;
    Ok(said(&response))
}

fn said(response: &Response) -> Said {
    match response.status {
        200 => Said::Base(response.text()),
        status => {
            let code = response.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
            Said::Refused(status, code)
        }
    }
}
