//! `model-cost-extractor`: what requests have cost, for `costguard`.

use super::parameter::duration;
use crate::plugin::{CostSettings, Extractor, Parameter, Plugin, PluginType};
use ipp_selector::CostDigest;
use ipp_selector::records::CostWindow;

pub(crate) const TYPE: PluginType = PluginType {
    name: "model-cost-extractor",
    about: "Extractor of the data layer: how costs are gathered for `costguard`, from the usage that answers tell and the \
            model's `pricing`: `prompt · input price + completion · output price`. All workers add to one distribution \
            for each model. Without it the defaults hold.",
    parameters: &[
        Parameter {
            name: "compression",
            kind: "number",
            default: "200",
            about: "How fine the distribution is, greater than 0; below 20 it is 20, above 500 it is 500.",
        },
        Parameter {
            name: "flushIntervalDuration",
            kind: "duration",
            default: "5s",
            about: "How often decisions take over what was gathered. Below 200 ms it is 200 ms.",
        },
        Parameter {
            name: "windowDuration",
            kind: "duration",
            default: "2h",
            about: "After so long the gathering starts anew; `0` for never.",
        },
    ],
    example: "\
type: model-cost-extractor
parameters:
  windowDuration: 6h
",
    build: |parameters, _| {
        let defaults = CostSettings::DEFAULT;
        let compression = parameters.get("compression").map_or(Ok(CostDigest::DEFAULT_COMPRESSION), |view| {
            match view.number()? {
                // What is out of the bounds of a record is taken as the nearest of them; the cast saturates.
                compression if compression > 0.0 => Ok(compression as usize),
                _ => Err(view.expected("a number greater than 0")),
            }
        });
        let flush = duration(parameters, "flushIntervalDuration", defaults.flush_ns);
        let window = duration(parameters, "windowDuration", defaults.window.window_ns);
        let window = CostWindow { compression: compression?, window_ns: window? };
        Ok(Plugin::new().extractor(Extractor::Cost(CostSettings { window, flush_ns: flush? })))
    },
};
