//! `expected-wait-scorer`: how long the tokens in flight, and those of the request, keep a model busy.

use super::parameter::duration;
use crate::plugin::{Parameter, Plugin, PluginType};
use ipp_selector::MaxAge;
use ipp_selector::scorers::ExpectedWaitScorer;

pub(crate) const TYPE: PluginType = PluginType {
    name: ExpectedWaitScorer::TYPE,
    about: "Scorer of model selection: `wait = (tokens in flight + tokens of the request) / tokens per second`, score \
            `(max − wait) / (max − min)`, and 1 for all where all are equal. Tokens are what requests ask for: \
            `max_tokens`, `max_completion_tokens` or `max_output_tokens`. The speed, which the Go service never \
            computes, is that of the whole model: `Σ tokens · in flight / Σ seconds` of answers that succeeded and told \
            their usage, half as much for each minute that they are old. A model without one waits for nothing, so \
            that it is tried.",
    parameters: &[Parameter {
        name: "maxAge",
        kind: "duration",
        default: "5m",
        about: "A model whose speed is older scores 0.5 and moves nobody else's score.",
    }],
    example: "type: expected-wait-scorer\n",
    build: |parameters, _| {
        let age = duration(parameters, "maxAge", MaxAge::DEFAULT.0)?;
        Ok(Plugin::new().scorer(ExpectedWaitScorer::new(MaxAge(age))))
    },
};
