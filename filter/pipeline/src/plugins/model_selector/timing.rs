//! How long each filter, scorer and picker takes. Only where a configuration asks for it: each reading of the clock is a
//! host call.

use crate::env::Env;
use crate::metrics::MetricId;
use crate::plugin::{Build, Selecting};
use ipp_selector::{Candidate, Contender, Observer, Rng, SelectError, Selected, Selector};
use std::cell::RefCell;

/// The histograms of a selector's plugins, in the order in which they run.
pub(super) struct Histograms {
    filters: Vec<MetricId>,
    scorers: Vec<MetricId>,
    picker: MetricId,
}

impl Histograms {
    /// Named as the Go service names them, in nanoseconds.
    pub(super) fn new(selecting: &Selecting, build: &mut Build<'_>) -> Result<Self, String> {
        let mut histogram = |point: &str, (kind, name): &(String, String)| {
            let labels = [("extension_point", point), ("plugin_type", kind), ("plugin_name", name)];
            build.histogram("ipp_plugin_duration_nanoseconds", &labels)
        };
        let filters: Result<_, String> =
            selecting.filters.iter().map(|plugin| histogram("ModelSelectorFilter", plugin)).collect();
        let scorers: Result<_, String> =
            selecting.scorers.iter().map(|plugin| histogram("ModelSelectorScorer", plugin)).collect();
        Ok(Self {
            filters: filters?,
            scorers: scorers?,
            picker: histogram("ModelSelectorPicker", &selecting.picker)?,
        })
    }
}

/// The world during a selection, which draws from its chance and looks at its clock.
pub(super) type World<'w> = RefCell<&'w mut dyn Env>;

/// The world's chance, as the selector draws from it.
pub(super) struct Chance<'c, 'w>(pub(super) &'c World<'w>);

impl Rng for Chance<'_, '_> {
    fn next_u64(&mut self) -> u64 {
        // Nobody holds the world while a plugin draws.
        self.0.try_borrow_mut().map_or(0, |mut world| world.random())
    }
}

/// Takes the time of one selection.
pub(super) struct Stopwatch<'c, 'w> {
    histograms: &'c Histograms,
    world: &'c World<'w>,
    since_ns: u64,
    /// Recorded in the end: that is a host call, too, and would count for the next plugin.
    taken: Vec<(MetricId, u64)>,
}

impl<'c, 'w> Stopwatch<'c, 'w> {
    pub(super) fn new(histograms: &'c Histograms, world: &'c World<'w>) -> Self {
        Self { histograms, world, since_ns: 0, taken: Vec::new() }
    }

    /// What is to be recorded.
    pub(super) fn taken(self) -> Vec<(MetricId, u64)> {
        self.taken
    }

    /// The time since the last call.
    fn lap(&mut self) -> u64 {
        let now = self.world.try_borrow_mut().map_or(self.since_ns, |mut world| world.now_ns());
        now.saturating_sub(std::mem::replace(&mut self.since_ns, now))
    }
}

impl Observer for Stopwatch<'_, '_> {
    fn started(&mut self, _selector: &Selector, _candidates: &[Candidate]) {
        self.lap();
    }

    fn filtered(&mut self, filter: usize, _survivors: &[Contender<'_>]) {
        let lap = self.lap();
        self.taken.extend(self.histograms.filters.get(filter).map(|metric| (*metric, lap)));
    }

    fn scored(&mut self, scorer: usize, _contenders: &[Contender<'_>]) {
        let lap = self.lap();
        self.taken.extend(self.histograms.scorers.get(scorer).map(|metric| (*metric, lap)));
    }

    fn finished(&mut self, outcome: &Result<Selected<'_>, SelectError>) {
        // Where all were filtered, no picker ran.
        if matches!(outcome, Ok(_) | Err(SelectError::NothingPicked)) {
            let lap = self.lap();
            self.taken.push((self.histograms.picker, lap));
        }
    }
}
