//! What collectors of the data layer bring: gauges of the models' own servers.

use super::build::Build;
use crate::source::Live;
use ipp_selector::Candidate;

/// Brings figures of the models' servers.
pub trait Collector {
    /// Declares a source for each of the models that it can ask. Called once, when the models are known.
    ///
    /// # Errors
    /// Why it cannot work; it becomes a configuration error.
    fn collect(&self, models: &[Candidate], build: &mut Build<'_>) -> Result<Vec<Collected>, String>;
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
