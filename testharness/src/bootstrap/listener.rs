//! A listener: filters, routes by header, limits and the oddities of HTTP that it lets through.

use std::path::Path;

use serde_json::{Value, json};

use super::{Filter, address};

/// How long a route waits for a whole answer.
const TIMEOUT: &str = "60s";

/// A route that matches when a header has exactly this value.
#[derive(Clone, Debug)]
pub struct Route {
    /// The header.
    pub header: String,
    /// Its value.
    pub value: String,
    /// Where such requests go.
    pub cluster: String,
}

impl Route {
    /// Requests whose `header` is `value` go to `cluster`.
    pub fn new(header: &str, value: &str, cluster: &str) -> Self {
        Self { header: header.to_owned(), value: value.to_owned(), cluster: cluster.to_owned() }
    }
}

/// One port.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Its name, which is also the prefix of its statistics.
    pub name: String,
    /// The port on loopback; 0 takes a free one.
    pub port: u16,
    /// Filters before the router, in order.
    pub filters: Vec<Filter>,
    /// Filters of Envoy's own, each with how many of the others are before it.
    pub others: Vec<(usize, Value)>,
    /// Asked in order.
    pub routes: Vec<Route>,
    /// Where everything else goes. This route forwards, so that its buffer limit holds while the filter
    /// reads.
    pub default_cluster: String,
    /// Bytes that one connection may buffer; Envoy's default when absent.
    pub connection_buffer: Option<u32>,
    /// Bytes that the body of one request may take while it is held; Envoy's default when absent.
    pub body_buffer: Option<u64>,
    /// Protocols that a request may upgrade to; `CONNECT` adds a route for it.
    pub upgrades: Vec<String>,
    /// Whether interim answers of upstreams (`100 Continue`, `103 Early Hints`) are passed on.
    pub interim: bool,
    /// How long the default route waits for a whole answer, as Envoy writes it: `60s`.
    pub timeout: String,
    /// How long a stream on the default route may be still; Envoy's default when absent.
    pub idle_timeout: Option<String>,
    /// How often the default route tries again, after a status of 5xx, a reset and a connection that failed.
    pub retries: Option<u32>,
    /// Fields that are set on requests behind all filters, with their values in Envoy's format.
    pub upstream_headers: Vec<(String, String)>,
}

impl Listener {
    /// A listener on a free port that holds bodies up to 9 MiB, which is what the filter's default of 8 MiB
    /// needs.
    pub fn new(name: &str, filters: Vec<Filter>, routes: Vec<Route>, default_cluster: &str) -> Self {
        Self {
            name: name.to_owned(),
            port: 0,
            filters,
            others: Vec::new(),
            routes,
            default_cluster: default_cluster.to_owned(),
            connection_buffer: None,
            body_buffer: Some(9 << 20),
            upgrades: Vec::new(),
            interim: false,
            timeout: TIMEOUT.to_owned(),
            idle_timeout: None,
            retries: None,
            upstream_headers: Vec::new(),
        }
    }

    pub(super) fn document(&self, folder: &Path) -> Value {
        let mut filters: Vec<Value> = self.filters.iter().map(|filter| filter.document(folder)).collect();
        for (before, other) in self.others.iter().rev() {
            filters.insert((*before).min(filters.len()), other.clone());
        }
        filters.push(json!({"name": "envoy.filters.http.router", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            "suppress_envoy_headers": true,
        }}));
        let manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": self.name,
            "generate_request_id": false,
            "proxy_100_continue": self.interim,
            "http_protocol_options": {"accept_http_10": true, "enable_trailers": true},
            "http2_protocol_options": {"allow_connect": true},
            "upgrade_configs": self.upgrades.iter().map(|name| json!({"upgrade_type": name})).collect::<Vec<_>>(),
            "http_filters": filters,
            "route_config": {"name": self.name, "virtual_hosts": [self.virtual_host()]},
        });
        let chain = json!({"filters": [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager},
        ]});
        let mut listener = json!({
            "name": self.name,
            "address": address(([127, 0, 0, 1], self.port).into()),
            "filter_chains": [chain],
        });
        if let Some(limit) = self.connection_buffer {
            listener["per_connection_buffer_limit_bytes"] = limit.into();
        }
        listener
    }

    fn virtual_host(&self) -> Value {
        let mut routes: Vec<Value> = self.routes.iter().map(Route::document).collect();
        if self.upgrades.iter().any(|name| name == "CONNECT") {
            routes.push(json!({"match": {"connect_matcher": {}}, "route": forward(&self.default_cluster)}));
        }
        let mut default = forward(&self.default_cluster);
        default["timeout"] = self.timeout.clone().into();
        if let Some(limit) = &self.idle_timeout {
            default["idle_timeout"] = limit.clone().into();
        }
        if let Some(times) = self.retries {
            default["retry_policy"] = json!({"retry_on": "5xx,reset,connect-failure", "num_retries": times});
        }
        routes.push(json!({"match": {"prefix": "/"}, "route": default}));
        let mut host = json!({"name": "all", "domains": ["*"], "routes": routes});
        let set = |(key, value): &(String, String)| json!({"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"});
        if !self.upstream_headers.is_empty() {
            host["request_headers_to_add"] = self.upstream_headers.iter().map(set).collect();
        }
        if let Some(limit) = self.body_buffer {
            host["request_body_buffer_limit"] = limit.into();
        }
        host
    }
}

impl Route {
    fn document(&self) -> Value {
        let exact = json!({"name": self.header, "string_match": {"exact": self.value}});
        json!({"match": {"prefix": "/", "headers": [exact]}, "route": forward(&self.cluster)})
    }
}

fn forward(cluster: &str) -> Value {
    json!({"cluster": cluster, "timeout": TIMEOUT})
}
