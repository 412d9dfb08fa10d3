//! `power-of-two-picker`: of a few chosen by chance, the best.

use super::parameter::refused;
use crate::plugin::{Parameter, Plugin, PluginType};
use ipp_selector::pickers::PowerOfTwoPicker;

pub(crate) const TYPE: PluginType = PluginType {
    name: PowerOfTwoPicker::TYPE,
    about: "Picker of model selection, not in the Go service: draws `choices` models by chance and takes the one with the \
            highest total. Requests that come at once do not all run to the same model.",
    parameters: &[Parameter { name: "choices", kind: "whole number", default: "2", about: "From 2 to 64." }],
    example: "type: power-of-two-picker\n",
    build: |parameters, _| {
        let choices = parameters.get("choices").map_or(Ok(2), |view| view.integer(2, 64))?;
        let picker = PowerOfTwoPicker::new(usize::try_from(choices).unwrap_or(2))
            .map_err(|error| refused(parameters, error))?;
        Ok(Plugin::new().picker(picker))
    },
};
