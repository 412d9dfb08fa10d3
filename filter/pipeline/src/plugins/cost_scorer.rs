//! `cost-scorer`: the cheaper the prompt's tokens, the better.

use crate::plugin::{Plugin, PluginType};
use ipp_selector::scorers::CostScorer;

pub(crate) const TYPE: PluginType = PluginType {
    name: CostScorer::TYPE,
    about: "Scorer of model selection: `1 − price / Σ prices` by the price of an input token, over the models that \
            filters left; 0.5 for a single one, 1 where all are free. A model without a price is free.",
    parameters: &[],
    example: "type: cost-scorer\n",
    build: |_, _| Ok(Plugin::new().scorer(CostScorer)),
};
