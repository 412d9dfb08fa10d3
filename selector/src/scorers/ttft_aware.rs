//! `ttft-aware-scorer`: the time to the first token that a model's present load lets expect.

use crate::attribute::{IN_FLIGHT, TTFT_CURVE};
use crate::candidate::Candidate;
use crate::contender::Scores;
use crate::context::{Env, Query};
use crate::figure::{MaxAge, NEUTRAL};
use crate::parameter::ParameterError;
use crate::plugin::Scorer;
use crate::ttft_curve::{ExpectedTtft, Prediction};

/// Parameters of [`TtftAwareScorer`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TtftAware {
    /// How likely a model that is not calibrated is tried, at each request; from 0 to 1.
    pub exploration_rate: f64,
    /// How many requests in flight the two measured points have to be apart; greater than 0.
    pub min_inflight_gap: f64,
    /// Predictions are rounded to multiples of so many seconds, so that near ties are ties; 0 for not.
    pub round_ttft_step: f64,
    /// How old the measurements may be. Not in upstream.
    pub max_age: MaxAge,
}

impl Default for TtftAware {
    fn default() -> Self {
        Self { exploration_rate: 0.0, min_inflight_gap: 2.0, round_ttft_step: 0.0, max_age: MaxAge::DEFAULT }
    }
}

/// Upstream's `ttft-aware-scorer`, the newest of its line: `score = (max − p) / (max − min)` with p the prediction
/// of [`TtftCurve::predict`](crate::TtftCurve::predict) at the model's [`IN_FLIGHT`]; 1 for all when all are
/// equal or nobody was observed. A model of which nothing is known counts as the fastest.
///
/// With `exploration_rate` each model that is not calibrated throws a coin of its own: heads is 1, tails is 0 if
/// there is a calibrated one. That moves nobody else's score.
///
/// Measurements older than `max_age` score 0.5, are no part of min and max, and are worth a try like those of a
/// model that is not calibrated: tails is 0.5 then.
pub struct TtftAwareScorer(TtftAware);

impl TtftAwareScorer {
    /// The type that a configuration names.
    pub const TYPE: &'static str = "ttft-aware-scorer";
    /// Names that the same thing had before.
    pub const ALIASES: [&'static str; 2] = ["load-aware-ttft-scorer", "queue-ttft-scorer"];

    /// A scorer with these parameters.
    pub fn new(settings: TtftAware) -> Result<Self, ParameterError> {
        let TtftAware { exploration_rate, min_inflight_gap, round_ttft_step, .. } = settings;
        let checks = [
            ((0.0..=1.0).contains(&exploration_rate), "explorationRate", "a number from 0 to 1"),
            (min_inflight_gap > 0.0 && min_inflight_gap.is_finite(), "minInflightGap", "greater than 0"),
            (round_ttft_step >= 0.0 && round_ttft_step.is_finite(), "roundTTFTStep", "0 or greater"),
        ];
        match checks.into_iter().find(|(holds, ..)| !holds) {
            Some((_, parameter, expected)) => Err(ParameterError { parameter, expected }),
            None => Ok(Self(settings)),
        }
    }

    fn known(&self, candidate: &Candidate, now_ns: u64) -> ExpectedTtft {
        match candidate.get(&TTFT_CURVE) {
            None => ExpectedTtft::Fresh(Prediction::Cold),
            Some(curve) if !self.0.max_age.admits(curve.at_ns, now_ns) => ExpectedTtft::Stale,
            Some(curve) => {
                let in_flight = candidate.get(&IN_FLIGHT).copied();
                ExpectedTtft::Fresh(match curve.predict(in_flight, self.0.min_inflight_gap) {
                    Prediction::Cold => Prediction::Cold,
                    Prediction::Seed(seconds) => Prediction::Seed(self.rounded(seconds)),
                    Prediction::Trusted(seconds) => Prediction::Trusted(self.rounded(seconds)),
                })
            }
        }
    }

    fn rounded(&self, seconds: f64) -> f64 {
        let step = self.0.round_ttft_step;
        if step > 0.0 { (seconds / step).round() * step } else { seconds }
    }
}

impl Scorer for TtftAwareScorer {
    fn type_name(&self) -> &'static str {
        Self::TYPE
    }

    fn attributes(&self) -> Vec<&str> {
        vec![TTFT_CURVE.name(), IN_FLIGHT.name()]
    }

    fn expected_ttft(&self, candidate: &Candidate, now_ns: u64) -> Option<ExpectedTtft> {
        Some(self.known(candidate, now_ns))
    }

    fn exploration_rate(&self) -> f64 {
        self.0.exploration_rate
    }

    fn score(&self, _query: &dyn Query, env: &mut Env<'_>, scores: &mut Scores<'_>) {
        let now = env.now_ns;
        let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
        let mut any_trusted = false;
        for candidate in scores.candidates() {
            if let ExpectedTtft::Fresh(
                prediction @ (Prediction::Seed(seconds) | Prediction::Trusted(seconds)),
            ) = self.known(candidate, now)
            {
                (min, max) = (min.min(seconds), max.max(seconds));
                any_trusted |= matches!(prediction, Prediction::Trusted(_));
            }
        }
        let place = |seconds: f64| if min < max { (max - seconds) / (max - min) } else { 1.0 };
        let rate = self.0.exploration_rate;
        // `rate` 0 draws nothing.
        let mut coin = |tails: f64, otherwise: f64| match rate > 0.0 {
            true if env.rng.unit() < rate => 1.0,
            true => tails,
            false => otherwise,
        };
        scores.fill(|candidate| match self.known(candidate, now) {
            ExpectedTtft::Stale => coin(NEUTRAL, NEUTRAL),
            ExpectedTtft::Fresh(Prediction::Trusted(seconds)) => place(seconds),
            ExpectedTtft::Fresh(prediction) => {
                let score = match prediction {
                    Prediction::Seed(seconds) => place(seconds),
                    _ => 1.0,
                };
                // Nobody observed: nothing to rank, and all are tried alike.
                if min > max { score } else { coin(if any_trusted { 0.0 } else { score }, score) }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Rng, SplitMix64};
    use crate::testing::{Fields, scores_in};
    use crate::ttft_curve::{Point, TtftCurve};

    fn curve(floor: f64, low: (f64, f64), high: (f64, f64)) -> TtftCurve {
        let point = |(in_flight, ttft)| Point { in_flight, ttft };
        TtftCurve { floor, low: point(low), high: point(high), recent: 100, min_requests: 10, at_ns: 1 }
    }

    fn at(curve: TtftCurve, in_flight: f64) -> Candidate {
        Candidate::new("m").with(&TTFT_CURVE, curve).with(&IN_FLIGHT, in_flight)
    }

    fn usual() -> TtftCurve {
        curve(0.20, (4.0, 0.35), (9.0, 0.55))
    }

    fn cold() -> Candidate {
        Candidate::new("m").with(&IN_FLIGHT, 3.0)
    }

    fn run(settings: TtftAware, models: &[Candidate], rng: &mut dyn Rng) -> Vec<f64> {
        let scorer = TtftAwareScorer::new(settings).unwrap();
        let env = Env { now_ns: 2, rng };
        scores_in(&scorer, &Fields::default(), models, env).into_iter().map(Option::unwrap).collect()
    }

    fn check(settings: TtftAware, models: &[Candidate], want: &[f64]) {
        assert_eq!(run(settings, models, &mut SplitMix64::new(1)), want, "{settings:?} {models:?}");
    }

    #[test]
    fn by_the_prediction() {
        let plain = TtftAware::default();
        // vectors.md, ttft_score: loaded .99, idle .675.
        let idle = curve(0.60, (2.0, 0.75), (6.0, 0.95));
        check(plain, &[at(usual(), 20.0), at(idle, 1.0)], &[0.0, 1.0]);
        check(plain, &[at(usual(), 9.0), at(usual(), 9.0)], &[1.0, 1.0]);
        // Reference, 2.8: nobody observed; a cold one counts as the fastest.
        check(plain, &[cold(), cold()], &[1.0, 1.0]);
        check(plain, &[cold(), at(usual(), 20.0), at(usual(), 0.0)], &[1.0, 0.0, 1.0]);
        check(plain, &[], &[]);
    }

    #[test]
    fn rounding_makes_ties() {
        // vectors.md, ttft_score: the curve at 19 and at 20, .95 and .99 s, both become 1 s.
        let near = [at(usual(), 19.0), at(usual(), 20.0)];
        check(TtftAware::default(), &near, &[1.0, 0.0]);
        check(TtftAware { round_ttft_step: 0.5, ..TtftAware::default() }, &near, &[1.0, 1.0]);
    }

    #[test]
    fn exploring() {
        let seed = at(TtftCurve { recent: 2, ..usual() }, 50.0);
        let calibrated = [at(usual(), 20.0), at(usual(), 0.0)];
        let rate = |exploration_rate| TtftAware { exploration_rate, ..TtftAware::default() };
        // vectors.md, ttft_score: rate 1.
        let [loaded, idle] = calibrated.clone();
        check(rate(1.0), &[loaded.clone(), idle.clone(), seed.clone()], &[0.0, 1.0, 1.0]);
        // Tails: nothing, where somebody is calibrated, and as without exploring where nobody is.
        check(rate(1e-300), &[loaded.clone(), idle.clone(), seed.clone(), cold()], &[0.0, 1.0, 0.0, 0.0]);
        check(rate(1e-300), &[seed.clone(), cold()], &[1.0, 1.0]);

        let mut rng = SplitMix64::new(8);
        let models = [loaded, idle, seed];
        let heads = (0..10_000).filter(|_| run(rate(0.25), &models, &mut rng)[2] == 1.0).count();
        assert!(heads.abs_diff(2500) < 217, "{heads}");
    }

    #[test]
    fn a_missing_load_is_not_trusted() {
        let settings = TtftAware { exploration_rate: 1e-300, ..TtftAware::default() };
        let no_load = Candidate::new("m").with(&TTFT_CURVE, usual());
        check(settings, &[at(usual(), 20.0), no_load], &[0.0, 0.0]);
    }

    #[test]
    fn stale_measurements_are_neutral_but_worth_a_try() {
        let settings = TtftAware { max_age: MaxAge(0), ..TtftAware::default() };
        let fresh = |in_flight| at(TtftCurve { at_ns: 2, ..usual() }, in_flight);
        let models = [at(usual(), 900.0), fresh(0.0), fresh(9.0)];
        check(settings, &models, &[0.5, 1.0, 0.0]);
        check(TtftAware { exploration_rate: 1.0, ..settings }, &models, &[1.0, 1.0, 0.0]);
        check(TtftAware { exploration_rate: 1e-300, ..settings }, &models, &[0.5, 1.0, 0.0]);
    }

    #[test]
    fn parameters() {
        let default = TtftAware::default();
        for (settings, want) in [
            (TtftAware { exploration_rate: 1.1, ..default }, Some("explorationRate")),
            (TtftAware { exploration_rate: f64::NAN, ..default }, Some("explorationRate")),
            (TtftAware { min_inflight_gap: 0.0, ..default }, Some("minInflightGap")),
            (TtftAware { round_ttft_step: -0.1, ..default }, Some("roundTTFTStep")),
            (
                TtftAware { exploration_rate: 1.0, min_inflight_gap: 0.1, round_ttft_step: 0.01, ..default },
                None,
            ),
        ] {
            assert_eq!(TtftAwareScorer::new(settings).err().map(|error| error.parameter), want);
        }
    }
}
