//! `envoy/model-selection.yaml` and `examples/cost-and-load.yaml` do what their comments and docs/model-selection.md say.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ipp_testharness::answer::{Answer, Gate, Step};
use ipp_testharness::artifacts;
use ipp_testharness::client::{Request, Response, fetch, h2};
use ipp_testharness::envoy::{Envoy, Launch};
use ipp_testharness::shipped::Shipped;
use ipp_testharness::upstream::Protocol::H2;
use ipp_testharness::upstream::{Log, Upstream};
use ipp_testharness::wait::{until, within};

use crate::support::CHAT;
use crate::support::configs::HI;

const ROW: &str = "x-row";
const CHOSEN: &str = "x-selected-model";
const SESSION: &str = "x-session-id";

/// What the cheaper model's server does.
#[derive(Clone, Copy)]
enum Small {
    Works,
    Fails,
}

/// A configuration that is running: the models with their capacities, the cheaper one first.
struct Running {
    envoy: Envoy,
    address: SocketAddr,
    models: [(&'static str, usize); 2],
    log: Log,
    /// Requests that say so are answered when it is open.
    gate: Gate,
    small: Arc<Mutex<Small>>,
    rows: AtomicU64,
    _servers: Vec<Upstream>,
}

impl Running {
    /// `hosts` are the servers of the cheaper model, of the other one, and of anything else.
    async fn start(shipped: Shipped, hosts: &[&str], models: [&'static str; 2]) -> Result<Self> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut shipped = shipped.module(&artifacts::module())?.on_loopback(any)?;
        let (log, gate, small) = (Log::new(), Gate::new(), Arc::new(Mutex::new(Small::Works)));
        let mut servers = Vec::new();
        for (at, host) in hosts.iter().enumerate() {
            let (gate, small) = (gate.clone(), Arc::clone(&small));
            let server = Upstream::start(host, &log, move |request| {
                let fails =
                    at == 0 && matches!(*small.lock().unwrap_or_else(PoisonError::into_inner), Small::Fails);
                match request.header("x-hold") {
                    Some(_) => Answer::events([(Duration::ZERO, HI)]).then(Step::Hold(gate.clone())),
                    None if fails => Answer::status(500),
                    None => Answer::status(200),
                }
            })?;
            shipped = shipped.address(host, 8000, server.address())?;
            servers.push(server);
        }
        let launch = Launch { binary: artifacts::envoy(), concurrency: 2 };
        let envoy = Envoy::start_yaml(&launch, shipped.text()).await?;
        let address = envoy.address("llm").await?;
        let [small_name, large] = models;
        let models = [(small_name, 64), (large, 32)];
        Ok(Self { envoy, address, models, log, gate, small, rows: AtomicU64::new(0), _servers: servers })
    }

    fn request(&self, model: &str) -> (String, Request) {
        let row = self.rows.fetch_add(1, Ordering::Relaxed).to_string();
        let body = format!(r#"{{"model":"{model}","stream":true}}"#);
        (row.clone(), Request::post(CHAT, body).header(ROW, row))
    }

    async fn ask(&self, model: &str, session: &str) -> Result<Response> {
        let request = self.request(model).1.header(SESSION, session);
        fetch(H2, self.address, &request).await
    }

    /// The model that serves such a request.
    async fn chosen(&self, model: &str, session: &str) -> Result<String> {
        let response = self.ask(model, session).await?;
        ensure!(matches!(response.status, 200 | 500), "{}: {}", response.status, response.text());
        response.headers.get(CHOSEN).context("the response names no model")
    }

    /// The same of a conversation that begins.
    async fn chosen_anew(&self) -> Result<String> {
        let session = format!("new-{}", self.rows.load(Ordering::Relaxed));
        self.chosen("auto", &session).await
    }

    async fn in_flight(&self, model: &str) -> Result<f64> {
        let metrics = self.envoy.metrics("ipp_inflight{").await?;
        metrics.get(&format!("ipp_inflight{{model=\"{model}\"}}")).copied().context("no such model")
    }

    /// So many more requests that their servers hold.
    async fn hold(
        &self,
        connection: &mut h2::Connection,
        model: &str,
        times: usize,
    ) -> Result<Vec<h2::Stream>> {
        let mut streams = Vec::new();
        for _ in 0..times {
            let (row, request) = self.request(model);
            streams.push(connection.send_request(&request.header("x-hold", "1")).await?);
            self.log.arrival(ROW, &row).await?;
        }
        Ok(streams)
    }
}

/// The claims, one after the other.
async fn does_what_it_says(running: &Running) -> Result<()> {
    let [(small, room), (large, less_room)] = running.models;
    // Nothing to do: the cheapest; by its name: that one; and a conversation stays.
    ensure!(running.chosen("auto", "one").await? == small);
    for model in [large, "auto", ""] {
        ensure!(running.chosen(model, "two").await? == large, "{model}");
    }
    ensure!(running.ask("gpt-4", "three").await?.status == 404);

    // The more a model has in flight for its capacity the more go to the other one, and in the end both are full.
    let mut connection = h2::Connection::open(running.address).await?;
    let mut streams = running.hold(&mut connection, "auto", room / 2).await?;
    let (at_small, at_large) = (running.in_flight(small).await?, running.in_flight(large).await?);
    ensure!(at_small > at_large && at_large > 0.0, "{at_small} and {at_large}");
    // A conversation leaves a model that is full, although there is more room than for one more.
    let missing = less_room - at_large as usize;
    streams.extend(running.hold(&mut connection, large, missing).await?);
    ensure!(running.chosen("auto", "two").await? == small);
    let most = [room * 3 / 2, less_room * 3 / 2];
    let rest = most[0] + most[1] - streams.len();
    streams.extend(running.hold(&mut connection, "auto", rest).await?);
    for (model, most) in [small, large].into_iter().zip(most) {
        ensure!(running.in_flight(model).await? == most as f64, "{model}");
    }
    for model in ["auto", small, large] {
        let response = running.ask(model, "four").await?;
        let told = (response.status, response.headers.get("retry-after"));
        ensure!(told == (503, Some("2".to_owned())), "{told:?}: {}", response.text());
        ensure!(response.json()["error"]["code"] == "models_overloaded", "{}", response.text());
    }
    running.gate.open();
    for stream in streams {
        within("the end of a stream", stream.response()).await?;
    }
    until("nothing in flight", async || {
        Ok((running.in_flight(small).await? + running.in_flight(large).await? == 0.0).then_some(()))
    })
    .await?;

    // Who fails rests, on all workers, and comes back after five seconds.
    let set = |what| *running.small.lock().unwrap_or_else(PoisonError::into_inner) = what;
    set(Small::Fails);
    until("the model that fails to rest", async || {
        // Whoever asks for it by name gets it all the same.
        ensure!(running.chosen(small, "five").await? == small);
        for _ in 0..12 {
            if running.chosen_anew().await? == small {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })
    .await?;
    set(Small::Works);
    until("it to come back", async || Ok((running.chosen_anew().await? == small).then_some(()))).await?;
    running.envoy.assert_healthy().await;
    Ok(())
}

#[tokio::test]
async fn the_bootstrap_for_model_selection_does_what_it_says() -> Result<()> {
    let hosts = ["small.models.internal", "large.models.internal"];
    let shipped = Shipped::load("model-selection.yaml")?;
    let running = Running::start(shipped, &hosts, ["small", "large"]).await?;
    does_what_it_says(&running).await?;
    // What became of them is counted, and would be paid for by the catalogue's prices.
    for model in ["small", "large"] {
        let ended =
            running.envoy.metrics(&format!("ipp_responses_total{{model=\"{model}\",result=\"ok\"}}")).await?;
        ensure!(ended.len() == 1 && ended.values().all(|count| *count > 0.0), "{model}: {ended:?}");
        let costs = running.envoy.metrics(&format!("ipp_cost_nanousd_total{{model=\"{model}\"")).await?;
        ensure!(costs.len() == 1, "{model}: {costs:?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_worked_example_does_what_it_says() -> Result<()> {
    let hosts = ["qwen.models.internal", "llama.models.internal", "default.models.internal"];
    let example = std::fs::read_to_string(artifacts::workspace().join("examples/cost-and-load.yaml"))?;
    let shipped = Shipped::load("multi-pool.yaml")?.config(&example)?;
    let models = ["Qwen/Qwen2.5-1.5B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"];
    does_what_it_says(&Running::start(shipped, &hosts, models).await?).await
}
