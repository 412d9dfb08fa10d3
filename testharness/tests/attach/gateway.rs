//! A gateway as a control plane makes it of a Gateway and HTTPRoutes, without the processor; and the Envoy that runs it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use ipp_testharness::answer::Answer;
use ipp_testharness::artifacts;
use ipp_testharness::envoy::{Envoy, Launch};
use ipp_testharness::upstream::{Log, Upstream};
use serde_json::{Value, json};

use crate::case::{Case, text};

pub(crate) const MANAGER: &str = "envoy.filters.network.http_connection_manager";
pub(crate) const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

/// Copies the base model into `x-picker-saw`. It stands for the endpoint picker of an InferencePool, which has to run
/// behind the processor.
pub(crate) const PICKER: &str = "envoy.filters.http.ext_proc";

/// What Envoy gets.
#[derive(Clone)]
pub(crate) struct Gateway {
    pub(crate) listener: Value,
    /// Filters whose configurations come apart from the listener: names and typed configurations.
    pub(crate) extensions: Vec<(String, Value)>,
    pub(crate) stats_config: Value,
    /// Clusters, and what each answers.
    backends: Vec<(String, Answerer)>,
}

/// Makes the answers of one cluster.
type Answerer = Arc<dyn Fn() -> Answer + Send + Sync>;

impl Gateway {
    /// One listener, the routes of all HTTPRoutes, and the filters that are there anyway.
    pub(crate) fn new(case: &Case) -> Result<Self> {
        let (routes, backends) = routes(case)?;
        let typed = |name: &str, kind: &str| {
            let url = format!("type.googleapis.com/envoy.extensions.filters.http.{kind}");
            json!({"name": name, "typed_config": {"@type": url}})
        };
        let mut picker = typed(PICKER, "header_mutation.v3.HeaderMutation");
        let seen = json!({"key": "x-picker-saw", "value": "%REQ(X-GATEWAY-BASE-MODEL-NAME)%"});
        picker["typed_config"]["mutations"] = json!({"request_mutations": [{"append": {"header": seen}}]});
        let filters = json!([
            picker,
            typed("envoy.filters.http.fault", "fault.v3.HTTPFault"),
            typed("envoy.filters.http.cors", "cors.v3.Cors"),
            typed("envoy.filters.http.router", "router.v3.Router"),
        ]);
        let manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "gateway",
            "http_filters": filters,
            "route_config": {"name": "http", "virtual_hosts": [
                {"name": "all", "domains": ["*"], "routes": routes},
            ]},
        });
        let listener = json!({
            "name": "gateway",
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
            "filter_chains": [{"filters": [{"name": MANAGER, "typed_config": manager}]}],
        });
        let pool: Answerer = Arc::new(|| Answer::status(200));
        let backends = backends.into_iter().map(|name| (name, Arc::clone(&pool))).collect();
        Ok(Self { listener, extensions: Vec::new(), stats_config: Value::Null, backends })
    }

    /// Gives a cluster a server with this answer, in place of the one that it has.
    pub(crate) fn serve(&mut self, cluster: &str, answer: impl Fn() -> Answer + Send + Sync + 'static) {
        self.backends.retain(|(name, _)| name != cluster);
        self.backends.push((cluster.to_owned(), Arc::new(answer)));
    }

    pub(crate) fn manager(&mut self) -> &mut Value {
        &mut self.listener["filter_chains"][0]["filters"][0]["typed_config"]
    }

    pub(crate) fn filters(&mut self) -> Result<&mut Vec<Value>> {
        self.manager()["http_filters"].as_array_mut().context("http_filters is a list")
    }

    pub(crate) fn virtual_host(&mut self) -> &mut Value {
        &mut self.manager()["route_config"]["virtual_hosts"][0]
    }

    pub(crate) fn routes(&mut self) -> Result<&mut Vec<Value>> {
        self.virtual_host()["routes"].as_array_mut().context("routes is a list")
    }

    /// The place of the filter of that name.
    pub(crate) fn place(&mut self, filter: &str) -> Result<usize> {
        let found = self.filters()?.iter().position(|it| it["name"] == filter);
        found.with_context(|| format!("no filter {filter} in the chain"))
    }

    /// Runs it, with a recording server for every backend.
    pub(crate) async fn run(self) -> Result<Running> {
        let folder = Scratch::create()?;
        let log = Log::new();
        let mut servers = Vec::new();
        let mut clusters = Vec::new();
        for (name, answer) in &self.backends {
            let answer = Arc::clone(answer);
            let server = Upstream::start(name, &log, move |_| answer())?;
            let address = server.address();
            let address = json!({"address": address.ip().to_string(), "port_value": address.port()});
            let endpoint = json!({"endpoint": {"address": {"socket_address": address}}});
            let load = json!({"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]});
            clusters.push(json!({"name": name, "type": "STATIC", "load_assignment": load}));
            servers.push(server);
        }
        for (name, typed_config) in &self.extensions {
            let resource = json!({
                "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
                "name": name,
                "typed_config": typed_config,
            });
            let file = json!({"version_info": "1", "resources": [resource]});
            std::fs::write(folder.file(name), file.to_string())?;
        }
        let mut listener = self.listener;
        let filters =
            listener["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"].as_array_mut();
        for filter in filters.context("http_filters")? {
            let name = filter["name"].as_str().unwrap_or_default().to_owned();
            if let Some(source) = filter.pointer_mut("/config_discovery/config_source") {
                // In place of the control plane's stream.
                *source =
                    json!({"resource_api_version": "V3", "path_config_source": {"path": folder.file(&name)}});
            }
        }
        let mut document = json!({
            "node": {"id": "gateway", "cluster": "gateway"},
            "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
            "stats_flush_on_admin": true,
            "static_resources": {"listeners": [listener], "clusters": clusters},
        });
        if !self.stats_config.is_null() {
            document["stats_config"] = self.stats_config;
        }
        let launch = Launch { binary: artifacts::envoy(), concurrency: 2 };
        let envoy = Envoy::start_yaml(&launch, &document.to_string()).await?;
        let address = envoy.address("gateway").await?;
        Ok(Running { envoy, address, log, _servers: servers, _folder: folder })
    }
}

/// A gateway that serves.
pub(crate) struct Running {
    pub(crate) envoy: Envoy,
    pub(crate) address: SocketAddr,
    pub(crate) log: Log,
    _servers: Vec<Upstream>,
    _folder: Scratch,
}

/// The rules of all HTTPRoutes as Envoy's routes, the ones with more headers first, and the names of their backends.
fn routes(case: &Case) -> Result<(Vec<Value>, Vec<String>)> {
    let mut found = Vec::new();
    let mut backends = Vec::new();
    for route in case.of_kind("HTTPRoute") {
        for rule in route["spec"]["rules"].as_array().context("an HTTPRoute has rules")? {
            let backend = text(rule, "/backendRefs/0/name")?.to_owned();
            let timeout = rule.pointer("/timeouts/request").and_then(Value::as_str).unwrap_or("15s");
            let none = vec![json!({})];
            for matched in rule["matches"].as_array().unwrap_or(&none) {
                let headers = matched["headers"].as_array().cloned().unwrap_or_default();
                let exact = |it: &Value| json!({"name": it["name"], "string_match": {"exact": it["value"]}});
                let headers: Vec<Value> = headers.iter().map(exact).collect();
                let action = json!({"cluster": backend, "timeout": timeout});
                found.push((
                    headers.len(),
                    json!({"match": {"prefix": "/", "headers": headers}, "route": action}),
                ));
            }
            if !backends.contains(&backend) {
                backends.push(backend);
            }
        }
    }
    // A stable sort: rules with the same number of headers keep their order, as the Gateway API demands.
    found.sort_by_key(|(headers, _)| std::cmp::Reverse(*headers));
    Ok((found.into_iter().map(|(_, route)| route).collect(), backends))
}

/// A filter's `code`, as Istio's agent and Envoy Gateway leave it: the module is a local file by then.
pub(crate) fn local_code() -> Value {
    json!({"local": {"filename": artifacts::module()}})
}

/// A temporary folder, gone when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn create() -> Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("ipp-attach-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(format!("{}.json", name.replace('/', "_")))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left behind in the system's temporary folder at worst.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
