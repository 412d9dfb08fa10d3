//! `weighted-split-picker`: fixed shares of the traffic, whatever the scores.

use super::draw::draw;
use crate::contender::Contender;
use crate::context::{Env, Query};
use crate::parameter::ParameterError;
use crate::plugin::Picker;

/// Not in upstream: `P(model) = its weight / Σ weights`, over the candidates that filters left. Scores do not
/// matter. A model without a weight of its own has `default_weight`; if nobody has one above 0, each candidate
/// is equally likely.
pub struct WeightedSplitPicker {
    weights: Vec<(Box<str>, f64)>,
    default_weight: f64,
}

impl WeightedSplitPicker {
    /// The type that a configuration names.
    pub const TYPE: &'static str = "weighted-split-picker";

    /// Weights by the names of models. At least one has to be greater than 0.
    pub fn new<'n>(
        weights: impl IntoIterator<Item = (&'n str, f64)>,
        default_weight: f64,
    ) -> Result<Self, ParameterError> {
        let weights: Vec<_> = weights.into_iter().map(|(name, weight)| (name.into(), weight)).collect();
        let valid = |weight: f64| weight.is_finite() && weight >= 0.0;
        if !weights.iter().all(|(_, weight)| valid(*weight)) {
            return Err(ParameterError {
                parameter: "weights",
                expected: "finite numbers that are not negative",
            });
        }
        if !valid(default_weight) {
            return Err(ParameterError {
                parameter: "defaultWeight",
                expected: "a finite number that is not negative",
            });
        }
        if !weights.iter().any(|(_, weight)| *weight > 0.0) {
            return Err(ParameterError {
                parameter: "weights",
                expected: "greater than 0 for at least one model",
            });
        }
        Ok(Self { weights, default_weight })
    }

    fn weight(&self, contender: &Contender<'_>) -> f64 {
        let name = contender.candidate().name();
        self.weights
            .iter()
            .find(|(known, _)| **known == *name)
            .map_or(self.default_weight, |(_, weight)| *weight)
    }
}

impl Picker for WeightedSplitPicker {
    fn type_name(&self) -> &'static str {
        Self::TYPE
    }

    fn pick(&self, _query: &dyn Query, env: &mut Env<'_>, contenders: &[Contender<'_>]) -> Option<usize> {
        draw(env, contenders, |contender| self.weight(contender))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;
    use crate::testing::{pick_at, picks};

    #[test]
    fn in_proportion_to_the_weights() {
        let picker =
            WeightedSplitPicker::new([("model-0", 80.0), ("model-1", 15.0), ("model-3", 0.0)], 5.0).unwrap();
        // The totals say otherwise, and nobody listens.
        let counts = picks(&picker, [0.0, 0.5, 0.9, 1.0], 10_000, &mut SplitMix64::new(4));
        for (count, want) in counts.iter().zip([8000_usize, 1500, 500, 0]) {
            assert!(count.abs_diff(want) <= 200, "{counts:?}");
        }
        assert_eq!(counts[3], 0);
    }

    #[test]
    fn among_those_that_are_left() {
        let picker = WeightedSplitPicker::new([("stable", 99.0), ("canary", 1.0)], 0.0).unwrap();
        let mut rng = SplitMix64::new(4);
        assert_eq!(pick_at(&picker, &[("other", 1.0), ("canary", 0.0)], 0, &mut rng), Some("canary"));
        let unknown: Vec<_> =
            (0..50).map(|_| pick_at(&picker, &[("x", 1.0), ("y", 0.0)], 0, &mut rng).unwrap()).collect();
        assert!(unknown.contains(&"x") && unknown.contains(&"y"));
        assert_eq!(pick_at(&picker, &[], 0, &mut rng), None);
    }

    #[test]
    fn parameters() {
        let refused = |weights: &[(&'static str, f64)], default| {
            WeightedSplitPicker::new(weights.iter().copied(), default).err().map(|error| error.parameter)
        };
        assert_eq!(refused(&[("a", -1.0)], 0.0), Some("weights"));
        assert_eq!(refused(&[("a", f64::INFINITY)], 0.0), Some("weights"));
        assert_eq!(refused(&[("a", 0.0)], 1.0), Some("weights"));
        assert_eq!(refused(&[], 1.0), Some("weights"));
        assert_eq!(refused(&[("a", 1.0)], f64::NAN), Some("defaultWeight"));
        assert_eq!(refused(&[("a", f64::MAX), ("b", f64::MAX)], 0.0), None);
    }
}
