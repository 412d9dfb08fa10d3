//! Responses in a real Envoy: what is counted, what is held and what is not, and that everything else passes unharmed.

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "not every target uses all of it")]
mod support;

mod endings;
mod held;
mod memory;
mod observed;
mod streams;
mod unharmed;

/// The filter as it is: one that does all of the work.
fn attach(filter: ipp_testharness::bootstrap::Filter) -> Vec<ipp_testharness::bootstrap::Filter> {
    vec![filter]
}

/// Responses observed, by two models and two tenants; streams tell of usage.
const OBSERVED: &str = "\
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: body-field-to-header
  parameters: {fieldName: model, headerName: X-Gateway-Model-Name}
- type: stream-usage
profiles:
- name: default
  plugins:
    request:
    - pluginRef: body-field-to-header
    - pluginRef: stream-usage
proxyWasm:
  responses:
    models:
    - {name: llama, inputPerMillion: 0.5, outputPerMillion: 1.5}
    - {name: qwen}
  attribution: {header: X-Tenant-Id, trusted: [red, blue]}
";

const HI: &str = r#"{"model":"llama","choices":[{"delta":{"content":"Hi"}}]}"#;
const USAGE: &str = r#"{"model":"llama","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}"#;
