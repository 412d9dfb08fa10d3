//! `inflight-requests-scorer`: the fewer requests a model is serving now, the better.

use super::lowest_is_best;
use crate::attribute::{CAPACITY, IN_FLIGHT};
use crate::candidate::Candidate;
use crate::contender::Scores;
use crate::context::{Env, Query};
use crate::parameter::ParameterError;
use crate::plugin::Scorer;

/// Upstream's `inflight-requests-scorer`: `score = (max − n) / (max − min)` over the candidates'
/// [`IN_FLIGHT`], and 1 for all when all are equal. A model without the figure, or with one that is no
/// number, counts as idle.
///
/// So counts are compared as they are: a pool of fifty servers looks as busy as a single one with the same
/// count, and 100 against 101 becomes 0 against 1. [`by_capacity`](InflightRequestsScorer::by_capacity) is
/// without scale (not in upstream): `score = c / (c + n)` with the model's [`CAPACITY`] c. Idle is 1, full is
/// 0.5, and it never reaches 0, so that the less overloaded of two still wins.
#[derive(Default)]
pub struct InflightRequestsScorer {
    /// For models that declare none; without it counts are compared as they are.
    default_capacity: Option<f64>,
}

impl InflightRequestsScorer {
    /// The type that a configuration names.
    pub const TYPE: &'static str = "inflight-requests-scorer";

    /// Goes by the share of its capacity that a model uses. `default_capacity` is for models that declare
    /// none, or one that is not positive.
    pub fn by_capacity(default_capacity: f64) -> Result<Self, ParameterError> {
        if default_capacity.is_finite() && default_capacity > 0.0 {
            return Ok(Self { default_capacity: Some(default_capacity) });
        }
        Err(ParameterError { parameter: "defaultCapacity", expected: "a finite number greater than 0" })
    }
}

/// Requests in flight; 0 where that is unknown or absurd.
fn in_flight(candidate: &Candidate) -> f64 {
    candidate.get(&IN_FLIGHT).copied().unwrap_or(0.0)
}

impl Scorer for InflightRequestsScorer {
    fn type_name(&self) -> &'static str {
        Self::TYPE
    }

    fn attributes(&self) -> Vec<&str> {
        vec![IN_FLIGHT.name(), CAPACITY.name()]
    }

    fn score(&self, _query: &dyn Query, _env: &mut Env<'_>, scores: &mut Scores<'_>) {
        let Some(default) = self.default_capacity else {
            return lowest_is_best(scores, in_flight);
        };
        scores.fill(|candidate| {
            let declared = candidate.get(&CAPACITY).copied().filter(|capacity| *capacity > 0.0);
            let capacity = declared.unwrap_or(default);
            if capacity == f64::INFINITY {
                1.0
            } else {
                capacity / (capacity + in_flight(candidate).max(0.0))
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::AttributeKey;
    use crate::testing::{Fields, scores};

    fn check<const N: usize>(counts: [Option<f64>; N], want: [f64; N]) {
        let models = counts.map(|count| match count {
            Some(count) => Candidate::new("m").with(&IN_FLIGHT, count),
            None => Candidate::new("m"),
        });
        let got = scores(&InflightRequestsScorer::default(), &Fields::default(), &models);
        assert_eq!(got, want.map(Some), "{counts:?}");
    }

    #[test]
    fn by_requests_in_flight() {
        // vectors.md, inflight.
        check([Some(0.0), Some(5.0), Some(10.0)], [1.0, 0.5, 0.0]);
        check([Some(7.0), Some(7.0)], [1.0, 1.0]);
        check([None, Some(3.0)], [1.0, 0.0]);
        check([Some(100.0), Some(101.0)], [1.0, 0.0]);

        // Reference, 2.5.
        check([None, None], [1.0, 1.0]);
        check([Some(4.0)], [1.0]);
        check([], []);
    }

    #[test]
    fn a_figure_of_another_type_counts_as_idle() {
        let text = AttributeKey::<str>::new("inflight-requests");
        let models = [Candidate::new("a").with(&text, "9"), Candidate::new("b").with(&IN_FLIGHT, 1.0)];
        let got = scores(&InflightRequestsScorer::default(), &Fields::default(), &models);
        assert_eq!(got, [Some(1.0), Some(0.0)]);
    }

    #[test]
    fn by_the_share_of_the_capacity() {
        let scorer = InflightRequestsScorer::by_capacity(4.0).unwrap();
        let model = |count: f64, capacity: Option<f64>| {
            let model = Candidate::new("m").with(&IN_FLIGHT, count);
            match capacity {
                Some(capacity) => model.with(&CAPACITY, capacity),
                None => model,
            }
        };
        let cases = [
            (model(0.0, Some(8.0)), 1.0),
            (model(8.0, Some(8.0)), 0.5),
            // Fifty servers with fifty requests are as busy as one with one.
            (model(50.0, Some(50.0)), 0.5),
            (model(1.0, Some(1.0)), 0.5),
            (model(12.0, None), 0.25),
            (model(12.0, Some(0.0)), 0.25),
            (model(12.0, Some(f64::NAN)), 0.25),
            (model(12.0, Some(f64::INFINITY)), 1.0),
            (model(-3.0, None), 1.0),
            (model(f64::NAN, None), 1.0),
        ];
        for (model, want) in cases {
            assert_eq!(
                scores(&scorer, &Fields::default(), std::slice::from_ref(&model)),
                [Some(want)],
                "{model:?}"
            );
        }
        for refused in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(InflightRequestsScorer::by_capacity(refused).is_err());
        }
    }
}
