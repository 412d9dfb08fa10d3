//! Putting a selector together: roles, weights, pickers, and what is refused.
#![cfg(test)]

use std::rc::Rc;

use ipp_selector::filters::{ByFieldFilter, ModelGroupNameFilter, ModelNameFilter};
use ipp_selector::pickers::{MaxScorePicker, RandomPicker};
use ipp_selector::scorers::CostScorer;
use ipp_selector::{BuildError, Env, Filter, Query, Scorer, Scores, Selector, SelectorBuilder, Survivors};

fn builder() -> SelectorBuilder {
    Selector::builder()
}

// vectors.md, add_plugins. "Bare scorer" has no way to be said: the weight is an argument.

#[test]
fn a_scorer_has_a_weight() {
    let selector = builder().scorer(2.0, Rc::new(CostScorer::default())).unwrap().build();
    assert_eq!(selector.scorers().collect::<Vec<_>>(), [("cost-scorer", 2.0)]);
}

#[test]
fn a_plugin_may_have_two_roles() {
    struct Both;
    impl Filter for Both {
        fn type_name(&self) -> &'static str {
            "both"
        }
        fn filter(&self, _: &dyn Query, _: &mut Env<'_>, _: &mut Survivors<'_>) {}
    }
    impl Scorer for Both {
        fn type_name(&self) -> &'static str {
            "both"
        }
        fn score(&self, _: &dyn Query, _: &mut Env<'_>, _: &mut Scores<'_>) {}
    }
    let both = Rc::new(Both);
    let selector = builder().filter(both.clone()).scorer(1.0, both).unwrap().build();
    assert_eq!(selector.filters().collect::<Vec<_>>(), ["both"]);
    assert_eq!(selector.scorers().collect::<Vec<_>>(), [("both", 1.0)]);
}

// vectors.md, L27.

#[test]
fn a_filter_a_weighted_scorer_and_a_picker() {
    let selector = builder()
        .filter(Rc::new(ModelNameFilter))
        .scorer(2.5, Rc::new(CostScorer::default()))
        .and_then(|builder| builder.picker(Rc::new(MaxScorePicker::default())))
        .unwrap()
        .build();
    assert_eq!((selector.filters().len(), selector.scorers().next()), (1, Some(("cost-scorer", 2.5))));
    assert_eq!(selector.picker(), "max-score-picker");
}

// Reference, 1.1 to 1.3.

#[test]
fn the_default_picker_is_max_score() {
    assert_eq!(builder().build().picker(), "max-score-picker");
}

#[test]
fn a_second_picker_is_refused() {
    let refused = builder()
        .picker(Rc::new(RandomPicker))
        .and_then(|builder| builder.picker(Rc::new(MaxScorePicker::default())))
        .err()
        .unwrap();
    assert_eq!(refused, BuildError::SecondPicker { first: "random-picker", second: "max-score-picker" });
    assert_eq!(
        refused.to_string(),
        "max-score-picker: the selector already has a picker (random-picker), and one is all it can have"
    );
}

#[test]
fn any_finite_weight_goes() {
    for weight in [0.0, -1.0, 1e9, f64::MAX] {
        assert!(builder().scorer(weight, Rc::new(CostScorer::default())).is_ok(), "{weight}");
    }
    for weight in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let refused = builder().scorer(weight, Rc::new(CostScorer::default())).err().unwrap();
        assert_eq!(refused.to_string(), "cost-scorer: weight must be a finite number");
    }
}

#[test]
fn the_fields_that_plugins_read_are_known_beforehand() {
    let selector = builder()
        .filter(Rc::new(ModelGroupNameFilter))
        .filter(Rc::new(ByFieldFilter::new("anthropic_version", "").unwrap()))
        .filter(Rc::new(ModelNameFilter))
        .scorer(1.0, Rc::new(CostScorer::default()))
        .unwrap()
        .build();
    assert_eq!(selector.body_fields(), ["anthropic_version", "model"]);
    assert!(builder().build().body_fields().is_empty());
}
