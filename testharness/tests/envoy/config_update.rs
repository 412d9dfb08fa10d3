//! Configurations that are replaced while requests are under way, through the listener (LDS) and through the
//! filter (ECDS).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, bail, ensure};
use ipp_testharness::artifacts;
use ipp_testharness::bootstrap::{Bootstrap, Filter, Listener};
use ipp_testharness::client::{Request, h1};
use ipp_testharness::envoy::Update;
use ipp_testharness::upstream::Protocol::{self, H1, H2};
use ipp_testharness::wait::{until, within};

use crate::support::kept::Kept;
use crate::support::rig::{CASE, Rig, listener, tag};
use crate::support::{BASE, CHAT, LLAMA, QWEN, configs};

/// What Envoy and the filter log at error level about a configuration that is refused.
const REFUSALS: [&str; 3] =
    ["configuration refused:", "Failed to configure base Wasm plugin", "failed to load"];

/// Where `sql-lora` belongs, which is what the updates change back and forth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    Qwen,
    Llama,
}

impl Home {
    pub(crate) fn config(self) -> String {
        match self {
            Self::Qwen => configs::PLAIN.to_owned(),
            Self::Llama => {
                let moved = configs::PLAIN.replace("[food-review-1, cad-fabricator]", "[sql-lora]");
                moved.replace("[qwen-summarizer, sql-lora]", "[food-review-1]")
            }
        }
    }

    fn base_and_pool(self) -> (&'static str, &'static str) {
        match self {
            Self::Qwen => (QWEN, "qwen-pool"),
            Self::Llama => (LLAMA, "llama-pool"),
        }
    }
}

/// Through what the configuration comes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Listener,
    Filter,
}

pub(crate) struct Bench {
    pub(crate) rig: Rig,
    way: Way,
    version: AtomicU64,
    /// The configurations in use, where they were replaced.
    filters: Mutex<Vec<String>>,
}

impl Bench {
    async fn start(way: Way) -> Result<Self> {
        let filter = Filter::new(&artifacts::module(), &Home::Qwen.config());
        Self::start_with(way, listener("main", filter, "")).await
    }

    /// With that listener, whose name has to be `main`.
    pub(crate) async fn start_with(way: Way, listener: Listener) -> Result<Self> {
        Self::start_on(2, way, listener).await
    }

    /// The same on so many workers.
    pub(crate) async fn start_on(workers: u32, way: Way, mut listener: Listener) -> Result<Self> {
        if let Way::Filter = way {
            listener.filters = listener.filters.into_iter().map(Filter::from_file).collect();
        }
        let mut bootstrap = Bootstrap::new(vec![listener], Vec::new());
        bootstrap.concurrency = workers;
        bootstrap.listeners_from_file = matches!(way, Way::Listener);
        let (version, filters) = (AtomicU64::new(2), Mutex::default());
        Ok(Self { rig: Rig::start_with(bootstrap).await?, way, version, filters })
    }

    /// Replaces the configuration of every filter.
    pub(crate) async fn update(&self, config: &str) -> Result<Update> {
        let configs = vec![config; self.rig.bootstrap.listeners[0].filters.len()];
        self.update_each(&configs).await
    }

    /// Replaces the configurations of the filters, in order.
    pub(crate) async fn update_each(&self, configs: &[&str]) -> Result<Update> {
        let version = self.version.fetch_add(1, Ordering::Relaxed);
        let mut bootstrap = self.rig.bootstrap.clone();
        let filters = &mut bootstrap.listeners[0].filters;
        for (filter, config) in filters.iter_mut().zip(configs) {
            (*config).clone_into(&mut filter.config);
        }
        if let Way::Listener = self.way {
            return self.rig.envoy.replace_listeners(&bootstrap, version).await;
        }
        let mut updates = Vec::new();
        // Envoy says nothing about a file in which nothing is new.
        let known = self.rig.bootstrap.listeners[0].filters.iter().zip(filters);
        for (at, (first, filter)) in known.enumerate() {
            let before =
                self.filters.lock().unwrap().get(at).cloned().unwrap_or_else(|| first.config.clone());
            if before != filter.config {
                let update = self.rig.envoy.replace_filter(filter, version).await?;
                updates.push(update);
            }
        }
        updates.dedup();
        ensure!(updates.len() == 1, "not of one mind: {updates:?}");
        if updates == [Update::Accepted] {
            *self.filters.lock().unwrap() = configs.iter().map(|config| (*config).to_owned()).collect();
        }
        updates.pop().context("there is no filter")
    }

    /// Waits until every new connection is served by that configuration. Envoy's workers take it over one
    /// after the other.
    pub(crate) async fn serves(&self, home: Home) -> Result<()> {
        let (_, pool) = home.base_and_pool();
        until("the new configuration", || async {
            let exchange = self.rig.ask(H1, "main", request()).await?;
            let arrived = exchange.arrived.first().context("it reached no pool")?;
            Ok((arrived.upstream == pool).then_some(()))
        })
        .await?;
        for protocol in [H1, H2] {
            let exchange = self.rig.ask(protocol, "main", request()).await?;
            ensure!(exchange.response.status == 200);
        }
        Ok(())
    }
}

fn request() -> Request {
    Request::post(CHAT, r#"{"model":"sql-lora","messages":[]}"#)
}

/// Sends one request after the other until it is told to stop.
pub(crate) async fn load(rig: &Rig, protocol: Protocol, stop: &AtomicBool, served: &AtomicU64) -> Result<()> {
    let mut client = Kept::new(protocol, rig.address("main"));
    while !stop.load(Ordering::Relaxed) {
        let (case, request) = tag(request());
        let response = client.exchange(&request).await?;
        let arrived = rig.log.with(CASE, &case);
        let [arrived] = arrived.as_slice() else {
            bail!("{} arrived, the answer was {} {}", arrived.len(), response.status, response.text());
        };
        ensure!(response.status == 200, "{}: {}", response.status, response.text());
        ensure!(response.broken.is_none(), "{response:?}");
        // Either configuration is right, half of each is not.
        let seen = (arrived.header(BASE).unwrap_or_default(), arrived.upstream.clone());
        let right = [Home::Qwen, Home::Llama].map(Home::base_and_pool);
        ensure!(right.iter().any(|(base, pool)| seen.0 == *base && seen.1 == *pool), "{seen:?}");
        served.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

async fn replaced_under_load(way: Way) -> Result<()> {
    let bench = Bench::start(way).await?;
    let (stop, served) = (Arc::new(AtomicBool::new(false)), AtomicU64::new(0));
    let clients = [H1, H1, H2, H2].map(|protocol| load(&bench.rig, protocol, &stop, &served));
    let [a, b, c, d] = clients;
    let updates = async {
        for home in [Home::Llama, Home::Qwen].into_iter().cycle().take(8) {
            let before = served.load(Ordering::Relaxed);
            let update = bench.update(&home.config()).await?;
            ensure!(update == Update::Accepted, "{update:?}");
            bench.serves(home).await?;
            let enough = async || Ok((served.load(Ordering::Relaxed) >= before + 20).then_some(()));
            until("requests under the new configuration", enough).await?;
        }
        stop.store(true, Ordering::Relaxed);
        Ok(())
    };
    tokio::try_join!(a, b, c, d, updates)?;
    ensure!(served.load(Ordering::Relaxed) >= 160);
    bench.rig.assert_healthy().await;
    Ok(())
}

#[tokio::test]
async fn through_the_listener_under_load_no_request_fails() -> Result<()> {
    replaced_under_load(Way::Listener).await
}

#[tokio::test]
async fn through_the_filter_under_load_no_request_fails() -> Result<()> {
    replaced_under_load(Way::Filter).await
}

/// Each with what is wrong with it.
fn bad_configurations() -> Vec<String> {
    let plain = configs::PLAIN;
    vec![
        "kind: Something".to_owned(),
        "{".to_owned(),
        plain.replace("body-field-to-header\n  parameters", "no-such-plugin\n  parameters"),
        plain.replace("fieldName", "fieldname"),
        plain.replace("pluginRef: base-model-to-header", "pluginRef: missing"),
        plain.replace("[qwen-summarizer, sql-lora]", "[food-review-1]"),
        configs::with(&["requestBody: {maxBytes: -1}"]),
        configs::with(&["paths: v1"]),
        "\u{0}\u{1}\u{ff}".to_owned(),
        "[".repeat(5000),
        billion_laughs(),
    ]
}

/// A small document that would unfold to 10^12 elements.
fn billion_laughs() -> String {
    let mut text = "kind: PayloadProcessorConfig\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    text
}

async fn refused_keeps_the_old_one(way: Way) -> Result<()> {
    let bench = Bench::start(way).await?;
    for config in bad_configurations() {
        let update = bench.update(&config).await?;
        ensure!(update == Update::Refused, "accepted: {config}");
        for protocol in [H1, H2] {
            let exchange = bench.rig.ask(protocol, "main", request()).await?;
            exchange.forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
        }
    }
    let log = bench.rig.envoy.log()?;
    ensure!(
        log.contains("plugins[0].type (line ")
            && log.contains(r#"column 9): "no-such-plugin" is not registered"#),
        "the log does not say what was wrong:\n{log}"
    );
    // And a good one afterwards is taken.
    ensure!(bench.update(&Home::Llama.config()).await? == Update::Accepted);
    bench.serves(Home::Llama).await?;
    bench.rig.envoy.assert_healthy_but(&REFUSALS).await;
    Ok(())
}

#[tokio::test]
async fn refused_through_the_listener_the_old_one_keeps_serving() -> Result<()> {
    refused_keeps_the_old_one(Way::Listener).await
}

#[tokio::test]
async fn refused_through_the_filter_the_old_one_keeps_serving() -> Result<()> {
    refused_keeps_the_old_one(Way::Filter).await
}

/// A request that was being read when the configuration changed ends under the one it began with.
#[tokio::test]
async fn a_request_under_way_is_decided_by_the_configuration_it_began_with() -> Result<()> {
    for way in [Way::Listener, Way::Filter] {
        let bench = Bench::start(way).await?;
        let (_, request) = tag(request());
        let mut connection = h1::Connection::open(bench.rig.address("main")).await?;
        connection.send(&request.head()).await?;
        connection.send(&request.body[..12]).await?;
        bench.rig.active("main").await?;
        ensure!(bench.update(&Home::Llama.config()).await? == Update::Accepted);
        bench.serves(Home::Llama).await?;
        connection.send(&request.body[12..]).await?;
        let response = within("the answer", connection.response("POST")).await?;
        bench.rig.seen(request, response).forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
        bench.rig.assert_healthy().await;
    }
    Ok(())
}

#[tokio::test]
async fn envoy_does_not_start_with_a_bad_configuration_and_says_why() -> Result<()> {
    let config =
        configs::PLAIN.replace("body-field-to-header\n  parameters", "body-field-to-heeder\n  parameters");
    let filter = Filter::new(&artifacts::module(), &config);
    let Err(error) = Rig::start(vec![listener("main", filter, "")]).await else { bail!("it started") };
    let text = format!("{error:#}");
    ensure!(
        text.contains("plugins[0].type (line ")
            && text.contains(r#"column 9): "body-field-to-heeder" is not registered"#),
        "{text}"
    );
    Ok(())
}
