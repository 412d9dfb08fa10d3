//! What holds for any scores, weights, prices and counts, checked over seeded random cases.
#![cfg(test)]

use std::rc::Rc;

use ipp_selector::filters::{AttributeFilter, Condition, CoolDownFilter, LoadFilter, ModelGroupNameFilter};
use ipp_selector::pickers::{
    ExplorationMaxScorePicker, MaxScorePicker, PowerOfTwoPicker, RandomPicker, WeightedRandomPicker,
    WeightedSplitPicker,
};
use ipp_selector::scorers::{
    AttributeScale, AttributeScorer, AverageLatencyScorer, CostGuard, CostGuardScorer, CostScale, CostScorer,
    Decay, ErrorRateScorer, ExpectedWaitScorer, InflightRequestsScorer, Price, SessionAffinityScorer,
    TtftAware, TtftAwareScorer,
};
use ipp_selector::testing::{Fields, Request};
use ipp_selector::{
    AVG_TPOT, AVG_TTFT, Account, Busy, CAPACITY, COST_DIGEST, Candidate, Centroid, CostDigest, Env, Figure,
    Filter, HEALTH, Health, IN_FLIGHT, IN_FLIGHT_TOKENS, MODEL_GROUPS, MaxAge, Missing, Picker, Point, Query,
    Requested, Rng, Scorer, Scores, SelectError, Selected, Selector, Session, SplitMix64, Survivors,
    TOKEN_PRICES, TOKENS_PER_SECOND, TTFT_CURVE, TokenPrices, TtftCurve,
};

const CASES: usize = 10_000;

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
    match rng.below(7) {
        0 => Rc::new(MaxScorePicker::default()),
        1 => Rc::new(MaxScorePicker::new(rng.unit()).unwrap()),
        2 => Rc::new(WeightedRandomPicker),
        3 => Rc::new(PowerOfTwoPicker::new([2, 3, 4][rng.below(3)]).unwrap()),
        4 => Rc::new(WeightedSplitPicker::new([("m0", 1.0), ("m3", rng.unit())], rng.unit()).unwrap()),
        5 => Rc::new(ExplorationMaxScorePicker::new(rng.unit(), 5).unwrap()),
        _ => Rc::new(RandomPicker),
    }
}

/// A scorer of any type, with any parameters that it takes.
fn scorer(rng: &mut dyn Rng) -> Rc<dyn Scorer> {
    let age = [MaxAge::NONE, MaxAge::DEFAULT, MaxAge(1)][rng.below(3)];
    let decay = Decay { period: rng.unit() * 60.0, weight: rng.unit(), max_idle_probes: None };
    match rng.below(12) {
        0 => {
            let price = [Price::Input, Price::Output, Price::Blended { input: 3.0, output: rng.unit() }];
            let scale = [CostScale::InvertedSum, CostScale::MinMax, CostScale::LogRatio];
            Rc::new(CostScorer::new(price[rng.below(3)], scale[rng.below(3)]).unwrap())
        }
        1 => Rc::new(InflightRequestsScorer::default()),
        2 => Rc::new(InflightRequestsScorer::by_capacity(rng.unit() + f64::MIN_POSITIVE).unwrap()),
        3 => {
            let settings =
                CostGuard { epsilon: rng.unit(), lambda: rng.unit() * 9.0, ..CostGuard::default() };
            Rc::new(CostGuardScorer::new(settings).unwrap())
        }
        4 => Rc::new(SessionAffinityScorer::new("", (rng.below(2) > 0).then_some(1.0)).unwrap()),
        5 => Rc::new(AverageLatencyScorer::ttft(decay, age).unwrap()),
        6 => Rc::new(AverageLatencyScorer::tpot(Decay { max_idle_probes: Some(1.0), ..decay }, age).unwrap()),
        7 => Rc::new(ExpectedWaitScorer::new(age)),
        8 => {
            let settings = TtftAware {
                exploration_rate: rng.unit(),
                round_ttft_step: rng.unit() - 0.5,
                ..TtftAware::default()
            };
            let settings =
                TtftAware { round_ttft_step: settings.round_ttft_step.max(0.0), max_age: age, ..settings };
            Rc::new(TtftAwareScorer::new(settings).unwrap())
        }
        9 => {
            let scale = AttributeScale {
                higher_is_better: rng.below(2) > 0,
                min: (rng.below(2) > 0).then_some(f64::MIN),
                max: (rng.below(2) > 0).then_some(f64::MAX),
                missing: [Missing::Best, Missing::Neutral, Missing::Worst][rng.below(3)],
                max_age: age,
            };
            let attributes =
                ["avg-ttft", "token_prices.input", "ttft-percentile.low", "inflight-requests", "none"];
            Rc::new(AttributeScorer::new(attributes[rng.below(5)], scale).unwrap())
        }
        10 => Rc::new(ErrorRateScorer::new(rng.unit() + 0.1, age).unwrap()),
        _ => Rc::new(erratic),
    }
}

/// A filter of any type.
fn filter(rng: &mut dyn Rng) -> Rc<dyn Filter> {
    match rng.below(5) {
        0 => Rc::new(ModelGroupNameFilter),
        1 => Rc::new(CoolDownFilter),
        2 => {
            let busy = Busy { status: 429, retry_after_seconds: 1 };
            Rc::new(LoadFilter::new(Some(rng.unit() * 4.0 + 0.1), Some(1.0), busy).unwrap())
        }
        3 => {
            let condition = Condition::AtMost(rng.unit());
            Rc::new(AttributeFilter::new("avg-tpot", condition, true, rng.below(2) > 0, MaxAge(9)).unwrap())
        }
        _ => Rc::new(sieve),
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
            for key in [&IN_FLIGHT, &IN_FLIGHT_TOKENS, &CAPACITY] {
                if rng.below(4) > 0 {
                    model.set(key, number(rng));
                }
            }
            for key in [&AVG_TTFT, &AVG_TPOT, &TOKENS_PER_SECOND] {
                if rng.below(4) > 0 {
                    model.set(key, Figure { value: number(rng), at_ns: rng.next_u64() >> rng.below(64) });
                }
            }
            if rng.below(2) > 0 {
                let [error_rate, requests] = [number(rng), number(rng)];
                let [cooling_until_ns, at_ns] =
                    [rng.next_u64() >> rng.below(64), rng.next_u64() >> rng.below(64)];
                model.set(&HEALTH, Health { error_rate, requests, cooling_until_ns, at_ns });
            }
            if rng.below(2) > 0 {
                let mut point = || Point { in_flight: number(rng), ttft: number(rng) };
                let (low, high) = (point(), point());
                let floor = number(rng);
                let [recent, min_requests] = [rng.below(20) as u32, rng.below(20) as u32];
                let at_ns = rng.next_u64() >> rng.below(64);
                model.set(&TTFT_CURVE, TtftCurve { floor, low, high, recent, min_requests, at_ns });
            }
            if rng.below(2) > 0 {
                let mut centroid = || Centroid { mean: number(rng), weight: number(rng) * 500.0 };
                let centroids = [centroid(), centroid(), centroid()];
                model.set(&COST_DIGEST, Rc::new(CostDigest::from_centroids(20, centroids)));
            }
            if rng.below(2) > 0 {
                model.set(&MODEL_GROUPS, ["g"]);
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
            builder = builder.filter(filter(&mut rng));
        }
        let mut bound = 0.0;
        for _ in 0..rng.below(4) {
            let scorer = scorer(&mut rng);
            let weight = rng.unit() * 10.0 - 2.0;
            bound += weight.abs();
            builder = builder.scorer(weight, scorer).unwrap();
        }
        let selector = builder.picker(picker(&mut rng)).unwrap().build();

        let mut account = Account::default();
        let fields =
            [("model", [Requested::Absent, Requested::Name("auto/g"), Requested::Malformed][rng.below(3)])];
        let numbers = [("max_tokens", number(&mut rng))];
        let session = ("x-session-id", [Session::None, Session::Unknown, Session::Bound("m1")][rng.below(3)]);
        let request = Request { fields: Fields(&fields), numbers: &numbers, session };
        let now_ns = rng.next_u64() >> rng.below(64);
        let mut env = Env { now_ns, rng: &mut rng };
        let outcome = selector.select_observed(&models, &request, &mut env, &mut account);
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
            Err(SelectError::AllFiltered { by, .. }) => {
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
