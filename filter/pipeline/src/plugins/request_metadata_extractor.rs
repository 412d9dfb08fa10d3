//! `request-metadata-extractor`: the requests that each model has in flight.

use crate::plugin::{Plugin, PluginType};

pub(crate) const TYPE: PluginType = PluginType {
    name: "request-metadata-extractor",
    about: "Extractor of the data layer. What it stands for, requests in flight and the tokens that they may generate, \
            `model-selector` counts without it, at the moment of the choice and exactly; it is accepted so that a \
            configuration of the Go service loads.",
    parameters: &[],
    example: "type: request-metadata-extractor\n",
    build: |_, _| Ok(Plugin::new().extractor()),
};
