//! Live mappings: what the chart renders for them, with an API server behind the cluster that it names.

use anyhow::{Context, Result};
use ipp_testharness::answer::Answer;
use ipp_testharness::client::{Request, fetch};
use ipp_testharness::upstream::Protocol::H1;
use ipp_testharness::wait::until;
use serde_json::{Value, json};

use crate::case::Case;
use crate::samples::{CHAT, body};
use crate::suite::assemble;

const QWEN: &str = "Qwen/Qwen2.5-1.5B-Instruct";

/// `source` of the first plugin that attaches anything.
fn source(case: &Case) -> Result<Value> {
    let attached = case.objects.iter().find_map(|object| match object["kind"].as_str()? {
        "WasmPlugin" => object.pointer("/spec/pluginConfig"),
        "EnvoyFilter" => object.get("parsed"),
        "EnvoyExtensionPolicy" => object.pointer("/spec/wasm/0/config"),
        _ => None,
    });
    let plugins = attached.context("a configuration")?["plugins"].as_array().context("plugins")?;
    let mapper = plugins.iter().find(|it| it["type"] == "base-model-to-header").context("the plugin")?;
    Ok(mapper["parameters"]["source"].clone())
}

fn list() -> String {
    json!({"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {"resourceVersion": "7"}, "items": [{
        "metadata": {
            "name": "qwen", "namespace": "inference", "uid": "1", "resourceVersion": "5",
            "creationTimestamp": "2026-11-01T00:00:00Z",
            "labels": {"inference.llm-d.ai/ipp-managed": "true"},
        },
        "data": {"baseModel": QWEN, "adapters": "- sql-lora\n"},
    }]})
    .to_string()
}

async fn run(name: &str) -> Result<()> {
    let case = Case::load(name)?;
    let source = source(&case)?;
    let cluster = source["cluster"].as_str().context("source.cluster")?.to_owned();
    let mut gateway = assemble(&case)?;
    gateway.serve(&cluster, || Answer::body(200, "application/json", list()));
    let running = gateway.run().await?;
    let request = || Request::post(CHAT, body("sql-lora", 300));
    until("the mapping to be read", async || {
        let before = running.log.all().len();
        let status = fetch(H1, running.address, &request()).await?.status;
        let all = running.log.all();
        Ok((status == 200 && all.iter().skip(before).any(|it| it.upstream == "qwen-pool")).then_some(()))
    })
    .await?;
    let asked = running.log.all().into_iter().find(|it| it.upstream == cluster).context("nobody asked")?;
    assert_eq!(asked.method, "GET");
    assert_eq!(Some(asked.path.as_str()), source["path"].as_str());
    assert_eq!(asked.header("host").as_deref(), source["authority"].as_str());
    running.envoy.assert_healthy().await;
    Ok(())
}

#[tokio::test]
async fn istio_reads_them_over_the_proxys_service() -> Result<()> {
    run("chart-istio-live").await
}

#[tokio::test]
async fn so_does_direct_mode() -> Result<()> {
    run("chart-istio-envoyfilter-live").await
}

#[tokio::test]
async fn envoy_gateway_reads_them_over_the_patched_cluster() -> Result<()> {
    let case = Case::load("chart-envoy-gateway-live")?;
    let patch = &case.of_kind("EnvoyPatchPolicy").next().context("the patch")?["spec"]["jsonPatches"][0];
    assert_eq!(patch["operation"]["value"]["name"], source(&case)?["cluster"]);
    run("chart-envoy-gateway-live").await
}
