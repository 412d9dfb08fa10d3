//! `max-score-picker`: the best total wins; among equals, chance.

use super::parameter::{number, refused};
use crate::plugin::{Parameter, Plugin, PluginType};
use ipp_selector::pickers::MaxScorePicker;

pub(crate) const TYPE: PluginType = PluginType {
    name: MaxScorePicker::TYPE,
    about: "Picker of model selection, and the one where a profile has none: the highest total; among equals, \
            each is equally likely.",
    parameters: &[Parameter {
        name: "tieBand",
        kind: "number",
        default: "0",
        about: "Totals that are so much below the highest count as equal to it. Spreads requests that come at once.",
    }],
    example: "\
type: max-score-picker
parameters:
  tieBand: 0.05
",
    build: |parameters, _| {
        let band = number(parameters, "tieBand", 0.0)?;
        let picker = MaxScorePicker::new(band).map_err(|error| refused(parameters, error))?;
        Ok(Plugin::new().picker(picker))
    },
};
