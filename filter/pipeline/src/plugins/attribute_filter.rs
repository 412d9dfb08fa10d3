//! `attribute-filter`: any attribute of a model, compared with a value.

use super::parameter::{duration, refused};
use crate::config::Invalid;
use crate::plugin::{Parameter, Params, Plugin, PluginType};
use ipp_selector::MaxAge;
use ipp_selector::filters::{AttributeFilter, Condition};

pub(crate) const TYPE: PluginType = PluginType {
    name: AttributeFilter::TYPE,
    about: "Filter of model selection, not in the Go service: keeps the models whose attribute meets a condition. \
            Attributes are those of `model-config-datasource`, `model_groups`, `token_prices.input`, \
            `token_prices.output`, `capacity` and `inflight-requests`.",
    parameters: &[
        Parameter { name: "attribute", kind: "string", default: "required", about: "Its name." },
        Parameter {
            name: "operator",
            kind: "`<`, `<=`, `>`, `>=`, `==`, `in` or `notIn`",
            default: "required",
            about: "The first five compare numbers; `in` wants a text that is one of `values`, or a list that has one.",
        },
        Parameter {
            name: "value",
            kind: "number",
            default: "none",
            about: "What a number is compared with.",
        },
        Parameter { name: "values", kind: "list of strings", default: "[]", about: "For `in` and `notIn`." },
        Parameter {
            name: "missing",
            kind: "`keep` or `remove`",
            default: "required",
            about: "What becomes of a model without the attribute, or with one of another type.",
        },
        Parameter {
            name: "fallbackOnEmpty",
            kind: "boolean",
            default: "false",
            about: "Keeps all where none would be left.",
        },
        Parameter {
            name: "maxAge",
            kind: "duration",
            default: "5m",
            about: "An observed figure that is older counts as missing.",
        },
    ],
    example: "\
type: attribute-filter
parameters:
  attribute: context-window
  operator: \">=\"
  value: 128000
  missing: remove
",
    build: |parameters, _| {
        let attribute = parameters.required_text("attribute");
        let condition = condition(parameters);
        let missing = parameters.require("missing");
        let keep = missing.and_then(|view| view.choice(&[("keep", true), ("remove", false)]));
        let fallback = parameters.get("fallbackOnEmpty").map_or(Ok(false), |view| view.boolean());
        let age = duration(parameters, "maxAge", MaxAge::DEFAULT.0);
        let filter = AttributeFilter::new(attribute?, condition?, keep?, fallback?, MaxAge(age?))
            .map_err(|error| refused(parameters, error))?;
        Ok(Plugin::new().filter(filter))
    },
};

fn condition(parameters: &Params<'_>) -> Result<Condition, Invalid> {
    type Make = fn(f64) -> Condition;
    let operator = parameters.require("operator")?;
    let numeric: Option<Make> = operator.choice(&[
        ("<", Some(Condition::Less as Make)),
        ("<=", Some(Condition::AtMost as Make)),
        (">", Some(Condition::Greater as Make)),
        (">=", Some(Condition::AtLeast as Make)),
        ("==", Some(Condition::Number as Make)),
        ("in", None),
        ("notIn", None),
    ])?;
    match (numeric, parameters.get("values")) {
        (Some(_), Some(values)) => {
            Err(values.invalid("a comparison of numbers has a `value`, and no `values`"))
        }
        (Some(make), None) => Ok(make(parameters.require("value")?.number()?)),
        (None, values) => {
            if let Some(value) = parameters.get("value") {
                return Err(value.invalid("`in` and `notIn` have `values`, and no `value`"));
            }
            let values = values.ok_or_else(|| parameters.invalid("\"values\" is missing here"))?;
            let texts: Result<Vec<String>, Invalid> =
                values.list()?.iter().map(|text| text.text().map(str::to_owned)).collect();
            let make = if operator.string() == Ok("in") { Condition::OneOf } else { Condition::NoneOf };
            Ok(make(texts?))
        }
    }
}
