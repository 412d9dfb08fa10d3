//! How figures are made of the ends of requests, and how sessions are kept: what plugins of the data layer and of model
//! selection say, for the model selector that does it.

use crate::head::HeaderId;
use ipp_selector::records::{Averaging, CostWindow, HealthRules, SessionTable, TtftSettings};

/// The settings of one extractor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Extractor {
    /// Averages of latencies, and speed.
    Averages(Averaging),
    /// The curve of the time to the first token.
    Ttft(TtftSettings),
    /// What requests cost.
    Cost(CostSettings),
    /// How often a model fails, and when it is left alone.
    Health(HealthRules),
}

/// How costs are gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CostSettings {
    /// For how long, and how finely.
    pub window: CostWindow,
    /// How often decisions take over what was gathered: nanoseconds.
    pub flush_ns: u64,
}

impl CostSettings {
    /// The Go service's: 200 centroids, two hours, 5 seconds.
    pub const DEFAULT: Self = Self { window: CostWindow::DEFAULT, flush_ns: 5_000_000_000 };
}

/// The settings of all extractors. Each has its defaults where the configuration names no extractor of its kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extraction {
    /// Of `request-metadata-extractor`.
    pub averaging: Averaging,
    /// Of `ttft-percentile-extractor`.
    pub ttft: TtftSettings,
    /// Of `model-cost-extractor`.
    pub cost: CostSettings,
    /// Of `health-extractor`.
    pub health: HealthRules,
}

impl Default for Extraction {
    fn default() -> Self {
        let ttft = TtftSettings::default();
        Self {
            averaging: Averaging::EACH,
            ttft: ttft.checked().unwrap_or(ttft),
            cost: CostSettings::DEFAULT,
            health: HealthRules::DEFAULT,
        }
    }
}

impl Extraction {
    /// Takes over the settings of one extractor.
    pub(crate) fn set(&mut self, extractor: Extractor) {
        match extractor {
            Extractor::Averages(averaging) => self.averaging = averaging,
            Extractor::Ttft(settings) => self.ttft = settings,
            Extractor::Cost(settings) => self.cost = settings,
            Extractor::Health(rules) => self.health = rules,
        }
    }
}

/// How the sessions of one request header are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRules {
    /// The plugin's name: two plugins do not share sessions.
    pub(crate) instance: String,
    /// The header's name in lower case, as the scorer asks for it.
    pub(crate) key: String,
    pub(crate) header: HeaderId,
    pub(crate) table: SessionTable,
    /// For how long after its last request a session is known: nanoseconds.
    pub(crate) ttl_ns: u64,
}
