//! `avg-ttft-scorer` and `avg-tpot-scorer`: the faster a model was lately, the better.

use super::parameter::{duration, number, optional_number, refused};
use crate::config::Invalid;
use crate::plugin::{Parameter, Params, Plugin, PluginType};
use ipp_selector::scorers::{AverageLatencyScorer, Decay};
use ipp_selector::{MaxAge, ParameterError};

const SECOND_NS: u64 = 1_000_000_000;

const WEIGHT: Parameter = Parameter {
    name: "decayWeight",
    kind: "number",
    default: "1",
    about: "How much of it fades, from 0 for nothing to 1.",
};
const PROBES: Parameter = Parameter {
    name: "maxIdleProbes",
    kind: "number",
    default: "none",
    about: "Up to so many requests in flight a model counts as idle and its average fades in full, above not at all. \
            Without it the average of a model with n in flight fades by 1/(1+n) of that.",
};
const MAX_AGE: Parameter = Parameter {
    name: "maxAge",
    kind: "duration",
    default: "5m",
    about: "A model whose average is older scores 0.5 and moves nobody else's score.",
};

const fn period(default: &'static str) -> Parameter {
    Parameter {
        name: "decayPeriod",
        kind: "duration",
        default,
        about: "How long it takes until the average of a model that is not asked has faded, so that one slow spell \
                does not shut it out for ever. `0` for never.",
    }
}

pub(crate) const TTFT: PluginType = PluginType {
    name: AverageLatencyScorer::TTFT,
    about: "Scorer of model selection, by the average time to the first token of answers that were streamed and \
            succeeded, over all workers: `(max − v) / (max − min)`, and 1 for all where all are equal. A model that was \
            never measured counts as 0 seconds, so that it is tried.",
    parameters: &[period("10s"), WEIGHT, PROBES, MAX_AGE],
    example: "\
type: avg-ttft-scorer
parameters:
  decayPeriod: 30s
",
    build: |parameters, _| scorer(parameters, 10, AverageLatencyScorer::ttft),
};

pub(crate) const TPOT: PluginType = PluginType {
    name: AverageLatencyScorer::TPOT,
    about: "Scorer of model selection, by the average time for each token after the first, of answers that were streamed, \
            succeeded and told their usage; otherwise as `avg-ttft-scorer`.",
    parameters: &[period("30s"), WEIGHT, PROBES, MAX_AGE],
    example: "type: avg-tpot-scorer\n",
    build: |parameters, _| scorer(parameters, 30, AverageLatencyScorer::tpot),
};

fn scorer(
    parameters: &Params<'_>,
    period_seconds: u64,
    make: fn(Decay, MaxAge) -> Result<AverageLatencyScorer, ParameterError>,
) -> Result<Plugin, Invalid> {
    let period = duration(parameters, "decayPeriod", period_seconds.saturating_mul(SECOND_NS));
    let weight = number(parameters, "decayWeight", 1.0);
    let max_idle_probes = optional_number(parameters, "maxIdleProbes");
    let max_age = duration(parameters, "maxAge", MaxAge::DEFAULT.0);
    let decay = Decay {
        period: period? as f64 / SECOND_NS as f64,
        weight: weight?,
        max_idle_probes: max_idle_probes?,
    };
    let scorer = make(decay, MaxAge(max_age?)).map_err(|error| refused(parameters, error))?;
    Ok(Plugin::new().scorer(scorer))
}
