//! `attribute-scorer`: any number that is known of a model.

use super::parameter::{duration, optional_number, refused};
use crate::plugin::{Parameter, Plugin, PluginType};
use ipp_selector::scorers::{AttributeScale, AttributeScorer};
use ipp_selector::{MaxAge, Missing};

pub(crate) const TYPE: PluginType = PluginType {
    name: AttributeScorer::TYPE,
    about: "Scorer of model selection, not in the Go service, by any number that is known of a model: \
            `(v − min) / (max − min)`, or 1 minus that for `prefer: low`, held to 0 and 1; 1 for all where min and max \
            are equal. The attributes are those of `attribute-filter`.",
    parameters: &[
        Parameter { name: "attribute", kind: "string", default: "required", about: "Its name." },
        Parameter {
            name: "prefer",
            kind: "`high` or `low`",
            default: "required",
            about: "Which values are good.",
        },
        Parameter {
            name: "min",
            kind: "number",
            default: "the lowest",
            about: "The lower end of the scale; by default the lowest of the models that filters left.",
        },
        Parameter { name: "max", kind: "number", default: "the highest", about: "The upper end, likewise." },
        Parameter {
            name: "missing",
            kind: "`best`, `neutral` or `worst`",
            default: "neutral",
            about: "What a model scores without the number: 1, 0.5 or 0.",
        },
        Parameter {
            name: "maxAge",
            kind: "duration",
            default: "5m",
            about: "An observed figure that is older counts as missing.",
        },
    ],
    example: "\
type: attribute-scorer
parameters:
  attribute: quality
  prefer: high
  min: 0
  max: 100
",
    build: |parameters, _| {
        let attribute = parameters.required_text("attribute");
        let prefer = parameters.require("prefer");
        let higher = prefer.and_then(|view| view.choice(&[("high", true), ("low", false)]));
        let (min, max) = (optional_number(parameters, "min"), optional_number(parameters, "max"));
        let missing = parameters.get("missing").map_or(Ok(Missing::Neutral), |view| {
            view.choice(&[("best", Missing::Best), ("neutral", Missing::Neutral), ("worst", Missing::Worst)])
        });
        let age = duration(parameters, "maxAge", MaxAge::DEFAULT.0);
        let scale = AttributeScale {
            higher_is_better: higher?,
            min: min?,
            max: max?,
            missing: missing?,
            max_age: MaxAge(age?),
        };
        let scorer = AttributeScorer::new(attribute?, scale).map_err(|error| refused(parameters, error))?;
        Ok(Plugin::new().scorer(scorer))
    },
};
