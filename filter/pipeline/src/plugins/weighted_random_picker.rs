//! `weighted-random-picker`: chance in proportion to the totals.

use crate::plugin::{Plugin, PluginType};
use ipp_selector::pickers::WeightedRandomPicker;

pub(crate) const TYPE: PluginType = PluginType {
    name: WeightedRandomPicker::TYPE,
    about: "Picker of model selection: `P = total / Σ totals` over the totals above 0; if there is none, each model is \
            equally likely.",
    parameters: &[],
    example: "type: weighted-random-picker\n",
    build: |_, _| Ok(Plugin::new().picker(WeightedRandomPicker)),
};
