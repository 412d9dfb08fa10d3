//! Percentiles of the time to the first token, and the load at them: upstream's `ttft-percentile-extractor`.

mod settings;

pub use settings::TtftSettings;

use super::bytes::{Reader, Record, Writer};
use crate::ttft_curve::{Point, TtftCurve};

/// One answer that was streamed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TtftObservation {
    /// Seconds from the pick to the first token.
    pub ttft: f32,
    /// Requests in flight at the pick, without this one.
    pub in_flight: u32,
    /// When the first token came: nanoseconds since the Unix epoch.
    pub at_ns: u64,
}

/// The newest observations, and the lowest latencies of each bucket of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TtftRecord {
    /// Oldest first.
    observations: Vec<TtftObservation>,
    /// All that ever were.
    total: u64,
    /// The 10th percentile of each bucket, sorted.
    floors: Vec<f32>,
    bucket_start_ns: u64,
    flushed_ns: u64,
    curve: TtftCurve,
}

impl TtftRecord {
    /// Adds an observation; one whose time is not a finite number above 0 is ignored.
    pub fn observe(&mut self, observation: TtftObservation, settings: &TtftSettings) {
        let TtftObservation { ttft, at_ns: now, .. } = observation;
        if !ttft.is_finite() || ttft <= 0.0 {
            return;
        }
        while self.observations.len() >= settings.window_size.clamp(1, TtftSettings::MOST_KEPT) {
            self.observations.remove(0);
        }
        self.observations.push(observation);
        self.total = self.total.saturating_add(1);
        if self.total == 1 {
            self.bucket_start_ns = now;
        }
        if self.total == 1 || now.saturating_sub(self.flushed_ns) >= settings.interval_ns {
            if now.saturating_sub(self.bucket_start_ns) >= settings.bucket_ns {
                self.close_bucket(now, settings);
            }
            self.curve = self.compute(now, settings);
            self.flushed_ns = now;
        }
    }

    /// The curve as last computed, its floor only known after enough observations, whenever it was computed; `None`
    /// before the first observation.
    pub fn curve(&self) -> Option<TtftCurve> {
        let enough = self.total >= u64::from(self.curve.min_requests);
        let floor = if enough { self.curve.floor } else { 0.0 };
        (self.total > 0).then_some(TtftCurve { floor, ..self.curve })
    }

    /// How many observations there ever were.
    pub fn total(&self) -> u64 {
        self.total
    }

    fn close_bucket(&mut self, now_ns: u64, settings: &TtftSettings) {
        let mut within: Vec<f32> = self
            .observations
            .iter()
            .filter(|one| now_ns.saturating_sub(one.at_ns) <= settings.bucket_ns)
            .map(|one| one.ttft)
            .collect();
        within.sort_by(f32::total_cmp);
        let floor = percentile(&within, 10.0) as f32;
        let at = self.floors.partition_point(|known| *known < floor);
        self.floors.insert(at, floor);
        if self.floors.len() > settings.bucket_history.clamp(2, TtftSettings::MOST_BUCKETS) {
            // Both ends: neither a lucky bucket nor a bad one stays for ever.
            self.floors.pop();
            self.floors.remove(0);
        }
        self.bucket_start_ns = now_ns;
    }

    fn compute(&self, now_ns: u64, settings: &TtftSettings) -> TtftCurve {
        let mut recent: Vec<TtftObservation> = self
            .observations
            .iter()
            .rev()
            .take_while(|one| now_ns.saturating_sub(one.at_ns) <= settings.max_age_ns)
            .take(settings.max_requests)
            .copied()
            .collect();
        recent.sort_by(|a, b| a.ttft.total_cmp(&b.ttft));
        let latencies: Vec<f32> = recent.iter().map(|one| one.ttft).collect();
        let point = |percent: f64| Point {
            in_flight: in_flight_near(&recent, percent),
            ttft: percentile(&latencies, percent),
        };
        let floor = match self.floors.is_empty() {
            true => percentile(&latencies, 10.0),
            false => percentile(&self.floors, 10.0),
        };
        TtftCurve {
            floor,
            low: point(settings.low_percentile),
            high: point(settings.high_percentile),
            recent: u32::try_from(recent.len()).unwrap_or(u32::MAX),
            min_requests: settings.min_requests,
            at_ns: now_ns.max(1),
        }
    }
}

/// A percentile of sorted numbers, interpolated at position `p · (n − 1)`; 0 of none.
fn percentile(sorted: &[f32], percent: f64) -> f64 {
    let position = percent / 100.0 * sorted.len().saturating_sub(1) as f64;
    // The cast saturates, and the position is never negative.
    let below = position.floor() as usize;
    let at = |index: usize| sorted.get(index).copied().map_or(0.0, f64::from);
    let above = below.saturating_add(1).min(sorted.len().saturating_sub(1));
    at(below) + (at(above) - at(below)) * (position - position.floor())
}

/// The mean load of those within ten percent of a percentile.
fn in_flight_near(sorted: &[TtftObservation], percent: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let index = |share: f64| (share.clamp(0.0, 1.0) * last as f64) as usize;
    let near = sorted.get(index(percent / 100.0 - 0.1)..=index(percent / 100.0 + 0.1)).unwrap_or_default();
    let sum: f64 = near.iter().map(|one| f64::from(one.in_flight)).sum();
    if near.is_empty() { 0.0 } else { sum / near.len() as f64 }
}

impl Record for TtftRecord {
    const KIND: u8 = 6;
    const VERSION: u8 = 1;
    const MAX_BYTES: usize = 86 + 16 * TtftSettings::MOST_KEPT + 4 * TtftSettings::MOST_BUCKETS;

    fn write(&self, bytes: &mut Writer) {
        bytes.u64(self.total);
        bytes.u64(self.bucket_start_ns);
        bytes.u64(self.flushed_ns);
        write_curve(&self.curve, bytes);
        bytes.u16(u16::try_from(self.observations.len()).unwrap_or(u16::MAX));
        for one in &self.observations {
            bytes.f32(one.ttft);
            bytes.u32(one.in_flight);
            bytes.u64(one.at_ns);
        }
        bytes.u16(u16::try_from(self.floors.len()).unwrap_or(u16::MAX));
        for floor in &self.floors {
            bytes.f32(*floor);
        }
    }

    fn read(bytes: &mut Reader<'_>) -> Option<Self> {
        let (total, bucket_start_ns, flushed_ns) = (bytes.u64()?, bytes.u64()?, bytes.u64()?);
        let curve = read_curve(bytes)?;
        let mut observations = Vec::new();
        for _ in 0..bytes.u16()? {
            let (ttft, in_flight, at_ns) = (bytes.f32()?, bytes.u32()?, bytes.u64()?);
            observations.push(TtftObservation { ttft, in_flight, at_ns });
        }
        let mut floors = Vec::new();
        for _ in 0..bytes.u16()? {
            floors.push(bytes.f32()?);
        }
        Some(Self { observations, total, floors, bucket_start_ns, flushed_ns, curve })
    }
}

/// The curve alone: what a decision needs, without the observations behind it.
impl Record for TtftCurve {
    const KIND: u8 = 7;
    const VERSION: u8 = 1;
    const MAX_BYTES: usize = 58;

    fn write(&self, bytes: &mut Writer) {
        write_curve(self, bytes);
    }

    fn read(bytes: &mut Reader<'_>) -> Option<Self> {
        read_curve(bytes)
    }
}

pub(super) fn write_curve(curve: &TtftCurve, bytes: &mut Writer) {
    let TtftCurve { floor, low, high, recent, min_requests, at_ns } = curve;
    for number in [floor, &low.in_flight, &low.ttft, &high.in_flight, &high.ttft] {
        bytes.f64(*number);
    }
    bytes.u32(*recent);
    bytes.u32(*min_requests);
    bytes.u64(*at_ns);
}

pub(super) fn read_curve(bytes: &mut Reader<'_>) -> Option<TtftCurve> {
    let floor = bytes.f64()?;
    let low = Point { in_flight: bytes.f64()?, ttft: bytes.f64()? };
    let high = Point { in_flight: bytes.f64()?, ttft: bytes.f64()? };
    let (recent, min_requests, at_ns) = (bytes.u32()?, bytes.u32()?, bytes.u64()?);
    Some(TtftCurve { floor, low, high, recent, min_requests, at_ns })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::bytes::check_codec;

    const SECOND: u64 = 1_000_000_000;

    fn settings() -> TtftSettings {
        TtftSettings::default().checked().unwrap()
    }

    fn observed(record: &mut TtftRecord, seconds: u64, ttft: f32, in_flight: u32, settings: &TtftSettings) {
        record.observe(TtftObservation { ttft, in_flight, at_ns: seconds.saturating_mul(SECOND) }, settings);
    }

    #[test]
    fn percentiles() {
        // Reference, 2.11: position p · (n − 1), linear.
        let numbers = [1.0, 2.0, 3.0, 4.0, 5.0];
        for (percent, want) in [(0.0, 1.0), (10.0, 1.4), (25.0, 2.0), (50.0, 3.0), (90.0, 4.6), (100.0, 5.0)]
        {
            assert!((percentile(&numbers, percent) - want).abs() < 1e-6, "{percent}");
        }
        assert_eq!((percentile(&[7.0], 50.0), percentile(&[], 50.0)), (7.0, 0.0));
    }

    #[test]
    fn the_load_at_a_percentile() {
        // 21 observations in order: positions int(0.15 · 20) = 3 to int(0.35 · 20) = 7.
        let sorted: Vec<_> =
            (0..21).map(|n| TtftObservation { ttft: n as f32, in_flight: n * 10, at_ns: 0 }).collect();
        assert_eq!(in_flight_near(&sorted, 25.0), 50.0);
        assert_eq!(in_flight_near(&sorted, 50.0), 100.0);
        assert_eq!(in_flight_near(&sorted, 1.0), 10.0, "cut off at the start: 0 to 2");
        assert_eq!(in_flight_near(&[], 50.0), 0.0);
    }

    #[test]
    fn the_floor_takes_some_observations_and_then_buckets() {
        let settings = settings();
        let mut record = TtftRecord::default();
        assert_eq!(record.curve(), None);
        for second in 0..9 {
            observed(&mut record, 100 + second, 0.5, 2, &settings);
        }
        assert_eq!(record.curve().unwrap().floor, 0.0, "nine are not enough");
        observed(&mut record, 109, 0.3, 2, &settings);
        let curve = record.curve().unwrap();
        // Position 0.9 between 0.3 and 0.5.
        assert!((curve.floor - 0.48).abs() < 1e-6, "{curve:?}");
        assert_eq!((curve.recent, curve.min_requests, curve.low.in_flight), (10, 10, 2.0));
        // The bucket closes with all of it but what is older than a minute; from then on it is the floor.
        observed(&mut record, 160, 0.9, 9, &settings);
        assert_eq!(record.floors.len(), 1);
        let curve = record.curve().unwrap();
        assert!((curve.floor - f64::from(record.floors[0])).abs() < 1e-9, "{curve:?}");
        check_codec(&record);
        check_codec(&curve);
    }

    #[test]
    fn the_count_is_of_now_and_the_percentiles_of_the_last_interval() {
        let settings = TtftSettings { interval_ns: 5 * SECOND, ..settings() };
        let mut record = TtftRecord::default();
        for second in 0..5 {
            observed(&mut record, 100 + second, 0.5, 2, &settings);
            observed(&mut record, 100 + second, 0.1, 2, &settings);
            let floor = record.curve().unwrap().floor;
            assert_eq!(floor, if second < 4 { 0.0 } else { 0.5 }, "{second}");
        }
        assert_eq!(record.curve().unwrap().recent, 1, "seeded by the one that was there at the first look");
        // A bucket closes where percentiles are computed, and not between.
        let settings = TtftSettings { bucket_ns: SECOND, ..settings };
        observed(&mut record, 104, 0.1, 2, &settings);
        assert!(record.floors.is_empty());
        observed(&mut record, 105, 0.1, 2, &settings);
        assert_eq!(record.floors.len(), 1);
    }

    #[test]
    fn only_recent_ones_count() {
        let settings = TtftSettings { max_requests: 5, ..TtftSettings::default() }.checked().unwrap();
        let mut record = TtftRecord::default();
        for second in 0..20 {
            observed(&mut record, 100 + second, 1.0 + second as f32, 1, &settings);
        }
        let curve = record.curve().unwrap();
        assert_eq!((curve.recent, curve.high.ttft, curve.low.ttft), (5, 18.0, 17.0));
        // Three minutes on: they are too old, and the curve is made of one.
        observed(&mut record, 300, 2.0, 4, &settings);
        let curve = record.curve().unwrap();
        assert_eq!((curve.recent, curve.high.ttft, curve.high.in_flight), (1, 2.0, 4.0));
    }

    #[test]
    fn computed_once_in_an_interval() {
        let settings = TtftSettings { interval_ns: 5 * SECOND, ..settings() };
        let mut record = TtftRecord::default();
        for (second, ttft, want) in [(10, 1.0, 1.0), (12, 9.0, 1.0), (14, 9.0, 1.0), (15, 9.0, 9.0)] {
            observed(&mut record, second, ttft, 0, &settings);
            assert_eq!(record.curve().unwrap().high.ttft, want, "{second}");
        }
    }

    #[test]
    fn bounded() {
        let settings = TtftSettings { bucket_ns: 1, ..settings() };
        let mut record = TtftRecord::default();
        for n in 0..1_000_u32 {
            // The extremes go first, so that the middle stays.
            observed(&mut record, u64::from(n), ((n * 37) % 101 + 1) as f32, n, &settings);
        }
        assert_eq!((record.observations.len(), record.total()), (128, 1_000));
        assert!(record.floors.len() <= 128 && record.floors.is_sorted());
        let bytes = record.encode().len();
        assert!(bytes <= TtftRecord::MAX_BYTES && TtftRecord::MAX_BYTES < 3_000, "{bytes}");
        check_codec(&record);
    }

    #[test]
    fn what_is_no_latency_is_ignored() {
        let mut record = TtftRecord::default();
        for odd in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            observed(&mut record, 1, odd, 0, &settings());
        }
        assert_eq!(record, TtftRecord::default());
        check_codec(&record);
    }

    #[test]
    fn parameters() {
        let default = TtftSettings::default();
        let refused = |settings: TtftSettings| settings.checked().err().map(|error| error.parameter);
        for (settings, want) in [
            (TtftSettings { interval_ns: 0, ..default }, "intervalDuration"),
            (TtftSettings { window_size: 0, ..default }, "windowSize"),
            (TtftSettings { max_age_ns: 0, ..default }, "maxObservationAge"),
            (TtftSettings { max_requests: 0, ..default }, "maxRequests"),
            (TtftSettings { max_requests: 6_000, ..default }, "maxRequests"),
            (TtftSettings { min_requests: 0, ..default }, "minRequests"),
            (TtftSettings { low_percentile: 50.0, ..default }, "lowPercentile"),
            (TtftSettings { low_percentile: 0.0, ..default }, "lowPercentile"),
            (TtftSettings { high_percentile: 100.0, ..default }, "lowPercentile"),
            (TtftSettings { bucket_ns: 0, ..default }, "bucketDuration"),
            (TtftSettings { bucket_history: 1, ..default }, "bucketHistorySize"),
        ] {
            assert_eq!(refused(settings), Some(want));
        }
        assert_eq!(refused(default), None);
    }
}
