//! `cost-scorer`: the cheaper the tokens, the better.

use super::lowest_is_best::stretch;
use crate::attribute::{TOKEN_PRICES, TokenPrices};
use crate::contender::Scores;
use crate::context::{Env, Query};
use crate::parameter::ParameterError;
use crate::plugin::Scorer;

/// What a model's price is, as one number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Price {
    /// That of an input token: upstream's.
    #[default]
    Input,
    /// That of an output token.
    Output,
    /// `(input weight · input + output weight · output) / (input weight + output weight)`: what a token costs where
    /// tokens come in these shares.
    Blended {
        /// The share of input tokens.
        input: f64,
        /// The share of output tokens.
        output: f64,
    },
}

impl Price {
    fn of(self, prices: TokenPrices) -> f64 {
        match self {
            Self::Input => prices.input,
            Self::Output => prices.output,
            // Divided first, so that no sum of large weights is infinite.
            Self::Blended { input, output } => {
                let greatest = input.max(output);
                let (input, output) = (input / greatest, output / greatest);
                (input * prices.input + output * prices.output) / (input + output)
            }
        }
    }
}

/// How prices become scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CostScale {
    /// `1 − price / Σ prices`, 1 where all are free, 0.5 for a single candidate: upstream's. Its scale depends on
    /// the number of candidates: n models at one price get `1 − 1/n` each.
    #[default]
    InvertedSum,
    /// `(max − price) / (max − min)`, and 1 where all are equal.
    MinMax,
    /// `ln(max / price) / ln(max / min)`, and 1 where all are equal: equal ratios are equal steps, so that one very
    /// dear model does not make all others look alike. max and min are of the prices above 0; what is free gets 1.
    LogRatio,
}

/// Upstream's `cost-scorer`, by [`TOKEN_PRICES`]: `score = 1 − price / Σ prices`, by the price of an input token. The
/// other prices and scales are not in upstream.
///
/// Without [`TOKEN_PRICES`] a model counts as free, as upstream's README says (its code panics).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CostScorer {
    price: Price,
    scale: CostScale,
}

impl CostScorer {
    /// The type that a configuration names.
    pub const TYPE: &'static str = "cost-scorer";

    /// The default of both is upstream's scorer.
    pub fn new(price: Price, scale: CostScale) -> Result<Self, ParameterError> {
        if let Price::Blended { input, output } = price {
            let share = |weight: f64| weight.is_finite() && weight >= 0.0;
            let checks = [
                (share(input), "inputWeight", "a finite number that is not negative"),
                (share(output), "outputWeight", "a finite number that is not negative"),
                (input > 0.0 || output > 0.0, "inputWeight", "greater than 0, or `outputWeight` has to be"),
            ];
            if let Some((_, parameter, expected)) = checks.into_iter().find(|(holds, ..)| !holds) {
                return Err(ParameterError { parameter, expected });
            }
        }
        Ok(Self { price, scale })
    }
}

impl Scorer for CostScorer {
    fn type_name(&self) -> &'static str {
        Self::TYPE
    }

    fn attributes(&self) -> Vec<&str> {
        vec![TOKEN_PRICES.name()]
    }

    fn score(&self, _query: &dyn Query, _env: &mut Env<'_>, scores: &mut Scores<'_>) {
        scores.fill(|candidate| candidate.get(&TOKEN_PRICES).map_or(0.0, |prices| self.price.of(*prices)));
        match self.scale {
            CostScale::InvertedSum if scores.len() == 1 => scores.set(0, 0.5),
            CostScale::InvertedSum => {
                let sum: f64 = scores.values().sum();
                scores.map(|price| if sum == 0.0 { 1.0 } else { 1.0 - price / sum });
            }
            CostScale::MinMax => stretch(scores, |price| price),
            CostScale::LogRatio => {
                let priced = || scores.values().filter(|price| *price > 0.0);
                let min = priced().fold(f64::INFINITY, f64::min);
                let max = priced().fold(0.0, f64::max);
                let span = max.ln() - min.ln();
                scores.map(|price| match price > 0.0 && min < max {
                    true => (max.ln() - price.ln()) / span,
                    false => 1.0,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candidate::Candidate;
    use crate::testing::{Fields, scores};

    fn scored(scorer: CostScorer, models: &[Candidate]) -> Vec<f64> {
        scores(&scorer, &Fields::default(), models).into_iter().map(Option::unwrap).collect()
    }

    /// The scores of models with these prices in USD per million input tokens, where `None` is no price at
    /// all.
    fn of<const N: usize>(prices: [Option<f64>; N]) -> Vec<f64> {
        let models = prices.map(|price| match price {
            Some(price) => {
                Candidate::new("m").with(&TOKEN_PRICES, TokenPrices { input: price / 1e6, output: 1.0 })
            }
            None => Candidate::new("m"),
        });
        scored(CostScorer::default(), &models)
    }

    fn close(got: &[f64], want: &[f64]) -> bool {
        got.len() == want.len() && got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-4)
    }

    fn check<const N: usize>(prices: [f64; N], want: [f64; N]) {
        let got = of(prices.map(Some));
        assert!(close(&got, &want), "{prices:?}: {got:?}");
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
        let mut nine_at_one = [1.0; 10];
        nine_at_one[9] = 2.0;
        let mut want = [0.909_09; 10];
        want[9] = 0.818_18;
        check(nine_at_one, want);
    }

    #[test]
    fn no_price_is_free() {
        assert_eq!(of([None, Some(10.0)]), [1.0, 0.0]);
        assert_eq!(of([None, None]), [1.0, 1.0]);
        assert_eq!(of([None]), [0.5]);
    }

    #[test]
    fn nobody_to_score() {
        for scale in [CostScale::InvertedSum, CostScale::MinMax, CostScale::LogRatio] {
            assert!(scored(CostScorer::new(Price::Input, scale).unwrap(), &[]).is_empty());
        }
    }

    /// Input and output prices, USD per token.
    fn models<const N: usize>(prices: [(f64, f64); N]) -> Vec<Candidate> {
        prices
            .map(|(input, output)| Candidate::new("m").with(&TOKEN_PRICES, TokenPrices { input, output }))
            .into()
    }

    #[test]
    fn other_prices() {
        let models = models([(1e-6, 8e-6), (3e-6, 2e-6)]);
        let blended = |input, output| Price::Blended { input, output };
        for (price, want) in [
            (Price::Input, [0.75, 0.25]),
            (Price::Output, [0.2, 0.8]),
            // (1 + 8) / 2 and (3 + 2) / 2.
            (blended(1.0, 1.0), [5.0 / 14.0, 9.0 / 14.0]),
            // (3 + 8) / 4 and (9 + 2) / 4.
            (blended(3.0, 1.0), [0.5, 0.5]),
            (blended(1.0, 0.0), [0.75, 0.25]),
            (blended(0.0, 0.1), [0.2, 0.8]),
            (blended(f64::MAX, f64::MAX), [5.0 / 14.0, 9.0 / 14.0]),
        ] {
            let got = scored(CostScorer::new(price, CostScale::InvertedSum).unwrap(), &models);
            assert!(close(&got, &want), "{price:?}: {got:?}");
        }
        for (price, parameter) in [
            (blended(-1.0, 1.0), "inputWeight"),
            (blended(f64::NAN, 1.0), "inputWeight"),
            (blended(1.0, f64::INFINITY), "outputWeight"),
            (blended(0.0, 0.0), "inputWeight"),
        ] {
            let refused = CostScorer::new(price, CostScale::MinMax).err().map(|error| error.parameter);
            assert_eq!(refused, Some(parameter), "{price:?}");
        }
    }

    #[test]
    fn other_scales() {
        let of = |scale, prices: &[f64]| {
            let models: Vec<_> = prices.iter().flat_map(|price| models([(*price, 0.0)])).collect();
            scored(CostScorer::new(Price::Input, scale).unwrap(), &models)
        };
        for (scale, prices, want) in [
            (CostScale::MinMax, &[1e-6, 1e-3, 500.5e-6][..], &[1.0, 0.0, 0.5][..]),
            (CostScale::MinMax, &[0.0, 3e-6, 1e-6], &[1.0, 0.0, 2.0 / 3.0]),
            (CostScale::MinMax, &[2e-6, 2e-6], &[1.0, 1.0]),
            (CostScale::MinMax, &[2e-6], &[1.0]),
            // A hundred times and ten thousand times the cheapest: a half and the whole of the way.
            (CostScale::LogRatio, &[1e-7, 1e-5, 1e-3], &[1.0, 0.5, 0.0]),
            (CostScale::LogRatio, &[0.0, 1e-7, 1e-5, 1e-3], &[1.0, 1.0, 0.5, 0.0]),
            (CostScale::LogRatio, &[0.0, 0.0], &[1.0, 1.0]),
            (CostScale::LogRatio, &[0.0, 5e-6], &[1.0, 1.0]),
            (CostScale::LogRatio, &[5e-6, 5e-6], &[1.0, 1.0]),
            (CostScale::LogRatio, &[5e-6], &[1.0]),
        ] {
            let got = of(scale, prices);
            assert!(close(&got, want), "{scale:?} {prices:?}: {got:?}");
        }
    }
}
