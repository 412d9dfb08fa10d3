//! Configurations of the filter.

use std::fmt::Write as _;

/// The two header plugins with two base models, without a `proxyWasm` section.
pub(crate) const PLAIN: &str = "\
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: body-field-to-header
  parameters: {fieldName: model, headerName: X-Gateway-Model-Name}
- type: base-model-to-header
  parameters:
    mappings:
    - baseModel: meta-llama/Llama-3.1-8B-Instruct
      adapters: [food-review-1, cad-fabricator]
    - baseModel: Qwen/Qwen2.5-1.5B-Instruct
      adapters: [qwen-summarizer, sql-lora]
profiles:
- name: default
  plugins:
    request:
    - pluginRef: body-field-to-header
    - pluginRef: base-model-to-header
";

/// That with these lines as its `proxyWasm` section.
pub(crate) fn with(section: &[&str]) -> String {
    let mut config = format!("{PLAIN}proxyWasm:\n");
    for line in section {
        // Writing to a String cannot fail.
        let _ = writeln!(config, "  {line}");
    }
    config
}

/// Responses observed, by two models and two tenants; streams tell of usage.
pub(crate) const OBSERVED: &str = "\
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

/// An event with content.
pub(crate) const HI: &str = r#"{"model":"llama","choices":[{"delta":{"content":"Hi"}}]}"#;
/// The event that only tells of usage.
pub(crate) const USAGE: &str =
    r#"{"model":"llama","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}"#;
