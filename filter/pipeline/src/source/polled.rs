//! A source of a configuration as the proxy sees it: what to fetch, what to count, and where documents go.

use super::collecting::Define;
use super::{Answer, Condensed, Failure, Format, Live, Source};
use crate::metrics::{MetricId, MetricKind};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

/// One source with the plugin behind it.
pub struct Polled {
    name: String,
    source: Source,
    metrics: SourceMetrics,
    identity: u64,
    document: Rc<dyn Document>,
    /// Whose sources are not all fetched at the same time, and how many of them are.
    group: Option<(String, usize)>,
}

/// The metrics of a source, all with the label `source`.
#[derive(Clone, Debug)]
pub struct SourceMetrics {
    /// Counts fetches that were begun.
    pub fetches: MetricId,
    /// Counts documents that differ from the one before.
    pub documents: MetricId,
    /// When the source last gave a good answer, in seconds since the Unix epoch.
    pub last_success: MetricId,
    /// How many parts of the document in force were left out.
    pub problems: MetricId,
    /// How many microseconds a worker was busy with reading a document.
    pub reading: MetricId,
    failures: Vec<(Failure, MetricId)>,
}

/// What the type of a document is hidden behind.
trait Document {
    fn condense(&self, answer: &Answer<'_>) -> Result<Condensed, String>;
    fn put(&self, bytes: &[u8], confirmed_ns: u64) -> Result<(), String>;
    fn confirm(&self, confirmed_ns: u64);
}

struct Typed<F: Format> {
    format: F,
    live: Live<F::Document>,
}

impl<F: Format> Document for Typed<F> {
    fn condense(&self, answer: &Answer<'_>) -> Result<Condensed, String> {
        let condensed = self.format.condense(answer)?;
        // What other workers could not read does not reach them.
        self.format.read(&condensed.bytes)?;
        Ok(condensed)
    }

    fn put(&self, bytes: &[u8], confirmed_ns: u64) -> Result<(), String> {
        self.live.put(self.format.read(bytes)?, confirmed_ns);
        Ok(())
    }

    fn confirm(&self, confirmed_ns: u64) {
        self.live.confirm(confirmed_ns);
    }
}

impl Polled {
    /// A source with its name, which becomes a metric label, and the handle of its documents.
    pub(crate) fn new<F: Format + 'static>(
        name: String,
        source: Source,
        format: F,
        define: &mut Define<'_>,
    ) -> (Self, Live<F::Document>) {
        let label = [("source", name.as_str())];
        let mut of_source = |kind, metric| define(kind, metric, &label);
        let metrics = SourceMetrics {
            fetches: of_source(MetricKind::Counter, "ipp_source_fetches_total"),
            documents: of_source(MetricKind::Counter, "ipp_source_documents_total"),
            last_success: of_source(MetricKind::Gauge, "ipp_source_last_success_timestamp_seconds"),
            problems: of_source(MetricKind::Gauge, "ipp_source_problems"),
            reading: of_source(MetricKind::Histogram, "ipp_source_read_microseconds"),
            failures: Failure::ALL
                .map(|reason| {
                    let labels = [("source", name.as_str()), ("reason", reason.label())];
                    (reason, define(MetricKind::Counter, "ipp_source_fetch_failures_total", &labels))
                })
                .to_vec(),
        };
        let mut hasher = DefaultHasher::new();
        // What decides what a document is. How often it is fetched does not: another interval keeps the document.
        let Source { cluster, authority, path, headers, interval: _, timeout: _, max_bytes: _ } = &source;
        (&name, format.name(), cluster, authority, path, headers).hash(&mut hasher);
        let live = Live::default();
        let document = Rc::new(Typed { format, live: live.clone() });
        (Self { name, source, metrics, identity: hasher.finish(), document, group: None }, live)
    }

    /// The name: that of the plugin, and behind a slash what tells several of its sources apart.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Of the sources of this group at most so many are fetched at the same time.
    pub(crate) fn at_most(mut self, group: &str, most: usize) -> Self {
        self.group = Some((group.to_owned(), most));
        self
    }

    /// The group, and how many of its sources may be fetched at the same time; nothing for what is in none.
    pub fn group(&self) -> Option<(&str, usize)> {
        self.group.as_ref().map(|(name, most)| (name.as_str(), *most))
    }

    /// Where its documents come from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// What is counted.
    pub fn metrics(&self) -> &SourceMetrics {
        &self.metrics
    }

    /// The same for the same plugin, request and format, in whatever configuration: filters with the same one can
    /// share its documents.
    pub fn identity(&self) -> u64 {
        self.identity
    }

    /// Checks an answer with a good status and keeps what is needed of it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn condense(&self, answer: &Answer<'_>) -> Result<Condensed, String> {
        self.document.condense(answer)
    }

    /// Gives the plugin a document that was condensed.
    ///
    /// # Errors
    /// What is wrong with it; then the plugin keeps the one it has.
    pub fn put(&self, bytes: &[u8], confirmed_ns: u64) -> Result<(), String> {
        self.document.put(bytes, confirmed_ns)
    }

    /// Tells the plugin that its document was still the source's at that time.
    pub fn confirm(&self, confirmed_ns: u64) {
        self.document.confirm(confirmed_ns);
    }
}

impl SourceMetrics {
    /// The counter of failures for that reason.
    pub fn failures(&self, reason: Failure) -> Option<MetricId> {
        self.failures.iter().find(|(known, _)| *known == reason).map(|(_, metric)| *metric)
    }
}
