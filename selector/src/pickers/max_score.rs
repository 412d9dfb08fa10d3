//! `max-score-picker`: the best total wins; among equals, chance.

use crate::contender::Contender;
use crate::context::{Env, Query};
use crate::parameter::ParameterError;
use crate::plugin::Picker;

/// Upstream's `max-score-picker`, the default: each of those with the highest total is equally likely.
///
/// With `tieBand` (not in upstream) all with `total ≥ highest − tieBand` count as equals. Requests that come
/// in the same instant see the same figures; a band spreads them where a hair's breadth would send all to one
/// model.
#[derive(Default)]
pub struct MaxScorePicker {
    tie_band: f64,
}

impl MaxScorePicker {
    /// The type that a configuration names.
    pub const TYPE: &'static str = "max-score-picker";

    /// A `tie_band` of 0 is upstream's behaviour.
    pub fn new(tie_band: f64) -> Result<Self, ParameterError> {
        if tie_band.is_finite() && tie_band >= 0.0 {
            Ok(Self { tie_band })
        } else {
            Err(ParameterError { parameter: "tieBand", expected: "a finite number that is not negative" })
        }
    }
}

impl Picker for MaxScorePicker {
    fn type_name(&self) -> &'static str {
        Self::TYPE
    }

    fn pick(&self, _query: &dyn Query, env: &mut Env<'_>, contenders: &[Contender<'_>]) -> Option<usize> {
        // Not sorted: two walks and at most one draw do, and without a tie nothing is drawn.
        let highest = contenders.iter().map(Contender::total).fold(f64::NEG_INFINITY, f64::max);
        let threshold = highest - self.tie_band;
        let mut best = contenders
            .iter()
            .enumerate()
            .filter(|(_, one)| one.total() >= threshold)
            .map(|(position, _)| position);
        let chosen = env.rng.below(best.clone().count());
        best.nth(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;
    use crate::testing::picks;

    fn count<const N: usize>(tie_band: f64, totals: [f64; N]) -> [usize; N] {
        picks(&MaxScorePicker::new(tie_band).unwrap(), totals, 1000, &mut SplitMix64::new(1))
    }

    #[test]
    fn the_highest_wins() {
        // vectors.md, pickers.
        assert_eq!(count(0.0, [10.0, 25.0, 15.0]), [0, 1000, 0]);
        assert_eq!(count(0.0, [0.2]), [1000]);
        assert_eq!(count(0.0, [-3.0, -1.0, -2.0]), [0, 1000, 0]);
    }

    #[test]
    fn equals_are_equally_likely() {
        // vectors.md, pickers: either. 1000 draws: five standard deviations are 79.
        for totals in [[50.0, 50.0], [0.0, 0.0], [-0.0, 0.0]] {
            let counts = count(0.0, totals);
            assert!(counts.iter().all(|count| count.abs_diff(500) < 79), "{totals:?}: {counts:?}");
        }
        let [low, a, b, c] = count(0.0, [0.5, 1.0, 1.0, 1.0]);
        assert_eq!(low, 0);
        assert!([a, b, c].iter().all(|count| count.abs_diff(333) < 75), "{a} {b} {c}");
    }

    #[test]
    fn a_tie_band_widens_the_tie() {
        let [a, b, c] = count(0.25, [1.0, 0.75, 0.7]);
        assert_eq!(c, 0, "outside the band");
        assert!(a.abs_diff(b) < 158, "{a} {b}");
        assert_eq!(count(0.0, [1.0, 0.999_999]), [1000, 0]);
    }

    #[test]
    fn parameters() {
        for tie_band in [-0.1, f64::NAN, f64::INFINITY] {
            let refused = MaxScorePicker::new(tie_band).err().map(|error| error.to_string());
            assert_eq!(refused.as_deref(), Some("tieBand: must be a finite number that is not negative"));
        }
    }

    #[test]
    fn a_total_that_is_no_number_loses() {
        assert_eq!(count(0.0, [f64::NAN, 0.0]), [0, 1000]);
        assert_eq!(count(0.5, [f64::INFINITY, 1.0]), [1000, 0]);
        assert_eq!(count(0.0, []), []);
    }
}
