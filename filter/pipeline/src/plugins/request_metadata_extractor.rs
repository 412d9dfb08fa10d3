//! `request-metadata-extractor`: the requests that each model has in flight, and averages of latencies.

use super::parameter::duration;
use crate::plugin::{Extractor, Parameter, Plugin, PluginType};
use ipp_selector::records::Averaging;

pub(crate) const TYPE: PluginType = PluginType {
    name: "request-metadata-extractor",
    about: "Extractor of the data layer. Requests in flight, and the tokens that they may generate, `model-selector` \
            counts without it, at the moment of the choice and exactly. It says how latencies are averaged, for \
            `avg-ttft-scorer` and `avg-tpot-scorer`; without it the defaults hold.",
    parameters: &[
        Parameter {
            name: "alpha",
            kind: "number",
            default: "0.1",
            about: "What the newest counts, above 0 and up to 1; the rest is the old average.",
        },
        Parameter {
            name: "windowDuration",
            kind: "duration",
            default: "0",
            about: "What comes within this time is averaged first and then counts as one. A later form of the Go \
                    service has 5 s.",
        },
    ],
    example: "\
type: request-metadata-extractor
parameters:
  alpha: 0.2
",
    build: |parameters, _| {
        let alpha = match parameters.get("alpha") {
            None => Ok(Averaging::EACH.alpha),
            Some(view) => match view.number()? {
                alpha if alpha > 0.0 && alpha <= 1.0 => Ok(alpha),
                _ => Err(view.expected("a number above 0 and up to 1")),
            },
        };
        let window = duration(parameters, "windowDuration", Averaging::EACH.window_ns);
        let averaging = Averaging { alpha: alpha?, window_ns: window? };
        Ok(Plugin::new().extractor(Extractor::Averages(averaging)))
    },
};
