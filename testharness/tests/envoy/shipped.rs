//! The configurations of `envoy/`, as a user copies them.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use ipp_testharness::answer::Answer;
use ipp_testharness::artifacts;
use ipp_testharness::client::{Request, fetch};
use ipp_testharness::envoy::{Envoy, Launch};
use ipp_testharness::shipped::Shipped;
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::upstream::{Log, Upstream};
use ipp_testharness::wait::until;

use crate::support::exchange::assert_routing;
use crate::support::{CHAT, QWEN};

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A shipped configuration, running, with a recording server in place of each host.
struct Running {
    envoy: Envoy,
    address: SocketAddr,
    log: Log,
    _servers: Vec<Upstream>,
}

async fn run(file: &str, hosts: &[&str]) -> Result<Running> {
    let log = Log::new();
    let mut shipped = Shipped::load(file)?.module(&artifacts::module())?.on_loopback(ANY_PORT)?;
    let mut servers = Vec::new();
    for host in hosts {
        let server = Upstream::start(host, &log, |_| Answer::status(200))?;
        shipped = shipped.address(host, 8000, server.address())?;
        servers.push(server);
    }
    let launch = Launch { binary: artifacts::envoy(), concurrency: 2 };
    let envoy = Envoy::start_yaml(&launch, shipped.text()).await?;
    let address = envoy.address("llm").await?;
    Ok(Running { envoy, address, log, _servers: servers })
}

#[tokio::test]
async fn all_pass_envoys_validation() -> Result<()> {
    for file in ["multi-pool.yaml", "minimal.yaml", "gate.yaml", "live-models.yaml", "model-selection.yaml"] {
        let shipped = Shipped::load(file)?.module(&artifacts::module())?;
        Envoy::validate_yaml(&artifacts::envoy(), shipped.text()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn validation_would_find_a_mistake() -> Result<()> {
    let shipped = Shipped::load("multi-pool.yaml")?.module(&artifacts::module())?;
    let mistaken = shipped.text().replace("allow_on_headers_stop_iteration", "allow_on_headers_stop");
    assert!(Envoy::validate_yaml(&artifacts::envoy(), &mistaken).await.is_err());
    let mistaken = shipped.config("kind: Something")?;
    assert!(Envoy::validate_yaml(&artifacts::envoy(), mistaken.text()).await.is_err());
    Ok(())
}

#[tokio::test]
async fn minimal_routes_by_the_model() -> Result<()> {
    routes_by_the_model("minimal.yaml", Some("")).await
}

#[tokio::test]
async fn model_selection_chooses_and_stays() -> Result<()> {
    let running = run("model-selection.yaml", &["small.models.internal", "large.models.internal"]).await?;
    let rows = [
        (r#"{"model":"auto"}"#, "new", "small"),
        (r#"{"model":"large"}"#, "chat", "large"),
        // The session stays with what it was given, although the other one is cheaper.
        (r#"{"model":"auto"}"#, "chat", "large"),
        (r#"{}"#, "chat", "large"),
    ];
    for (row, (body, session, model)) in rows.into_iter().enumerate() {
        let row = row.to_string();
        let request = Request::post(CHAT, body).header("x-row", &row).header("x-session-id", session);
        let response = fetch(H1, running.address, &request).await?;
        assert_eq!(
            (response.status, response.headers.get("x-selected-model").as_deref()),
            (200, Some(model))
        );
        let arrived = running.log.arrival("x-row", &row).await?;
        assert_eq!(arrived.upstream, format!("{model}.models.internal"));
        assert_eq!(arrived.header("x-gateway-model-name").as_deref(), Some(model));
    }
    let unknown = fetch(H1, running.address, &Request::post(CHAT, r#"{"model":"gpt-4"}"#)).await?;
    assert_eq!(unknown.status, 404);
    let metrics = running.envoy.metrics("ipp_").await?;
    assert_eq!(metrics[r#"ipp_model_selected_total{model="large"}"#], 3.0);
    assert_eq!(metrics[r#"ipp_model_observations_total{model="large"}"#], 3.0);
    assert_eq!(metrics[r#"ipp_inflight{model="large"}"#], 0.0);
    for series in metrics.keys() {
        assert!(!series.contains("____"), "a label is still a part of the name: {series}");
    }
    running.envoy.assert_healthy().await;
    Ok(())
}

#[tokio::test]
async fn reader_and_gate_route_by_the_model() -> Result<()> {
    routes_by_the_model("gate.yaml", None).await
}

/// `base` is the header of the base model where the body names a model.
async fn routes_by_the_model(file: &str, base: Option<&str>) -> Result<()> {
    let running = run(file, &["my-model.models.internal", "default.models.internal"]).await?;
    let cases = [
        (r#"{"model":"my-model"}"#, "my-model.models.internal", Some("my-model"), base),
        (r#"{"model":"other"}"#, "default.models.internal", Some("other"), base),
        (r#"{}"#, "default.models.internal", None, None),
    ];
    for (row, (body, server, model, base)) in cases.into_iter().enumerate() {
        let row = row.to_string();
        let request =
            Request::post(CHAT, body).header("x-row", &row).header("x-gateway-model-name", "my-model");
        assert_eq!(fetch(H1, running.address, &request).await?.status, 200);
        let arrived = running.log.arrival("x-row", &row).await?;
        assert_eq!(arrived.upstream, server);
        assert_routing(&arrived, model, base);
    }
    running.envoy.assert_healthy().await;
    Ok(())
}

/// A body of exactly `size` bytes for `sql-lora`.
fn body(size: usize) -> String {
    let frame = r#"{"x":"","model":"sql-lora"}"#;
    frame.replacen(r#""x":"""#, &format!(r#""x":"{}""#, "x".repeat(size - frame.len())), 1)
}

/// Envoy's limits and the filter's agree: it is never Envoy that refuses a body.
#[tokio::test]
async fn the_limits_of_both_agree() -> Result<()> {
    let all = ["llama.models.internal", "qwen.models.internal", "default.models.internal"];
    let two = ["my-model.models.internal", all[2]];
    for (file, hosts) in [("multi-pool.yaml", &all[..]), ("minimal.yaml", &two), ("gate.yaml", &two)] {
        let running = run(file, hosts).await?;
        for protocol in [H1, H2] {
            for chunked in [false, true] {
                let request = |size| {
                    let request = Request::post(CHAT, body(size));
                    if chunked { request.chunked(&[]) } else { request }
                };
                let response = fetch(protocol, running.address, &request(8 << 20)).await?;
                assert_eq!(
                    response.status,
                    200,
                    "{file} {protocol:?} chunked {chunked}: {}",
                    response.text()
                );
                let response = fetch(protocol, running.address, &request((8 << 20) + 1)).await?;
                assert_eq!(response.status, 413);
                assert_eq!(response.json()["error"]["code"], "body_too_large", "{}", response.text());
            }
        }
        assert_eq!(running.log.all().len(), 4);
        running.envoy.assert_healthy().await;
    }
    Ok(())
}

#[tokio::test]
async fn multi_pool_labels_its_metrics_and_logs_what_it_decided() -> Result<()> {
    let hosts = ["llama.models.internal", "qwen.models.internal", "default.models.internal"];
    let running = run("multi-pool.yaml", &hosts).await?;
    let request = Request::post(CHAT, body(100)).header("x-gateway-model-name", "forged");
    assert_eq!(fetch(H1, running.address, &request).await?.status, 200);
    fetch(H1, running.address, &Request::post(CHAT, "{")).await?;
    let base = format!(r#""base":"{QWEN}""#);
    let metrics = running.envoy.metrics("ipp_").await?;
    assert_eq!(metrics[r#"ipp_requests_total{outcome="processed"}"#], 1.0);
    assert_eq!(metrics[r#"ipp_rejections_total{code="invalid_json"}"#], 1.0);
    for series in metrics.keys() {
        assert!(!series.contains("____"), "a label is still a part of the name: {series}");
    }
    for parts in [
        &[
            r#""status":200"#,
            r#""details":"via_upstream""#,
            r#""model":"sql-lora""#,
            r#""in":100"#,
            &base,
            r#""cluster":"qwen-pool""#,
            r#""outcome":"ok""#,
        ][..],
        &[
            r#""status":400"#,
            r#""details":"ipp_invalid_json""#,
            r#""model":null"#,
            r#""base":null"#,
            r#""outcome":null"#,
        ],
    ] {
        let found = async || {
            let log = running.envoy.stdout()?;
            Ok(log.lines().any(|line| parts.iter().all(|part| line.contains(part))).then_some(()))
        };
        until(&format!("{parts:?} in the access log"), found).await?;
    }
    running.envoy.assert_healthy().await;
    Ok(())
}

#[tokio::test]
async fn live_models_follows_the_config_maps() -> Result<()> {
    let log = Log::new();
    let map = |base: &str| {
        let data = serde_json::json!({"baseModel": base, "adapters": "- sql-lora"});
        let labels = serde_json::json!({"inference.llm-d.ai/ipp-managed": "true"});
        let item = serde_json::json!({"metadata": {"namespace": "llm", "name": "qwen", "labels": labels}, "data": data});
        serde_json::json!({"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {}, "items": [item]})
    };
    let proxy = Upstream::start("kubectl proxy", &Log::new(), move |request| {
        let path = "/api/v1/namespaces/llm/configmaps?labelSelector=inference.llm-d.ai%2Fipp-managed%3Dtrue";
        let right = request.path == path && request.header("host").as_deref() == Some("localhost");
        if right { Answer::json(200, &map(QWEN)) } else { Answer::status(403) }
    })?;
    let mut shipped =
        Shipped::load("live-models.yaml")?.module(&artifacts::module())?.on_loopback(ANY_PORT)?;
    shipped = shipped.address("kube-proxy.llm.svc.cluster.local", 8001, proxy.address())?;
    let mut servers = Vec::new();
    for host in ["qwen.models.internal", "default.models.internal"] {
        let server = Upstream::start(host, &log, |_| Answer::status(200))?;
        shipped = shipped.address(host, 8000, server.address())?;
        servers.push(server);
    }
    let launch = Launch { binary: artifacts::envoy(), concurrency: 2 };
    let envoy = Envoy::start_yaml(&launch, shipped.text()).await?;
    let address = envoy.address("llm").await?;
    until("the models", async || {
        Ok((fetch(H1, address, &Request::post(CHAT, body(100))).await?.status == 200).then_some(()))
    })
    .await?;
    let arrived = log.all();
    assert!(arrived.iter().all(|arrived| arrived.upstream == "qwen.models.internal"), "{arrived:?}");
    envoy.assert_healthy().await;
    Ok(())
}
