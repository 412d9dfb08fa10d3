//! A module that crashes when told to: the stock plugins, and `trap`. Never for production.

use ipp_pipeline::Rejection;
use ipp_pipeline::payload::Value;
use ipp_pipeline::plugin::{Plugin, PluginType, Request};

/// Panics where `model` is "trap", as a plugin with a mistake in it would.
const TRAP: PluginType = PluginType {
    name: "trap",
    about: "Request plugin. Panics where `model` is \"trap\".",
    parameters: &[],
    example: "type: trap\n",
    build: |_, build| {
        let model = build.field("model");
        Ok(Plugin::new().request(move |request: &mut Request<'_>| {
            assert!(request.field(model) != Value::String("trap"), "told to crash");
            Ok::<(), Rejection>(())
        }))
    },
};

ipp_proxy::export!(ipp_pipeline::stock().with(TRAP));
