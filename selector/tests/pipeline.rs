//! The pipeline as a whole: order, weights, omission, ties, and every way to choose nobody.
#![cfg(test)]

use std::cell::RefCell;
use std::rc::Rc;

use ipp_selector::filters::ModelGroupNameFilter;
use ipp_selector::scorers::{CostScorer, InflightRequestsScorer};
use ipp_selector::testing::{Fields, candidates};
use ipp_selector::{
    Candidate, Contender, Emptied, Env, Filter, IN_FLIGHT, Query, Requested, Scorer, Scores, SelectError,
    Selector, SelectorBuilder, SplitMix64, Survivors, TOKEN_PRICES, TokenPrices,
};

/// Scores by name; who is not in the list is left out.
fn scorer<const N: usize>(list: [(&'static str, f64); N]) -> Rc<dyn Scorer> {
    Rc::new(move |_: &dyn Query, _: &mut Env<'_>, scores: &mut Scores<'_>| {
        scores.fill(|candidate| {
            list.iter().find(|(name, _)| *name == candidate.name()).map(|(_, score)| *score)
        });
    })
}

/// Removes one by name.
fn drops(name: &'static str) -> Rc<dyn Filter> {
    Rc::new(move |_: &dyn Query, _: &mut Env<'_>, survivors: &mut Survivors<'_>| {
        survivors.retain(|candidate| candidate.name() != name);
    })
}

fn select<'c>(
    selector: &Selector,
    models: &'c [Candidate],
    seed: u64,
) -> Result<(&'c str, f64), SelectError> {
    let mut rng = SplitMix64::new(seed);
    let mut env = Env { now_ns: 0, rng: &mut rng };
    let selected = selector.select(models, &Fields::default(), &mut env)?;
    assert!(std::ptr::eq(selected.candidate, &models[selected.index]));
    Ok((selected.candidate.name(), selected.total))
}

fn builder() -> SelectorBuilder {
    Selector::builder()
}

// vectors.md, pipeline.

#[test]
fn the_best_score_wins() {
    let selector = builder().scorer(1.0, scorer([("a", 0.9), ("b", 0.3), ("c", 0.6)])).unwrap().build();
    assert_eq!(select(&selector, &candidates(["a", "b", "c"]), 0), Ok(("a", 0.9)));
}

#[test]
fn what_a_filter_drops_is_out() {
    let selector =
        builder().filter(drops("a")).scorer(1.0, scorer([("b", 0.3), ("c", 0.8)])).unwrap().build();
    assert_eq!(select(&selector, &candidates(["a", "b", "c"]), 0), Ok(("c", 0.8)));
}

#[test]
fn without_scorers_any_is_chosen() {
    let selector = builder().build();
    let models = candidates(["a", "b"]);
    let mut seen: Vec<_> = (0..50).map(|seed| select(&selector, &models, seed).unwrap()).collect();
    seen.sort_by_key(|(name, _)| *name);
    seen.dedup();
    assert_eq!(seen, [("a", 0.0), ("b", 0.0)]);
}

#[test]
fn without_candidates_nobody_is() {
    let selector = builder().build();
    assert_eq!(select(&selector, &[], 0), Err(SelectError::NoCandidates));
}

// vectors.md, clamp: through the pipeline, with a weight.

#[test]
fn scores_are_clamped_before_they_are_weighed() {
    let cases = [
        (0.5, 0.5),
        (0.0, 0.0),
        (1.0, 1.0),
        (-0.5, 0.0),
        (-100.0, 0.0),
        (100.0, 1.0),
        (f64::NAN, 0.0),
        (f64::INFINITY, 1.0),
    ];
    for (score, clamped) in cases {
        let selector = builder().scorer(3.0, scorer([("a", score)])).unwrap().build();
        assert_eq!(select(&selector, &candidates(["a"]), 0), Ok(("a", 3.0 * clamped)), "{score}");
    }
}

// Reference, 1.1 to 1.3.

#[test]
fn a_negative_weight_speaks_against() {
    let against = builder().scorer(-1.0, scorer([("a", 1.0), ("b", 0.25)])).unwrap().build();
    assert_eq!(select(&against, &candidates(["a", "b"]), 0), Ok(("b", -0.25)));
}

#[test]
fn left_out_counts_as_zero() {
    let selector = builder()
        .scorer(1.0, scorer([("a", 0.5), ("b", 0.25), ("stranger", 1.0)]))
        .and_then(|builder| builder.scorer(4.0, scorer([("b", 0.5)])))
        .unwrap()
        .build();
    assert_eq!(select(&selector, &candidates(["a", "b", "c"]), 0), Ok(("b", 2.25)));
}

#[test]
fn same_names_are_told_apart() {
    let models = [
        Candidate::new("m").with(&TOKEN_PRICES, TokenPrices { input: 9e-6, output: 0.0 }),
        Candidate::new("m").with(&TOKEN_PRICES, TokenPrices { input: 1e-6, output: 0.0 }),
    ];
    let selector = builder().scorer(1.0, Rc::new(CostScorer::default())).unwrap().build();
    let mut rng = SplitMix64::new(0);
    let selected =
        selector.select(&models, &Fields::default(), &mut Env { now_ns: 0, rng: &mut rng }).unwrap();
    assert_eq!(selected.index, 1);
}

#[test]
fn filters_run_in_order_and_stop_at_the_first_that_leaves_nobody() {
    let calls = Rc::new(RefCell::new(Vec::new()));
    let noting = |name: &'static str, keep: bool| -> Rc<dyn Filter> {
        let calls = Rc::clone(&calls);
        Rc::new(move |_: &dyn Query, _: &mut Env<'_>, survivors: &mut Survivors<'_>| {
            calls.borrow_mut().push((name, survivors.len()));
            survivors.retain(|candidate| keep && candidate.name() != name);
        })
    };
    let selector = builder()
        .filter(noting("a", true))
        .filter(noting("b", true))
        .filter(noting("none", false))
        .filter(noting("never", true))
        .build();
    assert_eq!(
        select(&selector, &candidates(["a", "b", "c"]), 0),
        Err(SelectError::AllFiltered { by: 2, cause: Emptied::Unsuitable })
    );
    assert_eq!(*calls.borrow(), [("a", 3), ("b", 2), ("none", 1)]);
}

#[test]
fn a_picker_may_decline_or_miss() {
    for answer in [None, Some(2), Some(usize::MAX)] {
        let picker = move |_: &dyn Query, _: &mut Env<'_>, _: &[Contender<'_>]| answer;
        let selector = builder().picker(Rc::new(picker)).unwrap().build();
        assert_eq!(select(&selector, &candidates(["a", "b"]), 0), Err(SelectError::NothingPicked));
    }
}

#[test]
fn a_position_of_the_pick_is_mapped_back_past_filtered_ones() {
    let first = |_: &dyn Query, _: &mut Env<'_>, contenders: &[Contender<'_>]| {
        assert_eq!(contenders.iter().map(Contender::index).collect::<Vec<_>>(), [1, 2]);
        Some(0)
    };
    let selector = builder().filter(drops("a")).picker(Rc::new(first)).unwrap().build();
    assert_eq!(select(&selector, &candidates(["a", "b", "c"]), 0), Ok(("b", 0.0)));
}

#[test]
fn a_pinned_name_is_still_scored() {
    let models = [Candidate::new("a").with(&IN_FLIGHT, 50.0), Candidate::new("b").with(&IN_FLIGHT, 0.0)];
    let selector = builder()
        .filter(Rc::new(ModelGroupNameFilter))
        .scorer(1.0, Rc::new(InflightRequestsScorer::default()))
        .and_then(|builder| builder.scorer(1.0, Rc::new(CostScorer::default())))
        .unwrap()
        .build();
    let query = Fields(&[("model", Requested::Name("a"))]);
    let mut rng = SplitMix64::new(0);
    let selected = selector.select(&models, &query, &mut Env { now_ns: 0, rng: &mut rng }).unwrap();
    assert_eq!((selected.candidate.name(), selected.total), ("a", 1.5));
}

#[test]
fn errors_read_as_upstream_has_them() {
    assert_eq!(SelectError::NoCandidates.to_string(), "no candidate models provided");
    assert_eq!(
        SelectError::AllFiltered { by: 0, cause: Emptied::Unsuitable }.to_string(),
        "no models available after filtering"
    );
    assert_eq!(SelectError::NothingPicked.to_string(), "model selection returned no result");
}
