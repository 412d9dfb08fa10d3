//! What istiod makes of WasmPlugins, TrafficExtensions and EnvoyFilters.
//!
//! After `pilot/pkg/model/extensions.go` and `pilot/pkg/networking/core/listener_builder.go`: a plugin's filter is named
//! NAMESPACE.NAME and only refers to a configuration that comes apart (ECDS); plugins stand in the order of their phase,
//! then of falling priority; `pluginName` is the root id; the configuration is JSON in a StringValue; the VM's id is
//! empty, so that all plugins of one module share a VM.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};

use crate::case::{Case, name_of, text};
use crate::gateway::{Gateway, MANAGER, PICKER, WASM, local_code};

/// The gateway with everything that the case attaches to it.
pub(crate) fn assemble(case: &Case) -> Result<Gateway> {
    let mut gateway = Gateway::new(case)?;
    let mut plugins = Vec::new();
    for object in case.of_kind("WasmPlugin").chain(case.of_kind("TrafficExtension")) {
        ensure!(object["spec"]["targetRefs"][0]["kind"] == "Gateway", "it attaches to nothing: {object}");
        let phase = object["spec"]["phase"].as_str().unwrap_or("UNSPECIFIED");
        ensure!(phase.starts_with("UNSPECIFIED"), "the pair belongs into the default phase: {object}");
        plugins.push((object["spec"]["priority"].as_i64().unwrap_or(0), object));
    }
    plugins.sort_by_key(|(priority, _)| std::cmp::Reverse(*priority));
    for (_, object) in plugins {
        let (namespace, name) = name_of(object)?;
        let resource = format!("{namespace}.{name}");
        let spec = if object["kind"] == "WasmPlugin" { &object["spec"] } else { &object["spec"]["wasm"] };
        gateway.extensions.push((resource.clone(), plugin(&resource, spec)?));
        let place = gateway.place(PICKER)?;
        gateway.filters()?.insert(place, discovered(&resource));
    }
    for object in case.of_kind("EnvoyFilter") {
        ensure!(object["spec"]["targetRefs"][0]["kind"] == "Gateway", "it attaches to nothing: {object}");
        for patch in object["spec"]["configPatches"].as_array().context("an EnvoyFilter has patches")? {
            apply(&mut gateway, patch)?;
        }
    }
    Ok(gateway)
}

/// A plugin's typed configuration, as Envoy gets it behind Istio's agent.
fn plugin(resource: &str, spec: &Value) -> Result<Value> {
    ensure!(text(spec, "/url")?.contains("@sha256:"), "the address has no digest");
    let policy = match text(spec, "/failStrategy")? {
        "FAIL_RELOAD" => "FAIL_RELOAD",
        other => bail!("failStrategy {other}"),
    };
    Ok(json!({"@type": WASM, "config": {
        "name": resource,
        "root_id": spec["pluginName"],
        "failure_policy": policy,
        "configuration": {
            "@type": "type.googleapis.com/google.protobuf.StringValue",
            "value": spec["pluginConfig"].to_string(),
        },
        "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": local_code()},
    }}))
}

fn discovered(resource: &str) -> Value {
    json!({"name": resource, "config_discovery": {"config_source": {"ads": {}}, "type_urls": [WASM]}})
}

fn apply(gateway: &mut Gateway, patch: &Value) -> Result<()> {
    ensure!(patch["match"]["context"] == "GATEWAY", "it is not for gateways: {patch}");
    let operation = text(patch, "/patch/operation")?;
    let mut value = patch["patch"]["value"].clone();
    match (text(patch, "/applyTo")?, operation) {
        ("EXTENSION_CONFIG", "ADD") => {
            let vm = value.pointer_mut("/typed_config/config/vm_config").context("a vm_config")?;
            ensure!(text(vm, "/code/remote/http_uri/uri")?.starts_with("oci://"), "no module to fetch");
            ensure!(text(vm, "/code/remote/sha256")? == "nil", "Istio's agent would compare a checksum");
            vm["code"] = local_code();
            gateway.extensions.push((text(&value, "/name")?.to_owned(), value["typed_config"].clone()));
        }
        ("HTTP_FILTER", "INSERT_FIRST") => {
            let filter = patch.pointer("/match/listener/filterChain/filter/name").and_then(Value::as_str);
            ensure!(filter == Some(MANAGER), "it matches no connection manager: {patch}");
            gateway.filters()?.insert(0, value);
        }
        ("HTTP_FILTER", "INSERT_BEFORE") => {
            let anchor = text(patch, "/match/listener/filterChain/filter/subFilter/name")?;
            let place = gateway.place(anchor)?;
            gateway.filters()?.insert(place, value);
        }
        ("VIRTUAL_HOST", "MERGE") => merge(gateway.virtual_host(), &value),
        ("LISTENER", "MERGE") => merge(&mut gateway.listener, &value),
        (place, operation) => bail!("{operation} of a {place} is not known here"),
    }
    Ok(())
}

/// As protobuf merges messages: field by field.
fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Object(Map::new())), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}
