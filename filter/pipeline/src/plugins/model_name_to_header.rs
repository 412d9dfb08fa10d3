//! `model-name-to-header`: the response says which model was selected.

use crate::head::HeaderId;
use crate::plugin::{Parameter, Plugin, PluginType, Response, ResponseHeadersPlugin};
use crate::state::SelectedModel;

pub(crate) const TYPE: PluginType = PluginType {
    name: "model-name-to-header",
    about: "Response plugin, on headers: nothing is held for it, and streams are not delayed. Sets a response header \
            to the model that the profile's model selection chose, in place of what the model server sent under that \
            name. Where no model was selected it does nothing. It stands under `response` or in `postProcessing`.",
    parameters: &[Parameter {
        name: "headerName",
        kind: "string",
        default: "X-Gateway-Model-Name",
        about: "The response header to set. Empty means the default.",
    }],
    example: "type: model-name-to-header\n",
    build: |parameters, build| {
        let name = match parameters.get("headerName") {
            Some(name) => name.string()?,
            None => "",
        };
        let name = if name.is_empty() { "X-Gateway-Model-Name" } else { name };
        let header = build.edits_response_header(name).map_err(|why| parameters.invalid(why))?;
        Ok(Plugin::new().response_headers(ModelNameToHeader { header }))
    },
};

struct ModelNameToHeader {
    header: HeaderId,
}

impl ResponseHeadersPlugin for ModelNameToHeader {
    fn process(&self, response: &mut Response<'_>) {
        if let Some(SelectedModel(model)) = response.state().get() {
            response.set_header(self.header, model.as_bytes());
        }
    }
}
