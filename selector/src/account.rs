//! How a decision came about, for those who ask.

use std::rc::Rc;

use crate::candidate::Candidate;
use crate::contender::{Contender, clamp};
use crate::pipeline::{SelectError, Selected, Selector};

/// Is told each step of a selection right after it. Durations are the time between two calls.
///
/// [`Selector::select`] uses `()`, for which all of this compiles to nothing.
pub trait Observer {
    /// A selection begins.
    fn started(&mut self, _selector: &Selector, _candidates: &[Candidate]) {}

    /// The filter at this position is done and left these.
    fn filtered(&mut self, _filter: usize, _survivors: &[Contender<'_>]) {}

    /// The scorer at this position is done: [`raw`](Contender::raw) is its score, [`total`](Contender::total)
    /// the sum including it.
    fn scored(&mut self, _scorer: usize, _contenders: &[Contender<'_>]) {}

    /// The selection is over.
    fn finished(&mut self, _outcome: &Result<Selected<'_>, SelectError>) {}
}

impl Observer for () {}

/// Both are told.
impl<A: Observer, B: Observer> Observer for (A, B) {
    fn started(&mut self, selector: &Selector, candidates: &[Candidate]) {
        self.0.started(selector, candidates);
        self.1.started(selector, candidates);
    }

    fn filtered(&mut self, filter: usize, survivors: &[Contender<'_>]) {
        self.0.filtered(filter, survivors);
        self.1.filtered(filter, survivors);
    }

    fn scored(&mut self, scorer: usize, contenders: &[Contender<'_>]) {
        self.0.scored(scorer, contenders);
        self.1.scored(scorer, contenders);
    }

    fn finished(&mut self, outcome: &Result<Selected<'_>, SelectError>) {
        self.0.finished(outcome);
        self.1.finished(outcome);
    }
}

/// Is told if it is there: for what is only known at run time to be asked for.
impl<O: Observer> Observer for Option<O> {
    fn started(&mut self, selector: &Selector, candidates: &[Candidate]) {
        if let Some(observer) = self {
            observer.started(selector, candidates);
        }
    }

    fn filtered(&mut self, filter: usize, survivors: &[Contender<'_>]) {
        if let Some(observer) = self {
            observer.filtered(filter, survivors);
        }
    }

    fn scored(&mut self, scorer: usize, contenders: &[Contender<'_>]) {
        if let Some(observer) = self {
            observer.scored(scorer, contenders);
        }
    }

    fn finished(&mut self, outcome: &Result<Selected<'_>, SelectError>) {
        if let Some(observer) = self {
            observer.finished(outcome);
        }
    }
}

/// Everything about one decision. Reusable: each selection starts it anew.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Account {
    /// The types of the filters, in order; what [`removed_by`](CandidateAccount::removed_by) counts in.
    pub filters: Vec<&'static str>,
    /// The types of the scorers with their weights, in the order of [`scores`](CandidateAccount::scores).
    pub scorers: Vec<(&'static str, f64)>,
    /// The type of the picker.
    pub picker: &'static str,
    /// Every candidate that came in, in the order of the list.
    pub candidates: Vec<CandidateAccount>,
    /// The index of the choice, or why there is none; `None` before any selection.
    pub outcome: Option<Result<usize, SelectError>>,
}

/// What happened to one candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct CandidateAccount {
    /// Its name.
    pub name: Rc<str>,
    /// The position of the filter that removed it.
    pub removed_by: Option<usize>,
    /// What each scorer said, `None` where it was left out; empty if it was removed before.
    pub scores: Vec<Option<Score>>,
    /// Its weighted sum.
    pub total: f64,
}

/// One score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// As the scorer wrote it.
    pub raw: f64,
    /// As it was weighed.
    pub clamped: f64,
}

impl Account {
    /// The candidate that was chosen.
    pub fn selected(&self) -> Option<&CandidateAccount> {
        self.outcome.and_then(Result::ok).and_then(|index| self.candidates.get(index))
    }
}

impl Observer for Account {
    fn started(&mut self, selector: &Selector, candidates: &[Candidate]) {
        let lines = candidates.iter().map(|candidate| CandidateAccount {
            name: candidate.shared_name(),
            removed_by: None,
            scores: Vec::new(),
            total: 0.0,
        });
        *self = Self {
            filters: selector.filters().collect(),
            scorers: selector.scorers().collect(),
            picker: selector.picker(),
            candidates: lines.collect(),
            outcome: None,
        };
    }

    fn filtered(&mut self, filter: usize, survivors: &[Contender<'_>]) {
        // Survivors keep the order of the list, so one walk through both finds who is missing.
        let mut left = survivors.iter().map(Contender::index).peekable();
        for (index, line) in self.candidates.iter_mut().enumerate() {
            if left.next_if_eq(&index).is_none() {
                line.removed_by.get_or_insert(filter);
            }
        }
    }

    fn scored(&mut self, _scorer: usize, contenders: &[Contender<'_>]) {
        for contender in contenders {
            if let Some(line) = self.candidates.get_mut(contender.index()) {
                line.scores.push(contender.raw().map(|raw| Score { raw, clamped: clamp(raw) }));
                line.total = contender.total();
            }
        }
    }

    fn finished(&mut self, outcome: &Result<Selected<'_>, SelectError>) {
        self.outcome = Some(outcome.map(|selected| selected.index));
    }
}
