//! `attribute-scorer`: any number that is known of a model.

use crate::contender::Scores;
use crate::context::{Env, Query};
use crate::figure::{MaxAge, Missing};
use crate::number_of::NumberOf;
use crate::parameter::ParameterError;
use crate::plugin::Scorer;

/// Parameters of [`AttributeScorer`], apart from the attribute's name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttributeScale {
    /// Whether more is better.
    pub higher_is_better: bool,
    /// The value that scores worst or best; by default the lowest among the candidates.
    pub min: Option<f64>,
    /// The value that scores best or worst; by default the highest among the candidates.
    pub max: Option<f64>,
    /// What a model scores that lacks the attribute, or whose figure is too old.
    pub missing: Missing,
    /// How old a figure may be; what a configuration says has no age.
    pub max_age: MaxAge,
}

/// Not in upstream: `score = (v − min) / (max − min)`, or 1 minus that where less is better, held to [0, 1]; 1 for
/// all when min and max are equal. A model without the number gets the score of `missing` and moves nobody else's.
///
/// The attribute is a number of the configuration, or a live figure by the name that the constants of this crate
/// have; a part of one with several is `token_prices.input`.
pub struct AttributeScorer {
    number: NumberOf,
    scale: AttributeScale,
}

impl AttributeScorer {
    /// The type that a configuration names.
    pub const TYPE: &'static str = "attribute-scorer";

    /// Scores by this attribute.
    pub fn new(attribute: &str, scale: AttributeScale) -> Result<Self, ParameterError> {
        if attribute.is_empty() {
            return Err(ParameterError { parameter: "attribute", expected: "the name of an attribute" });
        }
        let finite = |bound: Option<f64>| bound.is_none_or(f64::is_finite);
        if !finite(scale.min) || !finite(scale.max) {
            return Err(ParameterError { parameter: "min", expected: "finite, and so must max" });
        }
        if let (Some(min), Some(max)) = (scale.min, scale.max)
            && min >= max
        {
            return Err(ParameterError { parameter: "min", expected: "less than max" });
        }
        Ok(Self { number: NumberOf::new(attribute, scale.max_age), scale })
    }
}

impl Scorer for AttributeScorer {
    fn type_name(&self) -> &'static str {
        Self::TYPE
    }

    fn attributes(&self) -> Vec<&str> {
        vec![self.number.attribute()]
    }

    fn score(&self, _query: &dyn Query, env: &mut Env<'_>, scores: &mut Scores<'_>) {
        scores.fill(|candidate| self.number.read(candidate, env.now_ns));
        let lowest = scores.values().fold(f64::INFINITY, f64::min);
        let highest = scores.values().fold(f64::NEG_INFINITY, f64::max);
        let (min, max) = (self.scale.min.unwrap_or(lowest), self.scale.max.unwrap_or(highest));
        scores.map(|value| match min < max {
            // Halved, so that the span of the greatest and the least number is finite.
            true => {
                let place = ((value / 2.0 - min / 2.0) / (max / 2.0 - min / 2.0)).clamp(0.0, 1.0);
                if self.scale.higher_is_better { place } else { 1.0 - place }
            }
            false => 1.0,
        });
        scores.give_missing(self.scale.missing.score());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::{AVG_TTFT, AttributeKey, TOKEN_PRICES, TokenPrices};
    use crate::candidate::Candidate;
    use crate::figure::Figure;
    use crate::random::SplitMix64;
    use crate::testing::{Fields, scores_in};

    const SCALE: AttributeScale = AttributeScale {
        higher_is_better: true,
        min: None,
        max: None,
        missing: Missing::Neutral,
        max_age: MaxAge(100),
    };

    fn run(attribute: &str, scale: AttributeScale, models: &[Candidate]) -> Vec<f64> {
        let scorer = AttributeScorer::new(attribute, scale).unwrap();
        let env = Env { now_ns: 200, rng: &mut SplitMix64::new(0) };
        scores_in(&scorer, &Fields::default(), models, env).into_iter().map(Option::unwrap).collect()
    }

    #[test]
    fn by_a_number_of_the_configuration() {
        let quality = AttributeKey::<f64>::new("quality");
        let models = [
            Candidate::new("a").with(&quality, 10.0),
            Candidate::new("b").with(&quality, 40.0),
            Candidate::new("c").with(&quality, 20.0),
            Candidate::new("d"),
        ];
        let third = 1.0 / 3.0;
        assert_eq!(run("quality", SCALE, &models), [0.0, 1.0, third, 0.5]);
        let low = AttributeScale { higher_is_better: false, missing: Missing::Worst, ..SCALE };
        assert_eq!(run("quality", low, &models), [1.0, 0.0, 1.0 - third, 0.0]);
        let fixed = AttributeScale { min: Some(20.0), max: Some(30.0), missing: Missing::Best, ..SCALE };
        assert_eq!(run("quality", fixed, &models), [0.0, 1.0, 0.0, 1.0]);
        let half_fixed = AttributeScale { min: Some(0.0), ..SCALE };
        assert_eq!(run("quality", half_fixed, &models), [0.25, 1.0, 0.5, 0.5]);
        assert_eq!(run("quality", SCALE, &models[..1]), [1.0]);
    }

    #[test]
    fn by_a_figure_or_a_part() {
        let ttft = |value, at_ns| Candidate::new("m").with(&AVG_TTFT, Figure { value, at_ns });
        let low = AttributeScale { higher_is_better: false, ..SCALE };
        let models = [ttft(9.0, 99), ttft(1.0, 100), ttft(2.0, 200), ttft(f64::NAN, 200)];
        assert_eq!(run("avg-ttft", low, &models), [0.5, 1.0, 0.0, 0.5]);
        let priced = |output| Candidate::new("m").with(&TOKEN_PRICES, TokenPrices { input: 0.0, output });
        assert_eq!(run("token_prices.output", low, &[priced(1e-6), priced(2e-6)]), [1.0, 0.0]);
        assert_eq!(run("token_prices", low, &[priced(1e-6)]), [0.5], "two numbers are none");
    }

    #[test]
    fn parameters() {
        let refused = |attribute: &str, scale| {
            AttributeScorer::new(attribute, scale).err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert_eq!(refused("", SCALE), "attribute: must be the name of an attribute");
        assert_eq!(
            refused("x", AttributeScale { min: Some(1.0), max: Some(1.0), ..SCALE }),
            "min: must be less than max"
        );
        assert!(!refused("x", AttributeScale { max: Some(f64::NAN), ..SCALE }).is_empty());
    }
}
