//! The payload pipeline: bytes and headers of a request in, a decision out.
//!
//! Nothing here knows Envoy, reads a clock or keeps state between requests. [`config::load`] compiles a
//! PayloadProcessorConfig into a [`Pipeline`]; a request goes through [`Pipeline::enter`], [`Pipeline::feed`] and
//! [`Pipeline::decide`]. To write a plugin, start at [`plugin::PluginType`].
#![forbid(unsafe_code)]

mod attachment;
pub mod config;
mod entry;
mod env;
mod head;
mod metrics;
mod observation;
mod observed;
mod options;
pub mod payload;
mod pipeline;
pub mod plugin;
mod plugins;
mod reject;
pub mod response;
pub mod source;
mod state;

pub use attachment::{DEFAULT_GATE_TIMEOUT, OnStall, Role, Trouble};
pub use config::Invalid;
pub use entry::Pass;
pub use env::{Env, Shared};
pub use head::{HeaderId, HeaderTable};
pub use metrics::{Metric, MetricId, MetricKind, Metrics};
pub use observation::{Account, Finished, Outcome};
pub use observed::{Observed, Served};
pub use options::{
    Attribution, DEFAULT_MAX_BYTES, Encoded, MAX_LABELS, Options, PricedModel, Prices, Responses, TooLarge,
};
pub use pipeline::{Ending, Entered, Forward, Held, Pipeline, Progress, Routed};
pub use plugins::stock;
pub use reject::{ErrorStyle, Rejection, Reply};
pub use state::{Decision, SelectedModel, State};
