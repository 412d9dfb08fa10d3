//! Recordings: what a client sent, what the model server answered, and what has to come out.
//!
//! [`Recording::load`] reads a file strictly and resolves everything in it: bodies are bytes, the configuration is text,
//! times are durations. The format is described once, in `recording/format.rs`; the reader checks against that description and
//! `recordings.schema.json` is printed from it.

mod config;
pub(crate) mod document;
mod expect;
mod format;
mod generate;
pub mod metrics;
mod problem;
mod read;
mod request;
pub(crate) mod snapshot;
mod time;
mod upstream;
pub(crate) mod value;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

pub use config::with_role;
pub use expect::{BodyExpectation, Expectation, HeaderExpectation, MessageExpectation, Outcome};
pub use format::schema;
pub use metrics::Metrics;
pub use problem::{Problem, Unreadable};
pub(crate) use read::looks_like_one;
pub use request::{Abort, Framing, Request};
pub use upstream::{Piece, Reset, Upstream};

/// The header by whose value a request is routed unless a recording names another.
pub const ROUTE: &str = "x-gateway-base-model-name";

/// The cluster of requests that no other one is meant for.
pub const DEFAULT_CLUSTER: &str = "default";

/// The host that a request asks for unless its headers have one.
pub const HOST: &str = "ipp.test";

/// One recording, ready to be run.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The file it came from.
    pub file: PathBuf,
    /// What it shows.
    pub name: String,
    /// The configuration of the filter.
    pub config: Config,
    /// When its clock starts.
    pub now: Option<SystemTime>,
    /// Makes random choices repeatable. It is in the configuration already, as `proxyWasm.seed`.
    pub seed: Option<u64>,
    /// Where it can run.
    pub engines: Vec<EngineKind>,
    /// How the simulated Envoy routes.
    pub routing: Routing,
    /// What the clusters answer that data sources poll.
    pub callouts: Vec<Callout>,
    /// What happens.
    pub plan: Plan,
}

/// A PayloadProcessorConfig.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The text that the filter gets.
    pub text: String,
    /// The file it came from; none if it stands in the recording or is the built-in default.
    pub file: Option<PathBuf>,
}

/// What a recording is about.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Requests and their answers, in order. Never empty.
    Exchanges(Vec<Exchange>),
    /// The configuration must be refused with a message that contains this.
    ConfigError(String),
}

/// What can run a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EngineKind {
    /// The filter linked into the process.
    Native,
    /// The compiled module in a proxy-wasm host.
    Wasm,
    /// The compiled module in a real Envoy.
    Envoy,
}

/// How the simulated Envoy routes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routing {
    /// The clusters that there are, [`DEFAULT_CLUSTER`] always among them.
    pub clusters: Vec<String>,
    /// The header that is looked at, in lower case.
    pub header: String,
    /// Clusters of values that are not the name of one.
    pub values: Vec<(String, String)>,
}

/// A cluster that data sources poll.
#[derive(Clone, Debug)]
pub struct Callout {
    /// Its name.
    pub cluster: String,
    /// Its answers in turn. The last one is given again and again. Never empty.
    pub answers: Vec<Upstream>,
}

/// One request and what becomes of it.
///
/// An exchange with `at` starts at that time. One without starts when the one before it has ended or is held back by
/// its `until`.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Its name, or its number from 1.
    pub id: String,
    /// When it starts on the recording's clock.
    pub at: Option<Duration>,
    /// What the client sends.
    pub request: Request,
    /// What the model server answers.
    pub upstream: Upstream,
    /// The answer is held back until the exchange with this index has ended. It is always a later one.
    pub until: Option<usize>,
    /// What has to come out; none if the recording leaves it to its snapshot.
    pub expect: Option<Expectation>,
    /// Values of metrics after this exchange.
    pub metrics: Metrics,
}

impl EngineKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Native, Self::Wasm, Self::Envoy];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Wasm => "wasm",
            Self::Envoy => "envoy",
        }
    }
}

impl std::fmt::Display for EngineKind {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name())
    }
}

impl Recording {
    /// When its clock starts; 2026-01-01 where it does not say, so that every run is the same.
    pub fn start(&self) -> SystemTime {
        self.now.unwrap_or(SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600))
    }

    /// With another configuration; the seed goes into it, too.
    pub(crate) fn use_config(&mut self, config: &Config) {
        self.config = config.clone();
        if let Some(seed) = self.seed {
            self.config = config.clone().with_seed(seed);
        }
    }

    /// The exchanges; none if the configuration must be refused.
    pub fn exchanges(&self) -> &[Exchange] {
        match &self.plan {
            Plan::Exchanges(exchanges) => exchanges,
            Plan::ConfigError(_) => &[],
        }
    }
}

impl Routing {
    /// The cluster of a request that has this value of the header [`Routing::header`].
    pub fn cluster(&self, value: Option<&[u8]>) -> &str {
        let mapped = |value: &[u8]| self.values.iter().find(|(from, _)| from.as_bytes() == value);
        let named = |value: &[u8]| self.clusters.iter().find(|name| name.as_bytes() == value);
        value
            .and_then(|value| mapped(value).map(|(_, to)| to).or_else(|| named(value)))
            .map_or(DEFAULT_CLUSTER, String::as_str)
    }
}
