//! What becomes of requests on one worker decides on all of them: latencies, failures, and who is to blame for neither.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ipp_testharness::answer::Answer;
use ipp_testharness::artifacts;
use ipp_testharness::bootstrap::{Bootstrap, Cluster, Listener};
use ipp_testharness::client::{Request, h1};
use ipp_testharness::envoy::Envoy;
use ipp_testharness::upstream::{Log, Upstream};
use ipp_testharness::wait::{until, within};

use crate::support::rig::filter;

fn config(plugins: &str, request: &str, extractors: &str) -> String {
    format!(
        "\
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: model-selector
- type: model-group-name-filter
- {{type: model-name-to-header, parameters: {{headerName: x-chosen}}}}
- {{type: body-field-to-header, parameters: {{fieldName: model, headerName: x-model}}}}
- {{type: model-config-datasource, parameters: {{models: [{{name: a}}, {{name: b}}]}}}}
{plugins}
datalayer:
  datasources: [{{pluginRef: model-config-datasource}}]
  extractors: [{extractors}]
profiles:
- name: default
  plugins:
    request:
    - pluginRef: model-group-name-filter
{request}
    - pluginRef: model-selector
    - pluginRef: body-field-to-header
    response: [{{pluginRef: model-name-to-header}}]
"
    )
}

/// What each model does.
#[derive(Clone, Copy)]
struct Manners {
    ttft: Duration,
    status: u16,
}

const FAST: Manners = Manners { ttft: Duration::ZERO, status: 200 };
const SLOW: Manners = Manners { ttft: Duration::from_millis(150), status: 200 };
const BROKEN: Manners = Manners { ttft: Duration::ZERO, status: 503 };

/// An Envoy of four workers, two models behind it, and connections to all workers.
struct Stage {
    envoy: Envoy,
    manners: Arc<Mutex<[Manners; 2]>>,
    connections: Vec<h1::Connection>,
    _pool: Upstream,
}

impl Stage {
    async fn start(config: &str, manners: [Manners; 2]) -> Result<Self> {
        let manners = Arc::new(Mutex::new(manners));
        let shared = Arc::clone(&manners);
        let pool = Upstream::start("pool", &Log::new(), move |request| {
            let [a, b] = *shared.lock().unwrap_or_else(PoisonError::into_inner);
            let Manners { ttft, status } =
                if request.header("x-model").as_deref() == Some("a") { a } else { b };
            match status {
                200 => Answer::events([
                    (ttft, r#"{"choices":[{"delta":{"content":"x"}}]}"#),
                    (Duration::ZERO, r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":9}}"#),
                    (Duration::ZERO, "[DONE]"),
                ]),
                _ => Answer::status(status),
            }
        })?;
        let listener = Listener::new("main", vec![filter(config)], Vec::new(), "pool");
        let mut bootstrap = Bootstrap::new(vec![listener], Vec::new());
        bootstrap.concurrency = 4;
        bootstrap.clusters.push(Cluster::new("pool", pool.address()));
        let envoy = Envoy::start(&artifacts::envoy(), &bootstrap).await?;
        let address = envoy.address("main").await?;
        let mut connections = Vec::new();
        for _ in 0..48 {
            connections.push(h1::Connection::open(address).await?);
        }
        let stats = async || envoy.stats_like("listener.*downstream_cx_active").await;
        until("a connection to each worker", async || {
            let stats = stats().await?;
            let busy = stats.iter().filter(|(name, value)| name.contains("worker_") && *value > 0).count();
            Ok((busy == 4).then_some(()))
        })
        .await?;
        Ok(Self { envoy, manners, connections, _pool: pool })
    }

    fn now(&self, manners: [Manners; 2]) {
        *self.manners.lock().unwrap_or_else(PoisonError::into_inner) = manners;
    }

    /// The model that a request is sent to on this connection.
    async fn ask(&mut self, connection: usize, model: &str) -> Result<String> {
        let body = format!(r#"{{"model":"{model}","stream":true}}"#);
        let request = Request::post("/v1/chat/completions", body);
        let response = within("an answer", self.connections[connection].exchange(&request)).await?;
        response.headers.get("x-chosen").context("the response does not say which model was chosen")
    }

    /// Waits until every connection is sent to that model; how long after `since` the last one was that was not.
    async fn everywhere(&mut self, model: &str, since: Instant) -> Result<Duration> {
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut last = Duration::ZERO;
        loop {
            let mut all = true;
            for connection in 0..self.connections.len() {
                let asked = since.elapsed();
                if self.ask(connection, "auto").await? != model {
                    (all, last) = (false, asked);
                }
            }
            if all {
                return Ok(last);
            }
            ensure!(Instant::now() < deadline, "not all are sent to {model}");
        }
    }

    /// Each of these once, since an average of none is worth a try.
    async fn warm_up(&mut self) -> Result<()> {
        for model in ["a", "b"] {
            ensure!(self.ask(0, model).await? == model);
        }
        Ok(())
    }

    async fn nothing_is_left(&self) -> Result<()> {
        until("nothing in flight", async || {
            let mut metrics = self.envoy.metrics("ipp_inflight").await?;
            // That one counts changes, and only grows.
            metrics.retain(|series, _| !series.starts_with("ipp_inflight_changes"));
            Ok(metrics.values().all(|count| *count == 0.0).then_some(()))
        })
        .await?;
        self.envoy.assert_healthy().await;
        Ok(())
    }
}

#[tokio::test]
async fn a_latency_that_one_worker_sees_changes_the_choice_of_all_within_a_second() -> Result<()> {
    let config = config(
        "- {type: avg-ttft-scorer, parameters: {decayWeight: 0}}\n- {type: request-metadata-extractor, parameters: {alpha: 1}}",
        "    - {pluginRef: avg-ttft-scorer, weight: 1}",
        "{pluginRef: request-metadata-extractor}",
    );
    let mut stage = Stage::start(&config, [FAST, SLOW]).await?;
    stage.warm_up().await?;
    stage.everywhere("a", Instant::now()).await?;
    // One request on one worker finds that it is the other way round by now.
    stage.now([SLOW, FAST]);
    ensure!(stage.ask(0, "b").await? == "b");
    ensure!(stage.ask(0, "a").await? == "a");
    let took = stage.everywhere("b", Instant::now()).await?;
    println!("the last request for the slow one was sent {took:?} after a worker had seen that it is");
    ensure!(took < Duration::from_secs(1), "a worker sent to the slow one {took:?} later");
    stage.nothing_is_left().await
}

#[tokio::test]
async fn failures_on_one_worker_send_all_of_them_elsewhere() -> Result<()> {
    let config = config(
        "- {type: avg-ttft-scorer, parameters: {decayWeight: 0}}\n- type: cool-down-filter\n\
         - {type: health-extractor, parameters: {coolDown: 1h}}",
        "    - pluginRef: cool-down-filter\n    - {pluginRef: avg-ttft-scorer, weight: 1}",
        "{pluginRef: health-extractor}",
    );
    let mut stage = Stage::start(&config, [FAST, SLOW]).await?;
    stage.warm_up().await?;
    stage.everywhere("a", Instant::now()).await?;
    // It fails faster than anybody answers, and that is no recommendation.
    stage.now([BROKEN, SLOW]);
    for _ in 0..200 {
        stage.ask(0, "auto").await?;
    }
    stage.everywhere("b", Instant::now()).await?;
    for connection in 0..stage.connections.len() {
        ensure!(stage.ask(connection, "auto").await? == "b");
    }
    // What a client asks for by name it gets, well or not: the filter never removes the last one.
    ensure!(stage.ask(3, "a").await? == "a");
    stage.nothing_is_left().await
}

#[tokio::test]
async fn clients_that_leave_and_mistakes_of_theirs_are_no_failures() -> Result<()> {
    let config = config("- {type: error-rate-scorer}", "    - {pluginRef: error-rate-scorer, weight: 1}", "");
    let mut stage = Stage::start(&config, [SLOW, SLOW]).await?;
    stage.warm_up().await?;
    let address = stage.envoy.address("main").await?;
    for _ in 0..20 {
        let mut connection = h1::Connection::open(address).await?;
        connection.send_request(&Request::post("/v1/chat/completions", r#"{"model":"a"}"#)).await?;
        until("the request to be in flight", async || {
            let metrics = stage.envoy.metrics("ipp_inflight").await?;
            Ok((metrics.get(r#"ipp_inflight{model="a"}"#).copied().unwrap_or(0.0) > 0.0).then_some(()))
        })
        .await?;
        connection.abort()?;
    }
    stage.now([Manners { status: 400, ..FAST }, BROKEN]);
    for _ in 0..20 {
        stage.ask(1, "a").await?;
    }
    stage.ask(1, "b").await?;
    // `b` has failed once of twice, and `a` never.
    stage.now([FAST, FAST]);
    stage.everywhere("a", Instant::now()).await?;
    stage.nothing_is_left().await
}
