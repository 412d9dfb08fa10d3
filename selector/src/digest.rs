//! A distribution in a few hundred numbers: a merging t-digest (Dunning, 2019), finest at its ends.

use std::f64::consts::PI;

/// Costs of single requests. Remembers their distribution, not each of them.
///
/// `compression` bounds what is kept: so many centroids after [`compress`](CostDigest::compress), twice as
/// many before. Deterministic: unlike upstream's, merging draws no random numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct CostDigest {
    compression: usize,
    // Sorted by mean.
    centroids: Vec<Centroid>,
    count: f64,
}

/// Some observations that are close together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Centroid {
    /// Their mean.
    pub mean: f64,
    /// How many there are.
    pub weight: f64,
}

impl CostDigest {
    /// Upstream's `compression`.
    pub const DEFAULT_COMPRESSION: usize = 200;
    /// The most that is kept; more would only make the record larger.
    pub const MAX_COMPRESSION: usize = 500;

    /// An empty one. `compression` is held to 20 to [`MAX_COMPRESSION`](CostDigest::MAX_COMPRESSION).
    pub fn new(compression: usize) -> Self {
        Self { compression: compression.clamp(20, Self::MAX_COMPRESSION), centroids: Vec::new(), count: 0.0 }
    }

    /// From centroids, say of a record; what is no number or weighs nothing is left out.
    pub fn from_centroids(compression: usize, centroids: impl IntoIterator<Item = Centroid>) -> Self {
        let mut digest = Self::new(compression);
        for centroid in centroids {
            digest.insert(centroid);
        }
        digest
    }

    /// How many costs it is made of.
    pub fn count(&self) -> f64 {
        self.count
    }

    /// How many centroids it keeps.
    pub fn compression(&self) -> usize {
        self.compression
    }

    /// What it consists of, in the order of the means.
    pub fn centroids(&self) -> &[Centroid] {
        &self.centroids
    }

    /// Adds a cost; one that is not finite is ignored.
    pub fn add(&mut self, cost: f64) {
        self.insert(Centroid { mean: cost, weight: 1.0 });
    }

    fn insert(&mut self, centroid: Centroid) {
        let Centroid { mean, weight } = centroid;
        if !mean.is_finite() || !weight.is_finite() || weight <= 0.0 {
            return;
        }
        self.count += weight;
        let at = self.centroids.partition_point(|known| known.mean < mean);
        match self.centroids.get_mut(at) {
            // The same cost again and again, as of identical requests, takes no more room.
            Some(same) if same.mean == mean => same.weight += weight,
            _ => self.centroids.insert(at, centroid),
        }
        if self.centroids.len() > self.compression.saturating_mul(2) {
            self.compress();
        }
    }

    /// Merges neighbours until at most `compression` centroids are left.
    pub fn compress(&mut self) {
        if self.centroids.len() <= self.compression {
            return;
        }
        // Scale function k1: a centroid may span one unit of k, of which there are compression/2. Two
        // neighbours span more than one, so that at most `compression` are left.
        let unit = self.compression as f64 / (2.0 * PI);
        let scale = |q: f64| unit * (2.0 * q.clamp(0.0, 1.0) - 1.0).asin();
        let mut merged: Vec<Centroid> = Vec::with_capacity(self.compression);
        let (mut start, mut end) = (0.0, 0.0);
        for centroid in &self.centroids {
            let next = end + centroid.weight;
            let fits = scale(next / self.count) - scale(start / self.count) <= 1.0;
            match merged.last_mut() {
                Some(last) if fits => {
                    last.weight += centroid.weight;
                    last.mean += (centroid.mean - last.mean) * centroid.weight / last.weight;
                }
                _ => {
                    start = end;
                    merged.push(*centroid);
                }
            }
            end = next;
        }
        self.centroids = merged;
    }

    /// The means of the cheapest `share` of the costs and of the rest: a centroid that straddles the border
    /// counts on both sides by weight. A side with nothing in it is 0.
    pub fn split_means(&self, share: f64) -> (f64, f64) {
        let border = share * self.count;
        let (mut seen, mut below, mut above) = (0.0_f64, 0.0, 0.0);
        for Centroid { mean, weight } in &self.centroids {
            let inside = (border - seen).clamp(0.0, *weight);
            below += mean * inside;
            above += mean * (weight - inside);
            seen += weight;
        }
        let side = |sum: f64, weight: f64| if weight > 0.0 { sum / weight } else { 0.0 };
        (side(below, border.min(self.count)), side(above, self.count - border))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Rng, SplitMix64};

    #[test]
    fn a_repeated_cost_is_one_centroid() {
        let mut digest = CostDigest::new(200);
        (0..253).for_each(|_| digest.add(3.0));
        assert_eq!(digest.centroids(), [Centroid { mean: 3.0, weight: 253.0 }]);
        assert_eq!(digest.split_means(0.95), (3.0, 3.0));
    }

    #[test]
    fn means_of_both_sides() {
        let mut digest = CostDigest::new(200);
        (1..=100).rev().for_each(|cost| digest.add(f64::from(cost)));
        assert_eq!(digest.count(), 100.0);
        let (low, high) = digest.split_means(0.95);
        assert!((low - 48.0).abs() < 1e-9 && (high - 98.0).abs() < 1e-9, "{low} {high}");
        // A border within a centroid.
        let (low, high) = digest.split_means(0.005);
        assert!((low - 1.0).abs() < 1e-9 && (high - 50.748_743_7).abs() < 1e-6, "{low} {high}");
        assert_eq!(CostDigest::new(200).split_means(0.5), (0.0, 0.0));
    }

    #[test]
    fn bounded_and_close_to_the_truth() {
        let mut rng = SplitMix64::new(5);
        let mut digest = CostDigest::new(100);
        let mut all: Vec<f64> = (0..20_000).map(|_| rng.unit() * rng.unit()).collect();
        for cost in &all {
            digest.add(*cost);
            assert!(digest.centroids().len() <= 200);
        }
        digest.compress();
        assert!(digest.centroids().len() <= 100, "{}", digest.centroids().len());
        assert!((digest.count() - 20_000.0).abs() < 1e-6);
        assert!(digest.centroids().is_sorted_by(|a, b| a.mean <= b.mean));
        all.sort_by(f64::total_cmp);
        let exact =
            |range: std::ops::Range<usize>| all[range.clone()].iter().sum::<f64>() / range.len() as f64;
        let (low, high) = digest.split_means(0.95);
        let (low_is, high_is) = (exact(0..19_000), exact(19_000..20_000));
        assert!((low / low_is - 1.0).abs() < 0.005, "{low}, exactly {low_is}");
        assert!((high / high_is - 1.0).abs() < 0.005, "{high}, exactly {high_is}");
    }

    #[test]
    fn what_is_no_cost_is_ignored() {
        let mut digest = CostDigest::new(0);
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            digest.add(odd);
        }
        assert_eq!((digest.count(), digest.compression()), (0.0, 20));
        digest.add(f64::MAX);
        digest.add(f64::MIN);
        assert_eq!(digest.count(), 2.0);
    }
}
