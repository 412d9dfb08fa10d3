//! What `docs/migrate-from-ext-proc.md` says of a mirror: a gateway with the filter gets a copy of what another gateway,
//! which has set the same headers itself, sends on.

use anyhow::Result;
use ipp_testharness::answer::Answer;
use ipp_testharness::artifacts;
use ipp_testharness::client::{Request, fetch};
use ipp_testharness::envoy::{Envoy, Launch};
use ipp_testharness::shipped::Shipped;
use ipp_testharness::upstream::Protocol::H1;
use ipp_testharness::upstream::{Log, Upstream};
use serde_json::json;

use crate::support::exchange::assert_routing;
use crate::support::{CHAT, QWEN};

/// A gateway whose processor has set both headers, and that mirrors to another one.
fn old_gateway(server: std::net::SocketAddr, mirror: std::net::SocketAddr) -> String {
    let cluster = |name: &str, at: std::net::SocketAddr| {
        let address = json!({"socket_address": {"address": at.ip().to_string(), "port_value": at.port()}});
        json!({"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name, "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": address}}]}
        ]}})
    };
    let set = |key: &str, value: &str| json!({"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"});
    let route = json!({
        "match": {"prefix": "/"},
        "route": {"cluster": "pool", "request_mirror_policies": [{"cluster": "new-gateway"}]},
        "request_headers_to_add": [set("x-gateway-model-name", "of-the-service"), set("x-gateway-base-model-name", "of-the-service")],
    });
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "old",
        "use_remote_address": true,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
        }}],
    });
    let loopback = json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}});
    json!({
        "admin": {"address": loopback},
        "static_resources": {
            "listeners": [{"name": "llm", "address": loopback, "filter_chains": [{"filters": [{
                "name": "envoy.filters.network.http_connection_manager", "typed_config": manager
            }]}]}],
            "clusters": [cluster("pool", server), cluster("new-gateway", mirror)],
        },
    })
    .to_string()
}

#[tokio::test]
async fn a_mirrored_copy_gets_the_filters_own_headers_and_keeps_its_request_id() -> Result<()> {
    let log = Log::new();
    let launch = Launch { binary: artifacts::envoy(), concurrency: 1 };
    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let mut shipped = Shipped::load("multi-pool.yaml")?.module(&artifacts::module())?.on_loopback(any)?;
    let mut pools = Vec::new();
    for host in ["llama.models.internal", "qwen.models.internal", "default.models.internal"] {
        let pool = Upstream::start(host, &log, |_| Answer::status(200))?;
        shipped = shipped.address(host, 8000, pool.address())?;
        pools.push(pool);
    }
    // At the edge Envoy gives every request an id of its own, unless it is told not to.
    let edge = "use_remote_address: true";
    assert!(shipped.text().contains(edge));
    let keeps = shipped
        .text()
        .replace(edge, "use_remote_address: true\n          preserve_external_request_id: true");
    let new = Envoy::start_yaml(&launch, &keeps).await?;
    // The two are told apart by their own logs, since both see the same fields.
    let old_log = Log::new();
    let server = Upstream::start("old", &old_log, |_| Answer::status(200))?;
    let old = Envoy::start_yaml(&launch, &old_gateway(server.address(), new.address("llm").await?)).await?;

    let request = Request::post(CHAT, r#"{"model":"sql-lora"}"#).header("x-row", "1");
    assert_eq!(fetch(H1, old.address("llm").await?, &request).await?.status, 200);
    let original = old_log.arrival("x-row", "1").await?;
    assert_routing(&original, Some("of-the-service"), Some("of-the-service"));
    let copy = log.arrival("x-row", "1").await?;
    assert_eq!(copy.upstream, "qwen.models.internal");
    assert_routing(&copy, Some("sql-lora"), Some(QWEN));
    assert_eq!(copy.body, original.body);
    let id = original.headers.get("x-request-id");
    assert!(id.is_some());
    assert_eq!(copy.headers.get("x-request-id"), id);
    old.assert_healthy().await;
    new.assert_healthy().await;
    Ok(())
}
