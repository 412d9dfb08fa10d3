//! `costguard`: the distribution of what requests cost, its tail included, and now and then a try.

use super::parameter::{number, refused};
use crate::plugin::{Parameter, Plugin, PluginType};
use ipp_selector::scorers::{CostGuard, CostGuardScorer};

pub(crate) const TYPE: PluginType = PluginType {
    name: CostGuardScorer::TYPE,
    about: "Scorer of model selection, by what requests have cost (`model-cost-extractor`): `rank = mean of the lowest \
            alpha of costs + lambda · mean of the rest`, score `1 / (1 + e^((rank − M) / σ))` with M the median and σ \
            the standard deviation of the ranks. A model with fewer than `1.96² · alpha (1 − alpha) / w²` costs is \
            under-explored and gets 0.5; with chance `epsilon` a request explores, and one of those gets 1. As in the \
            Go service the score is free of scale: of two models one gets 0.73 and the other 0.27, however much \
            their costs differ.",
    parameters: &[
        Parameter {
            name: "epsilon",
            kind: "number",
            default: "0.1",
            about: "How likely a request explores; from 0 to 1.",
        },
        Parameter {
            name: "alpha",
            kind: "number",
            default: "0.95",
            about: "The share of requests that is no tail; between 0 and 1.",
        },
        Parameter {
            name: "lambda",
            kind: "number",
            default: "1",
            about: "How much the tail counts; not negative.",
        },
        Parameter {
            name: "percentileMarginError",
            kind: "number",
            default: "0.03",
            about: "w, between 0 and 1.",
        },
    ],
    example: "\
type: costguard
parameters:
  epsilon: 0.05
  percentileMarginError: 0.05
",
    build: |parameters, _| {
        let defaults = CostGuard::default();
        let epsilon = number(parameters, "epsilon", defaults.epsilon);
        let alpha = number(parameters, "alpha", defaults.alpha);
        let lambda = number(parameters, "lambda", defaults.lambda);
        let margin = number(parameters, "percentileMarginError", defaults.percentile_margin_error);
        let settings =
            CostGuard { epsilon: epsilon?, alpha: alpha?, lambda: lambda?, percentile_margin_error: margin? };
        let scorer = CostGuardScorer::new(settings).map_err(|error| refused(parameters, error))?;
        Ok(Plugin::new().scorer(scorer))
    },
};
