//! Runs one plugin on its own: what a plugin's tests need, here and in other crates.

use crate::candidate::Candidate;
use crate::contender::{Contender, Survivors};
use crate::context::{Env, Query, Requested, Session};
use crate::plugin::{Filter, Picker, Scorer};
use crate::random::{Rng, SplitMix64};

/// A request that has these body fields, and no others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fields<'a>(pub &'a [(&'a str, Requested<'a>)]);

impl Query for Fields<'_> {
    fn field(&self, name: &str) -> Requested<'_> {
        self.0.iter().find(|(field, _)| *field == name).map_or(Requested::Absent, |(_, value)| *value)
    }
}

/// A request with these fields, numbers and session.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Top-level strings of the body.
    pub fields: Fields<'a>,
    /// Top-level numbers of the body.
    pub numbers: &'a [(&'a str, f64)],
    /// The header that names its session, and the model that the session is bound to.
    pub session: (&'a str, Session<'a>),
}

impl Default for Request<'_> {
    fn default() -> Self {
        Self { fields: Fields::default(), numbers: &[], session: ("", Session::None) }
    }
}

impl Query for Request<'_> {
    fn field(&self, name: &str) -> Requested<'_> {
        self.fields.field(name)
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.numbers.iter().find(|(field, _)| *field == name).map(|(_, value)| *value)
    }

    fn session(&self, key: &str) -> Session<'_> {
        if self.session.0 == key { self.session.1 } else { Session::None }
    }
}

/// Candidates of which only the names matter.
pub fn candidates<const N: usize>(names: [&str; N]) -> Vec<Candidate> {
    names.map(Candidate::new).into()
}

/// The names that a filter keeps.
pub fn kept<'c>(filter: &dyn Filter, query: &dyn Query, candidates: &'c [Candidate]) -> Vec<&'c str> {
    kept_at(filter, query, candidates, 0)
}

/// [`kept`] at a time, in nanoseconds since the Unix epoch.
pub fn kept_at<'c>(
    filter: &dyn Filter,
    query: &dyn Query,
    candidates: &'c [Candidate],
    now_ns: u64,
) -> Vec<&'c str> {
    let mut survivors = Survivors::all(candidates);
    filter.filter(query, &mut Env { now_ns, rng: &mut SplitMix64::new(0) }, &mut survivors);
    survivors.candidates().map(Candidate::name).collect()
}

/// What a scorer says of each candidate, before clamping.
pub fn scores(scorer: &dyn Scorer, query: &dyn Query, candidates: &[Candidate]) -> Vec<Option<f64>> {
    scores_in(scorer, query, candidates, Env { now_ns: 0, rng: &mut SplitMix64::new(0) })
}

/// [`scores`] at a time and with chance of one's own.
pub fn scores_in(
    scorer: &dyn Scorer,
    query: &dyn Query,
    candidates: &[Candidate],
    mut env: Env<'_>,
) -> Vec<Option<f64>> {
    let mut scores = Survivors::all(candidates).into_scores();
    scorer.score(query, &mut env, &mut scores);
    scores.contenders().iter().map(Contender::raw).collect()
}

/// How often a picker takes each of the candidates with these totals, in so many draws.
pub fn picks<const N: usize>(
    picker: &dyn Picker,
    totals: [f64; N],
    draws: usize,
    rng: &mut dyn Rng,
) -> [usize; N] {
    let candidates: [_; N] = std::array::from_fn(|index| Candidate::new(format!("model-{index}")));
    let contenders: Vec<_> = candidates
        .iter()
        .zip(totals)
        .enumerate()
        .map(|(index, (candidate, total))| Contender::new(candidate, index, total))
        .collect();
    let mut counts = [0_usize; N];
    for _ in 0..draws {
        let mut env = Env { now_ns: 0, rng: &mut *rng };
        let pick = picker.pick(&Fields::default(), &mut env, &contenders);
        if let Some(count) = pick.and_then(|position| counts.get_mut(position)) {
            *count = count.saturating_add(1);
        }
    }
    counts
}

/// What a picker takes at a time, of candidates with these names and totals.
pub fn pick_at<'n>(
    picker: &dyn Picker,
    totals: &[(&'n str, f64)],
    now_ns: u64,
    rng: &mut dyn Rng,
) -> Option<&'n str> {
    let candidates: Vec<_> = totals.iter().map(|(name, _)| Candidate::new(*name)).collect();
    let contenders: Vec<_> = candidates
        .iter()
        .zip(totals)
        .enumerate()
        .map(|(index, (candidate, (_, total)))| Contender::new(candidate, index, *total))
        .collect();
    let pick = picker.pick(&Fields::default(), &mut Env { now_ns, rng }, &contenders)?;
    totals.get(pick).map(|(name, _)| *name)
}
