//! What a request may ask of the world: the time, chance, and a place for its figures. Never ambient.

use crate::metrics::{MetricId, MetricKind};
use ipp_selector::records::Record;

/// The world as the pipeline sees it. The proxy binds it to Envoy, a test to whatever it wants to show.
pub trait Env {
    /// Nanoseconds since the Unix epoch.
    fn now_ns(&mut self) -> u64;
    /// The next random number, all 64 bits of it.
    fn random(&mut self) -> u64;
    /// Adds to a counter.
    fn add(&mut self, metric: MetricId, by: u64);
    /// Records a value in a histogram.
    fn record(&mut self, metric: MetricId, value: u64);
    /// Adds to gauges, or takes from them: at once, and for all workers.
    fn shift(&mut self, shifts: &[(MetricId, i64)]);
    /// What a gauge that is changed by [`Self::shift`] only is at now, over all workers.
    fn gauge(&mut self, gauge: MetricId) -> u64;
    /// What a counter is at now, over all workers.
    fn counter(&mut self, counter: MetricId) -> u64;
    /// The handle of a metric that is not among those of the configuration, because a source brought what it is about.
    /// The same for the same name; it stays until the configuration goes.
    fn define(&mut self, kind: MetricKind, full_name: &str) -> MetricId;
    /// What all workers share under a key.
    fn shared(&mut self, key: &str) -> Shared;
    /// Writes what all workers share under a key, unless somebody has written since `seen` was read. False then.
    fn write_shared(&mut self, key: &str, bytes: &[u8], seen: &Shared) -> bool;
}

/// How often a change of a record is begun again because another worker was first. Each time somebody's change came
/// through, so that so many in a row take as many workers at the same record in the same microsecond.
const MOST_TRIES: u32 = 16;

/// Changes a record that all workers share; what comes of the last try, or nothing if every try came too late, and
/// then the record is as the others made it. `change` may run more than once, each time on what stands there then.
pub(crate) fn update<R: Record + Default, T>(
    env: &mut dyn Env,
    key: &str,
    mut change: impl FnMut(&mut R) -> T,
) -> Option<T> {
    for _ in 0..MOST_TRIES {
        let seen = env.shared(key);
        let mut record = read::<R>(&seen);
        let result = change(&mut record);
        if env.write_shared(key, &record.encode(), &seen) {
            return Some(result);
        }
    }
    None
}

/// The record that stands there; an empty one where there is none, or one of another version.
pub(crate) fn read<R: Record + Default>(shared: &Shared) -> R {
    shared.bytes.as_deref().and_then(R::decode).unwrap_or_default()
}

/// What stands in shared data under a key, with what a change of it needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shared {
    /// The bytes; nothing where the key was never written.
    pub bytes: Option<Vec<u8>>,
    /// Which state of the key this is: for [`Env::write_shared`].
    pub number: u32,
}
