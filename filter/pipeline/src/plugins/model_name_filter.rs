//! `model-name-filter`: the request's `model` names the one that may serve.

use crate::plugin::{Plugin, PluginType};
use ipp_selector::filters::ModelNameFilter;

pub(crate) const TYPE: PluginType = PluginType {
    name: ModelNameFilter::TYPE,
    about: "Filter of model selection: keeps the model of the name that the request's `model` says, and all where it \
            says nothing. It knows no `auto`; `model-group-name-filter` does. The Go service has deprecated it.",
    parameters: &[],
    example: "type: model-name-filter\n",
    build: |_, _| Ok(Plugin::new().filter(ModelNameFilter)),
};
