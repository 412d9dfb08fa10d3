//! `model-name-to-header`: the response says which model was selected.

use super::model_selector::SelectedModel;
use crate::head::HeaderId;
use crate::plugin::{Parameter, Plugin, PluginType, Response, ResponseHeadersPlugin};

pub(crate) const TYPE: PluginType = PluginType {
    name: "model-name-to-header",
    about: "Response plugin. Sets a response header to the name of the model that `model-selector` chose, in place of \
            whatever the model server sent under that name; without a selection it does nothing.",
    parameters: &[Parameter {
        name: "headerName",
        kind: "string",
        default: "X-Gateway-Model-Name",
        about: "The response header.",
    }],
    example: "\
type: model-name-to-header
parameters:
  headerName: X-Selected-Model
",
    build: |parameters, build| {
        let header = match parameters.get("headerName") {
            Some(view) => {
                build.edits_response_header(view.text()?).map_err(|message| view.invalid(message))?
            }
            None => build
                .edits_response_header("X-Gateway-Model-Name")
                .map_err(|message| parameters.invalid(message))?,
        };
        Ok(Plugin::new().response_headers(ModelNameToHeader(header)))
    },
};

struct ModelNameToHeader(HeaderId);

impl ResponseHeadersPlugin for ModelNameToHeader {
    fn process(&self, response: &mut Response<'_>) {
        if let Some(SelectedModel(name)) = response.state().get() {
            response.set_header(self.0, name.as_bytes());
        }
    }
}
