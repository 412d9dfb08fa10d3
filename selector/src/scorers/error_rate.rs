//! `error-rate-scorer`: a model that fails is not the answer, however fast it fails.

use crate::attribute::HEALTH;
use crate::contender::Scores;
use crate::context::{Env, Query};
use crate::figure::{Health, MaxAge};
use crate::parameter::ParameterError;
use crate::plugin::Scorer;

/// Not in upstream, where errors count as fast answers and draw traffic: `score = (1 − error rate)^sharpness` by
/// [`HEALTH`], and 0 while the model cools down. Without the figure, or with one older than `max_age`, nothing
/// speaks against a model: 1.
pub struct ErrorRateScorer {
    sharpness: f64,
    max_age: MaxAge,
}

impl ErrorRateScorer {
    /// The type that a configuration names.
    pub const TYPE: &'static str = "error-rate-scorer";

    /// With a `sharpness` of 1 half the requests failing costs half the score, with 2 three quarters.
    pub fn new(sharpness: f64, max_age: MaxAge) -> Result<Self, ParameterError> {
        if sharpness.is_finite() && sharpness > 0.0 {
            return Ok(Self { sharpness, max_age });
        }
        Err(ParameterError { parameter: "sharpness", expected: "a finite number greater than 0" })
    }
}

impl Scorer for ErrorRateScorer {
    fn type_name(&self) -> &'static str {
        Self::TYPE
    }

    fn attributes(&self) -> Vec<&str> {
        vec![HEALTH.name()]
    }

    fn score(&self, _query: &dyn Query, env: &mut Env<'_>, scores: &mut Scores<'_>) {
        scores.fill(|candidate| match candidate.get(&HEALTH) {
            Some(Health { cooling_until_ns, .. }) if *cooling_until_ns > env.now_ns => 0.0,
            Some(Health { error_rate, at_ns, .. })
                if self.max_age.admits(*at_ns, env.now_ns) && !error_rate.is_nan() =>
            {
                (1.0 - error_rate.clamp(0.0, 1.0)).powf(self.sharpness)
            }
            _ => 1.0,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candidate::Candidate;
    use crate::random::SplitMix64;
    use crate::testing::{Fields, scores_in};

    #[test]
    fn by_the_share_of_failures() {
        let health = |error_rate, cooling_until_ns, at_ns| {
            Candidate::new("m").with(&HEALTH, Health { error_rate, requests: 9.0, cooling_until_ns, at_ns })
        };
        let models = [
            (Candidate::new("m"), 1.0),
            (health(0.0, 0, 190), 1.0),
            (health(0.5, 0, 190), 0.25),
            (health(1.0, 0, 190), 0.0),
            (health(0.5, 201, 190), 0.0),
            (health(0.5, 200, 190), 0.25),
            (health(0.5, 0, 99), 1.0),
            (health(9.0, 0, 190), 0.0),
            (health(f64::NAN, 0, 190), 1.0),
        ];
        let scorer = ErrorRateScorer::new(2.0, MaxAge(100)).unwrap();
        for (model, want) in models {
            let env = Env { now_ns: 200, rng: &mut SplitMix64::new(0) };
            let got = scores_in(&scorer, &Fields::default(), std::slice::from_ref(&model), env);
            assert_eq!(got, [Some(want)], "{model:?}");
        }
        for refused in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(ErrorRateScorer::new(refused, MaxAge::NONE).is_err());
        }
    }
}
