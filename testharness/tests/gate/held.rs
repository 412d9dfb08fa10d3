//! A plugin that needs a whole response, where none can be held: Envoy refuses the configuration and says why.

use anyhow::{Context, Result};
use ipp_testharness::artifacts;
use ipp_testharness::bootstrap::{Bootstrap, Cluster, Filter, Listener};
use ipp_testharness::envoy::Envoy;

fn config(plugins: &str) -> String {
    format!(
        "\
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: response-field-to-header
  parameters: {{fieldName: model, headerName: X-Served, unreadable: reject}}
- type: model-name-to-header
profiles:
- name: default
  plugins: {{response: [{{pluginRef: {plugins}}}]}}
"
    )
}

async fn validate(config: &str) -> Result<()> {
    let filters = crate::attach(Filter::new(&artifacts::module(), config));
    let listener = Listener::new("main", filters, Vec::new(), "pool");
    let pool = Cluster::new("pool", ([127, 0, 0, 1], 1).into());
    let bootstrap = Bootstrap::new(vec![listener], vec![pool]);
    let folder = std::env::temp_dir().join(format!("ipp-gate-held-{}", std::process::id()));
    std::fs::create_dir_all(&folder).context("a folder")?;
    let valid = Envoy::validate_yaml(&artifacts::envoy(), &bootstrap.document(&folder).to_string()).await;
    std::fs::remove_dir_all(&folder).context("the folder")?;
    valid
}

/// A guard that silently let everything pass, or a response that hung, would both be worse.
#[tokio::test]
async fn a_full_body_plugin_is_refused() -> Result<()> {
    let refused = validate(&config("response-field-to-header")).await.expect_err("it is refused");
    let said = format!("{refused:#}");
    assert!(said.contains("needs the whole response") && said.contains("role \"direct\""), "{said}");
    validate(&config("model-name-to-header")).await
}
