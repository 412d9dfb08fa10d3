//! `inflight-requests-scorer`: the fewer requests a model is serving now, the better.

use super::lowest_is_best;
use crate::attribute::IN_FLIGHT;
use crate::contender::Scores;
use crate::context::{Env, Query};
use crate::plugin::Scorer;

/// Upstream's `inflight-requests-scorer`: `score = (max − n) / (max − min)` over the candidates'
/// [`IN_FLIGHT`], and 1 for all when all are equal. A model without the figure, or with one that is no
/// number, counts as idle.
///
/// Counts are compared as they are: a pool of fifty servers looks as busy as a single one with the same
/// count.
pub struct InflightRequestsScorer;

impl InflightRequestsScorer {
    /// The type that a configuration names.
    pub const TYPE: &'static str = "inflight-requests-scorer";
}

impl Scorer for InflightRequestsScorer {
    fn type_name(&self) -> &'static str {
        Self::TYPE
    }

    fn score(&self, _query: &dyn Query, _env: &mut Env<'_>, scores: &mut Scores<'_>) {
        lowest_is_best(scores, |candidate| candidate.get(&IN_FLIGHT).copied().unwrap_or(0.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::AttributeKey;
    use crate::candidate::Candidate;
    use crate::testing::{Fields, scores};

    fn check<const N: usize>(counts: [Option<f64>; N], want: [f64; N]) {
        let models = counts.map(|count| match count {
            Some(count) => Candidate::new("m").with(&IN_FLIGHT, count),
            None => Candidate::new("m"),
        });
        let got = scores(&InflightRequestsScorer, &Fields::default(), &models);
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
        let got = scores(&InflightRequestsScorer, &Fields::default(), &models);
        assert_eq!(got, [Some(1.0), Some(0.0)]);
    }
}
