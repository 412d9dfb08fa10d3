//! Model selection: among how many models, and by what. Its rows compare two filters, not a filter with none.

use std::fmt::Write as _;

use super::body::MODEL;

/// The candidates.
pub(super) const MODELS: usize = 20;

/// The plain route: the model that the client names, by the built-in configuration.
pub(super) const WITHOUT: &str = "";

/// The name of the listener.
pub(super) const LISTENER: &str = "select";

/// What requests ask for: any of the models.
pub(super) const ASKED: &str = "auto";

/// [`MODELS`] models whose names begin with [`MODEL`], and four scorers that choose among them: by price, by load, and by
/// two figures that are learned of responses. The route is by the same header as without.
pub(super) fn config() -> String {
    let mut models = String::new();
    for index in 1..=MODELS {
        let price = f64::from(u8::try_from(index).unwrap_or(u8::MAX)) / 10.0;
        let _ = writeln!(
            models,
            "    - {{name: {MODEL}-{index:02}, pricing: {{input_per_million: {price}, output_per_million: {price}}}}}"
        );
    }
    let scorers = ["cost-scorer", "inflight-requests-scorer", "expected-wait-scorer", "error-rate-scorer"];
    let types = scorers.map(|scorer| format!("- type: {scorer}\n")).concat();
    let references = scorers.map(|scorer| format!("    - {{pluginRef: {scorer}, weight: 1}}\n")).concat();
    format!(
        "apiVersion: llm-d.ai/v1alpha1\n\
         kind: PayloadProcessorConfig\n\
         plugins:\n\
         - type: model-config-datasource\n  parameters:\n    models:\n{models}\
         - type: model-group-name-filter\n\
         {types}\
         - type: max-score-picker\n\
         - type: model-selector\n\
         - type: body-field-to-header\n  parameters: {{fieldName: model, headerName: X-Gateway-Model-Name}}\n\
         - type: base-model-to-header\n\
         datalayer:\n  datasources: [{{pluginRef: model-config-datasource}}]\n\
         profiles:\n\
         - name: default\n  plugins:\n    request:\n    - pluginRef: model-group-name-filter\n{references}\
         \x20   - pluginRef: max-score-picker\n    - pluginRef: model-selector\n    - pluginRef: body-field-to-header\n    - pluginRef: base-model-to-header\n"
    )
}
