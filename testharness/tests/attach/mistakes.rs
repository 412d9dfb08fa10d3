//! The suite would notice what it is for: a pair in the wrong order, a missing part, a place behind the picker.

use anyhow::Result;
use ipp_testharness::client::{Request, fetch};
use ipp_testharness::upstream::Protocol::H1;
use serde_json::json;

use crate::case::Case;
use crate::gateway::{Gateway, PICKER};
use crate::samples::{CHAT, body};
use crate::suite::assemble;

/// Where the request for an adapter arrives, and what the picker saw.
async fn adapter(gateway: Gateway) -> Result<(String, Option<String>)> {
    let running = gateway.run().await?;
    let request = Request::post(CHAT, body("sql-lora", 300)).header("x-case", "adapter");
    fetch(H1, running.address, &request).await?;
    let arrived = running.log.arrival("x-case", "adapter").await?;
    Ok((arrived.upstream.clone(), arrived.header("x-picker-saw").filter(|it| !it.is_empty())))
}

#[tokio::test]
async fn behind_the_picker_its_filter_sees_nothing() -> Result<()> {
    let mut gateway = assemble(&Case::load("istio-envoyfilter")?)?;
    let ipp = gateway.filters()?.remove(0);
    let place = gateway.place(PICKER)? + 1;
    gateway.filters()?.insert(place, ipp);
    let (pool, saw) = adapter(gateway).await?;
    assert_eq!((pool.as_str(), saw), ("qwen-pool", None));
    Ok(())
}

#[tokio::test]
async fn a_gate_before_its_reader_decides_nothing_and_shows_in_the_metrics() -> Result<()> {
    let mut case = Case::load("istio-wasmplugin")?;
    for plugin in case.objects.iter_mut().filter(|object| object["kind"] == "WasmPlugin") {
        let priority = plugin["spec"]["priority"].as_i64();
        plugin["spec"]["priority"] = json!(-priority.expect("a priority"));
    }
    let running = assemble(&case)?.run().await?;
    let request = Request::post(CHAT, body("sql-lora", 300)).header("x-case", "swapped");
    let request = request.header("x-gateway-base-model-name", "Qwen/Qwen2.5-1.5B-Instruct");
    assert_eq!(fetch(H1, running.address, &request).await?.status, 200);
    let arrived = running.log.arrival("x-case", "swapped").await?;
    assert_eq!(
        (arrived.upstream.as_str(), arrived.header("x-gateway-base-model-name")),
        ("default-pool", None)
    );
    let metrics = running.envoy.metrics("ipp_gate_missing_total").await?;
    assert_eq!(metrics.values().copied().collect::<Vec<_>>(), [1.0], "{metrics:?}");
    Ok(())
}

#[tokio::test]
async fn a_policy_for_routes_that_do_not_match_does_nothing() -> Result<()> {
    // Envoy Gateway switches the filter on per route, and the route of the first match decides: the catch-all.
    let mut gateway = assemble(&Case::load("envoy-gateway-direct")?)?;
    let catch_all = gateway.routes()?.last_mut().expect("routes");
    catch_all["typed_per_filter_config"] = json!({});
    assert_eq!(adapter(gateway).await?.0, "default-pool");
    Ok(())
}
