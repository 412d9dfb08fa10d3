//! An Envoy with three recording pools behind it. The tests of one theme share it, and the last one to leave
//! checks its health.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use anyhow::{Context, Result, ensure};
use ipp_testharness::answer::Answer;
use ipp_testharness::artifacts;
use ipp_testharness::bootstrap::{Bootstrap, Cluster, Filter, Listener, Route};
use ipp_testharness::client::{Request, fetch};
use ipp_testharness::envoy::{Envoy, Level};
use ipp_testharness::upstream::{Log, Protocol, Recorded, Upstream};
use ipp_testharness::wait::until;

use super::exchange::Exchange;
use super::{BASE, LLAMA, QWEN};

/// The field that tells the exchanges of all tests apart.
pub(crate) const CASE: &str = "x-case";

/// The clusters; each also exists with `-h2` at its end, spoken to over HTTP/2.
pub(crate) const POOLS: [&str; 3] = ["llama-pool", "qwen-pool", "default-pool"];

type Scripts = Arc<Mutex<HashMap<String, Answer>>>;

/// Everything that a test needs.
pub(crate) struct Rig {
    pub(crate) envoy: Envoy,
    pub(crate) log: Log,
    pub(crate) bootstrap: Bootstrap,
    addresses: HashMap<String, SocketAddr>,
    scripts: Scripts,
    _pools: Vec<Upstream>,
}

/// A listener with the stock module in it and the usual routes.
pub(crate) fn stock(name: &str, config: &str) -> Listener {
    listener(name, Filter::new(&artifacts::module(), config), "")
}

/// A listener with this filter and the usual routes, to the clusters with that at the end of their names.
pub(crate) fn listener(name: &str, filter: Filter, suffix: &str) -> Listener {
    let route = |base: &str, pool: &str| Route::new(BASE, base, &format!("{pool}{suffix}"));
    let routes = vec![route(LLAMA, "llama-pool"), route(QWEN, "qwen-pool")];
    Listener::new(name, crate::attach(filter), routes, &format!("default-pool{suffix}"))
}

impl Rig {
    /// Starts an Envoy with these listeners.
    pub(crate) async fn start(listeners: Vec<Listener>) -> Result<Self> {
        Self::start_with(Bootstrap::new(listeners, Vec::new())).await
    }

    /// Starts an Envoy with this configuration, to which the clusters are added.
    pub(crate) async fn start_with(mut bootstrap: Bootstrap) -> Result<Self> {
        let log = Log::new();
        let scripts = Scripts::default();
        let mut pools = Vec::new();
        for name in POOLS {
            let scripts = Arc::clone(&scripts);
            let pool = Upstream::start(name, &log, move |request| answer(&scripts, request))?;
            bootstrap.clusters.push(Cluster::new(name, pool.address()));
            bootstrap.clusters.push(Cluster::new(&format!("{name}-h2"), pool.address()).http2());
            pools.push(pool);
        }
        let envoy = Envoy::start(&artifacts::envoy(), &bootstrap).await?;
        let mut addresses = HashMap::new();
        for listener in &bootstrap.listeners {
            addresses.insert(listener.name.clone(), envoy.address(&listener.name).await?);
        }
        Ok(Self { envoy, log, bootstrap, addresses, scripts, _pools: pools })
    }

    /// Where that listener listens.
    #[track_caller]
    pub(crate) fn address(&self, listener: &str) -> SocketAddr {
        self.addresses[listener]
    }

    /// Sends one request on a connection of its own.
    pub(crate) async fn ask(&self, protocol: Protocol, listener: &str, request: Request) -> Result<Exchange> {
        let (case, request) = tag(request);
        let response = fetch(protocol, self.address(listener), &request).await?;
        Ok(Exchange { sent: request, arrived: self.log.with(CASE, &case), response })
    }

    /// What becomes of a request whose answer is in already.
    pub(crate) fn seen(&self, sent: Request, response: ipp_testharness::client::Response) -> Exchange {
        let case = sent.headers.get(CASE).unwrap_or_default();
        Exchange { sent, arrived: self.log.with(CASE, &case), response }
    }

    /// What the pools answer to the request of this case.
    pub(crate) fn script(&self, case: &str, answer: Answer) {
        self.scripts.lock().unwrap_or_else(PoisonError::into_inner).insert(case.to_owned(), answer);
    }

    /// How many bytes Envoy has read on that listener.
    pub(crate) async fn bytes_read(&self, listener: &str) -> Result<u64> {
        self.stat(listener, "downstream_cx_rx_bytes_total").await
    }

    /// Waits until Envoy has read that many bytes there.
    pub(crate) async fn has_read(&self, listener: &str, bytes: u64) -> Result<()> {
        self.until(listener, "downstream_cx_rx_bytes_total", |read| read >= bytes).await
    }

    /// Waits until a request is open there.
    pub(crate) async fn active(&self, listener: &str) -> Result<()> {
        self.until(listener, "downstream_rq_active", |open| open > 0).await
    }

    /// Waits until no request is open there.
    pub(crate) async fn idle(&self, listener: &str) -> Result<()> {
        self.until(listener, "downstream_rq_active", |open| open == 0).await
    }

    /// Waits until no connection is open there.
    pub(crate) async fn no_connections(&self, listener: &str) -> Result<()> {
        self.until(listener, "downstream_cx_active", |open| open == 0).await
    }

    async fn stat(&self, listener: &str, name: &str) -> Result<u64> {
        let name = format!("http.{listener}.{name}");
        Ok(self.envoy.stats_like(&name).await?.get(&name))
    }

    async fn until(&self, listener: &str, name: &str, good: impl Fn(u64) -> bool) -> Result<()> {
        let probe = async || Ok(good(self.stat(listener, name).await?).then_some(()));
        until(&format!("http.{listener}.{name}"), probe).await
    }

    /// Nothing is wrong and nothing is open.
    pub(crate) async fn assert_healthy(&self) {
        self.envoy.assert_healthy().await;
    }
}

/// The request with a number that no other has, unless it has one already, and that number.
pub(crate) fn tag(request: Request) -> (String, Request) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    if let Some(case) = request.headers.get(CASE) {
        return (case, request);
    }
    let case = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
    let request = request.header(CASE, &case);
    (case, request)
}

fn answer(scripts: &Scripts, request: &Recorded) -> Answer {
    let case = request.header(CASE).unwrap_or_default();
    let scripted = scripts.lock().unwrap_or_else(PoisonError::into_inner).remove(&case);
    scripted.unwrap_or_else(|| Answer::body(200, "text/plain", format!("answered by {}", request.upstream)))
}

/// A rig that several tests use at the same time.
pub(crate) struct Shared(tokio::sync::Mutex<Weak<Rig>>);

impl Shared {
    /// Not started yet.
    pub(crate) const fn new() -> Self {
        Self(tokio::sync::Mutex::const_new(Weak::new()))
    }

    /// Runs a test with the rig, which is started with these listeners when no other test has it. Afterwards
    /// nothing may be wrong with it, and when no other test has it any more, nothing may be open either.
    pub(crate) async fn run(
        &self,
        listeners: impl FnOnce() -> Vec<Listener>,
        test: impl AsyncFnOnce(&Rig) -> Result<()>,
    ) {
        let rig = self.get(listeners).await.expect("the rig starts");
        let outcome = async {
            test(&rig).await?;
            let faults = rig.envoy.faults(&[]).await?;
            ensure!(faults.is_empty(), "Envoy is not healthy:\n{}", faults.join("\n"));
            Ok(())
        };
        if let Err(error) = outcome.await {
            let log = rig.envoy.log_lines(Level::Warning).unwrap_or_default();
            panic!("{error:?}\nEnvoy's log from warnings up:\n{}", log.join("\n"));
        }
        if let Some(rig) = Arc::into_inner(rig) {
            rig.assert_healthy().await;
        }
    }

    async fn get(&self, listeners: impl FnOnce() -> Vec<Listener>) -> Result<Arc<Rig>> {
        let mut slot = self.0.lock().await;
        if let Some(rig) = slot.upgrade() {
            return Ok(rig);
        }
        let rig = Arc::new(Rig::start(listeners()).await.context("starting Envoy")?);
        *slot = Arc::downgrade(&rig);
        Ok(rig)
    }
}
