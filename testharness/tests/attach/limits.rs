//! Why the buffer limits are there, and that those of each way agree with the filter's.

use anyhow::Result;
use ipp_testharness::client::{Request, fetch};
use ipp_testharness::upstream::Protocol::{H1, H2};
use serde_json::json;

use crate::case::Case;
use crate::gateway::Running;
use crate::samples::{CHAT, body};
use crate::suite::assemble;

/// The limits of a gateway agree with the filter's: it is never Envoy that refuses a body.
pub(crate) async fn agree(running: &Running) -> Result<()> {
    for protocol in [H1, H2] {
        let full = Request::post(CHAT, body("sql-lora", 8 << 20));
        let response = fetch(protocol, running.address, &full).await?;
        assert_eq!(response.status, 200, "{protocol:?}: {}", response.text());
        let over = Request::post(CHAT, body("sql-lora", (8 << 20) + 1));
        let response = fetch(protocol, running.address, &over).await?;
        assert_eq!(response.status, 413, "{protocol:?}");
        assert_eq!(response.json()["error"]["code"], "body_too_large", "{}", response.text());
    }
    Ok(())
}

#[tokio::test]
async fn without_the_limit_objects_envoy_refuses_larger_bodies() -> Result<()> {
    let istio = Case::load("istio-envoyfilter")?.without("payload-processor-limits")?;
    let mut gateway = Case::load("envoy-gateway-direct")?;
    gateway.objects.retain(|object| object["kind"] != "ClientTrafficPolicy");
    for (case, size) in [(istio, 5 << 20), (gateway, 100_000)] {
        let running = assemble(&case)?.run().await?;
        let response = fetch(H1, running.address, &Request::post(CHAT, body("sql-lora", size))).await?;
        assert_eq!((response.status, response.text().as_str()), (413, "Payload Too Large"), "{}", case.name);
    }
    Ok(())
}

#[tokio::test]
async fn the_limit_of_the_virtual_host_needs_a_catch_all_that_forwards() -> Result<()> {
    for direct_response in [false, true] {
        let mut gateway = assemble(&Case::load("istio-envoyfilter")?)?;
        let routes = gateway.routes()?;
        let catch_all = routes.pop();
        assert_eq!(catch_all.map(|it| it["match"].clone()), Some(json!({"prefix": "/", "headers": []})));
        if direct_response {
            routes.push(json!({"match": {"prefix": "/"}, "direct_response": {"status": 404}}));
        }
        let running = gateway.run().await?;
        let response = fetch(H1, running.address, &Request::post(CHAT, body("sql-lora", 5 << 20))).await?;
        assert_eq!((response.status, response.text().as_str()), (413, "Payload Too Large"));
        let response = fetch(H1, running.address, &Request::post(CHAT, body("sql-lora", 500))).await?;
        assert_eq!(response.status, 200, "a small one finds its route");
    }
    Ok(())
}

#[tokio::test]
async fn the_listener_limit_serves_where_the_virtual_host_has_none() -> Result<()> {
    let mut gateway = assemble(&Case::load("istio-envoyfilter")?.without("payload-processor-limits")?)?;
    gateway.listener["per_connection_buffer_limit_bytes"] = json!(9_437_184);
    let running = gateway.run().await?;
    let response = fetch(H1, running.address, &Request::post(CHAT, body("sql-lora", 8 << 20))).await?;
    assert_eq!(response.status, 200, "{}", response.text());
    Ok(())
}
