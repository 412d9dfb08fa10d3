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
