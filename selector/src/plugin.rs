//! The three kinds of plugin; a closure can be each of them.

use crate::candidate::Candidate;
use crate::contender::{Contender, Scores, Survivors};
use crate::context::{Env, Query};
use crate::ttft_curve::ExpectedTtft;

/// Decides which of the survivors stay.
pub trait Filter {
    /// The type that a configuration names, as in `model-name-filter`.
    fn type_name(&self) -> &'static str;

    /// Top-level body fields that [`filter`](Filter::filter) asks for. Read when a configuration is loaded.
    fn body_fields(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Names of the attributes that [`filter`](Filter::filter) reads, so that a caller brings only those up to
    /// date.
    fn attributes(&self) -> Vec<&str> {
        Vec::new()
    }

    /// What it means for the client when this filter has left nobody. The pipeline asks only then.
    fn emptied(&self, query: &dyn Query) -> Emptied {
        let _ = query;
        Emptied::Unsuitable
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

    /// Names of the attributes that [`score`](Scorer::score) reads, so that a caller brings only those up to
    /// date.
    fn attributes(&self) -> Vec<&str> {
        Vec::new()
    }

    /// The request header by which [`score`](Scorer::score) asks for a [`session`](Query::session).
    fn session_key(&self) -> Option<&str> {
        None
    }

    /// The time to the first token by which [`score`](Scorer::score) judges a candidate, for those who ask how a
    /// decision came about; `None` where it does not go by that.
    fn expected_ttft(&self, candidate: &Candidate, now_ns: u64) -> Option<ExpectedTtft> {
        let _ = (candidate, now_ns);
        None
    }

    /// With what chance [`score`](Scorer::score) tries a candidate whose time to the first token is no more than a
    /// first guess; where somebody's is more, one that is not tried gets 0. 0 where it tries nobody.
    fn exploration_rate(&self) -> f64 {
        0.0
    }

    /// Writes a score for each candidate that it has an opinion on. The pipeline clamps and weighs them.
    fn score(&self, query: &dyn Query, env: &mut Env<'_>, scores: &mut Scores<'_>);
}

/// What an empty set of candidates means for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emptied {
    /// No model suits the request; upstream's one answer to everything is 429.
    Unsuitable,
    /// The request names a model or a group that does not exist: 404.
    Unknown,
    /// What should name a model is no string: 400.
    Malformed,
    /// Models would suit, but all are loaded: 429 or 503, with Retry-After.
    Loaded(Busy),
}

/// How a client is told to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy {
    /// 429 or 503.
    pub status: u16,
    /// For the header Retry-After.
    pub retry_after_seconds: u32,
}

/// Takes one of the scored.
///
/// A picker may keep what it saw of earlier picks; that is then known to one worker only, and to be bounded.
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
