//! Istio's objects and the values of the Helm chart, in the shape of what `istio/` ships.

use anyhow::{Context, Result};

use super::Options;
use super::document::Document;
use super::yaml::{block, scalar};

/// Both roles; of two filters in one phase the one with the higher priority comes first.
const ROLES: [(&str, u32); 2] = [("reader", 20), ("gate", 10)];

/// The reader and the gate: the same configuration but for the role.
pub(super) fn wasm_plugins(options: &Options, document: &Document, url: &str) -> String {
    let mut text = format!(
        "# Rendered by `ipp-replay render --as wasmplugin`. The same module twice: the reader reads bodies, the gate right\n\
         # behind it holds the requests. Envoy's limit on a held body has to be {} or more: docs/limits.md.\n",
        document.buffer_limit()
    );
    for (number, (role, priority)) in ROLES.into_iter().enumerate() {
        let name = format!("{}-{role}", options.name);
        if number > 0 {
            text.push_str("---\n");
        }
        text.push_str("apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n");
        text.push_str(&metadata(options, &name));
        text.push_str(&format!(
            "spec:\n{}  url: {}\n  pluginName: {}\n  priority: {priority}\n  failStrategy: FAIL_RELOAD\n  pluginConfig:\n{}",
            target(options),
            scalar(url),
            scalar(&name),
            block(&document.with_role(role), 4)
        ));
    }
    text
}

/// One filter that does all, by a patch of Envoy's configuration.
pub(super) fn envoy_filter(options: &Options, document: &Document, url: &str) -> String {
    let name = scalar(&options.name);
    let resource = scalar(&format!("{}.ipp", options.name));
    let limit = document.buffer_limit();
    let (metadata, target) = (metadata(options, &options.name), target(options));
    let (config, url) = (block(document.direct(), 16), scalar(url));
    format!(
        "\
# Rendered by `ipp-replay render --as envoyfilter`. Istio 1.28 or newer: an older one drops
# `allow_on_headers_stop_iteration`, and every request with a body hangs. Envoy's limit on a held body has to be
# {limit} or more: docs/limits.md.
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
{metadata}spec:
{target}  configPatches:
  - applyTo: EXTENSION_CONFIG
    match: {{context: GATEWAY}}
    patch:
      operation: ADD
      value:
        name: {resource}
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
          config:
            name: {name}
            root_id: {name}
            allow_on_headers_stop_iteration: true
            failure_policy: FAIL_RELOAD
            configuration:
              \"@type\": type.googleapis.com/google.protobuf.StringValue
              value: |
{config}            vm_config:
              vm_id: {name}
              runtime: envoy.wasm.runtime.v8
              code:
                remote:
                  # Istio's agent fetches it and hands Envoy a local file; `nil` stands for \"no checksum\".
                  http_uri:
                    uri: {url}
                    cluster: _
                    timeout: 30s
                  sha256: nil
  - applyTo: HTTP_FILTER
    match:
      context: GATEWAY
      listener:
        filterChain:
          filter:
            name: envoy.filters.network.http_connection_manager
    patch:
      operation: INSERT_FIRST
      value:
        name: {resource}
        config_discovery:
          config_source: {{ads: {{}}, initial_fetch_timeout: 0s, resource_api_version: V3}}
          type_urls:
          - type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
          # What Istio's agent puts there when it cannot fetch the module: deny all.
          - type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC
"
    )
}

/// Values for the chart in `istio/chart`, for Istio with the pair of WasmPlugins.
pub(super) fn helm_values(options: &Options, document: &Document, url: &str) -> Result<String> {
    let place = url.trim_start_matches("oci://");
    let (registry, rest) = place.rsplit_once('/').context("the URL names no repository")?;
    let (repository, version) = match rest.split_once('@') {
        Some((repository, digest)) => (repository, format!("digest: {}", scalar(digest))),
        None => {
            let (repository, tag) = rest.split_once(':').unwrap_or((rest, "latest"));
            (repository, format!("tag: {}", scalar(tag)))
        }
    };
    Ok(format!(
        "\
# Rendered by `ipp-replay render --as helm-values`, for the chart in istio/chart.
payloadProcessor:
  name: {}
  image:
    registry: {}
    repository: {}
    {version}
  customConfig:
{}provider:
  name: istio
  mode: wasmplugin
inferenceGateway:
  name: {}
bufferLimits:
  bytes: {}
",
        scalar(&options.name),
        scalar(registry),
        scalar(repository),
        block(document.direct(), 4),
        scalar(&options.gateway),
        document.buffer_limit()
    ))
}

fn metadata(options: &Options, name: &str) -> String {
    let namespace = options.namespace.as_ref();
    let namespace =
        namespace.map(|namespace| format!("  namespace: {}\n", scalar(namespace))).unwrap_or_default();
    format!("metadata:\n  name: {}\n{namespace}", scalar(name))
}

fn target(options: &Options) -> String {
    format!(
        "  targetRefs:\n  - group: gateway.networking.k8s.io\n    kind: Gateway\n    name: {}\n",
        scalar(&options.gateway)
    )
}
