//! `cost-scorer`: the cheaper the tokens, the better.

use super::parameter::{number, refused};
use crate::config::Invalid;
use crate::plugin::{Parameter, Params, Plugin, PluginType};
use ipp_selector::scorers::{CostScale, CostScorer, Price};

/// Parameters that only a blended price has.
const WEIGHTS: [&str; 2] = ["inputWeight", "outputWeight"];

pub(crate) const TYPE: PluginType = PluginType {
    name: CostScorer::TYPE,
    about: "Scorer of model selection: `1 − price / Σ prices` by the price of an input token, over the models that \
            filters left; 0.5 for a single one, 1 where all are free. A model without a price is free. That is the Go \
            service's formula, in which n models at one price get `1 − 1/n` each; other prices and scales are \
            parameters:\n\n\
            | `normalisation` | score |\n|---|---|\n\
            | `inverted-sum` | the formula above |\n\
            | `min-max` | `(max − price) / (max − min)`, 1 where all are equal |\n\
            | `log-ratio` | `ln(max / price) / ln(max / min)`, 1 where all are equal and for what is free; max and min \
            are of the prices above 0. Equal ratios are equal steps: of 1, 10 and 100 USD the second gets 0.5 |",
    parameters: &[
        Parameter {
            name: "normalisation",
            kind: "`inverted-sum`, `min-max` or `log-ratio`",
            default: "inverted-sum",
            about: "How prices become scores.",
        },
        Parameter {
            name: "price",
            kind: "`input`, `output` or `blended`",
            default: "input",
            about: "Which price: that of an input token, of an output token, or the mean of both by the two weights.",
        },
        Parameter {
            name: "inputWeight",
            kind: "number",
            default: "1",
            about: "With `price: blended`, how many input tokens come for each `outputWeight` output tokens.",
        },
        Parameter { name: "outputWeight", kind: "number", default: "1", about: "With `price: blended`." },
    ],
    example: "\
type: cost-scorer
parameters:
  normalisation: min-max
  price: blended
  inputWeight: 3
  outputWeight: 1
",
    build,
};

fn build(parameters: &Params<'_>, _: &mut crate::plugin::Build<'_>) -> Result<Plugin, Invalid> {
    let scale = parameters.get("normalisation").map_or(Ok(CostScale::default()), |view| {
        view.choice(&[
            ("inverted-sum", CostScale::InvertedSum),
            ("min-max", CostScale::MinMax),
            ("log-ratio", CostScale::LogRatio),
        ])
    });
    let [input, output] = WEIGHTS.map(|name| number(parameters, name, 1.0));
    let price = parameters.get("price").map_or(Ok(""), |view| {
        view.choice(&[("input", "input"), ("output", "output"), ("blended", "blended")])
    });
    let (input, output) = (input?, output?);
    let price = match price? {
        "blended" => Price::Blended { input, output },
        other => {
            if let Some(view) = WEIGHTS.into_iter().find_map(|name| parameters.get(name)) {
                return Err(view.invalid("only `price: blended` has weights"));
            }
            if other == "output" { Price::Output } else { Price::Input }
        }
    };
    let scorer = CostScorer::new(price, scale?).map_err(|error| refused(parameters, error))?;
    Ok(Plugin::new().scorer(scorer))
}
