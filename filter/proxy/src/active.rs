//! A configuration in force: the pipeline, the host's ids of its metrics, and its source of chance.

use crate::apply;
use crate::host::{self, Kind};
use ipp_pipeline::{Env, MetricId, MetricKind, Pipeline, Rejection};
use ipp_selector::{Rng, SplitMix64};
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

thread_local! {
    /// The host's metric ids by name. They belong to the VM, not to a configuration: a new one would be
    /// made, and never freed, each time a configuration is applied.
    static METRICS: RefCell<HashMap<String, u32>> = RefCell::default();
}

/// A compiled configuration with what it needs of the host. Streams share it until the last of them ends.
pub(crate) struct Active {
    pub(crate) pipeline: Pipeline,
    metrics: Vec<Option<u32>>,
    chance: RefCell<SplitMix64>,
}

impl Active {
    pub(crate) fn new(pipeline: Pipeline) -> Self {
        let metrics: Vec<Option<u32>> =
            pipeline.metrics().all().iter().map(|metric| define(metric.kind, &metric.name)).collect();
        let info = metrics.get(pipeline.info_metric().index()).copied().flatten();
        if let Some(info) = info {
            // A metric is never worth failing a request or a configuration for.
            host::record(info, 1).ok();
        }
        let seed = pipeline.options().seed.unwrap_or_else(|| RandomState::new().hash_one(host::now_ns()));
        Self { pipeline, metrics, chance: RefCell::new(SplitMix64::new(seed)) }
    }

    /// The world of one callback.
    pub(crate) fn env(&self) -> HostEnv<'_> {
        HostEnv(self)
    }

    /// Answers the request that the host's calls are about, and counts the refusal.
    pub(crate) fn answer(&self, rejection: &Rejection) {
        let reply = self.pipeline.reply(rejection, &mut self.env());
        apply::reply(rejection.code, &reply);
    }

    /// Adds to a counter.
    pub(crate) fn add(&self, metric: MetricId, by: u64) {
        if let Some(id) = self.metric(metric) {
            host::add(id, by).ok();
        }
    }

    /// Records a value in a histogram, or sets a gauge.
    pub(crate) fn record(&self, metric: MetricId, value: u64) {
        if let Some(id) = self.metric(metric) {
            host::record(id, value).ok();
        }
    }

    fn metric(&self, metric: MetricId) -> Option<u32> {
        self.metrics.get(metric.index()).copied().flatten()
    }
}

fn define(kind: MetricKind, name: &str) -> Option<u32> {
    METRICS.with_borrow_mut(|known| {
        if let Some(id) = known.get(name) {
            return Some(*id);
        }
        let kind = match kind {
            MetricKind::Counter => Kind::Counter,
            MetricKind::Gauge => Kind::Gauge,
            MetricKind::Histogram => Kind::Histogram,
        };
        let id = host::define_metric(kind, name).ok()?;
        known.insert(name.to_owned(), id);
        Some(id)
    })
}

/// The pipeline's view of the host.
pub(crate) struct HostEnv<'a>(&'a Active);

impl Env for HostEnv<'_> {
    fn now_ns(&mut self) -> u64 {
        host::now_ns()
    }

    fn random(&mut self) -> u64 {
        self.0.chance.borrow_mut().next_u64()
    }

    fn add(&mut self, metric: MetricId, by: u64) {
        self.0.add(metric, by);
    }

    fn record(&mut self, metric: MetricId, value: u64) {
        self.0.record(metric, value);
    }

    fn shift(&mut self, gauge: MetricId, by: i64) {
        if let Some(id) = self.0.metric(gauge) {
            host::shift(id, by).ok();
        }
    }

    fn gauge(&mut self, gauge: MetricId) -> u64 {
        self.0.metric(gauge).and_then(|id| host::metric(id).ok()).unwrap_or(0)
    }
}
