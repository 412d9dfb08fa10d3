//! What Envoy is told: once when it starts, and the clusters and the listener of each recording.

use std::path::Path;

use serde_json::{Value, json};

use crate::bootstrap::{Bootstrap, Cluster, Filter, Listener, Route};
use crate::recording::document::parse;
use crate::recording::{DEFAULT_CLUSTER, Plan, Recording, Routing};
use crate::replay::engine::Role;

/// The listener of the recording that runs, and the prefix of its statistics.
pub(super) const LISTENER: &str = "replay";

/// The listener that answers pings.
pub(super) const PING: &str = "ping";

/// The file that clusters come from.
pub(super) const CLUSTERS_FILE: &str = "clusters.json";

/// The field by which servers know whose request they got: the client's port. Set behind the filter, it is none of what
/// the filter has seen or done.
pub(super) const TAG: &str = "x-ipp-replay-client";

/// What a request's body may take while it is held, beyond what the filter reads: one read from the socket.
const ONE_READ: u64 = 1 << 20;

/// Where the filter stops reading unless its configuration says otherwise.
const USUAL_MOST: u64 = 8 << 20;

/// What Envoy starts with: nothing but a listener for pings. Clusters and listeners come from files in `folder`.
///
/// With `keep`, a VM that never runs keeps the compiled module, so that the VMs of recordings need not compile it again.
/// It may not even be configured: then it would keep the metrics, too.
pub(super) fn bootstrap(folder: &Path, module: &Path, keep: bool) -> Value {
    let mut base = Bootstrap::new(Vec::new(), Vec::new());
    base.listeners_from_file = true;
    let mut document = base.document(folder);
    let file = json!({"path": folder.join(CLUSTERS_FILE)});
    document["dynamic_resources"]["cds_config"] =
        json!({"resource_api_version": "V3", "path_config_source": file});
    document["static_resources"]["listeners"] = json!([ping()]);
    if keep {
        let names = ["_initialize", "_start", "malloc", "proxy_on_memory_allocate"];
        let allowed: Value = names.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
        document["bootstrap_extensions"] = json!([{"name": "envoy.bootstrap.wasm", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.wasm.v3.WasmService",
            "singleton": true,
            "config": {"name": "keep", "root_id": "keep", "vm_config": {
                "vm_id": "keep",
                "runtime": "envoy.wasm.runtime.v8",
                "code": {"local": {"filename": module}},
                "capability_restriction_config": {"allowed_capabilities": allowed},
            }},
        }}]);
    }
    document
}

fn ping() -> Value {
    let route = json!({"match": {"prefix": "/"}, "direct_response": {"status": 200}});
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": PING,
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
        }}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
    });
    json!({
        "name": PING,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager},
        ]}],
    })
}

/// No clusters and no listeners.
pub(super) fn nothing(version: u64) -> Value {
    json!({"version_info": version.to_string(), "resources": []})
}

/// The clusters, each with the name of its statistics.
pub(super) fn clusters(clusters: impl Iterator<Item = (Cluster, String)>, version: u64) -> Value {
    let (clusters, names): (Vec<_>, Vec<_>) = clusters.unzip();
    let mut file = Bootstrap::new(Vec::new(), clusters).clusters_file(version);
    for (at, name) in names.into_iter().enumerate() {
        file["resources"][at]["alt_stat_name"] = name.into();
    }
    file
}

/// The listener of a recording, with the filter in a VM that no other recording has.
pub(super) fn listener(
    recording: &Recording,
    role: Role,
    folder: &Path,
    module: &Path,
    version: u64,
) -> Value {
    let filter = Filter::new(module, &recording.config.text).in_vm(&format!("replay-{version}"));
    let filters = match (role, &recording.plan) {
        // What is to be refused stays as it is, so that the places in the message do.
        (Role::Direct, _) | (_, Plan::ConfigError(_)) => vec![filter],
        (Role::Gate, Plan::Exchanges(_)) => filter.pair(),
    };
    let mut listener = Listener::new(LISTENER, filters, routes(&recording.routing), DEFAULT_CLUSTER);
    let most = most_read(&recording.config.text).unwrap_or_default().max(USUAL_MOST);
    listener.body_buffer = Some(most.saturating_add(ONE_READ));
    listener.upstream_headers = vec![(TAG.to_owned(), "%DOWNSTREAM_REMOTE_PORT%".to_owned())];
    Bootstrap::new(vec![listener], Vec::new()).listeners_file(folder, version)
}

fn routes(routing: &Routing) -> Vec<Route> {
    let mapped = routing.values.iter().map(|(value, cluster)| (value, cluster));
    let named = routing.clusters.iter().map(|cluster| (cluster, cluster));
    mapped.chain(named).map(|(value, cluster)| Route::new(&routing.header, value, cluster)).collect()
}

/// `proxyWasm.requestBody.maxBytes`.
fn most_read(config: &str) -> Option<u64> {
    parse(config).ok()?.get("proxyWasm")?.get("requestBody")?.get("maxBytes")?.as_integer()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_limit_of_the_filter_is_found() {
        for (config, most) in [
            ("proxyWasm: {requestBody: {maxBytes: 20000000}}", Some(20_000_000)),
            (r#"{"proxyWasm": {"requestBody": {"maxBytes": 5}}}"#, Some(5)),
            ("proxyWasm: {requestBody: {maxBytes: many}}", None),
            ("plugins: []", None),
            ("[", None),
        ] {
            assert_eq!(most_read(config), most, "{config}");
        }
    }
}
