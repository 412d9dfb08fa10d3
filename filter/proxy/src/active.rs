//! A configuration in force: the pipeline, the host's ids of its metrics, and its source of chance.

use crate::apply;
use crate::gauges::{self, Gauges};
use crate::host::{self, Kind};
use ipp_pipeline::{Env, MetricId, MetricKind, Metrics, Pipeline, Rejection, Shared};
use ipp_selector::{Rng, SplitMix64};
use std::cell::{OnceCell, RefCell};
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
    /// The host's ids, by the handles of `names`.
    metrics: RefCell<Vec<Option<u32>>>,
    /// The pipeline's metrics, and behind them those that sources brought.
    names: RefCell<Metrics>,
    chance: RefCell<SplitMix64>,
    gauges: RefCell<Gauges>,
    /// The host's id of the gauge that tells workers of changes; made when it is needed.
    changes: OnceCell<Option<u32>>,
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
        Self {
            names: RefCell::new(pipeline.metrics().clone()),
            metrics: RefCell::new(metrics),
            chance: RefCell::new(SplitMix64::new(seed)),
            gauges: RefCell::default(),
            changes: OnceCell::new(),
            pipeline,
        }
    }

    /// The world of one callback.
    pub(crate) fn env(&self) -> HostEnv<'_> {
        HostEnv { active: self, checked: false }
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

    fn changes(&self) -> Option<u32> {
        *self.changes.get_or_init(|| define(MetricKind::Gauge, gauges::CHANGES))
    }

    fn metric(&self, metric: MetricId) -> Option<u32> {
        self.metrics.borrow().get(metric.index()).copied().flatten()
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

/// Apart from the keys of the sources.
fn shared_key(key: &str) -> String {
    format!("ipp/record/{key}")
}

/// The pipeline's view of the host.
pub(crate) struct HostEnv<'a> {
    active: &'a Active,
    /// Whether the gauges are known to be as they were last seen.
    checked: bool,
}

impl Env for HostEnv<'_> {
    fn now_ns(&mut self) -> u64 {
        host::now_ns()
    }

    fn random(&mut self) -> u64 {
        self.active.chance.borrow_mut().next_u64()
    }

    fn add(&mut self, metric: MetricId, by: u64) {
        self.active.add(metric, by);
    }

    fn record(&mut self, metric: MetricId, value: u64) {
        self.active.record(metric, value);
    }

    fn shift(&mut self, shifts: &[(MetricId, i64)]) {
        let mut gauges = self.active.gauges.borrow_mut();
        for (gauge, by) in shifts {
            if let Some(id) = self.active.metric(*gauge) {
                gauges.shift(gauge.index(), id, *by);
            }
        }
        if !shifts.is_empty() {
            gauges.step(self.active.changes());
        }
    }

    fn gauge(&mut self, gauge: MetricId) -> u64 {
        let Some(id) = self.active.metric(gauge) else { return 0 };
        let mut gauges = self.active.gauges.borrow_mut();
        if !std::mem::replace(&mut self.checked, true) {
            gauges.check(self.active.changes());
        }
        gauges.get(gauge.index(), id)
    }

    fn counter(&mut self, counter: MetricId) -> u64 {
        self.active.metric(counter).and_then(|id| host::metric(id).ok()).unwrap_or(0)
    }

    fn define(&mut self, kind: MetricKind, full_name: &str) -> MetricId {
        let metric = self.active.names.borrow_mut().add(kind, full_name);
        let mut metrics = self.active.metrics.borrow_mut();
        // Handles are given one after the other, so that a new one is the next.
        if metric.index() >= metrics.len() {
            metrics.push(define(kind, full_name));
        }
        metric
    }

    fn shared(&mut self, key: &str) -> Shared {
        match host::shared(&shared_key(key)) {
            Ok((bytes, number)) => Shared { bytes: Some(bytes), number },
            Err(_) => Shared { bytes: None, number: host::NOT_THERE },
        }
    }

    fn write_shared(&mut self, key: &str, bytes: &[u8], seen: &Shared) -> bool {
        host::write_shared(&shared_key(key), bytes, seen.number).is_ok()
    }
}
