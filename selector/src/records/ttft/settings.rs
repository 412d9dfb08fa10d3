//! The parameters of `ttft-percentile-extractor`, and what they may be.

use crate::parameter::ParameterError;

/// Parameters of the statistic, as upstream names them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TtftSettings {
    /// How often the percentiles are computed: nanoseconds.
    pub interval_ns: u64,
    /// How many observations are kept; no more than [`MOST_KEPT`](TtftSettings::MOST_KEPT).
    pub window_size: usize,
    /// How old one may be to count: nanoseconds.
    pub max_age_ns: u64,
    /// How many of the newest count.
    pub max_requests: usize,
    /// How many it takes for the percentiles to be trusted.
    pub min_requests: u32,
    /// The percentile of the low point of the curve.
    pub low_percentile: f64,
    /// The percentile of the high point.
    pub high_percentile: f64,
    /// How long a bucket of the floor is: nanoseconds.
    pub bucket_ns: u64,
    /// How many buckets the floor is made of; no more than [`MOST_BUCKETS`](TtftSettings::MOST_BUCKETS).
    pub bucket_history: usize,
}

impl Default for TtftSettings {
    fn default() -> Self {
        Self {
            interval_ns: 1_000_000_000,
            window_size: 5_000,
            max_age_ns: 180_000_000_000,
            max_requests: 100,
            min_requests: 10,
            low_percentile: 25.0,
            high_percentile: 50.0,
            bucket_ns: 60_000_000_000,
            bucket_history: 1_000,
        }
    }
}

impl TtftSettings {
    /// A record is copied at each change, so that it has to be small. Upstream keeps 5,000 and looks at 100.
    pub const MOST_KEPT: usize = 128;
    /// Of upstream's 1,000 buckets, one in so many minutes each, an eighth: two hours.
    pub const MOST_BUCKETS: usize = 128;

    /// These settings, if they make sense. Sizes above what a record holds are taken as that.
    pub fn checked(mut self) -> Result<Self, ParameterError> {
        let percentiles = 0.0 < self.low_percentile
            && self.low_percentile < self.high_percentile
            && self.high_percentile < 100.0;
        let checks = [
            (self.interval_ns > 0, "intervalDuration", "a duration greater than 0"),
            (self.window_size > 0, "windowSize", "1 or greater"),
            (self.max_age_ns > 0, "maxObservationAge", "a duration greater than 0"),
            (self.max_requests > 0, "maxRequests", "1 or greater"),
            (self.max_requests <= self.window_size, "maxRequests", "at most windowSize"),
            (self.min_requests > 0, "minRequests", "1 or greater"),
            (percentiles, "lowPercentile", "above 0 and below highPercentile, which is below 100"),
            (self.bucket_ns > 0, "bucketDuration", "a duration greater than 0"),
            (self.bucket_history >= 2, "bucketHistorySize", "2 or greater"),
        ];
        if let Some((_, parameter, expected)) = checks.into_iter().find(|(holds, ..)| !holds) {
            return Err(ParameterError { parameter, expected });
        }
        self.window_size = self.window_size.min(Self::MOST_KEPT);
        self.max_requests = self.max_requests.min(Self::MOST_KEPT);
        self.bucket_history = self.bucket_history.min(Self::MOST_BUCKETS);
        Ok(self)
    }
}
