//! `inflight-requests-scorer`: the fewer requests a model is serving now, the better.

use super::parameter::{number, refused};
use crate::plugin::{Parameter, Plugin, PluginType};
use ipp_selector::scorers::InflightRequestsScorer;

pub(crate) const TYPE: PluginType = PluginType {
    name: InflightRequestsScorer::TYPE,
    about: "Scorer of model selection, by the requests that are in flight now, over all workers: \
            `(max − n) / (max − min)`, and 1 for all when all are equal. With `scale: capacity` it is \
            `capacity / (capacity + n)`, so that large and small models can be compared and a difference of one \
            among many is small.",
    parameters: &[
        Parameter {
            name: "scale",
            kind: "`range` or `capacity`",
            default: "range",
            about: "`range` is the Go service's formula.",
        },
        Parameter {
            name: "defaultCapacity",
            kind: "number",
            default: "1",
            about: "With `scale: capacity`, for models without `capacity`.",
        },
    ],
    example: "\
type: inflight-requests-scorer
parameters:
  scale: capacity
  defaultCapacity: 32
",
    build: |parameters, _| {
        let by_capacity = parameters
            .get("scale")
            .map_or(Ok(false), |view| view.choice(&[("range", false), ("capacity", true)]));
        let capacity = number(parameters, "defaultCapacity", 1.0)?;
        let scorer = match by_capacity? {
            true => {
                InflightRequestsScorer::by_capacity(capacity).map_err(|error| refused(parameters, error))?
            }
            false => match parameters.get("defaultCapacity") {
                Some(view) => {
                    return Err(view.invalid("`scale: range` has no capacity; use `scale: capacity`"));
                }
                None => InflightRequestsScorer::default(),
            },
        };
        Ok(Plugin::new().scorer(scorer))
    },
};
