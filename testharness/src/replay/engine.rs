//! What runs a recording, and what it saw.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::message::Headers;
use crate::recording::{EngineKind, Metrics, Outcome, Recording};

/// How the module is attached to Envoy. Results are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Once.
    #[default]
    Direct,
    /// Twice, as reader and as gate.
    Gate,
}

/// Something that runs recordings. Threads share one, and it shares between runs what it may.
pub trait Engine: Send + Sync {
    /// Which one it is.
    fn kind(&self) -> EngineKind;

    /// Runs a recording from a fresh start: metrics are at 0, nothing is in flight. Always called on a thread of its own.
    ///
    /// # Errors
    /// The engine itself did not work; nothing is known about the filter.
    fn run(&self, recording: &Recording, role: Role) -> Result<Ran, EngineError>;

    /// How many recordings it can run at the same time.
    fn parallel(&self) -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }
}

/// What became of a recording.
#[derive(Clone, Debug)]
pub enum Ran {
    /// The configuration was refused with this message.
    Refused(String),
    /// One for each exchange, in the order of the recording.
    Exchanges(Vec<Observed>),
}

/// What an engine saw of one exchange.
#[derive(Clone, Debug)]
pub struct Observed {
    /// How it ended.
    pub outcome: Outcome,
    /// The cluster that Envoy chose; none if the request was never routed.
    pub cluster: Option<String>,
    /// What the upstream received, as far as it came; none if nothing did.
    pub request: Option<Message>,
    /// What the client received, as far as it came; none if nothing did.
    pub response: Option<Response>,
    /// Metrics after the exchange: what began with `ipp_`, since the recording began, in the form of [`Metrics`].
    /// A metric that was never touched may be missing. Histograms are there as `_count`, `_sum` and `_bucket`.
    pub metrics: Metrics,
    /// What trapped, panicked or crashed during the exchange.
    pub traps: Vec<String>,
    /// Lines that the filter logged as errors or worse during the exchange.
    pub errors: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

/// A request as an upstream received it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The fields without pseudo fields, names in lower case. `:authority` is there as `host`.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
    /// The trailers.
    pub trailers: Headers,
}

/// A response as the client received it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The fields without pseudo fields, names in lower case.
    pub headers: Headers,
    /// The body as far as it came.
    pub body: Bytes,
}

/// An engine did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineError(pub String);

impl fmt::Display for EngineError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for EngineError {}

impl Observed {
    /// One of which only the end is known.
    pub fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            cluster: None,
            request: None,
            response: None,
            metrics: Metrics::new(),
            traps: Vec::new(),
            errors: Vec::new(),
            took: Duration::ZERO,
        }
    }
}

impl Role {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Gate => "gate",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}
