//! A Prometheus scrapes the Envoy of `envoy/multi-pool.yaml` and one that selects models: the dashboard's queries return
//! data, and the alert rules load.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ipp_testharness::answer::{Answer, Gate, Step};
use ipp_testharness::artifacts;
use ipp_testharness::client::{Request, fetch, h1};
use ipp_testharness::envoy::{Envoy, Launch};
use ipp_testharness::shipped::Shipped;
use ipp_testharness::upstream::Protocol::H1;
use ipp_testharness::upstream::{Log, Upstream};
use ipp_testharness::wait::{until, within};
use serde_json::Value;

use crate::support::CHAT;
use crate::support::rig::{Rig, stock, tag};

const ENVOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../envoy");

/// A Prometheus that ends, and whose files are gone, when it is dropped.
struct Prometheus {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
}

impl Prometheus {
    fn start(scraped: [SocketAddr; 2]) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("ipp-prometheus-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let config = folder.join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{ENVOY}/alerts.yaml]\nscrape_configs:\n\
             - job_name: envoy\n  metrics_path: /stats/prometheus\n  static_configs: [{{targets: ['{}', '{}']}}]\n",
            scraped[0], scraped[1]
        );
        std::fs::write(&config, text)?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("log"))?)
            .spawn()
            .context("starting Debian's prometheus: `apt-get install prometheus`")?;
        Ok(Self { child, address, folder })
    }

    async fn get(&self, path: &str) -> Result<Value> {
        Ok(fetch(H1, self.address, &Request::get(path)).await?.json())
    }

    /// The values of a query that are numbers.
    async fn query(&self, query: &str) -> Result<Vec<f64>> {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = self.get(&format!("/api/v1/query?query={encoded}")).await?;
        ensure!(answer["status"] == "success", "{query}: {answer}");
        let rows = answer["data"]["result"].as_array().context("no result")?;
        let values = rows.iter().filter_map(|row| row["value"][1].as_str()?.parse::<f64>().ok());
        Ok(values.filter(|value| value.is_finite()).collect())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

fn answer(model: &str) -> Answer {
    match model {
        "sql-lora" => Answer::body(200, "application/json", "{}"),
        "cad-fabricator" => Answer::status(503),
        _ => Answer::events([
            (Duration::ZERO, r#"{"model":"x","choices":[{"delta":{"content":"a"}}]}"#),
            (Duration::from_millis(20), r#"{"choices":[{"delta":{"content":"b"}}]}"#),
            (
                Duration::ZERO,
                r#"{"choices":[],"usage":{"prompt_tokens":40,"completion_tokens":8,"prompt_tokens_details":{"cached_tokens":9}}}"#,
            ),
            (Duration::ZERO, "[DONE]"),
        ]),
    }
}

/// A selection among models that are fetched, with sessions, and a plugin that cannot read the pools' answers.
const SELECTION: &str = "\
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- {type: model-config-datasource, parameters: {source: {cluster: default-pool, path: /models, interval: 1s}}}
- type: model-group-name-filter
- {type: session-affinity, parameters: {sessionIdKey: x-session-id, maxSessions: 2}}
- type: model-selector
- {type: response-field-to-header, parameters: {fieldName: id, headerName: X-Id, unreadable: skip}}
datalayer: {datasources: [{pluginRef: model-config-datasource}]}
profiles:
- name: default
  plugins:
    request:
    - pluginRef: model-group-name-filter
    - {pluginRef: session-affinity, weight: 1}
    - pluginRef: model-selector
    response: [{pluginRef: response-field-to-header}]
";
const MODELS: &str = r#"{"models":[{"name":"a"},{"name":"b"}],"groups":[{"name":"a","models":["a"]},{"name":"b","models":["b"]}]}"#;

/// A session that is new, for which an older one makes room, and one that is known, and has to move as the group does.
async fn select(rig: &Rig, round: u32) -> Result<()> {
    for (session, group) in [("one", "a"), ("one", "b"), (&format!("new-{round}"), "a")] {
        let request = Request::post(CHAT, format!(r#"{{"model":"auto/{group}"}}"#));
        rig.ask(H1, "main", request.header("x-session-id", session)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_queries_of_the_dashboard_return_data() -> Result<()> {
    let log = Log::new();
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut shipped =
        Shipped::load("multi-pool.yaml")?.module(&artifacts::module())?.on_loopback(loopback)?;
    let mut servers = Vec::new();
    for host in ["llama.models.internal", "qwen.models.internal", "default.models.internal"] {
        let server = Upstream::start(host, &log, |request| {
            answer(&request.header("x-gateway-model-name").unwrap_or_default())
        })?;
        shipped = shipped.address(host, 8000, server.address())?;
        servers.push(server);
    }
    let launch = Launch { binary: artifacts::envoy(), concurrency: 2 };
    let envoy = Envoy::start_yaml(&launch, shipped.text()).await?;
    let address = envoy.address("llm").await?;
    let rig = Rig::start(vec![stock("main", SELECTION)]).await?;
    let prometheus = Prometheus::start([envoy.admin(), rig.envoy.admin()])?;
    // The first fetches are answered with something else, which is none of the filter's models.
    until("a fetch that failed", async || {
        let metrics = rig.envoy.metrics("ipp_source_fetch_failures_total").await?;
        Ok((metrics.values().sum::<f64>() > 0.0).then_some(()))
    })
    .await?;
    until("the models", async || {
        rig.script("", Answer::body(200, "application/json", MODELS));
        let request = Request::post(CHAT, r#"{"model":"auto"}"#);
        Ok((rig.ask(H1, "main", request).await?.response.status == 200).then_some(()))
    })
    .await?;
    // One request stays where it is.
    let gate = Gate::new();
    let (case, request) = tag(Request::post(CHAT, r#"{"model":"auto"}"#));
    rig.script(&case, Answer::status(200).first(Step::Hold(gate.clone())));
    let mut held = h1::Connection::open(rig.address("main")).await?;
    held.send(&request.wire()).await?;

    let round = AtomicU32::new(0);
    let send = async || {
        select(&rig, round.fetch_add(1, Ordering::Relaxed)).await?;
        for body in [
            r#"{"model":"meta-llama/Llama-3.1-8B-Instruct","stream":true}"#,
            r#"{"model":"Qwen/Qwen2.5-1.5B-Instruct","stream":true}"#,
            r#"{"model":"sql-lora"}"#,
            r#"{"model":"cad-fabricator"}"#,
            "{",
        ] {
            fetch(H1, address, &Request::post(CHAT, body)).await?;
        }
        anyhow::Ok(())
    };
    // A rate needs two scrapes, with something between them.
    until("a first scrape", async || {
        Ok((!prometheus.query("ipp_responses_total").await.unwrap_or_default().is_empty()).then_some(()))
    })
    .await?;
    send().await?;
    until("the requests in a scrape", async || {
        send().await?;
        let seen = prometheus.query("sum(rate(ipp_responses_total[5m]))").await?;
        let shown = prometheus.query("sum(rate(ipp_request_ttft_milliseconds_bucket[5m]))").await?;
        Ok((seen.iter().chain(&shown).filter(|value| **value > 0.0).count() == 2).then_some(()))
    })
    .await?;

    let dashboard: Value =
        serde_json::from_str(&std::fs::read_to_string(Path::new(ENVOY).join("dashboard.json"))?)?;
    let mut asked = 0;
    for panel in dashboard["panels"].as_array().context("no panels")? {
        for target in panel["targets"].as_array().context("no targets")? {
            let query = target["expr"].as_str().context("no expression")?.replace("$model", ".*");
            let data = async || {
                let some = prometheus.query(&query).await?.iter().any(|value| *value > 0.0);
                if !some {
                    send().await?;
                }
                Ok(some.then_some(()))
            };
            until(&format!("data for {}: {query}", panel["title"]), data).await?;
            asked += 1;
        }
    }
    assert!(asked >= 25, "{asked}");

    let rules = prometheus.get("/api/v1/rules").await?;
    let rules = rules["data"]["groups"][0]["rules"].as_array().context("no rules")?.clone();
    assert!(rules.len() >= 9 && rules.iter().all(|rule| rule["health"] == "ok"), "{rules:#?}");
    let checked = Command::new("promtool")
        .args(["check", "rules"])
        .arg(Path::new(ENVOY).join("alerts.yaml"))
        .output()?;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    envoy.assert_healthy().await;
    gate.open();
    within("the answer", held.response("POST")).await?;
    drop(held);
    rig.assert_healthy().await;
    Ok(())
}
