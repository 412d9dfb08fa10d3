//! The models of a selection with all that belongs to each: metrics, figures, what was scraped.

use super::figures::Figures;
use super::scraped::Scraped;
use crate::env::Env;
use crate::metrics::{MetricId, MetricKind, full_name};
use crate::plugin::{Build, Collected, Extraction};
use ipp_selector::records::session_hash;
use ipp_selector::{Candidate, IN_FLIGHT, IN_FLIGHT_TOKENS};
use std::rc::Rc;

/// Defines metrics: while a configuration is built, or when a source brings a model.
pub(super) trait Define {
    fn define(&mut self, kind: MetricKind, name: &str, labels: &[(&str, &str)]) -> Result<MetricId, String>;
}

impl Define for Build<'_> {
    fn define(&mut self, kind: MetricKind, name: &str, labels: &[(&str, &str)]) -> Result<MetricId, String> {
        self.metric(kind, name, labels)
    }
}

/// Names of models are checked when their document is read.
pub(super) struct Late<'e>(pub(super) &'e mut dyn Env);

impl Define for Late<'_> {
    fn define(&mut self, kind: MetricKind, name: &str, labels: &[(&str, &str)]) -> Result<MetricId, String> {
        Ok(self.0.define(kind, &full_name(name, labels)))
    }
}

/// The metrics of one model.
#[derive(Clone, Copy)]
pub(super) struct ModelMetrics {
    pub(super) in_flight: MetricId,
    pub(super) in_flight_tokens: MetricId,
    pub(super) selected: MetricId,
}

/// What the filters and scorers of a selector read, by the names of attributes.
pub(super) struct Reads {
    names: Vec<String>,
    in_flight: bool,
    tokens: bool,
    extraction: Extraction,
}

impl Reads {
    pub(super) fn new(attributes: Vec<&str>, extraction: Extraction) -> Self {
        let names: Vec<String> = attributes.into_iter().map(str::to_owned).collect();
        let reads = |name: &str| names.iter().any(|known| known == name);
        Self { in_flight: reads(IN_FLIGHT.name()), tokens: reads(IN_FLIGHT_TOKENS.name()), extraction, names }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    pub(super) fn extraction(&self) -> Extraction {
        self.extraction
    }
}

/// Models, and in the same order what belongs to them.
pub(super) struct Catalogue {
    /// Live figures are written over before each choice, in place.
    pub(super) models: Vec<Candidate>,
    pub(super) metrics: Vec<ModelMetrics>,
    /// The names, as sessions keep them.
    pub(super) hashes: Vec<u64>,
    /// Nothing where nobody reads what is made of responses.
    pub(super) figures: Option<Rc<Figures>>,
    scraped: Scraped,
}

impl Catalogue {
    pub(super) fn new(
        models: Vec<Candidate>,
        reads: &Reads,
        collected: &[Collected],
        define: &mut dyn Define,
    ) -> Result<Self, String> {
        let mut metrics = Vec::new();
        for model in &models {
            let labels = [("model", model.name())];
            metrics.push(ModelMetrics {
                in_flight: define.define(MetricKind::Gauge, "ipp_inflight", &labels)?,
                in_flight_tokens: define.define(MetricKind::Gauge, "ipp_inflight_tokens", &labels)?,
                selected: define.define(MetricKind::Counter, "ipp_model_selected_total", &labels)?,
            });
        }
        let in_flight = metrics.iter().map(|metrics| metrics.in_flight);
        Ok(Self {
            figures: Figures::new(reads, &models, in_flight, define)?.map(Rc::new),
            scraped: Scraped::new(reads, &models, collected),
            hashes: models.iter().map(|model| session_hash(model.name().as_bytes())).collect(),
            metrics,
            models,
        })
    }

    /// Brings the attributes up to date that filters and scorers read.
    pub(super) fn refresh(&mut self, reads: &Reads, now_ns: u64, env: &mut dyn Env) {
        if let Some(figures) = &self.figures {
            figures.refresh(&mut self.models, now_ns, env);
        }
        self.scraped.refresh(&mut self.models, now_ns);
        for (model, metrics) in self.models.iter_mut().zip(&self.metrics) {
            // Below 2^53, where every whole number is exact.
            if reads.in_flight {
                model.set(&IN_FLIGHT, env.gauge(metrics.in_flight) as f64);
            }
            if reads.tokens {
                model.set(&IN_FLIGHT_TOKENS, env.gauge(metrics.in_flight_tokens) as f64);
            }
        }
    }
}
