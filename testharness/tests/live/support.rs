//! What the tests share: an Envoy with a recorded API server beside it, and connections to all of its workers.

pub(crate) mod api;
pub(crate) mod rig;

use serde_json::{Value, json};

/// A plugin with this source, and a profile that it is in. `more` are lines of its parameters.
pub(crate) fn config(source: &str, more: &str) -> String {
    format!(
        "\
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: base-model-to-header
  name: models
  parameters:
    source: {source}
{more}profiles:
- name: default
  plugins: {{request: [{{pluginRef: models}}]}}
"
    )
}

/// The API server's list, asked for every second.
pub(crate) const LIST: &str = "{cluster: kube-api, authority: kubernetes.default.svc, path: \"/api/v1/configmaps?labelSelector=inference.llm-d.ai%2Fipp-managed%3Dtrue\", interval: 1s, timeout: 1s}";

/// A ConfigMap as the API server lists it.
pub(crate) fn config_map(namespace: &str, name: &str, base: &str, adapters: &[&str]) -> Value {
    let adapters: String = adapters.iter().map(|adapter| format!("- {adapter}\n")).collect();
    json!({
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": "5b0e3d0e-7a34-4cf6-9d9e-000000000000",
            "resourceVersion": "4711",
            "creationTimestamp": "2026-10-01T08:00:00Z",
            "labels": {"inference.llm-d.ai/ipp-managed": "true"},
            "managedFields": [{"manager": "kubectl", "operation": "Update", "apiVersion": "v1",
                "time": "2026-10-01T08:00:00Z", "fieldsType": "FieldsV1",
                "fieldsV1": {"f:data": {".": {}, "f:adapters": {}, "f:baseModel": {}}, "f:metadata": {"f:labels": {}}}}],
        },
        "data": {"baseModel": base, "adapters": adapters},
    })
}

/// The list of these objects. Its own version is another one each time, as in Kubernetes.
pub(crate) fn list(objects: &[Value]) -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static VERSION: AtomicU64 = AtomicU64::new(5000);
    let version = VERSION.fetch_add(1, Ordering::Relaxed).to_string();
    json!({"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {"resourceVersion": version}, "items": objects})
        .to_string()
}
