//! `by-field-filter`: a field of the body names the models that may serve.

use super::parameter::refused;
use crate::plugin::{Parameter, Plugin, PluginType};
use ipp_selector::filters::ByFieldFilter;

pub(crate) const TYPE: PluginType = PluginType {
    name: ByFieldFilter::TYPE,
    about: "Filter of model selection: keeps the models whose name, or whose attribute `byField`, is exactly the text \
            of the body field `fieldName`; all where the field is missing, `null` or empty. Nobody left is 404 \
            `model_not_found`, a field that is no string 400 `invalid_model`.",
    parameters: &[
        Parameter {
            name: "fieldName",
            kind: "string",
            default: "required",
            about: "The top-level field of the body.",
        },
        Parameter {
            name: "byField",
            kind: "string",
            default: "the model's name",
            about: "An attribute of the models, a string: one of `attributes` of `model-config-datasource`.",
        },
    ],
    example: "\
type: by-field-filter
parameters:
  fieldName: anthropic_version
  byField: anthropicVersion
",
    build: |parameters, _| {
        let field = parameters.required_text("fieldName")?;
        let by = parameters.get("byField").map_or(Ok(""), |view| view.string())?;
        let filter = ByFieldFilter::new(field, by).map_err(|error| refused(parameters, error))?;
        Ok(Plugin::new().filter(filter))
    },
};
