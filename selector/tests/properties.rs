//! What holds for any scores, weights, prices and counts, checked over seeded random cases.
#![cfg(test)]

use std::rc::Rc;

use ipp_selector::pickers::{MaxScorePicker, RandomPicker, WeightedRandomPicker};
use ipp_selector::scorers::{CostScorer, InflightRequestsScorer};
use ipp_selector::testing::Fields;
use ipp_selector::{
    Account, Candidate, Env, IN_FLIGHT, Picker, Query, Rng, Scorer, Scores, SelectError, Selected, Selector,
    SplitMix64, Survivors, TOKEN_PRICES, TokenPrices,
};

const CASES: usize = 3000;

const ODD: [f64; 12] = [
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::MAX,
    f64::MIN,
    f64::MIN_POSITIVE,
    5e-324,
    -0.0,
    0.0,
    1.0,
    -1.0,
    1e-300,
];

/// A number of any kind: half of them ordinary, half of them odd.
fn number(rng: &mut dyn Rng) -> f64 {
    if rng.below(2) == 0 { rng.unit() * 3.0 - 1.0 } else { ODD[rng.below(ODD.len())] }
}

fn picker(rng: &mut dyn Rng) -> Rc<dyn Picker> {
    match rng.below(4) {
        0 => Rc::new(MaxScorePicker::default()),
        1 => Rc::new(MaxScorePicker::new(rng.unit()).unwrap()),
        2 => Rc::new(WeightedRandomPicker),
        _ => Rc::new(RandomPicker),
    }
}

/// Gives any score to some of the candidates.
fn erratic(_: &dyn Query, env: &mut Env<'_>, scores: &mut Scores<'_>) {
    scores.fill(|_| (env.rng.below(4) > 0).then(|| number(env.rng)));
}

/// Removes some of the candidates.
fn sieve(_: &dyn Query, env: &mut Env<'_>, survivors: &mut Survivors<'_>) {
    survivors.retain(|_| env.rng.below(8) > 0);
}

fn models(rng: &mut dyn Rng) -> Vec<Candidate> {
    (0..rng.below(8))
        .map(|index| {
            let mut model = Candidate::new(format!("m{index}"));
            if rng.below(4) > 0 {
                model.set(&TOKEN_PRICES, TokenPrices { input: number(rng), output: number(rng) });
            }
            if rng.below(4) > 0 {
                model.set(&IN_FLIGHT, number(rng));
            }
            model
        })
        .collect()
}

#[test]
fn any_figures_and_scores_lead_to_a_survivor_and_a_finite_sum() {
    let mut rng = SplitMix64::new(2026);
    let mut outcomes = [0_usize; 3];
    for case in 0..CASES {
        let models = models(&mut rng);
        let mut builder = Selector::builder();
        for _ in 0..rng.below(3) {
            builder = builder.filter(Rc::new(sieve));
        }
        let mut bound = 0.0;
        for _ in 0..rng.below(4) {
            let scorer: Rc<dyn Scorer> = match rng.below(3) {
                0 => Rc::new(CostScorer),
                1 => Rc::new(InflightRequestsScorer),
                _ => Rc::new(erratic),
            };
            let weight = rng.unit() * 10.0 - 2.0;
            bound += weight.abs();
            builder = builder.scorer(weight, scorer).unwrap();
        }
        let selector = builder.picker(picker(&mut rng)).unwrap().build();

        let mut account = Account::default();
        let mut env = Env { now_ns: 0, rng: &mut rng };
        let outcome = selector.select_observed(&models, &Fields::default(), &mut env, &mut account);
        let chosen = outcome.map(|selected| selected.index);
        assert_eq!(account.outcome, Some(chosen));
        for line in &account.candidates {
            assert!(line.total.abs() <= bound + 1e-9, "case {case}: {line:?}");
            for score in line.scores.iter().flatten() {
                assert!((0.0..=1.0).contains(&score.clamped), "case {case}: {line:?}");
            }
        }
        match outcome {
            Ok(Selected { index, total, .. }) => {
                let line = &account.candidates[index];
                assert_eq!((line.removed_by, line.total), (None, total), "case {case}");
                outcomes[0] += 1;
            }
            Err(SelectError::NoCandidates) => {
                assert!(models.is_empty());
                outcomes[1] += 1;
            }
            Err(SelectError::AllFiltered { by }) => {
                assert!(
                    account.candidates.iter().all(|line| line.removed_by.is_some_and(|filter| filter <= by))
                );
                outcomes[2] += 1;
            }
            Err(SelectError::NothingPicked) => panic!("case {case}: a survivor, but no pick"),
        }
    }
    assert!(outcomes.iter().all(|&count| count > 10), "every outcome occurred: {outcomes:?}");
}

#[test]
fn weights_that_overflow_still_choose_somebody() {
    let mut rng = SplitMix64::new(5);
    for _ in 0..CASES {
        let mut builder = Selector::builder();
        for _ in 0..4 {
            let weight = [f64::MAX, f64::MIN, 1e308, -1e308, 1.0][rng.below(5)];
            builder = builder.scorer(weight, Rc::new(erratic)).unwrap();
        }
        let selector = builder.picker(picker(&mut rng)).unwrap().build();
        let models = [Candidate::new("a"), Candidate::new("b"), Candidate::new("c")];
        let mut env = Env { now_ns: 0, rng: &mut rng };
        let selected = selector.select(&models, &Fields::default(), &mut env).unwrap();
        assert!(!selected.total.is_nan());
    }
}

#[test]
fn leaving_out_is_scoring_zero() {
    let mut rng = SplitMix64::new(11);
    for _ in 0..CASES {
        let given: Vec<Option<f64>> = (0..6).map(|_| (rng.below(2) > 0).then(|| number(&mut rng))).collect();
        let total = |omit: bool| {
            let given = given.clone();
            let scorer = move |_: &dyn Query, _: &mut Env<'_>, scores: &mut Scores<'_>| {
                for (position, score) in given.iter().enumerate() {
                    match score {
                        Some(score) => scores.set(position, *score),
                        None if omit => {}
                        None => scores.set(position, 0.0),
                    }
                }
            };
            let selector = Selector::builder().scorer(1.5, Rc::new(scorer)).unwrap().build();
            let models: Vec<_> = (0..6).map(|index| Candidate::new(format!("m{index}"))).collect();
            let mut account = Account::default();
            let mut env = Env { now_ns: 0, rng: &mut SplitMix64::new(0) };
            let chosen = selector
                .select_observed(&models, &Fields::default(), &mut env, &mut account)
                .map(|selected| selected.index);
            (chosen, account.candidates.iter().map(|line| line.total).collect::<Vec<_>>())
        };
        assert_eq!(total(true), total(false), "{given:?}");
    }
}

#[test]
fn the_same_seed_makes_the_same_decision() {
    let run = |seed: u64| {
        let mut rng = SplitMix64::new(seed);
        let selector = Selector::builder()
            .scorer(1.0, Rc::new(erratic))
            .and_then(|builder| builder.picker(Rc::new(WeightedRandomPicker)))
            .unwrap()
            .build();
        let models: Vec<_> = (0..20).map(|index| Candidate::new(format!("m{index}"))).collect();
        let mut env = Env { now_ns: 0, rng: &mut rng };
        (0..20)
            .map(|_| selector.select(&models, &Fields::default(), &mut env).unwrap().index)
            .collect::<Vec<_>>()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
