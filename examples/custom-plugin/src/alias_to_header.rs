//! `alias-to-header`: the response says which alias was used.

use crate::model_alias::Alias;
use ipp_pipeline::HeaderId;
use ipp_pipeline::plugin::{Parameter, Plugin, PluginType, Response, ResponseHeadersPlugin};

pub const TYPE: PluginType = PluginType {
    name: "alias-to-header",
    about: "Response-headers plugin. Tells the client which alias `model-alias` replaced. Nothing is held for it.",
    parameters: &[Parameter {
        name: "headerName",
        kind: "string",
        default: "x-model-alias",
        about: "The response header to set.",
    }],
    example: "type: alias-to-header\n",
    build: |parameters, build| {
        let name = parameters.get("headerName").map_or(Ok("x-model-alias"), |name| name.text())?;
        let header = build.edits_response_header(name).map_err(|why| parameters.invalid(why))?;
        Ok(Plugin::new().response_headers(AliasToHeader { header }))
    },
};

struct AliasToHeader {
    header: HeaderId,
}

impl ResponseHeadersPlugin for AliasToHeader {
    fn process(&self, response: &mut Response<'_>) {
        if let Some(Alias(alias)) = response.state().get() {
            response.set_header(self.header, alias.as_str());
        }
    }
}
