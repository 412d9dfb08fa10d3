//! A typed description of an Envoy configuration, and the bootstrap document that it becomes.

mod filter;
mod listener;

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

pub use filter::{Delivery, Filter, OnFailure};
pub use listener::{Listener, Route};

/// Everything that one Envoy runs with.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    /// The listeners.
    pub listeners: Vec<Listener>,
    /// Where they can send requests.
    pub clusters: Vec<Cluster>,
    /// Worker threads.
    pub concurrency: u32,
    /// Names that become labels when a metric carries them as `NAME=.=VALUE;.;`.
    pub stats_tags: Vec<String>,
    /// Metrics whose names end like this are not kept.
    pub stats_dropped: Vec<String>,
    /// The listeners come from a file that can be replaced while Envoy runs.
    pub listeners_from_file: bool,
}

/// One upstream address.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The name that routes use.
    pub name: String,
    /// Where it is; nothing where it has no endpoint at all.
    pub address: Option<SocketAddr>,
    /// Whether it is spoken to over HTTP/2.
    pub http2: bool,
}

/// The labels of the filter's metrics.
pub const STATS_TAGS: [&str; 16] = [
    "field",
    "outcome",
    "code",
    "plugin_type",
    "plugin_name",
    "extension_point",
    "model",
    "result",
    "tenant",
    "served",
    "plugin",
    "status",
    "commit",
    "build_ref",
    "source",
    "reason",
];

impl Bootstrap {
    /// Two workers and the labels of the filter; everything else is up to the caller.
    pub fn new(listeners: Vec<Listener>, clusters: Vec<Cluster>) -> Self {
        let stats_tags = STATS_TAGS.map(str::to_owned).to_vec();
        let stats_dropped = Vec::new();
        Self { listeners, clusters, concurrency: 2, stats_tags, stats_dropped, listeners_from_file: false }
    }

    /// The document, with the files that can be replaced in `folder`.
    pub fn document(&self, folder: &Path) -> Value {
        let mut document = json!({
            "node": {"id": "ipp-testharness", "cluster": "ipp-testharness"},
            "admin": {"address": address(([127, 0, 0, 1], 0).into())},
            "stats_flush_on_admin": true,
            "stats_config": {"stats_tags": self.stats_tags.iter().map(|name| tag(name)).collect::<Vec<_>>()},
            "static_resources": {"clusters": self.clusters.iter().map(Cluster::document).collect::<Vec<_>>()},
        });
        if !self.stats_dropped.is_empty() {
            let patterns: Vec<Value> = self.stats_dropped.iter().map(|end| json!({"suffix": end})).collect();
            document["stats_config"]["stats_matcher"] = json!({"exclusion_list": {"patterns": patterns}});
        }
        if self.listeners_from_file {
            let file = json!({"path": folder.join(LISTENERS_FILE)});
            let source = json!({"resource_api_version": "V3", "path_config_source": file});
            document["dynamic_resources"] = json!({"lds_config": source});
        } else {
            document["static_resources"]["listeners"] = self.listeners(folder).into();
        }
        document
    }

    /// What goes into the file of the listeners.
    pub fn listeners_file(&self, folder: &Path, version: u64) -> Value {
        let mut resources = self.listeners(folder);
        for resource in &mut resources {
            resource["@type"] = "type.googleapis.com/envoy.config.listener.v3.Listener".into();
        }
        json!({"version_info": version.to_string(), "resources": resources})
    }

    /// What goes into a file of the clusters.
    pub fn clusters_file(&self, version: u64) -> Value {
        let mut resources: Vec<Value> = self.clusters.iter().map(Cluster::document).collect();
        for resource in &mut resources {
            resource["@type"] = "type.googleapis.com/envoy.config.cluster.v3.Cluster".into();
        }
        json!({"version_info": version.to_string(), "resources": resources})
    }

    fn listeners(&self, folder: &Path) -> Vec<Value> {
        self.listeners.iter().map(|listener| listener.document(folder)).collect()
    }
}

/// The file that listeners come from, when they do.
pub const LISTENERS_FILE: &str = "listeners.json";

impl Cluster {
    /// An HTTP/1.1 cluster.
    pub fn new(name: &str, address: SocketAddr) -> Self {
        Self { name: name.to_owned(), address: Some(address), http2: false }
    }

    /// A cluster without an endpoint.
    pub fn empty(name: &str) -> Self {
        Self { name: name.to_owned(), address: None, http2: false }
    }

    /// Spoken to over HTTP/2.
    #[must_use]
    pub fn http2(mut self) -> Self {
        self.http2 = true;
        self
    }

    fn document(&self) -> Value {
        let endpoint = |known| json!({"endpoint": {"address": address(known)}});
        let endpoints: Vec<Value> = self.address.into_iter().map(endpoint).collect();
        let protocol = match self.http2 {
            true => json!({"http2_protocol_options": {"allow_connect": true}}),
            false => json!({"http_protocol_options": {"enable_trailers": true}}),
        };
        json!({
            "name": self.name,
            "type": "STATIC",
            "connect_timeout": "5s",
            "load_assignment": {"cluster_name": self.name, "endpoints": [{"lb_endpoints": endpoints}]},
            "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": protocol,
            }},
        })
    }
}

fn address(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}

/// Istio's template for tags in metric names.
fn tag(name: &str) -> Value {
    json!({"tag_name": name, "regex": format!(r"({name}=\.=(.*?);\.;)")})
}
