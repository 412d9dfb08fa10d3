//! `cool-down-filter`: a model that fails is left alone for a while.

use crate::plugin::{Plugin, PluginType};
use ipp_selector::filters::CoolDownFilter;

pub(crate) const TYPE: PluginType = PluginType {
    name: CoolDownFilter::TYPE,
    about: "Filter of model selection, not in the Go service: removes the models that cool down because too many of \
            their requests failed (`health-extractor`). If all do, all stay: an answer that fails is no worse than none.",
    parameters: &[],
    example: "type: cool-down-filter\n",
    build: |_, _| Ok(Plugin::new().filter(CoolDownFilter)),
};
