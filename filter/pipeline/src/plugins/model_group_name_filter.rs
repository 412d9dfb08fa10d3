//! `model-group-name-filter`: `auto`, a group of models, or one model by name.

use crate::plugin::{Plugin, PluginType};
use ipp_selector::filters::ModelGroupNameFilter;

pub(crate) const TYPE: PluginType = PluginType {
    name: ModelGroupNameFilter::TYPE,
    about: "Filter of model selection, by the request's `model`. Missing, `null`, empty or `auto` keeps all models; \
            `auto/GROUP` those of the group; anything else the model of that name. Case counts. Nobody left is 404 \
            `model_not_found`, a `model` that is no string 400 `invalid_model`.",
    parameters: &[],
    example: "type: model-group-name-filter\n",
    build: |_, _| Ok(Plugin::new().filter(ModelGroupNameFilter)),
};
