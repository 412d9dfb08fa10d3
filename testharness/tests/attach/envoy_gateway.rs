//! What Envoy Gateway makes of EnvoyExtensionPolicies, ClientTrafficPolicies and EnvoyPatchPolicies.
//!
//! After `internal/xds/translator/wasm.go` and `listener.go` there: one filter for each entry, named after its policy and
//! its place, with the name as the VM's id, so that no two share a VM; switched off, and switched on by every route that
//! the policy reaches; 32 KiB for a connection and 64 KiB for a stream unless a policy says otherwise.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::case::{Case, name_of, text};
use crate::gateway::{Gateway, PICKER, WASM, local_code};
use crate::json_patch;

/// The gateway with everything that the case attaches to it.
pub(crate) fn assemble(case: &Case) -> Result<Gateway> {
    let mut gateway = Gateway::new(case)?;
    gateway.listener["per_connection_buffer_limit_bytes"] = json!(32768);
    gateway.manager()["http2_protocol_options"] =
        json!({"initial_stream_window_size": 65536, "initial_connection_window_size": 1_048_576});
    for policy in case.of_kind("EnvoyExtensionPolicy") {
        attach(&mut gateway, policy)?;
    }
    for policy in case.of_kind("ClientTrafficPolicy") {
        let spec = &policy["spec"];
        gateway.listener["per_connection_buffer_limit_bytes"] = spec["connection"]["bufferLimit"].clone();
        gateway.manager()["http2_protocol_options"] = json!({
            "initial_stream_window_size": spec["http2"]["initialStreamWindowSize"],
            "initial_connection_window_size": spec["http2"]["initialConnectionWindowSize"],
        });
    }
    for policy in case.of_kind("EnvoyPatchPolicy") {
        let (namespace, _) = name_of(policy)?;
        let listener = format!("{namespace}/inference-gateway/http");
        for patch in policy["spec"]["jsonPatches"].as_array().context("patches")? {
            if patch["type"] == "type.googleapis.com/envoy.config.cluster.v3.Cluster" {
                // Its server is the test's: see live.rs.
                continue;
            }
            ensure!(patch["name"] == listener.as_str(), "Envoy Gateway has no listener {}", patch["name"]);
            json_patch::apply(&mut gateway.listener, &patch["operation"])?;
        }
    }
    Ok(gateway)
}

fn attach(gateway: &mut Gateway, policy: &Value) -> Result<()> {
    let (namespace, policy_name) = name_of(policy)?;
    ensure!(policy["spec"]["targetRefs"][0]["kind"] == "Gateway", "it attaches to nothing: {policy}");
    for (place, entry) in policy["spec"]["wasm"].as_array().context("wasm")?.iter().enumerate() {
        ensure!(text(entry, "/code/image/url")?.contains("@sha256:"), "the address has no digest");
        let id = format!("envoyextensionpolicy/{namespace}/{policy_name}/wasm/{place}");
        let name = format!("envoy.filters.http.wasm/{id}");
        let filter = json!({"name": name, "disabled": true, "typed_config": {"@type": WASM, "config": {
            "name": entry["name"],
            "root_id": entry["rootID"],
            "fail_open": entry["failOpen"],
            "configuration": {
                "@type": "type.googleapis.com/google.protobuf.StringValue",
                "value": entry["config"].to_string(),
            },
            "vm_config": {"vm_id": id, "runtime": "envoy.wasm.runtime.v8", "code": local_code()},
        }}});
        let before = gateway.place(PICKER)?;
        gateway.filters()?.insert(before, filter);
        for route in gateway.routes()? {
            let on = json!({"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}});
            route["typed_per_filter_config"][&name] = on;
        }
    }
    Ok(())
}
