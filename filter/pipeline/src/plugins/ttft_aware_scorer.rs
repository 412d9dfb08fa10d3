//! `ttft-aware-scorer`: the time to the first token that a model's present load lets expect.

use super::parameter::{duration, number, refused};
use crate::config::Invalid;
use crate::plugin::{Build, Parameter, Params, Plugin, PluginType};
use ipp_selector::MaxAge;
use ipp_selector::scorers::{TtftAware, TtftAwareScorer};

const ABOUT: &str = "Scorer of model selection: `(max − p) / (max − min)`, and 1 for all where all are equal, with p the time \
            to the first token that the model's requests in flight let expect, by the curve of \
            `ttft-percentile-extractor`: from the floor at nothing in flight through the two percentiles, each at the \
            load at which it was measured, and never below the floor. A model of which nothing is known counts as the \
            fastest.";
const EXAMPLE: &str = "\
type: ttft-aware-scorer
parameters:
  explorationRate: 0.1
  roundTTFTStep: 0.05
";
const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "explorationRate",
        kind: "number",
        default: "0",
        about: "From 0 to 1: each model that has not been measured enough throws a coin for each request. Heads is a \
                score of 1, tails 0 if another one has been measured enough.",
    },
    Parameter {
        name: "minInflightGap",
        kind: "number",
        default: "2",
        about: "How far apart in load the two percentiles have to be for the lower one to count.",
    },
    Parameter {
        name: "roundTTFTStep",
        kind: "number",
        default: "0",
        about: "Seconds; what is expected is rounded to multiples of it, so that what is nearly equal is equal.",
    },
    Parameter {
        name: "maxAge",
        kind: "duration",
        default: "5m",
        about: "A model whose curve is older scores 0.5 and moves nobody else's score.",
    },
];

pub(crate) const TYPE: PluginType =
    PluginType { name: TtftAwareScorer::TYPE, about: ABOUT, parameters: PARAMETERS, example: EXAMPLE, build };

/// The names that it had before.
pub(crate) const LOAD_AWARE: PluginType = PluginType {
    name: "load-aware-ttft-scorer",
    about: "An earlier name of `ttft-aware-scorer`, with the same parameters.",
    example: "type: load-aware-ttft-scorer\n",
    ..TYPE
};
pub(crate) const QUEUE: PluginType = PluginType {
    name: "queue-ttft-scorer",
    about: "An earlier name of `ttft-aware-scorer`, with the same parameters.",
    example: "type: queue-ttft-scorer\n",
    ..TYPE
};

fn build(parameters: &Params<'_>, _: &mut Build<'_>) -> Result<Plugin, Invalid> {
    let defaults = TtftAware::default();
    let exploration_rate = number(parameters, "explorationRate", defaults.exploration_rate);
    let min_inflight_gap = number(parameters, "minInflightGap", defaults.min_inflight_gap);
    let round_ttft_step = number(parameters, "roundTTFTStep", defaults.round_ttft_step);
    let max_age = duration(parameters, "maxAge", MaxAge::DEFAULT.0);
    let settings = TtftAware {
        exploration_rate: exploration_rate?,
        min_inflight_gap: min_inflight_gap?,
        round_ttft_step: round_ttft_step?,
        max_age: MaxAge(max_age?),
    };
    let scorer = TtftAwareScorer::new(settings).map_err(|error| refused(parameters, error))?;
    Ok(Plugin::new().scorer(scorer))
}
