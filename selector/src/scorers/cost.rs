//! `cost-scorer`: the cheaper the prompt's tokens, the better.

use crate::attribute::TOKEN_PRICES;
use crate::contender::Scores;
use crate::context::{Env, Query};
use crate::plugin::Scorer;

/// Upstream's `cost-scorer`: `score = 1 − price / Σ prices`, by the price of an input token.
///
/// A single candidate gets 0.5; where all are free everybody gets 1. Without [`TOKEN_PRICES`] a model counts
/// as free, as upstream's README says (its code panics).
///
/// The scale depends on the number of candidates: n models at one price get `1 − 1/n` each.
pub struct CostScorer;

impl CostScorer {
    /// The type that a configuration names.
    pub const TYPE: &'static str = "cost-scorer";
}

impl Scorer for CostScorer {
    fn type_name(&self) -> &'static str {
        Self::TYPE
    }

    fn attributes(&self) -> Vec<&str> {
        vec![TOKEN_PRICES.name()]
    }

    fn score(&self, _query: &dyn Query, _env: &mut Env<'_>, scores: &mut Scores<'_>) {
        if scores.len() == 1 {
            return scores.set(0, 0.5);
        }
        scores.fill(|candidate| candidate.get(&TOKEN_PRICES).map_or(0.0, |prices| prices.input));
        let sum: f64 = scores.values().sum();
        scores.map(|price| if sum == 0.0 { 1.0 } else { 1.0 - price / sum });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::TokenPrices;
    use crate::candidate::Candidate;
    use crate::testing::{Fields, scores};

    /// The scores of models with these prices in USD per million input tokens, where `None` is no price at
    /// all.
    fn of<const N: usize>(prices: [Option<f64>; N]) -> Vec<f64> {
        let models = prices.map(|price| match price {
            Some(price) => {
                Candidate::new("m").with(&TOKEN_PRICES, TokenPrices { input: price / 1e6, output: 1.0 })
            }
            None => Candidate::new("m"),
        });
        scores(&CostScorer, &Fields::default(), &models).into_iter().map(Option::unwrap).collect()
    }

    fn check<const N: usize>(prices: [f64; N], want: [f64; N]) {
        let got = of(prices.map(Some));
        assert!(got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-4), "{prices:?}: {got:?}");
    }

    #[test]
    fn by_input_price() {
        // vectors.md, cost_scorer.
        check([10.0], [0.5]);
        check([10.0, 20.0], [0.6667, 0.3333]);
        check([10.0, 20.0, 15.0], [0.7778, 0.5556, 0.6667]);
        check([0.0, 10.0], [1.0, 0.0]);
        check([10.0, 10.1], [0.5025, 0.4975]);
        check([1.0, 1000.0, 500.5], [0.9993, 0.3340, 0.6666]);
        check([0.0, 0.0, 0.0], [1.0, 1.0, 1.0]);

        // Reference, 2.3: the scale depends on the number of candidates.
        check([3.0; 10], [0.9; 10]);
        check([0.0], [0.5]);
    }

    #[test]
    fn no_price_is_free() {
        assert_eq!(of([None, Some(10.0)]), [1.0, 0.0]);
        assert_eq!(of([None, None]), [1.0, 1.0]);
        assert_eq!(of([None]), [0.5]);
    }

    #[test]
    fn nobody_to_score() {
        assert!(scores(&CostScorer, &Fields::default(), &[]).is_empty());
    }
}
