//! `model-alias`: a name that clients know becomes the name that the model servers know.

use ipp_pipeline::Rejection;
use ipp_pipeline::payload::{FieldId, Value};
use ipp_pipeline::plugin::{Parameter, Plugin, PluginType, Request, RequestPlugin};
use std::collections::HashMap;

pub const TYPE: PluginType = PluginType {
    name: "model-alias",
    about: "Request plugin. Rewrites the body's `model` where it is an alias. Only the bytes of the name change.",
    parameters: &[Parameter {
        name: "aliases",
        kind: "map of alias to model",
        default: "required",
        about: "The names that clients use, and the models they stand for.",
    }],
    example: "\
type: model-alias
parameters:
  aliases:
    gpt-4: meta-llama/Llama-3.1-8B-Instruct
",
    build: |parameters, build| {
        let section = parameters.require("aliases")?.any_object()?;
        let mut aliases = HashMap::new();
        for alias in section.names() {
            let model = section.require(alias)?.text()?;
            aliases.insert(alias.to_owned(), model.to_owned());
        }
        Ok(Plugin::new().request(ModelAlias { model: build.field("model"), aliases }))
    },
};

/// The alias that a request came with, left for its response.
pub struct Alias(pub String);

struct ModelAlias {
    model: FieldId,
    aliases: HashMap<String, String>,
}

impl RequestPlugin for ModelAlias {
    fn process(&self, request: &mut Request<'_>) -> Result<(), Rejection> {
        if let Value::String(alias) = request.field(self.model)
            && let Some(model) = self.aliases.get(alias)
        {
            let alias = Alias(alias.to_owned());
            request.set_field(self.model, model);
            request.state().put(alias);
        }
        Ok(())
    }
}
