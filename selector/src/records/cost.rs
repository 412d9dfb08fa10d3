//! What requests have cost: upstream's `model-cost-extractor`.

use super::bytes::{Reader, Record, Writer};
use crate::digest::{Centroid, CostDigest};

/// For how long costs are gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CostWindow {
    /// How many centroids the distribution keeps.
    pub compression: usize,
    /// After so many nanoseconds it starts anew; 0 for never.
    pub window_ns: u64,
}

impl CostWindow {
    /// Upstream's: 200 centroids, two hours.
    pub const DEFAULT: Self =
        Self { compression: CostDigest::DEFAULT_COMPRESSION, window_ns: 7_200_000_000_000 };
}

/// The costs of one window. Costs and counts are kept with 24 bits, which is a relative error below 10⁻⁷.
#[derive(Clone, Debug, PartialEq)]
pub struct CostRecord {
    started_ns: u64,
    at_ns: u64,
    digest: CostDigest,
}

/// A window that is over, so that the first cost starts one.
impl Default for CostRecord {
    fn default() -> Self {
        Self::new(0, CostWindow::DEFAULT)
    }
}

impl CostRecord {
    /// Starts a window.
    pub fn new(now_ns: u64, window: CostWindow) -> Self {
        Self { started_ns: now_ns, at_ns: now_ns, digest: CostDigest::new(window.compression) }
    }

    /// Adds costs, all at one time; those that are negative or no finite numbers are ignored; what is free costs 0.
    /// A window that has lasted long enough ends before they are added.
    pub fn observe(&mut self, costs: impl IntoIterator<Item = f64>, now_ns: u64, window: CostWindow) {
        for cost in costs {
            if !cost.is_finite() || cost < 0.0 {
                continue;
            }
            let over = window.window_ns > 0 && now_ns.saturating_sub(self.started_ns) >= window.window_ns;
            if over || self.digest.compression() != CostDigest::new(window.compression).compression() {
                *self = Self::new(now_ns, window);
            }
            // As it is stored, so that a record is the same before and after.
            self.digest.add(f64::from(cost as f32));
            self.at_ns = now_ns;
        }
        self.digest.compress();
    }

    /// The distribution.
    pub fn digest(&self) -> &CostDigest {
        &self.digest
    }

    /// When a cost was last added.
    pub fn at_ns(&self) -> u64 {
        self.at_ns
    }
}

impl Record for CostRecord {
    const KIND: u8 = 4;
    const VERSION: u8 = 1;
    const MAX_BYTES: usize = 22 + 8 * CostDigest::MAX_COMPRESSION;

    fn write(&self, bytes: &mut Writer) {
        bytes.u64(self.started_ns);
        bytes.u64(self.at_ns);
        bytes.u16(u16::try_from(self.digest.compression()).unwrap_or(u16::MAX));
        let centroids = self.digest.centroids();
        bytes.u16(u16::try_from(centroids.len()).unwrap_or(u16::MAX));
        for Centroid { mean, weight } in centroids.iter().take(usize::from(u16::MAX)) {
            bytes.f32(*mean as f32);
            bytes.f32(*weight as f32);
        }
    }

    fn read(bytes: &mut Reader<'_>) -> Option<Self> {
        let (started_ns, at_ns) = (bytes.u64()?, bytes.u64()?);
        let compression = usize::from(bytes.u16()?);
        let count = bytes.u16()?;
        let mut centroids = Vec::new();
        for _ in 0..count {
            centroids.push(Centroid { mean: f64::from(bytes.f32()?), weight: f64::from(bytes.f32()?) });
        }
        let mut digest = CostDigest::from_centroids(compression, centroids);
        digest.compress();
        Some(Self { started_ns, at_ns, digest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::TokenPrices;
    use crate::random::{Rng, SplitMix64};
    use crate::records::bytes::check_codec;

    const HOUR: u64 = 3_600_000_000_000;

    fn count(window_ns: u64, batches: &[(u64, usize)]) -> f64 {
        let window = CostWindow { window_ns, ..CostWindow::DEFAULT };
        let mut record = CostRecord::new(batches[0].0, window);
        for (at, costs) in batches {
            record.observe(vec![1e-4; *costs], *at, window);
        }
        record.digest().count()
    }

    #[test]
    fn windows() {
        // vectors.md, cost_extractor.
        assert_eq!(count(0, &[(0, 1), (HOUR, 1), (3 * HOUR, 1)]), 3.0);
        assert_eq!(count(1_000_000_000, &[(0, 1), (1_000_000_000, 1)]), 1.0);
        assert_eq!(count(1_000_000_000, &[(0, 1), (2_000_000_000, 2)]), 2.0);
        assert_eq!(count(1_000_000_000, &[(0, 1), (999_999_999, 2)]), 3.0);
    }

    #[test]
    fn costs() {
        // vectors.md, cost_extractor: prices per token, prompt and completion, cost.
        for (input, output, prompt, completion, want) in [
            (1e-6, 4e-6, 100.0, 50.0, 3.0e-4),
            (3e-6, 15e-6, 100.0, 50.0, 1.05e-3),
            (1.25e-6, 5e-6, 200.0, 100.0, 7.5e-4),
            (2.5e-6, 10e-6, 150.0, 75.0, 1.125e-3),
        ] {
            let cost = TokenPrices { input, output }.cost(prompt, completion);
            assert!((cost - want).abs() < 1e-12, "{cost}");
        }
        let mut record = CostRecord::new(5, CostWindow::DEFAULT);
        record.observe([-1.0, f64::NAN, f64::INFINITY], 9, CostWindow::DEFAULT);
        assert_eq!((record.digest().count(), record.at_ns()), (0.0, 5));
        record.observe([0.0], 9, CostWindow::DEFAULT);
        assert_eq!((record.digest().count(), record.at_ns()), (1.0, 9), "a free model is explored, too");
    }

    #[test]
    fn as_bytes() {
        check_codec(&CostRecord::new(5, CostWindow::DEFAULT));
        let mut rng = SplitMix64::new(2);
        let window = CostWindow { compression: 100_000, ..CostWindow::DEFAULT };
        let mut record = CostRecord::new(5, window);
        for _ in 0..5_000 {
            // Always through bytes, as between workers.
            record.observe([rng.unit() * 1e-3], 9, window);
            record = CostRecord::decode(&record.encode()).unwrap();
        }
        assert_eq!(record.digest().count(), 5_000.0);
        let (low, high) = record.digest().split_means(0.95);
        assert!((low / 4.75e-4 - 1.0).abs() < 0.03 && (high / 9.75e-4 - 1.0).abs() < 0.03, "{low} {high}");
        check_codec(&CostRecord::decode(&record.encode()).unwrap());
    }
}
