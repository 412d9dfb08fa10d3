//! `weighted-split-picker`: fixed shares of the traffic, whatever the scores.

use super::parameter::{number, refused};
use crate::config::Invalid;
use crate::plugin::{Parameter, Plugin, PluginType};
use ipp_selector::pickers::WeightedSplitPicker;

pub(crate) const TYPE: PluginType = PluginType {
    name: WeightedSplitPicker::TYPE,
    about: "Picker of model selection, not in the Go service: `P = weight / Σ weights` over the models that filters left. \
            Scores do not matter. If nobody left has a weight above 0, each is equally likely.",
    parameters: &[
        Parameter {
            name: "weights",
            kind: "map from model to number",
            default: "required",
            about: "At least one above 0.",
        },
        Parameter {
            name: "defaultWeight",
            kind: "number",
            default: "0",
            about: "For models that `weights` does not name.",
        },
    ],
    example: "\
type: weighted-split-picker
parameters:
  weights: {stable: 95, canary: 5}
",
    build: |parameters, _| {
        let weights = parameters.require("weights").and_then(|view| view.any_object());
        let default = number(parameters, "defaultWeight", 0.0);
        let weights = weights?;
        let read: Result<Vec<(&str, f64)>, Invalid> =
            weights.names().map(|name| Ok((name, weights.require(name)?.number()?))).collect();
        let picker = WeightedSplitPicker::new(read?, default?).map_err(|error| refused(parameters, error))?;
        Ok(Plugin::new().picker(picker))
    },
};
