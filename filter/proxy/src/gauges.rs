//! Gauges as this worker last saw them. Asking the host for those of twenty models takes longer than the choice among
//! them, and most of the time nobody else has changed any.
//!
//! Every change, of whichever worker, is followed by a step of one gauge that only grows. While it stands where this
//! worker's own changes have brought it, what was seen is what is.

use crate::host;

/// The name of that gauge. It is no counter, since an administrator can set those to 0.
pub(crate) const CHANGES: &str = "ipp_inflight_changes";

/// What was seen, by the handles of metrics.
#[derive(Default)]
pub(crate) struct Gauges {
    /// Where [`CHANGES`] stood, this worker's own steps since then included.
    changes: u64,
    seen: Vec<Option<u64>>,
}

impl Gauges {
    /// Forgets what another worker may have changed. `changes` is the host's id of [`CHANGES`]; without it nothing is
    /// remembered.
    pub(crate) fn check(&mut self, changes: Option<u32>) {
        match changes.and_then(|id| host::metric(id).ok()) {
            // It stays at 0 where Envoy is told to keep no such metric (`stats_matcher`).
            Some(now) if now == self.changes && now > 0 => {}
            // Read before the gauges are: what comes between is found by the next check.
            now => {
                self.changes = now.unwrap_or_default();
                self.seen.clear();
            }
        }
    }

    /// What a gauge is at, as of the last check; `id` is the host's.
    pub(crate) fn get(&mut self, index: usize, id: u32) -> u64 {
        if let Some(value) = self.seen.get(index).copied().flatten() {
            return value;
        }
        let Ok(value) = host::metric(id) else { return 0 };
        if self.seen.len() <= index {
            self.seen.resize(index.saturating_add(1), None);
        }
        if let Some(seen) = self.seen.get_mut(index) {
            *seen = Some(value);
        }
        value
    }

    /// Changes a gauge; [`Self::step`] has to follow.
    pub(crate) fn shift(&mut self, index: usize, id: u32, by: i64) {
        let seen = self.seen.get_mut(index);
        if host::shift(id, by).is_ok()
            && let Some(Some(value)) = seen
        {
            *value = value.saturating_add_signed(by);
        }
    }

    /// Lets the others know.
    pub(crate) fn step(&mut self, changes: Option<u32>) {
        if changes.is_some_and(|id| host::shift(id, 1).is_ok()) {
            self.changes = self.changes.wrapping_add(1);
        }
    }
}
