//! Model selection: among how many models, and by what. Its rows compare two filters, not a filter with none.

use std::fmt::Write as _;

use super::body::MODEL;

/// The candidates.
pub(super) const MODELS: usize = 20;

/// The plain route: the model that the client names, by the built-in configuration.
pub(super) const WITHOUT: &str = "";

/// What four scorers go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// What is known when a request comes: prices, requests in flight, an attribute, the session.
    Load,
    /// Two figures that are learned of responses, beside price and load: each response is read, and each end of a request
    /// changes what all workers share.
    Figures,
}

impl By {
    pub(super) const ALL: [Self; 2] = [Self::Load, Self::Figures];

    /// Of the row, and of the listener.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Load => "by load",
            Self::Figures => "by figures",
        }
    }

    /// The scorers with their parameters.
    fn scorers(self) -> [(&'static str, &'static str); 4] {
        let (cost, load) = (("cost-scorer", ""), ("inflight-requests-scorer", ""));
        match self {
            Self::Load => [
                cost,
                load,
                ("attribute-scorer", ", parameters: {attribute: quality, prefer: high}"),
                ("session-affinity", ", parameters: {sessionIdKey: x-session-id}"),
            ],
            Self::Figures => [cost, load, ("expected-wait-scorer", ""), ("error-rate-scorer", "")],
        }
    }
}

/// What requests ask for: any of the models.
pub(super) const ASKED: &str = "auto";

/// [`MODELS`] models whose names begin with [`MODEL`], and four scorers that choose among them. The route is by the same
/// header as without.
pub(super) fn config(by: By) -> String {
    let mut models = String::new();
    for index in 1..=MODELS {
        let price = f64::from(u8::try_from(index).unwrap_or(u8::MAX)) / 10.0;
        let _ = writeln!(
            models,
            "    - {{name: {MODEL}-{index:02}, pricing: {{input_per_million: {price}, output_per_million: {price}}}, attributes: {{quality: {index}}}}}"
        );
    }
    let scorers = by.scorers();
    let types = scorers.map(|(scorer, parameters)| format!("- {{type: {scorer}{parameters}}}\n")).concat();
    let references =
        scorers.map(|(scorer, _)| format!("    - {{pluginRef: {scorer}, weight: 1}}\n")).concat();
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
