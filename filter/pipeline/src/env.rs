//! What a request may ask of the world: the time, chance, and a place for its figures. Never ambient.

use crate::metrics::MetricId;

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
    /// Adds to a gauge, or takes from it: at once, and for all workers.
    fn shift(&mut self, gauge: MetricId, by: i64);
    /// What a gauge is at now, over all workers.
    fn gauge(&mut self, gauge: MetricId) -> u64;
}
