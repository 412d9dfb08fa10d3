//! `weighted-random-picker`: chance in proportion to the totals.

use super::draw::draw;
use crate::contender::Contender;
use crate::context::{Env, Query};
use crate::plugin::Picker;

/// Upstream's `weighted-random-picker`: `P(i) = total_i / Σ totals` over the positive totals; the others are
/// never picked. If none is positive, each is equally likely.
///
/// Upstream draws a key `U^(max/total)` for each and takes the largest, which has the same distribution. One
/// draw over the running sum is cheaper and does not underflow for small totals.
pub struct WeightedRandomPicker;

impl WeightedRandomPicker {
    /// The type that a configuration names.
    pub const TYPE: &'static str = "weighted-random-picker";
}

impl Picker for WeightedRandomPicker {
    fn type_name(&self) -> &'static str {
        Self::TYPE
    }

    fn pick(&self, _query: &dyn Query, env: &mut Env<'_>, contenders: &[Contender<'_>]) -> Option<usize> {
        draw(env, contenders, Contender::total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Rng, SplitMix64};
    use crate::testing::picks;

    fn count<const N: usize>(totals: [f64; N]) -> [usize; N] {
        picks(&WeightedRandomPicker, totals, 1000, &mut SplitMix64::new(1))
    }

    #[test]
    fn vectors() {
        // vectors.md, pickers.
        assert_eq!(count([0.9, 0.1]).iter().sum::<usize>(), 1000);
        assert_eq!(count([1.0]), [1000]);
        let [a, b] = count([0.99, 0.01]);
        assert!(a > b, "{a} {b}");
        for same in [0.01, 0.5, 1.0, 7.0] {
            assert!(count([same, same]).iter().all(|&count| count > 0));
        }
    }

    #[test]
    fn in_proportion() {
        let totals = [0.1, 0.0, 0.2, -1.0, 0.3, 0.4];
        let counts = picks(&WeightedRandomPicker, totals, 10_000, &mut SplitMix64::new(2));
        for (total, count) in totals.into_iter().zip(counts) {
            // Five standard deviations of the fairest coin.
            assert!((count as f64 - total.max(0.0) * 10_000.0).abs() < 250.0, "{counts:?}");
        }
        assert_eq!((counts[1], counts[3]), (0, 0), "what is not positive is never picked");
    }

    #[test]
    fn small_totals_keep_their_proportion() {
        // Upstream's older key U^(1/total) became 0 below about 1e-3.
        let [a, zero, b] = count([3e-9, 0.0, 1e-9]);
        assert_eq!(zero, 0);
        assert!(a.abs_diff(750) < 69 && b.abs_diff(250) < 69, "{a} {b}");
    }

    #[test]
    fn none_positive_means_any() {
        for totals in [[0.0, 0.0], [-1.0, -5.0], [0.0, f64::NAN], [f64::NEG_INFINITY, 0.0]] {
            let counts = count(totals);
            assert!(counts.iter().all(|count| count.abs_diff(500) < 79), "{totals:?}: {counts:?}");
        }
        assert_eq!(count([]), []);
    }

    #[test]
    fn huge_totals() {
        assert!(count([f64::MAX, f64::MAX]).iter().all(|count| count.abs_diff(500) < 79));
        assert_eq!(count([1.0, f64::INFINITY, f64::NAN]), [0, 1000, 0]);
    }

    #[test]
    fn either_end_of_the_draw() {
        struct Always(u64);
        impl Rng for Always {
            fn next_u64(&mut self) -> u64 {
                self.0
            }
        }
        let totals = [0.0, 0.1, 0.2, 0.3, 0.0];
        assert_eq!(picks(&WeightedRandomPicker, totals, 1, &mut Always(0)), [0, 1, 0, 0, 0]);
        assert_eq!(picks(&WeightedRandomPicker, totals, 1, &mut Always(u64::MAX)), [0, 0, 0, 1, 0]);

        // Here rounding leaves a rest behind the last positive total.
        let totals = [0.6, 0.8, 0.1, 0.0];
        assert_eq!(picks(&WeightedRandomPicker, totals, 1, &mut Always(u64::MAX)), [0, 0, 1, 0]);
    }
}
