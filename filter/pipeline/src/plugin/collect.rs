//! What collectors of the data layer bring: gauges of the models' own servers.

use crate::source::{Format, Live, Source};
use ipp_selector::Candidate;
use std::rc::Rc;

/// Says where the figures of the models' servers are.
pub trait Collector {
    /// Where that model's server tells how it is; nothing where it does not.
    fn target(&self, model: &Candidate) -> Option<Target>;

    /// How many models are asked at the same time, 1 or more.
    fn most_at_once(&self) -> usize;
}

/// What is scraped, and how it is read.
pub struct Target {
    /// The request.
    pub source: Source,
    /// The reader of answers.
    pub format: Rc<dyn Format<Document = Scrape>>,
}

/// What is scraped of one model.
#[derive(Clone)]
pub struct Collected {
    /// The model's name.
    pub model: String,
    /// The last scrape, with its age.
    pub live: Live<Scrape>,
}

/// One scrape: the gauges that the server told, in the order of [`ATTRIBUTES`](Scrape::ATTRIBUTES).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scrape(pub(crate) [Option<f64>; 4]);

impl Scrape {
    /// The attributes of a model that gauges become.
    pub const ATTRIBUTES: [&'static str; 4] =
        ["kv-cache-utilization", "cpu-cache-utilization", "waiting-requests", "running-requests"];

    /// The gauge of an attribute, if the server told it.
    pub fn value(&self, attribute: &str) -> Option<f64> {
        let at = Self::ATTRIBUTES.iter().position(|known| *known == attribute)?;
        self.0.get(at).copied().flatten()
    }
}
