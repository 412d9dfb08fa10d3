//! `response-field-to-header`: a top-level field of the response becomes a response header.

use crate::head::HeaderId;
use crate::payload::{FieldId, Value};
use crate::plugin::{FullResponse, Parameter, Plugin, PluginType, ResponseBodyPlugin, Unreadable};
use crate::reject::Rejection;

pub(crate) const TYPE: PluginType = PluginType {
    name: "response-field-to-header",
    about: "Response plugin, on the whole body: **each response of the profile is held until it is complete**, since \
            headers go before the body. Copies a top-level field into a response header, in place of what the model \
            server sent under that name: strings as they are, numbers as they are written, booleans as `true` and \
            `false`. A field that is absent, `null`, an array, an object or no header value sets none. Streams, \
            encoded responses and whatever is no JSON object cannot be read; `unreadable` says what becomes of them.",
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
            about: "The response header to set.",
        },
        Parameter {
            name: "unreadable",
            kind: "`skip` or `reject`",
            default: "skip",
            about: "A response that cannot be read: let it pass without the header and count it in \
                    `ipp_response_plugin_skipped_total`, or answer 502 `response_unreadable` in its place.",
        },
    ],
    example: "\
type: response-field-to-header
parameters:
  fieldName: system_fingerprint
  headerName: X-System-Fingerprint
",
    build: |parameters, build| {
        let field_name = parameters.required_text("fieldName");
        let header = parameters
            .require("headerName")
            .and_then(|name| build.edits_response_header(name.text()?).map_err(|why| name.invalid(why)));
        let unreadable = parameters.get("unreadable").map_or(Ok(Unreadable::Skip), |policy| {
            policy.choice(&[("skip", Unreadable::Skip), ("reject", Unreadable::Reject)])
        });
        let (field_name, header, unreadable) = (field_name?, header?, unreadable?);
        let plugin = ResponseFieldToHeader { field: build.response_field(field_name), header };
        Ok(Plugin::new().response_body(plugin, unreadable))
    },
};

struct ResponseFieldToHeader {
    field: FieldId,
    header: HeaderId,
}

impl ResponseBodyPlugin for ResponseFieldToHeader {
    fn process(&self, response: &mut FullResponse<'_>) -> Result<(), Rejection> {
        let text = match response.field(self.field) {
            Value::String(text) | Value::Number(text) => text.to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Absent | Value::Null | Value::Array | Value::Object | Value::TooLong => return Ok(()),
        };
        response.set_header(self.header, text);
        Ok(())
    }
}
