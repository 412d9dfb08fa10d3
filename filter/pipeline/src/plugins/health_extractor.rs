//! `health-extractor`: when a model that fails is left alone.

use super::parameter::{duration, number, refused};
use crate::plugin::{Extractor, Parameter, Plugin, PluginType};
use ipp_selector::records::HealthRules;

pub(crate) const TYPE: PluginType = PluginType {
    name: "health-extractor",
    about: "Extractor of the data layer, not in the Go service: when a model that fails cools down, for \
            `cool-down-filter` and `error-rate-scorer`. Without it the defaults hold.",
    parameters: &[
        Parameter {
            name: "halfLife",
            kind: "duration",
            default: "30s",
            about: "After so long a request counts half.",
        },
        Parameter {
            name: "threshold",
            kind: "number",
            default: "0.5",
            about: "The share of failures from which on a model cools down; above 0, up to 1.",
        },
        Parameter {
            name: "minRequests",
            kind: "number",
            default: "5",
            about: "How many requests have to count for that.",
        },
        Parameter {
            name: "coolDown",
            kind: "duration",
            default: "5s",
            about: "For how long. After it a single failure is enough as long as the share is what it was.",
        },
    ],
    example: "\
type: health-extractor
parameters:
  threshold: 0.3
  coolDown: 20s
",
    build: |parameters, _| {
        let defaults = HealthRules::DEFAULT;
        let half_life = duration(parameters, "halfLife", defaults.half_life_ns);
        let threshold = number(parameters, "threshold", defaults.threshold);
        let min_requests = number(parameters, "minRequests", defaults.min_requests);
        let cool_down = duration(parameters, "coolDown", defaults.cool_down_ns);
        let rules = HealthRules {
            half_life_ns: half_life?,
            threshold: threshold?,
            min_requests: min_requests?,
            cool_down_ns: cool_down?,
        };
        let rules = rules.checked().map_err(|error| refused(parameters, error))?;
        Ok(Plugin::new().extractor(Extractor::Health(rules)))
    },
};
