//! Runs one plugin on its own: what a plugin's tests need, here and in other crates.

use crate::candidate::Candidate;
use crate::contender::{Contender, Survivors};
use crate::context::{Env, Query, Requested};
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

/// Candidates of which only the names matter.
pub fn candidates<const N: usize>(names: [&str; N]) -> Vec<Candidate> {
    names.map(Candidate::new).into()
}

/// The names that a filter keeps.
pub fn kept<'c>(filter: &dyn Filter, query: &dyn Query, candidates: &'c [Candidate]) -> Vec<&'c str> {
    let mut survivors = Survivors::all(candidates);
    filter.filter(query, &mut env(&mut SplitMix64::new(0)), &mut survivors);
    survivors.candidates().map(Candidate::name).collect()
}

/// What a scorer says of each candidate, before clamping.
pub fn scores(scorer: &dyn Scorer, query: &dyn Query, candidates: &[Candidate]) -> Vec<Option<f64>> {
    let mut scores = Survivors::all(candidates).into_scores();
    scorer.score(query, &mut env(&mut SplitMix64::new(0)), &mut scores);
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
        let pick = picker.pick(&Fields::default(), &mut env(&mut *rng), &contenders);
        if let Some(count) = pick.and_then(|position| counts.get_mut(position)) {
            *count = count.saturating_add(1);
        }
    }
    counts
}

fn env(rng: &mut dyn Rng) -> Env<'_> {
    Env { now_ns: 0, rng }
}
