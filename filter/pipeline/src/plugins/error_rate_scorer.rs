//! `error-rate-scorer`: a model that fails is not the answer, however fast it fails.

use super::parameter::{duration, number, refused};
use crate::plugin::{Parameter, Plugin, PluginType};
use ipp_selector::MaxAge;
use ipp_selector::scorers::ErrorRateScorer;

pub(crate) const TYPE: PluginType = PluginType {
    name: ErrorRateScorer::TYPE,
    about: "Scorer of model selection, not in the Go service, where errors count as fast answers and draw traffic: \
            `(1 − error rate)^sharpness`, and 0 while the model cools down (`health-extractor`). A failure is a status of \
            5xx or 429, an answer that broke off, or none. Where nothing is known, nothing speaks against a model: 1.",
    parameters: &[
        Parameter {
            name: "sharpness",
            kind: "number",
            default: "1",
            about: "With 2, half of the requests failing costs three quarters of the score.",
        },
        Parameter { name: "maxAge", kind: "duration", default: "5m", about: "What is older is forgotten." },
    ],
    example: "\
type: error-rate-scorer
parameters:
  sharpness: 2
",
    build: |parameters, _| {
        let sharpness = number(parameters, "sharpness", 1.0);
        let age = duration(parameters, "maxAge", MaxAge::DEFAULT.0);
        let scorer =
            ErrorRateScorer::new(sharpness?, MaxAge(age?)).map_err(|error| refused(parameters, error))?;
        Ok(Plugin::new().scorer(scorer))
    },
};
