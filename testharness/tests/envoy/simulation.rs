//! Three model servers of different speed and capacity behind a real Envoy of four workers: clients that leave the choice
//! to the filter get their first token sooner than those that all name the best of the three.
//!
//! The servers' times are fixed and the requests come at fixed times, more than any one of the servers can serve. So
//! whoever names one server waits longer and longer, by what the numbers below say and not by how fast this machine is.
//! `selector/tests/simulation.rs` is the same in simulated time, with chance in it and more requests.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ipp_testharness::artifacts;
use ipp_testharness::bootstrap::{Bootstrap, Cluster, Filter, Listener, Route};
use ipp_testharness::client::{Request, h1};
use ipp_testharness::envoy::Envoy;
use ipp_testharness::modelsim::{Model, SERVED_BY, Serving, Slots};
use ipp_testharness::upstream::{Log, Upstream};
use ipp_testharness::wait::{until, within};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::{CHAT, MODEL};

/// Name, slots, milliseconds from the slot on, milliseconds before each of the eight events: 10, 5 and 2 requests in a
/// second.
const SERVERS: [(&str, usize, u64, u64); 3] =
    [("fast", 3, 100, 25), ("medium", 2, 120, 35), ("slow", 1, 100, 50)];

/// A request every 72 ms, 14 in a second, for six seconds.
const PERIOD: Duration = Duration::from_millis(72);
const REQUESTS: u32 = 84;

/// Who has no token after that gives up, and counts as if it had come then.
const PATIENCE: Duration = Duration::from_secs(3);

fn config() -> String {
    let model = |(name, slots, ..): &(&str, usize, u64, u64)| format!("{{name: {name}, capacity: {slots}}}");
    let models: Vec<String> = SERVERS.iter().map(model).collect();
    format!(
        "\
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: model-selector
- type: model-group-name-filter
- {{type: inflight-requests-scorer, parameters: {{scale: capacity}}}}
- {{type: ttft-aware-scorer, parameters: {{roundTTFTStep: 0.01}}}}
- {{type: max-score-picker, parameters: {{tieBand: 0.01}}}}
- {{type: body-field-to-header, parameters: {{fieldName: model, headerName: {MODEL}}}}}
- {{type: model-config-datasource, parameters: {{models: [{}]}}}}
datalayer: {{datasources: [{{pluginRef: model-config-datasource}}]}}
profiles:
- name: default
  plugins:
    request:
    - pluginRef: model-group-name-filter
    - {{pluginRef: inflight-requests-scorer, weight: 2}}
    - {{pluginRef: ttft-aware-scorer, weight: 1}}
    - pluginRef: max-score-picker
    - pluginRef: model-selector
    - pluginRef: body-field-to-header
",
        models.join(", ")
    )
}

/// Envoy, and the servers.
struct Stage {
    envoy: Envoy,
    _servers: Vec<Upstream>,
}

impl Stage {
    async fn start() -> Result<Self> {
        let log = Log::new();
        let (mut servers, mut clusters, mut routes) = (Vec::new(), Vec::new(), Vec::new());
        for (name, count, prefill, pace) in SERVERS {
            let server = Serving {
                pace: Duration::from_millis(pace),
                slots: Some(Slots { count, prefill: Duration::from_millis(prefill) }),
                ..Serving::new(name, vec![Model::new(name, &[])])
            };
            let server = server.start(&log)?;
            clusters.push(Cluster::new(name, server.address()));
            routes.push(Route::new(MODEL, name, name));
            servers.push(server);
        }
        let filter = Filter::new(&artifacts::module(), &config());
        let mut bootstrap =
            Bootstrap::new(vec![Listener::new("main", vec![filter], routes, "fast")], clusters);
        bootstrap.concurrency = 4;
        Ok(Self { envoy: Envoy::start(&artifacts::envoy(), &bootstrap).await?, _servers: servers })
    }

    /// All requests of a client that always says this model, each on a connection of its own; seconds to the first token,
    /// and who served how many.
    async fn load(&self, model: &'static str) -> Result<(Vec<f64>, BTreeMap<String, u32>)> {
        let (address, begin) = (self.envoy.address("main").await?, Instant::now());
        let mut requests = JoinSet::new();
        for number in 0..REQUESTS {
            requests.spawn(async move {
                tokio::time::sleep_until(begin + PERIOD * number).await;
                let body = format!(r#"{{"model":"{model}","stream":true,"messages":[]}}"#);
                let sent = Instant::now();
                let mut connection = h1::Connection::open(address).await?;
                connection.send_request(&Request::post(CHAT, body)).await?;
                let begun = tokio::time::timeout(PATIENCE, async {
                    let mut incoming = connection.incoming("POST").await?;
                    ensure!(incoming.status == 200, "{}", incoming.status);
                    connection.piece(&mut incoming).await?.context("no event")?;
                    Ok(incoming)
                });
                let Ok(begun) = begun.await else { return Ok((PATIENCE, "nobody".to_owned())) };
                let (mut incoming, first) = (begun?, sent.elapsed());
                let rest = async {
                    while connection.piece(&mut incoming).await?.is_some() {}
                    Ok(())
                };
                within("the end of a stream", rest).await?;
                anyhow::Ok((first, incoming.headers.get(SERVED_BY).context("who served it?")?))
            });
        }
        let (mut latencies, mut served) = (Vec::new(), BTreeMap::new());
        for outcome in requests.join_all().await {
            let (first, server) = outcome?;
            latencies.push(first.as_secs_f64());
            *served.entry(server).or_insert(0) += 1;
        }
        latencies.sort_by(f64::total_cmp);
        Ok((latencies, served))
    }
}

fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted[sorted.len() * percent / 100]
}

#[tokio::test]
async fn left_to_the_filter_first_tokens_come_sooner_than_from_the_best_fixed_choice() -> Result<()> {
    let stage = Stage::start().await?;
    let automatic = stage.load("auto").await?;
    // Three servers, each with requests of its own: at the same time.
    let [fast, medium, slow] = SERVERS.map(|(name, ..)| stage.load(name));
    let (fast, medium, slow) = tokio::try_join!(fast, medium, slow)?;
    println!("time to the first token of {REQUESTS} requests, one every {PERIOD:?}");
    let rows = [("auto", &automatic), ("fast", &fast), ("medium", &medium), ("slow", &slow)];
    for (model, (latencies, served)) in rows {
        let [median, tail] = [50, 95].map(|percent| percentile(latencies, percent));
        println!("{model:<8} p50 {median:6.3} s   p95 {tail:6.3} s   served by {served:?}");
    }
    let best = [&fast, &medium, &slow].map(|(latencies, _)| percentile(latencies, 95));
    let best = best.into_iter().fold(f64::INFINITY, f64::min);
    let p95 = percentile(&automatic.0, 95);
    ensure!(p95 * 2.0 < best, "p95 is {p95:.3} s, of the best fixed choice {best:.3} s");
    for (name, ..) in SERVERS {
        ensure!(automatic.1.get(name).is_some_and(|count| *count >= 5), "{name}: {:?}", automatic.1);
    }
    until("nothing in flight", async || {
        let metrics = stage.envoy.metrics("ipp_inflight{").await?;
        Ok((metrics.len() == 3 && metrics.values().all(|count| *count == 0.0)).then_some(()))
    })
    .await?;
    stage.envoy.assert_healthy().await;
    Ok(())
}
