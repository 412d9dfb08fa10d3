//! `body-field-to-header`: a top-level field of the body becomes a request header.

use crate::head::HeaderId;
use crate::metrics::MetricId;
use crate::payload::{FieldId, Value};
use crate::plugin::{Parameter, Plugin, PluginType, Request, RequestPlugin};
use crate::reject::Rejection;

pub(crate) const TYPE: PluginType = PluginType {
    name: "body-field-to-header",
    about: "Request plugin. Copies a top-level field of the body into a request header, in place of whatever the \
            client sent under that name. Strings go as they are, numbers as they are written, booleans as `true` and \
            `false`. A field that is absent, `null`, an array or an object sets no header and counts in \
            `ipp_body_field_not_found_total{field}`; an empty string sets none and counts in \
            `ipp_body_field_empty_total{field}`. Answers 400 `invalid_model` where the field is `model` and an array \
            or object, and 400 `invalid_header_value` where the text has control characters or more than 8 KiB.",
    parameters: &[
        Parameter {
            name: "fieldName",
            kind: "string",
            default: "required",
            about: "The top-level field to copy. Matched exactly; paths are not supported.",
        },
        Parameter {
            name: "headerName",
            kind: "string",
            default: "required",
            about: "The header to set. Clients cannot set it: it is removed from every request on entry.",
        },
    ],
    example: "\
type: body-field-to-header
parameters:
  fieldName: model
  headerName: X-Gateway-Model-Name
",
    build: |parameters, build| {
        let field_name = parameters.required_text("fieldName");
        let header_name = parameters.require("headerName");
        let header =
            header_name.and_then(|name| build.owns_header(name.text()?).map_err(|why| name.invalid(why)));
        let (field_name, header) = (field_name?, header?);
        let invalid = |message: String| parameters.invalid(message);
        let labels = [("field", field_name)];
        Ok(Plugin::new().request(BodyFieldToHeader {
            header,
            field: build.field(field_name),
            is_model: field_name == "model",
            not_found: build.counter("ipp_body_field_not_found_total", &labels).map_err(invalid)?,
            empty: build.counter("ipp_body_field_empty_total", &labels).map_err(invalid)?,
        }))
    },
};

struct BodyFieldToHeader {
    field: FieldId,
    header: HeaderId,
    is_model: bool,
    not_found: MetricId,
    empty: MetricId,
}

impl RequestPlugin for BodyFieldToHeader {
    fn process(&self, request: &mut Request<'_>) -> Result<(), Rejection> {
        let text = match request.field(self.field) {
            Value::Array | Value::Object if self.is_model => return Err(invalid_model()),
            value => value.text()?.map(str::to_owned),
        };
        match text.as_deref() {
            None => request.count(self.not_found),
            Some("") => request.count(self.empty),
            Some(text) => request.set_header(self.header, text)?,
        }
        Ok(())
    }
}

/// `model` decides where a request goes: a value that names nothing is the client's mistake.
pub(super) fn invalid_model() -> Rejection {
    Rejection::new(400, "invalid_model", "model must be a string").param("model")
}
