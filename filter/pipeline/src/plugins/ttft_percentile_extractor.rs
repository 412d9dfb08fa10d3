//! `ttft-percentile-extractor`: the curve of the time to the first token, for `ttft-aware-scorer`.

use super::parameter::{duration, number, refused};
use crate::config::Invalid;
use crate::plugin::{Extractor, Parameter, Params, Plugin, PluginType};
use ipp_selector::records::TtftSettings;

pub(crate) const TYPE: PluginType = PluginType {
    name: "ttft-percentile-extractor",
    about: "Extractor of the data layer: how the time to the first token of streamed answers is set against the requests \
            that were in flight, for `ttft-aware-scorer`. All workers add to one curve for each model. Without it the \
            defaults hold.",
    parameters: &[
        Parameter {
            name: "intervalDuration",
            kind: "duration",
            default: "1s",
            about: "How often the percentiles are computed.",
        },
        Parameter {
            name: "windowSize",
            kind: "number",
            default: "5000",
            about: "How many observations are kept; above 128 it is 128.",
        },
        Parameter {
            name: "maxObservationAge",
            kind: "duration",
            default: "3m",
            about: "How old one may be to count.",
        },
        Parameter {
            name: "maxRequests",
            kind: "number",
            default: "100",
            about: "How many of the newest count; at most `windowSize`.",
        },
        Parameter {
            name: "minRequests",
            kind: "number",
            default: "10",
            about: "How many it takes for the percentiles to be trusted.",
        },
        Parameter {
            name: "lowPercentile",
            kind: "number",
            default: "25",
            about: "The first point of the curve behind the floor.",
        },
        Parameter { name: "highPercentile", kind: "number", default: "50", about: "The second." },
        Parameter {
            name: "bucketDuration",
            kind: "duration",
            default: "1m",
            about: "The floor is the 10th percentile of the 10th percentiles of spans of this length.",
        },
        Parameter {
            name: "bucketHistorySize",
            kind: "number",
            default: "1000",
            about: "Of so many of them; above 128 it is 128.",
        },
    ],
    example: "\
type: ttft-percentile-extractor
parameters:
  maxObservationAge: 1m
  minRequests: 20
",
    build: |parameters, _| {
        let defaults = TtftSettings::default();
        let interval = duration(parameters, "intervalDuration", defaults.interval_ns);
        let window_size = count(parameters, "windowSize", defaults.window_size);
        let max_age = duration(parameters, "maxObservationAge", defaults.max_age_ns);
        let max_requests = count(parameters, "maxRequests", defaults.max_requests);
        let min_requests = count(parameters, "minRequests", defaults.min_requests as usize);
        let low = number(parameters, "lowPercentile", defaults.low_percentile);
        let high = number(parameters, "highPercentile", defaults.high_percentile);
        let bucket = duration(parameters, "bucketDuration", defaults.bucket_ns);
        let history = count(parameters, "bucketHistorySize", defaults.bucket_history);
        let settings = TtftSettings {
            interval_ns: interval?,
            window_size: window_size?,
            max_age_ns: max_age?,
            max_requests: max_requests?,
            min_requests: u32::try_from(min_requests?).unwrap_or(u32::MAX),
            low_percentile: low?,
            high_percentile: high?,
            bucket_ns: bucket?,
            bucket_history: history?,
        };
        let settings = settings.checked().map_err(|error| refused(parameters, error))?;
        Ok(Plugin::new().extractor(Extractor::Ttft(settings)))
    },
};

fn count(parameters: &Params<'_>, name: &str, default: usize) -> Result<usize, Invalid> {
    let Some(view) = parameters.get(name) else { return Ok(default) };
    view.integer(0, u64::from(u32::MAX)).map(|number| usize::try_from(number).unwrap_or(usize::MAX))
}
