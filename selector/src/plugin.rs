//! The three kinds of plugin; a closure can be each of them.

use crate::contender::{Contender, Scores, Survivors};
use crate::context::{Env, Query};

/// Decides which of the survivors stay.
pub trait Filter {
    /// The type that a configuration names, as in `model-name-filter`.
    fn type_name(&self) -> &'static str;

    /// Top-level body fields that [`filter`](Filter::filter) asks for. Read when a configuration is loaded.
    fn body_fields(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Removes from `survivors` those that must not serve this request.
    fn filter(&self, query: &dyn Query, env: &mut Env<'_>, survivors: &mut Survivors<'_>);
}

/// Says how well each candidate suits the request: 0 is worst, 1 is best.
pub trait Scorer {
    /// The type that a configuration names, as in `cost-scorer`.
    fn type_name(&self) -> &'static str;

    /// Top-level body fields that [`score`](Scorer::score) asks for. Read when a configuration is loaded.
    fn body_fields(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Writes a score for each candidate that it has an opinion on. The pipeline clamps and weighs them.
    fn score(&self, query: &dyn Query, env: &mut Env<'_>, scores: &mut Scores<'_>);
}

/// Takes one of the scored.
pub trait Picker {
    /// The type that a configuration names, as in `max-score-picker`.
    fn type_name(&self) -> &'static str;

    /// The position of the choice in `contenders`, which is not its [`index`](Contender::index); `None` for
    /// no choice.
    fn pick(&self, query: &dyn Query, env: &mut Env<'_>, contenders: &[Contender<'_>]) -> Option<usize>;
}

/// What a plugin without a name of its own is called in an account.
const CLOSURE: &str = "closure";

impl<F: Fn(&dyn Query, &mut Env<'_>, &mut Survivors<'_>)> Filter for F {
    fn type_name(&self) -> &'static str {
        CLOSURE
    }

    fn filter(&self, query: &dyn Query, env: &mut Env<'_>, survivors: &mut Survivors<'_>) {
        self(query, env, survivors);
    }
}

impl<F: Fn(&dyn Query, &mut Env<'_>, &mut Scores<'_>)> Scorer for F {
    fn type_name(&self) -> &'static str {
        CLOSURE
    }

    fn score(&self, query: &dyn Query, env: &mut Env<'_>, scores: &mut Scores<'_>) {
        self(query, env, scores);
    }
}

impl<F: Fn(&dyn Query, &mut Env<'_>, &[Contender<'_>]) -> Option<usize>> Picker for F {
    fn type_name(&self) -> &'static str {
        CLOSURE
    }

    fn pick(&self, query: &dyn Query, env: &mut Env<'_>, contenders: &[Contender<'_>]) -> Option<usize> {
        self(query, env, contenders)
    }
}
