//! How Envoy runs that records: everything passes as it comes, and a copy goes into files.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::ended::{FORMAT, ID, ID_FORMAT};
use super::{LISTENER, Target};

/// The access log in its folder.
pub(super) const ACCESS_LOG: &str = "access.log";

/// What the names of traces begin with.
pub(super) const TRACE: &str = "trace";

/// The name of the cluster.
const SERVER: &str = "server";

/// No piece of a body is as long.
const NO_LIMIT: u32 = 1 << 30;

/// Where systems keep the certificates that they trust.
const AUTHORITIES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The document. What is recorded goes into the folder.
pub(super) fn document(listen: SocketAddr, target: &Target, folder: &Path) -> Result<Value> {
    let socket = |host: &str, port: u16| json!({"socket_address": {"address": host, "port_value": port}});
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": LISTENER,
        // Nothing is added, changed or timed out that the server does not do itself.
        "generate_request_id": false,
        "preserve_external_request_id": true,
        "server_header_transformation": "PASS_THROUGH",
        "stream_idle_timeout": "0s",
        "http_protocol_options": {"accept_http_10": true, "enable_trailers": true},
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "access_log": [access_log(folder)],
        "http_filters": [number(), tap(folder), router()],
        "route_config": {"virtual_hosts": [{"name": SERVER, "domains": ["*"], "routes": [{
            "match": {"prefix": "/"},
            // An answer that is packed makes a recording that nobody can read.
            "request_headers_to_remove": [ID, "accept-encoding"],
            "route": {"cluster": SERVER, "timeout": "0s", "host_rewrite_literal": target.authority()},
        }]}]},
    });
    let listener = json!({
        "name": LISTENER,
        "address": socket(&listen.ip().to_string(), listen.port()),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    });
    let endpoint = json!({"endpoint": {"address": socket(&target.host, target.port)}});
    let mut cluster = json!({
        "name": SERVER,
        "type": if target.address().is_some() { "STATIC" } else { "LOGICAL_DNS" },
        "dns_lookup_family": "V4_PREFERRED",
        "connect_timeout": "10s",
        "load_assignment": {"cluster_name": SERVER, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http_protocol_options": {"enable_trailers": true}},
        }},
    });
    if target.tls {
        cluster["transport_socket"] = tls(target)?;
    }
    Ok(json!({
        "admin": {"address": socket("127.0.0.1", 0)},
        "stats_flush_on_admin": true,
        "static_resources": {"listeners": [listener], "clusters": [cluster]},
    }))
}

fn access_log(folder: &Path) -> Value {
    json!({"name": "file", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
        "path": folder.join(ACCESS_LOG),
        "log_format": {"text_format_source": {"inline_string": format!("{ID_FORMAT} {FORMAT}\n")}},
    }})
}

/// Gives each request its number.
fn number() -> Value {
    json!({"name": "number", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
        "mutations": {"request_mutations": [{"append": {
            "header": {"key": ID, "value": ID_FORMAT},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }}]},
    }})
}

fn tap(folder: &Path) -> Value {
    json!({"name": "tap", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.tap.v3.Tap",
        "record_headers_received_time": true,
        "common_config": {"static_config": {
            "match": {"any_match": true},
            "output_config": {
                // Otherwise headers are written as they are in the end: without what the route removes.
                "streaming": true,
                "max_buffered_rx_bytes": NO_LIMIT,
                "max_buffered_tx_bytes": NO_LIMIT,
                "sinks": [{"format": "JSON_BODY_AS_BYTES", "file_per_tap": {"path_prefix": folder.join(TRACE)}}],
            },
        }},
    }})
}

fn router() -> Value {
    json!({"name": "router", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
        "suppress_envoy_headers": true,
    }})
}

fn tls(target: &Target) -> Result<Value> {
    let kind = if target.address().is_some() { "IP_ADDRESS" } else { "DNS" };
    let mut context = json!({
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "common_tls_context": {"validation_context": {
            "trusted_ca": {"filename": authorities()?},
            "match_typed_subject_alt_names": [{"san_type": kind, "matcher": {"exact": target.host}}],
        }},
    });
    // The name of a server is never an address.
    if target.address().is_none() {
        context["sni"] = target.host.clone().into();
    }
    Ok(json!({"name": "tls", "typed_config": context}))
}

/// The file with the certificates that are trusted.
fn authorities() -> Result<PathBuf> {
    let given = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let known = given.into_iter().chain(AUTHORITIES.map(PathBuf::from)).find(|file| file.is_file());
    known.context(
        "no certificates of authorities were found on this system; SSL_CERT_FILE says where they are",
    )
}
