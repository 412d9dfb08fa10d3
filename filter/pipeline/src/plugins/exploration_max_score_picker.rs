//! `exploration-max-score-picker`: the best, and now and then one whose score has not moved for long.

use super::parameter::{duration, number, refused};
use crate::plugin::{Parameter, Plugin, PluginType};
use ipp_selector::pickers::ExplorationMaxScorePicker;

pub(crate) const TYPE: PluginType = PluginType {
    name: ExplorationMaxScorePicker::TYPE,
    about: "Picker of model selection: with chance `explorationRatio` one of the models whose total has not changed for \
            longer than `stalenessThreshold`, each equally likely; else as `max-score-picker`. Every worker goes by the \
            totals that it saw itself.",
    parameters: &[
        Parameter { name: "explorationRatio", kind: "number", default: "0.05", about: "From 0 to 1." },
        Parameter { name: "stalenessThreshold", kind: "duration", default: "30s", about: "As said." },
    ],
    example: "\
type: exploration-max-score-picker
parameters:
  explorationRatio: 0.02
  stalenessThreshold: 1m
",
    build: |parameters, _| {
        let ratio = number(parameters, "explorationRatio", ExplorationMaxScorePicker::DEFAULT_RATIO);
        let default = ExplorationMaxScorePicker::DEFAULT_THRESHOLD_NS;
        let threshold = duration(parameters, "stalenessThreshold", default);
        let picker =
            ExplorationMaxScorePicker::new(ratio?, threshold?).map_err(|error| refused(parameters, error))?;
        Ok(Plugin::new().picker(picker))
    },
};
