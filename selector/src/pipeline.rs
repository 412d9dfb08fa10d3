//! One selection from start to end: filter, score, pick.

use std::error::Error;
use std::fmt;
use std::rc::Rc;

use crate::account::{Account, Observer};
use crate::builder::SelectorBuilder;
use crate::candidate::Candidate;
use crate::contender::{Contender, Survivors};
use crate::context::{Env, Query};
use crate::plugin::{Emptied, Filter, Picker, Scorer};
use crate::ttft_curve::{ExpectedTtft, Prediction};

/// A scorer and how much its opinion counts.
pub(crate) struct Weighted {
    pub(crate) scorer: Rc<dyn Scorer>,
    pub(crate) weight: f64,
}

/// Chooses a model for each request. Immutable: built once from a configuration.
pub struct Selector {
    filters: Vec<Rc<dyn Filter>>,
    scorers: Vec<Weighted>,
    picker: Rc<dyn Picker>,
}

impl Selector {
    /// Starts an empty one: no filters and no scorers is legal, and then any candidate may be picked.
    pub fn builder() -> SelectorBuilder {
        SelectorBuilder::default()
    }

    pub(crate) fn new(filters: Vec<Rc<dyn Filter>>, scorers: Vec<Weighted>, picker: Rc<dyn Picker>) -> Self {
        Self { filters, scorers, picker }
    }

    /// The types of the filters, in order.
    pub fn filters(&self) -> impl ExactSizeIterator<Item = &'static str> {
        self.filters.iter().map(|filter| filter.type_name())
    }

    /// The types of the scorers with their weights, in order.
    pub fn scorers(&self) -> impl ExactSizeIterator<Item = (&'static str, f64)> {
        self.scorers.iter().map(|Weighted { scorer, weight }| (scorer.type_name(), *weight))
    }

    /// The type of the picker.
    pub fn picker(&self) -> &'static str {
        self.picker.type_name()
    }

    /// The top-level body fields that a query must be able to answer for, each once.
    pub fn body_fields(&self) -> Vec<&str> {
        let filters = self.filters.iter().flat_map(|filter| filter.body_fields());
        let scorers = self.scorers.iter().flat_map(|weighted| weighted.scorer.body_fields());
        let mut fields: Vec<_> = filters.chain(scorers).collect();
        fields.sort_unstable();
        fields.dedup();
        fields
    }

    /// The names of the attributes that plugins read, each once: what to bring up to date before a selection.
    pub fn attributes(&self) -> Vec<&str> {
        let filters = self.filters.iter().flat_map(|filter| filter.attributes());
        let scorers = self.scorers.iter().flat_map(|weighted| weighted.scorer.attributes());
        let mut names: Vec<_> = filters.chain(scorers).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The request headers that name sessions, each once.
    pub fn session_keys(&self) -> Vec<&str> {
        let mut keys: Vec<_> =
            self.scorers.iter().filter_map(|weighted| weighted.scorer.session_key()).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// The time to the first token by which the first scorer that goes by it judges a candidate.
    pub fn expected_ttft(&self, candidate: &Candidate, now_ns: u64) -> Option<ExpectedTtft> {
        self.scorers.iter().find_map(|weighted| weighted.scorer.expected_ttft(candidate, now_ns))
    }

    /// Whether that scorer might have tried this candidate, in this selection of `candidates`, and did not.
    pub fn exploration_suppressed(&self, account: &Account, candidates: &[Candidate], now_ns: u64) -> bool {
        let Some(Ok(chosen)) = account.outcome else { return false };
        let judged = |index: usize| {
            let candidate = candidates.get(index)?;
            self.scorers
                .iter()
                .enumerate()
                .find_map(|(at, weighted)| Some((at, weighted.scorer.expected_ttft(candidate, now_ns)?)))
        };
        let Some((at, ExpectedTtft::Fresh(Prediction::Cold | Prediction::Seed(_)))) = judged(chosen) else {
            return false;
        };
        let explores = self.scorers.get(at).is_some_and(|weighted| weighted.scorer.exploration_rate() > 0.0);
        let score = account.candidates.get(chosen).and_then(|line| line.scores.get(at).copied().flatten());
        let mut left = account.candidates.iter().enumerate().filter(|(_, line)| line.removed_by.is_none());
        explores
            && score.is_some_and(|score| score.raw == 0.0)
            && left.any(|(index, _)| {
                matches!(judged(index), Some((_, ExpectedTtft::Fresh(Prediction::Trusted(_)))))
            })
    }

    /// Why nobody was left after the filter at `last`.
    ///
    /// If somebody would be, were it not for the filters that go by load, then load is the reason: a name that
    /// is busy must not become a 404. Else it is the first of the others that leaves nobody, wherever the ones
    /// that go by load stand: a name that does not exist is no matter of load. Runs only when a request fails.
    fn cause(&self, last: usize, candidates: &[Candidate], query: &dyn Query, env: &mut Env<'_>) -> Emptied {
        let emptied = || self.filters.iter().map(|filter| filter.emptied(query));
        let here = emptied().nth(last).unwrap_or(Emptied::Unsuitable);
        let Some(loaded) = emptied().find(|emptied| matches!(emptied, Emptied::Loaded(_))) else {
            return here;
        };
        let mut survivors = Survivors::all(candidates);
        for (filter, emptied) in self.filters.iter().zip(emptied()) {
            if matches!(emptied, Emptied::Loaded(_)) {
                continue;
            }
            filter.filter(query, env, &mut survivors);
            if survivors.is_empty() {
                return emptied;
            }
        }
        loaded
    }

    /// Chooses one of `candidates` for the request.
    ///
    /// Filters run in order until one leaves nobody. Then `total = Σ weight · clamp(score)` over the scorers
    /// in order, where a candidate that a scorer leaves out gets 0. Then the picker takes one by the totals.
    pub fn select<'c>(
        &self,
        candidates: &'c [Candidate],
        query: &dyn Query,
        env: &mut Env<'_>,
    ) -> Result<Selected<'c>, SelectError> {
        self.select_observed(candidates, query, env, &mut ())
    }

    /// [`select`](Selector::select), telling an observer each step: an [`Account`](crate::Account), or one's
    /// own.
    pub fn select_observed<'c>(
        &self,
        candidates: &'c [Candidate],
        query: &dyn Query,
        env: &mut Env<'_>,
        observer: &mut impl Observer,
    ) -> Result<Selected<'c>, SelectError> {
        observer.started(self, candidates);
        let outcome = self.run(candidates, query, env, observer);
        observer.finished(&outcome);
        outcome
    }

    fn run<'c>(
        &self,
        candidates: &'c [Candidate],
        query: &dyn Query,
        env: &mut Env<'_>,
        observer: &mut impl Observer,
    ) -> Result<Selected<'c>, SelectError> {
        if candidates.is_empty() {
            return Err(SelectError::NoCandidates);
        }
        // The one allocation of a selection: filters shrink it, scorers write into it, the picker reads it.
        let mut survivors = Survivors::all(candidates);
        for (position, filter) in self.filters.iter().enumerate() {
            filter.filter(query, env, &mut survivors);
            observer.filtered(position, survivors.contenders());
            if survivors.is_empty() {
                let cause = self.cause(position, candidates, query, env);
                return Err(SelectError::AllFiltered { by: position, cause });
            }
        }
        let mut scores = survivors.into_scores();
        for (position, Weighted { scorer, weight }) in self.scorers.iter().enumerate() {
            scores.forget();
            scorer.score(query, env, &mut scores);
            scores.add_to_totals(*weight);
            observer.scored(position, scores.contenders());
        }
        let contenders = scores.contenders();
        self.picker
            .pick(query, env, contenders)
            .and_then(|position| contenders.get(position))
            .map(Selected::from)
            .ok_or(SelectError::NothingPicked)
    }
}

/// The choice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Selected<'c> {
    /// Its place in the list of candidates.
    pub index: usize,
    /// The candidate itself.
    pub candidate: &'c Candidate,
    /// Its weighted sum of scores.
    pub total: f64,
}

impl<'c> From<&Contender<'c>> for Selected<'c> {
    fn from(contender: &Contender<'c>) -> Self {
        Self { index: contender.index(), candidate: contender.candidate(), total: contender.total() }
    }
}

/// Why nobody was chosen. Its texts are upstream's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectError {
    /// The list was empty: a matter of configuration, not of the request.
    NoCandidates,
    /// A filter removed the last one.
    AllFiltered {
        /// The position of that filter among the filters.
        by: usize,
        /// What to tell the client.
        cause: Emptied,
    },
    /// The picker made no choice, or one that does not exist.
    NothingPicked,
}

impl fmt::Display for SelectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCandidates => "no candidate models provided",
            Self::AllFiltered { .. } => "no models available after filtering",
            Self::NothingPicked => "model selection returned no result",
        })
    }
}

impl Error for SelectError {}
