//! A module that crashes when told to: the stock plugins, `trap` and `trap-source`. Never for production.

use ipp_pipeline::Rejection;
use ipp_pipeline::payload::Value;
use ipp_pipeline::plugin::{Parameter, Plugin, PluginType, Request};
use ipp_pipeline::source::{Answer, Condensed, Format};
use std::borrow::Cow;

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

/// Panics where a document is "trap": in the one worker that fetches.
const TRAP_SOURCE: PluginType = PluginType {
    name: "trap-source",
    about: "Request plugin that does nothing. Panics where the document of its `source` is \"trap\".",
    parameters: &[Parameter {
        name: "source",
        kind: "source",
        default: "required",
        about: "What is fetched.",
    }],
    example: "type: trap-source\nparameters: {source: {cluster: documents}}\n",
    build: |parameters, build| {
        build.source(&parameters.require("source")?, None, Trap)?;
        Ok(Plugin::new().request(|_: &mut Request<'_>| Ok::<(), Rejection>(())))
    },
};

struct Trap;

impl Format for Trap {
    type Document = ();

    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed("trap")
    }

    fn condense(&self, answer: &Answer<'_>) -> Result<Condensed, String> {
        assert!(answer.body != b"trap", "told to crash");
        Ok(Condensed { bytes: answer.body.to_vec(), problems: Vec::new() })
    }

    fn read(&self, _: &[u8]) -> Result<(), String> {
        Ok(())
    }
}

ipp_proxy::export!(ipp_pipeline::stock().with(TRAP).with(TRAP_SOURCE));
