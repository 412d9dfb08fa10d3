//! `power-of-two-picker`: of a few chosen by chance, the best.

use super::MaxScorePicker;
use crate::contender::Contender;
use crate::context::{Env, Query};
use crate::parameter::ParameterError;
use crate::plugin::Picker;

/// Not in upstream: draws `choices` different candidates, each equally likely, and takes the one with the highest
/// total; among equals, chance. With as many choices as candidates, or more, it is [`MaxScorePicker`].
///
/// Many requests in one instant see the same figures. The best of all then gets all of them; the better of two
/// gets its share only (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001). In
/// return the worst candidate is never picked, and every other one is.
pub struct PowerOfTwoPicker {
    choices: usize,
}

impl Default for PowerOfTwoPicker {
    fn default() -> Self {
        Self { choices: 2 }
    }
}

impl PowerOfTwoPicker {
    /// The type that a configuration names.
    pub const TYPE: &'static str = "power-of-two-picker";

    /// Two choices are what the name says, and enough.
    pub fn new(choices: usize) -> Result<Self, ParameterError> {
        if (2..=64).contains(&choices) {
            return Ok(Self { choices });
        }
        Err(ParameterError { parameter: "choices", expected: "a whole number from 2 to 64" })
    }
}

impl Picker for PowerOfTwoPicker {
    fn type_name(&self) -> &'static str {
        Self::TYPE
    }

    fn pick(&self, query: &dyn Query, env: &mut Env<'_>, contenders: &[Contender<'_>]) -> Option<usize> {
        if contenders.len() <= self.choices {
            return MaxScorePicker::default().pick(query, env, contenders);
        }
        // Selection sampling (Knuth, Algorithm S): each subset of that size is equally likely, and no list of
        // them is needed. A tie goes to the later one with the chance that keeps all of a tie equally likely.
        let mut wanted = self.choices;
        let mut best: Option<(usize, f64)> = None;
        let mut ties = 1_usize;
        for (position, contender) in contenders.iter().enumerate() {
            let left = contenders.len().saturating_sub(position);
            if env.rng.below(left) >= wanted {
                continue;
            }
            wanted = wanted.saturating_sub(1);
            // A total that is no number loses against any that is.
            let total = if contender.total().is_nan() { f64::NEG_INFINITY } else { contender.total() };
            match best {
                Some((_, highest)) if total < highest => {}
                Some((_, highest)) if total == highest => {
                    ties = ties.saturating_add(1);
                    if env.rng.below(ties) == 0 {
                        best = Some((position, total));
                    }
                }
                _ => {
                    ties = 1;
                    best = Some((position, total));
                }
            }
        }
        best.map(|(position, _)| position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;
    use crate::testing::picks;

    fn count<const N: usize>(picker: &PowerOfTwoPicker, totals: [f64; N]) -> [usize; N] {
        picks(picker, totals, 12_000, &mut SplitMix64::new(6))
    }

    fn check<const N: usize>(picker: &PowerOfTwoPicker, totals: [f64; N], shares: [f64; N]) {
        let counts = count(picker, totals);
        for (count, share) in counts.iter().zip(shares) {
            // Five standard deviations of the fairest coin.
            assert!((*count as f64 - share * 12_000.0).abs() <= 274.0, "{totals:?}: {counts:?}");
        }
    }

    #[test]
    fn the_better_of_two() {
        let picker = PowerOfTwoPicker::default();
        // Of the 6 pairs of 4 the best wins 3, the next 2, the third 1.
        check(&picker, [0.9, 0.1, 0.5, 0.3], [3.0 / 6.0, 0.0, 2.0 / 6.0, 1.0 / 6.0]);
        assert_eq!(count(&picker, [0.9, 0.1, 0.5, 0.3])[1], 0);
        check(&picker, [0.5; 5], [0.2; 5]);
        // Three at the top: the pairs with the last one split in three as well.
        check(&picker, [1.0, 1.0, 1.0, 0.0], [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 0.0]);
    }

    #[test]
    fn with_few_candidates_the_best() {
        let picker = PowerOfTwoPicker::default();
        assert_eq!(count(&picker, [0.1, 0.2]), [0, 12_000]);
        assert_eq!(count(&picker, [0.1]), [12_000]);
        assert_eq!(count(&picker, []), []);
        assert_eq!(count(&PowerOfTwoPicker::new(3).unwrap(), [0.1, 0.3, 0.2]), [0, 12_000, 0]);
    }

    #[test]
    fn more_choices() {
        // Of the 4 threes of 4 the best is in 3, the next wins the one without it.
        check(&PowerOfTwoPicker::new(3).unwrap(), [0.9, 0.1, 0.5, 0.3], [0.75, 0.0, 0.25, 0.0]);
        for refused in [0, 1, 65] {
            assert!(PowerOfTwoPicker::new(refused).is_err());
        }
    }

    #[test]
    fn totals_that_are_no_numbers() {
        let counts = count(&PowerOfTwoPicker::default(), [f64::NAN, f64::NEG_INFINITY, f64::INFINITY]);
        assert_eq!(counts.iter().sum::<usize>(), 12_000);
        assert!(counts[2] > 7_000, "{counts:?}");
    }
}
