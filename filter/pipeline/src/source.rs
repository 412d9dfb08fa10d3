//! Documents that are fetched while the filter runs: where from, how they are checked, and the handle that a plugin
//! keeps of one.
//!
//! Pure: the proxy polls what [`Pipeline::sources`](crate::Pipeline::sources) lists and feeds in what it gets. One
//! worker fetches and [condenses](Format::condense); all workers [read](Format::read) the condensed document.

mod answer;
mod collecting;
mod header;
mod live;
mod polled;
mod read;
mod schedule;
mod state;

pub use answer::{Answer, Failed, Failure};
pub(crate) use collecting::{Brought, Collecting, scrape};
pub use header::Template;
pub use live::Live;
pub use polled::{Polled, SourceMetrics};
pub use schedule::{after_failure, after_success, latest};
pub use state::{State, later};

use std::borrow::Cow;
use std::rc::Rc;
use std::time::Duration;

/// The keys of a `source`.
pub const KEYS: [&str; 7] = ["cluster", "authority", "path", "headers", "interval", "timeout", "maxBytes"];

/// How often a source is fetched unless it says otherwise.
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(15);
/// How long an answer may take unless the source says otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest document in bytes unless the source says otherwise: 8 MiB, room for 5,000 ConfigMaps.
pub const DEFAULT_SOURCE_BYTES: u64 = 8 << 20;

/// Where a document comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The cluster, as Envoy knows it.
    pub cluster: String,
    /// The host that the request names.
    pub authority: String,
    /// The path with its query.
    pub path: String,
    /// More request headers, names in lower case.
    pub headers: Vec<(String, Template)>,
    /// From one fetch to the next.
    pub interval: Duration,
    /// How long the whole answer may take.
    pub timeout: Duration,
    /// The largest answer, in bytes.
    pub max_bytes: u64,
}

/// How a plugin reads the documents of a source. What it needs of its parameters for that is in `self`.
pub trait Format {
    /// What a plugin sees of a document.
    type Document: 'static;

    /// Names the condensed form, and the parameters that it depends on. A module that changes the form changes the
    /// name, since the one before it may have left a document for it.
    fn name(&self) -> Cow<'_, str>;

    /// Checks an answer, and keeps of it what workers need. Runs in the worker that fetched it, for every answer. What
    /// is the same twice should give the same bytes: only other bytes go to the other workers.
    ///
    /// # Errors
    /// Why the answer is of no use.
    fn condense(&self, answer: &Answer<'_>) -> Result<Condensed, String>;

    /// Reads what `condense` gave. Runs once in every worker for each new document.
    ///
    /// # Errors
    /// Why it cannot be read; then no worker gets it.
    fn read(&self, condensed: &[u8]) -> Result<Self::Document, String>;
}

impl<D: 'static> Format for Rc<dyn Format<Document = D>> {
    type Document = D;

    fn name(&self) -> Cow<'_, str> {
        (**self).name()
    }

    fn condense(&self, answer: &Answer<'_>) -> Result<Condensed, String> {
        (**self).condense(answer)
    }

    fn read(&self, condensed: &[u8]) -> Result<D, String> {
        (**self).read(condensed)
    }
}

/// What a worker keeps of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condensed {
    /// The document for all workers.
    pub bytes: Vec<u8>,
    /// What is wrong with parts of it that were left out. Logged when the document changes.
    pub problems: Vec<String>,
}
