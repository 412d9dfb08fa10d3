//! `costguard`: the distribution of what requests cost, its tail included, and now and then a try.

use crate::attribute::COST_DIGEST;
use crate::candidate::Candidate;
use crate::contender::Scores;
use crate::context::{Env, Query};
use crate::digest::CostDigest;
use crate::figure::NEUTRAL;
use crate::parameter::ParameterError;
use crate::plugin::Scorer;

/// Ranks that differ by a smaller part of themselves are equal.
const ROUNDING: f64 = 1e-12;

/// Parameters of [`CostGuardScorer`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CostGuard {
    /// How likely a request explores; from 0 to 1.
    pub epsilon: f64,
    /// The share of requests that counts as usual; the rest is the tail. Between 0 and 1.
    pub alpha: f64,
    /// How much the tail counts beside the usual; not negative.
    pub lambda: f64,
    /// How exactly the border between the two has to be known; between 0 and 1. The smaller, the longer a
    /// model counts as under-explored.
    pub percentile_margin_error: f64,
}

impl Default for CostGuard {
    fn default() -> Self {
        Self { epsilon: 0.1, alpha: 0.95, lambda: 1.0, percentile_margin_error: 0.03 }
    }
}

/// Upstream's `costguard`, by [`COST_DIGEST`].
///
/// A model is under-explored with fewer than `⌈1.96² · α(1−α) / w²⌉` costs, w being
/// `percentile_margin_error`. With chance ε the request explores: one of the under-explored, or of all if there
/// are none, gets 1 and everybody else 0.5. Else:
///
/// `rank = mean(lowest α of costs) + λ · mean(the rest)`, `score = 1 / (1 + e^((rank − M) / σ))`
///
/// with M and σ the median and the standard deviation of the ranks. The under-explored get 0.5, and so does
/// everybody where σ is 0 or fewer than two are explored.
///
/// The score is free of scale: of two explored models one always gets 0.7311 and the other 0.2689, whether their
/// costs differ by 0.1 % or by a hundred times.
pub struct CostGuardScorer {
    settings: CostGuard,
    threshold: f64,
}

impl CostGuardScorer {
    /// The type that a configuration names.
    pub const TYPE: &'static str = "costguard";

    /// A scorer with these parameters.
    pub fn new(settings: CostGuard) -> Result<Self, ParameterError> {
        let CostGuard { epsilon, alpha, lambda, percentile_margin_error: margin } = settings;
        let open = |value: f64| value > 0.0 && value < 1.0;
        let checks = [
            ((0.0..=1.0).contains(&epsilon), "epsilon", "a number from 0 to 1"),
            (open(alpha), "alpha", "a number between 0 and 1"),
            (lambda >= 0.0 && lambda.is_finite(), "lambda", "a finite number that is not negative"),
            (open(margin), "percentileMarginError", "a number between 0 and 1"),
        ];
        for (holds, parameter, expected) in checks {
            if !holds {
                return Err(ParameterError { parameter, expected });
            }
        }
        let threshold = (1.96_f64.powi(2) * alpha * (1.0 - alpha) / margin.powi(2)).ceil();
        Ok(Self { settings, threshold })
    }

    /// How many costs a model needs to count as explored.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    fn explored<'c>(&self, candidate: &'c Candidate) -> Option<&'c CostDigest> {
        candidate.get(&COST_DIGEST).filter(|digest| digest.count() >= self.threshold)
    }

    fn explore(&self, env: &mut Env<'_>, scores: &mut Scores<'_>) {
        let unknown = scores.candidates().filter(|candidate| self.explored(candidate).is_none()).count();
        let pool = if unknown > 0 { unknown } else { scores.len() };
        let mut left = env.rng.below(pool);
        scores.fill(|candidate| {
            if unknown > 0 && self.explored(candidate).is_some() {
                return NEUTRAL;
            }
            let chosen = left == 0;
            left = left.wrapping_sub(1);
            if chosen { 1.0 } else { NEUTRAL }
        });
    }

    fn exploit(&self, scores: &mut Scores<'_>) {
        let CostGuard { alpha, lambda, .. } = self.settings;
        scores.fill(|candidate| {
            let (usual, tail) = self.explored(candidate)?.split_means(alpha);
            Some(usual + lambda * tail).filter(|rank| rank.is_finite())
        });
        let mut ranks: Vec<f64> = scores.values().collect();
        ranks.sort_by(f64::total_cmp);
        let count = ranks.len() as f64;
        let mean = ranks.iter().sum::<f64>() / count;
        let deviation = (ranks.iter().map(|rank| (rank - mean).powi(2)).sum::<f64>() / count).sqrt();
        // Equal costs of different counts have means that differ in the last bits: that is no difference.
        let usable = ranks.len() >= 2 && deviation > mean.abs() * ROUNDING && deviation.is_finite();
        let middle = median(&ranks);
        scores.map(|rank| if usable { 1.0 / (1.0 + ((rank - middle) / deviation).exp()) } else { NEUTRAL });
        scores.give_missing(NEUTRAL);
    }
}

/// The median of sorted numbers; of an even count the mean of the two in the middle.
fn median(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    let upper = sorted.get(half).copied().unwrap_or(0.0);
    if sorted.len() % 2 == 1 {
        return upper;
    }
    let lower = half.checked_sub(1).and_then(|below| sorted.get(below)).copied().unwrap_or(0.0);
    (lower + upper) / 2.0
}

impl Scorer for CostGuardScorer {
    fn type_name(&self) -> &'static str {
        Self::TYPE
    }

    fn attributes(&self) -> Vec<&str> {
        vec![COST_DIGEST.name()]
    }

    fn score(&self, _query: &dyn Query, env: &mut Env<'_>, scores: &mut Scores<'_>) {
        if env.rng.unit() < self.settings.epsilon { self.explore(env, scores) } else { self.exploit(scores) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Centroid;
    use crate::random::SplitMix64;
    use crate::testing::{Fields, scores_in};
    use std::rc::Rc;

    fn scorer(epsilon: f64) -> CostGuardScorer {
        CostGuardScorer::new(CostGuard { epsilon, ..CostGuard::default() }).unwrap()
    }

    /// A model whose requests all cost the same.
    fn model(cost: f64, count: f64) -> Candidate {
        let digest = CostDigest::from_centroids(200, [Centroid { mean: cost, weight: count }]);
        Candidate::new(format!("{cost}")).with(&COST_DIGEST, Rc::new(digest))
    }

    fn explored(cost: f64) -> Candidate {
        model(cost, 253.0)
    }

    fn run(scorer: &CostGuardScorer, models: &[Candidate], rng: &mut SplitMix64) -> Vec<f64> {
        let got = scores_in(scorer, &Fields::default(), models, Env { now_ns: 0, rng });
        got.into_iter().map(Option::unwrap).collect()
    }

    fn check(models: &[Candidate], want: &[f64]) {
        let got = run(&scorer(0.0), models, &mut SplitMix64::new(1));
        assert_eq!(got.len(), want.len());
        assert!(got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-4), "{got:?}, not {want:?}");
    }

    #[test]
    fn thresholds() {
        // vectors.md, costguard.
        let threshold = |alpha, percentile_margin_error| {
            let settings = CostGuard { alpha, percentile_margin_error, ..CostGuard::default() };
            CostGuardScorer::new(settings).unwrap().threshold()
        };
        assert_eq!(scorer(0.1).threshold(), 203.0);
        assert_eq!(threshold(0.9, 0.05), 139.0);
        assert_eq!(threshold(0.95, 0.05), 73.0);
    }

    #[test]
    fn without_exploring() {
        // vectors.md, costguard.
        check(&[explored(42.0)], &[0.5]);
        check(&[explored(1.0), model(2.0, 202.0), model(3.0, 202.0)], &[0.5; 3]);
        check(&[explored(5.0), explored(5.0), explored(5.0)], &[0.5; 3]);
        // Means of equal costs, rounded otherwise for each count.
        for count in 203..400 {
            check(&[explored(0.1), model(0.1, f64::from(count))], &[0.5; 2]);
        }
        // Free is a cost like others.
        check(&[explored(0.0), explored(0.0)], &[0.5; 2]);
        check(&[explored(0.0), explored(1e-9)], &[0.731_059, 0.268_941]);
        check(&[explored(1.0), explored(3.0)], &[0.731_059, 0.268_941]);
        check(&[1.0, 2.0, 3.0].map(explored), &[0.772_897, 0.5, 0.227_103]);
        check(&[1000.0, 2000.0, 3000.0].map(explored), &[0.772_897, 0.5, 0.227_103]);
        check(&[1.0, 2.0, 3.0, 4.0].map(explored), &[0.792_76, 0.609_977, 0.390_023, 0.207_24]);
        check(&[explored(1.0), model(9.0, 202.0), explored(3.0)], &[0.731_059, 0.5, 0.268_941]);
        check(&[explored(1.0), Candidate::new("none"), explored(3.0)], &[0.731_059, 0.5, 0.268_941]);
        check(&[], &[]);

        // Proposal 050's examples: ranks 100, 110, 130 and 49.9, 50, 50.1.
        check(&[50.0, 55.0, 65.0].map(explored), &[0.690_356, 0.5, 0.167_484]);
        check(&[24.95, 25.0, 25.05].map(explored), &[0.772_897, 0.5, 0.227_103]);
    }

    #[test]
    fn exploring() {
        // vectors.md, costguard: eps 1.
        let mut rng = SplitMix64::new(9);
        let all_unknown = [model(1.0, 1.0), model(2.0, 202.0), Candidate::new("none")];
        let mixed = [explored(1.0), model(2.0, 202.0), Candidate::new("none"), explored(9.0)];
        let all_known = [1.0, 2.0, 3.0].map(explored);
        for (models, reached) in [
            (&all_unknown[..], &[true, true, true][..]),
            (&mixed, &[false, true, true, false]),
            (&all_known, &[true, true, true]),
        ] {
            let mut seen = vec![false; models.len()];
            for _ in 0..500 {
                let got = run(&scorer(1.0), models, &mut rng);
                let tops: Vec<usize> = (0..got.len()).filter(|at| got[*at] == 1.0).collect();
                assert_eq!(tops.len(), 1, "{got:?}");
                assert_eq!(got.iter().filter(|score| **score == 0.5).count(), got.len() - 1);
                seen[tops[0]] = true;
            }
            assert_eq!(seen, reached);
        }
    }

    #[test]
    fn epsilon_is_the_share_of_tries() {
        let mut rng = SplitMix64::new(3);
        let models = [explored(1.0), Candidate::new("new"), explored(3.0)];
        let tries = (0..10_000).filter(|_| run(&scorer(0.1), &models, &mut rng)[1] == 1.0).count();
        assert!(tries.abs_diff(1000) < 150, "{tries}");
    }

    #[test]
    fn medians() {
        // vectors.md, costguard.
        for (numbers, want) in [
            (&[5.0][..], 5.0),
            (&[1.0, 2.0, 3.0], 2.0),
            (&[1.0, 2.0, 3.0, 4.0], 2.5),
            (&[3.0, 1.0, 2.0], 2.0),
            (&[7.0; 5], 7.0),
            (&[], 0.0),
        ] {
            let mut sorted = numbers.to_vec();
            sorted.sort_by(f64::total_cmp);
            assert_eq!(median(&sorted), want, "{numbers:?}");
        }
    }

    #[test]
    fn parameters() {
        let default = CostGuard::default();
        // vectors.md, costguard: valid.
        for settings in [
            CostGuard { epsilon: 0.0, ..default },
            CostGuard { epsilon: 1.0, ..default },
            CostGuard { lambda: 0.0, ..default },
            CostGuard { alpha: 0.01, ..default },
            CostGuard { percentile_margin_error: 0.01, ..default },
        ] {
            assert!(CostGuardScorer::new(settings).is_ok(), "{settings:?}");
        }
        for (settings, parameter) in [
            (CostGuard { epsilon: -0.1, ..default }, "epsilon"),
            (CostGuard { epsilon: 1.1, ..default }, "epsilon"),
            (CostGuard { alpha: 0.0, ..default }, "alpha"),
            (CostGuard { alpha: 1.0, ..default }, "alpha"),
            (CostGuard { lambda: -1.0, ..default }, "lambda"),
            (CostGuard { lambda: f64::INFINITY, ..default }, "lambda"),
            (CostGuard { percentile_margin_error: f64::NAN, ..default }, "percentileMarginError"),
            (CostGuard { percentile_margin_error: 1.0, ..default }, "percentileMarginError"),
        ] {
            let refused = CostGuardScorer::new(settings).err().map(|error| error.parameter);
            assert_eq!(refused, Some(parameter), "{settings:?}");
        }
    }
}
