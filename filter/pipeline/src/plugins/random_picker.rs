//! `random-picker`: chance alone.

use crate::plugin::{Plugin, PluginType};
use ipp_selector::pickers::RandomPicker;

pub(crate) const TYPE: PluginType = PluginType {
    name: RandomPicker::TYPE,
    about: "Picker of model selection: each model that filters left is equally likely, whatever its total.",
    parameters: &[],
    example: "type: random-picker\n",
    build: |_, _| Ok(Plugin::new().picker(RandomPicker)),
};
