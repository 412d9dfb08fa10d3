//! `avg-ttft-scorer` and `avg-tpot-scorer`: the faster a model was lately, the better.

use super::lowest_is_best::stretch;
use crate::attribute::{AVG_TPOT, AVG_TTFT, AttributeKey, IN_FLIGHT};
use crate::contender::Scores;
use crate::context::{Env, Query};
use crate::figure::{Figure, MaxAge, NEUTRAL};
use crate::parameter::ParameterError;
use crate::plugin::Scorer;

/// How a figure fades while a model is not asked, so that one slow spell does not shut it out for ever.
///
/// `v' = v · (1 − weight · min(age / period, 1) · idleness)`, where idleness is `1 / (1 + in flight)` or, with
/// `max_idle_probes`, 1 up to so many in flight and 0 above.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decay {
    /// Seconds after which a figure has faded as far as it does; 0 for not at all.
    pub period: f64,
    /// How far: 1 is to nothing. 0 for not at all.
    pub weight: f64,
    /// How many in flight still count as idle.
    pub max_idle_probes: Option<f64>,
}

impl Decay {
    /// Nothing fades.
    pub const NONE: Self = Self { period: 0.0, weight: 0.0, max_idle_probes: None };

    /// What is left of a figure.
    pub fn apply(&self, figure: Figure, in_flight: f64, now_ns: u64) -> f64 {
        let Figure { value, at_ns } = figure;
        let age = now_ns.saturating_sub(at_ns) as f64 / 1e9;
        let applies = self.weight > 0.0 && self.period > 0.0 && at_ns > 0 && age > 0.0;
        if !applies {
            return value;
        }
        let idleness = match self.max_idle_probes {
            None => 1.0 / (1.0 + in_flight.max(0.0)),
            Some(most) if in_flight <= most => 1.0,
            Some(_) => 0.0,
        };
        value * (1.0 - self.weight * (age / self.period).min(1.0) * idleness)
    }
}

/// Upstream's `avg-ttft-scorer` and `avg-tpot-scorer`: `score = (max − v) / (max − min)`, 1 for all when all are
/// equal, with v the average of [`AVG_TTFT`] or [`AVG_TPOT`] in seconds, faded by [`Decay`].
///
/// A model that was never measured counts as 0 seconds, so that it is tried. One whose figure is older than
/// `max_age` (not in upstream) scores 0.5 and moves nobody else's score.
pub struct AverageLatencyScorer {
    kind: &'static str,
    figure: &'static AttributeKey<Figure>,
    decay: Decay,
    max_age: MaxAge,
}

impl AverageLatencyScorer {
    /// The type that goes by the time to the first token.
    pub const TTFT: &'static str = "avg-ttft-scorer";
    /// The type that goes by the time for each token.
    pub const TPOT: &'static str = "avg-tpot-scorer";

    /// By time to first token. Upstream's figures fade over 10 seconds.
    pub fn ttft(decay: Decay, max_age: MaxAge) -> Result<Self, ParameterError> {
        Self::new(Self::TTFT, &AVG_TTFT, decay, max_age)
    }

    /// By time per output token. Upstream's figures fade over 30 seconds.
    pub fn tpot(decay: Decay, max_age: MaxAge) -> Result<Self, ParameterError> {
        Self::new(Self::TPOT, &AVG_TPOT, decay, max_age)
    }

    fn new(
        kind: &'static str,
        figure: &'static AttributeKey<Figure>,
        decay: Decay,
        max_age: MaxAge,
    ) -> Result<Self, ParameterError> {
        let number = |value: f64| value.is_finite() && value >= 0.0;
        if !number(decay.period) {
            return Err(ParameterError {
                parameter: "decayPeriod",
                expected: "a duration that is not negative",
            });
        }
        if !(0.0..=1.0).contains(&decay.weight) {
            return Err(ParameterError { parameter: "decayWeight", expected: "a number from 0 to 1" });
        }
        if decay.max_idle_probes.is_some_and(|most| !number(most)) {
            return Err(ParameterError {
                parameter: "maxIdleProbes",
                expected: "a number that is not negative",
            });
        }
        Ok(Self { kind, figure, decay, max_age })
    }
}

impl Scorer for AverageLatencyScorer {
    fn type_name(&self) -> &'static str {
        self.kind
    }

    fn attributes(&self) -> Vec<&str> {
        vec![self.figure.name(), IN_FLIGHT.name()]
    }

    fn score(&self, _query: &dyn Query, env: &mut Env<'_>, scores: &mut Scores<'_>) {
        scores.fill(|candidate| match candidate.get(self.figure) {
            None => Some(0.0),
            Some(figure) if !self.max_age.admits(figure.at_ns, env.now_ns) => None,
            Some(figure) => {
                let in_flight = candidate.get(&IN_FLIGHT).copied().unwrap_or(0.0);
                Some(self.decay.apply(*figure, in_flight, env.now_ns)).filter(|seconds| seconds.is_finite())
            }
        });
        stretch(scores, |seconds| seconds);
        scores.give_missing(NEUTRAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candidate::Candidate;
    use crate::random::SplitMix64;
    use crate::testing::{Fields, scores_in};

    const NOW: u64 = 1_000_000_000_000;
    const SECOND: u64 = 1_000_000_000;

    fn run(scorer: &AverageLatencyScorer, figures: &[Option<(f64, u64)>]) -> Vec<f64> {
        let models: Vec<_> = figures
            .iter()
            .map(|figure| match figure {
                Some((value, age)) => {
                    let figure =
                        Figure { value: *value, at_ns: NOW.saturating_sub(age.saturating_mul(SECOND)) };
                    Candidate::new("m").with(scorer.figure, figure)
                }
                None => Candidate::new("m"),
            })
            .collect();
        let env = Env { now_ns: NOW, rng: &mut SplitMix64::new(0) };
        scores_in(scorer, &Fields::default(), &models, env).into_iter().map(Option::unwrap).collect()
    }

    fn close(got: &[f64], want: &[f64]) {
        assert!(
            got.len() == want.len() && got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-4),
            "{got:?}, not {want:?}"
        );
    }

    #[test]
    fn by_time_to_first_token() {
        // vectors.md, avg_ttft.
        let scorer = AverageLatencyScorer::ttft(Decay::NONE, MaxAge::DEFAULT).unwrap();
        close(&run(&scorer, &[Some((0.2, 0)), Some((1.0, 0))]), &[1.0, 0.0]);
        close(&run(&scorer, &[Some((0.5, 0)), Some((0.5, 0))]), &[1.0, 1.0]);
        close(&run(&scorer, &[Some((0.5, 0)), None]), &[0.0, 1.0]);
        close(&run(&scorer, &[Some((0.2, 0)), Some((0.6, 0)), Some((1.0, 0))]), &[1.0, 0.5, 0.0]);
        close(&run(&scorer, &[None, None]), &[1.0, 1.0]);
        close(&run(&scorer, &[]), &[]);
    }

    #[test]
    fn by_time_per_token() {
        // vectors.md, avg_tpot.
        let fading = Decay { period: 30.0, weight: 1.0, max_idle_probes: None };
        let scorer = AverageLatencyScorer::tpot(fading, MaxAge::DEFAULT).unwrap();
        close(&run(&scorer, &[Some((0.02, 0)), Some((0.1, 0))]), &[1.0, 0.0]);
        close(&run(&scorer, &[Some((0.05, 0)), Some((0.05, 0))]), &[1.0, 1.0]);
        close(&run(&scorer, &[Some((0.1, 60)), Some((0.05, 0))]), &[1.0, 0.0]);
        let lasting = Decay { weight: 0.0, ..fading };
        let scorer = AverageLatencyScorer::tpot(lasting, MaxAge::DEFAULT).unwrap();
        close(&run(&scorer, &[Some((0.1, 60)), Some((0.05, 0))]), &[0.0, 1.0]);
    }

    #[test]
    fn a_stale_figure_is_neutral_and_moves_nobody() {
        let scorer = AverageLatencyScorer::ttft(Decay::NONE, MaxAge(60 * SECOND)).unwrap();
        let figures = [Some((9.0, 61)), Some((0.2, 60)), Some((0.6, 0)), Some((1.0, 0))];
        close(&run(&scorer, &figures), &[0.5, 1.0, 0.5, 0.0]);
        close(
            &run(&scorer, &[Some((f64::NAN, 0)), Some((0.2, 0)), Some((f64::INFINITY, 0))]),
            &[0.5, 1.0, 0.5],
        );
    }

    #[test]
    fn fading() {
        // vectors.md, decay: ema 1, period 30 s unless said otherwise.
        let decay = |period, weight, max_idle_probes| Decay { period, weight, max_idle_probes };
        let cases = [
            (decay(0.0, 1.0, None), 60, 0.0, 1.0),
            (decay(30.0, 1.0, None), 0, 0.0, 1.0),
            (decay(30.0, 1.0, None), 60, 0.0, 0.0),
            (decay(30.0, 1.0, None), 15, 0.0, 0.5),
            (decay(30.0, 0.5, None), 60, 0.0, 0.5),
            (decay(30.0, 1.0, Some(0.0)), 60, 1.0, 1.0),
            (decay(30.0, 1.0, Some(2.0)), 60, 2.0, 0.0),
            // Variant A with one in flight: half as idle.
            (decay(30.0, 1.0, None), 60, 1.0, 0.5),
        ];
        for (decay, age, in_flight, want) in cases {
            let figure = Figure { value: 1.0, at_ns: NOW - age * SECOND };
            assert_eq!(decay.apply(figure, in_flight, NOW), want, "{decay:?} {age}");
        }
        let never = Figure { value: 1.0, at_ns: 0 };
        assert_eq!(decay(30.0, 1.0, None).apply(never, 0.0, NOW), 1.0);
    }

    #[test]
    fn parameters() {
        let refused = |decay| {
            AverageLatencyScorer::ttft(decay, MaxAge::DEFAULT)
                .err()
                .map(|error| error.parameter)
                .unwrap_or("")
        };
        assert_eq!(refused(Decay { period: -1.0, ..Decay::NONE }), "decayPeriod");
        assert_eq!(refused(Decay { weight: 1.5, ..Decay::NONE }), "decayWeight");
        assert_eq!(refused(Decay { max_idle_probes: Some(f64::NAN), ..Decay::NONE }), "maxIdleProbes");
        assert_eq!(refused(Decay::NONE), "");
    }
}
