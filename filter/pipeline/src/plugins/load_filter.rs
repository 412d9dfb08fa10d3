//! `load-filter`: who has enough to do gets no more.

use super::parameter::{optional_number, refused};
use crate::plugin::{Parameter, Plugin, PluginType};
use ipp_selector::Busy;
use ipp_selector::filters::LoadFilter;

pub(crate) const TYPE: PluginType = PluginType {
    name: LoadFilter::TYPE,
    about: "Filter of model selection, not in the Go service: removes models with too many requests in flight, over \
            all workers. If a model would be left were it not for load, the answer is `status` with `code` \
            `models_overloaded` and the header Retry-After. Give `maxInFlight`, `maxLoad` or both.",
    parameters: &[
        Parameter {
            name: "maxInFlight",
            kind: "number",
            default: "none",
            about: "A model with so many requests or more is removed.",
        },
        Parameter {
            name: "maxLoad",
            kind: "number",
            default: "none",
            about: "The same, for each request of the model's `capacity`. A model that declares none is not held to it.",
        },
        Parameter { name: "status", kind: "429 or 503", default: "429", about: "The status of the answer." },
        Parameter {
            name: "retryAfterSeconds",
            kind: "whole number",
            default: "1",
            about: "When to come back, from 1 to 86400.",
        },
    ],
    example: "\
type: load-filter
parameters:
  maxLoad: 1.5
  status: 503
  retryAfterSeconds: 2
",
    build: |parameters, build| {
        let max_in_flight = optional_number(parameters, "maxInFlight");
        let max_load = optional_number(parameters, "maxLoad");
        let status = parameters.get("status").map_or(Ok(429), |view| view.integer(100, 599));
        let seconds = parameters.get("retryAfterSeconds").map_or(Ok(1), |view| view.integer(1, 86_400));
        let busy = Busy {
            status: u16::try_from(status?).unwrap_or(u16::MAX),
            retry_after_seconds: u32::try_from(seconds?).unwrap_or(u32::MAX),
        };
        let filter =
            LoadFilter::new(max_in_flight?, max_load?, busy).map_err(|error| refused(parameters, error))?;
        build.rejection_code(super::model_selector::OVERLOADED);
        Ok(Plugin::new().filter(filter))
    },
};
