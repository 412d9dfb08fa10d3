//! `expected-wait-scorer`: how long the tokens in flight, and those of the request, keep a model busy.

use super::lowest_is_best::stretch;
use crate::attribute::{IN_FLIGHT_TOKENS, TOKENS_PER_SECOND};
use crate::contender::Scores;
use crate::context::{Env, Query};
use crate::figure::{MaxAge, NEUTRAL};
use crate::plugin::Scorer;

/// Upstream's `expected-wait-scorer`: `score = (max − wait) / (max − min)`, 1 for all when all are equal, where
/// `wait = (tokens in flight + tokens of the request) / tokens per second`, and 0 where the speed is not known.
///
/// By [`IN_FLIGHT_TOKENS`] and [`TOKENS_PER_SECOND`], which upstream never computes, so that there everybody gets a
/// score of 1. The request's tokens are [`requested_tokens`]; upstream reads only `max_tokens`. A speed older than `max_age`
/// scores 0.5 and moves nobody else's score.
pub struct ExpectedWaitScorer {
    max_age: MaxAge,
}

/// The names under which the APIs say how many tokens an answer may have.
pub const TOKEN_LIMITS: [&str; 3] = ["max_tokens", "max_completion_tokens", "max_output_tokens"];

/// How many tokens the answer may have, as the request says; 0 where it does not, or absurdly.
pub fn requested_tokens(query: &dyn Query) -> f64 {
    let limit = TOKEN_LIMITS.iter().find_map(|field| query.number(field)).unwrap_or(0.0);
    if limit.is_finite() { limit.max(0.0).trunc() } else { 0.0 }
}

impl ExpectedWaitScorer {
    /// The type that a configuration names.
    pub const TYPE: &'static str = "expected-wait-scorer";

    /// A scorer that forgets a speed after `max_age`.
    pub fn new(max_age: MaxAge) -> Self {
        Self { max_age }
    }
}

impl Scorer for ExpectedWaitScorer {
    fn type_name(&self) -> &'static str {
        Self::TYPE
    }

    fn body_fields(&self) -> Vec<&str> {
        TOKEN_LIMITS.to_vec()
    }

    fn attributes(&self) -> Vec<&str> {
        vec![IN_FLIGHT_TOKENS.name(), TOKENS_PER_SECOND.name()]
    }

    fn score(&self, query: &dyn Query, env: &mut Env<'_>, scores: &mut Scores<'_>) {
        let requested = requested_tokens(query);
        scores.fill(|candidate| match candidate.get(&TOKENS_PER_SECOND) {
            Some(speed) if !self.max_age.admits(speed.at_ns, env.now_ns) => None,
            Some(speed) if speed.value > 0.0 => {
                let waiting = candidate.get(&IN_FLIGHT_TOKENS).copied().unwrap_or(0.0).max(0.0);
                Some((waiting + requested) / speed.value).filter(|seconds| seconds.is_finite())
            }
            _ => Some(0.0),
        });
        stretch(scores, |seconds| seconds);
        scores.give_missing(NEUTRAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candidate::Candidate;
    use crate::figure::Figure;
    use crate::random::SplitMix64;
    use crate::testing::{Request, scores_in};

    fn check(models: &[(f64, f64)], numbers: &[(&str, f64)], want: &[f64]) {
        let models: Vec<_> = models
            .iter()
            .map(|(tokens, speed)| {
                Candidate::new("m")
                    .with(&IN_FLIGHT_TOKENS, *tokens)
                    .with(&TOKENS_PER_SECOND, Figure { value: *speed, at_ns: 1 })
            })
            .collect();
        let env = Env { now_ns: 2, rng: &mut SplitMix64::new(0) };
        let request = Request { numbers, ..Request::default() };
        let got = scores_in(&ExpectedWaitScorer::new(MaxAge::DEFAULT), &request, &models, env);
        assert!(got.iter().zip(want).all(|(got, want)| (got.unwrap() - want).abs() < 1e-9), "{got:?}");
        assert_eq!(got.len(), want.len());
    }

    #[test]
    fn by_the_wait() {
        // vectors.md, expected_wait: waits 0 and 10.
        check(&[(0.0, 0.0), (100.0, 10.0)], &[("max_tokens", 0.0)], &[1.0, 0.0]);
        // Waits 10, 4 and 6 seconds: idle but slow loses.
        let models = [(0.0, 10.0), (300.0, 100.0), (50.0, 25.0)];
        check(&models, &[("max_tokens", 100.0)], &[0.0, 1.0, 2.0 / 3.0]);
        check(&models, &[("max_completion_tokens", 100.0)], &[0.0, 1.0, 2.0 / 3.0]);
        check(&models, &[("max_output_tokens", 100.9)], &[0.0, 1.0, 2.0 / 3.0]);
        check(&[(5.0, 10.0), (5.0, 10.0)], &[], &[1.0, 1.0]);
        check(&[], &[], &[]);
        check(
            &[(f64::NAN, 10.0), (10.0, 10.0), (1.0, f64::INFINITY)],
            &[("max_tokens", -9.0)],
            &[1.0, 0.0, 1.0],
        );
    }

    #[test]
    fn a_stale_speed_is_neutral() {
        let speed = |at_ns| Figure { value: 10.0, at_ns };
        let models = [
            Candidate::new("old").with(&TOKENS_PER_SECOND, speed(0)),
            Candidate::new("a").with(&TOKENS_PER_SECOND, speed(90)).with(&IN_FLIGHT_TOKENS, 10.0),
            Candidate::new("b").with(&TOKENS_PER_SECOND, speed(90)).with(&IN_FLIGHT_TOKENS, 20.0),
        ];
        let env = Env { now_ns: 100, rng: &mut SplitMix64::new(0) };
        let got = scores_in(&ExpectedWaitScorer::new(MaxAge(50)), &Request::default(), &models, env);
        assert_eq!(got, [Some(0.5), Some(1.0), Some(0.0)]);
    }
}
