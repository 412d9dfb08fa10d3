//! The account of a decision, and that one's own observer sees every step.
#![cfg(test)]

use std::rc::Rc;

use ipp_selector::filters::{ModelGroupNameFilter, ModelNameFilter};
use ipp_selector::scorers::{CostScorer, InflightRequestsScorer};
use ipp_selector::testing::{Fields, candidates};
use ipp_selector::{
    Account, Candidate, CandidateAccount, Contender, Emptied, Env, IN_FLIGHT, MODEL_GROUPS, Observer, Query,
    Requested, Score, Scores, SelectError, Selected, Selector, SplitMix64, TOKEN_PRICES, TokenPrices,
};

fn observe(selector: &Selector, models: &[Candidate], model: &str, observer: &mut impl Observer) {
    let mut rng = SplitMix64::new(0);
    let mut env = Env { now_ns: 0, rng: &mut rng };
    let query = [("model", Requested::text(model))];
    let _ = selector.select_observed(models, &Fields(&query), &mut env, observer);
}

fn line(name: &str, removed_by: Option<usize>, scores: Vec<Option<Score>>, total: f64) -> CandidateAccount {
    CandidateAccount { name: name.into(), removed_by, scores, total }
}

fn score(raw: f64, clamped: f64) -> Option<Score> {
    Some(Score { raw, clamped })
}

#[test]
fn it_tells_everything() {
    let model = |name: &str, group: &str, price: f64| {
        Candidate::new(name)
            .with(&MODEL_GROUPS, [group])
            .with(&TOKEN_PRICES, TokenPrices { input: price, output: 0.0 })
    };
    let models = [
        model("tiny", "edge", 1.0),
        model("small", "chat", 1.0).with(&IN_FLIGHT, 8.0),
        model("large", "chat", 3.0),
    ];
    let odd = |_: &dyn Query, _: &mut Env<'_>, scores: &mut Scores<'_>| scores.set(1, -7.0);
    let selector = Selector::builder()
        .filter(Rc::new(ModelGroupNameFilter))
        .scorer(2.0, Rc::new(CostScorer::default()))
        .and_then(|builder| builder.scorer(1.0, Rc::new(odd)))
        .and_then(|builder| builder.scorer(4.0, Rc::new(InflightRequestsScorer::default())))
        .unwrap()
        .build();

    let mut account = Account::default();
    observe(&selector, &models, "auto/chat", &mut account);

    let want = Account {
        filters: vec!["model-group-name-filter"],
        scorers: vec![("cost-scorer", 2.0), ("closure", 1.0), ("inflight-requests-scorer", 4.0)],
        picker: "max-score-picker",
        candidates: vec![
            line("tiny", Some(0), vec![], 0.0),
            line("small", None, vec![score(0.75, 0.75), None, score(0.0, 0.0)], 1.5),
            line("large", None, vec![score(0.25, 0.25), score(-7.0, 0.0), score(1.0, 1.0)], 4.5),
        ],
        outcome: Some(Ok(2)),
    };
    assert_eq!(account, want);
    assert_eq!(account.selected().map(|line| &*line.name), Some("large"));
}

#[test]
fn it_names_the_filter_that_removed_each() {
    let models =
        [Candidate::new("a"), Candidate::new("b"), Candidate::new("c").with(&MODEL_GROUPS, ["auto/x"])];
    let only_b = |_: &dyn Query, _: &mut Env<'_>, survivors: &mut ipp_selector::Survivors<'_>| {
        survivors.retain(|candidate| candidate.name() != "a");
    };
    let selector = Selector::builder().filter(Rc::new(only_b)).filter(Rc::new(ModelNameFilter)).build();

    let mut account = Account::default();
    observe(&selector, &models, "b", &mut account);
    let removed: Vec<_> = account.candidates.iter().map(|line| line.removed_by).collect();
    assert_eq!((removed, account.outcome), (vec![Some(0), None, Some(1)], Some(Ok(1))));

    // The same account again: nothing of the decision before is left.
    observe(&selector, &models, "unknown", &mut account);
    let removed: Vec<_> = account.candidates.iter().map(|line| line.removed_by).collect();
    assert_eq!(removed, [Some(0), Some(1), Some(1)]);
    assert_eq!(account.outcome, Some(Err(SelectError::AllFiltered { by: 1, cause: Emptied::Unknown })));
    assert_eq!(account.selected(), None);

    observe(&selector, &[], "b", &mut account);
    assert!(account.candidates.is_empty());
    assert_eq!(account.outcome, Some(Err(SelectError::NoCandidates)));
}

#[test]
fn an_observer_is_told_each_step_in_order() {
    #[derive(Default)]
    struct Steps(Vec<String>);
    impl Observer for Steps {
        fn started(&mut self, _: &Selector, candidates: &[Candidate]) {
            self.0.push(format!("{} candidates", candidates.len()));
        }
        fn filtered(&mut self, filter: usize, survivors: &[Contender<'_>]) {
            self.0.push(format!("filter {filter} left {}", survivors.len()));
        }
        fn scored(&mut self, scorer: usize, contenders: &[Contender<'_>]) {
            self.0.push(format!("scorer {scorer} of {}", contenders.len()));
        }
        fn finished(&mut self, outcome: &Result<Selected<'_>, SelectError>) {
            self.0.push(format!("{:?}", outcome.map(|selected| selected.candidate.name())));
        }
    }
    let selector = Selector::builder()
        .filter(Rc::new(ModelNameFilter))
        .scorer(1.0, Rc::new(CostScorer::default()))
        .unwrap()
        .build();
    let mut steps = Steps::default();
    observe(&selector, &candidates(["a", "b"]), "b", &mut steps);
    assert_eq!(steps.0, ["2 candidates", "filter 0 left 1", "scorer 0 of 1", "Ok(\"b\")"]);
}

/// The scorer by time to the first token did not try the chosen model although it might have: that a model is well known,
/// stale, or that nobody is known better, is something else.
#[test]
fn a_trial_that_was_not_made_is_told() {
    use ipp_selector::scorers::{TtftAware, TtftAwareScorer};
    use ipp_selector::{Point, TTFT_CURVE, TtftCurve};
    let curve = |recent: u32, at_ns: u64| TtftCurve {
        floor: 0.2,
        low: Point { in_flight: 4.0, ttft: 0.35 },
        high: Point { in_flight: 9.0, ttft: 0.55 },
        recent,
        min_requests: 10,
        at_ns,
    };
    let model = |name: &str, curve| Candidate::new(name).with(&TTFT_CURVE, curve).with(&IN_FLIGHT, 40.0);
    let (known, stale) = (model("known", curve(50, NOW)), model("stale", curve(50, 0)));
    let (seed, cold) = (model("seed", curve(2, NOW)), Candidate::new("cold"));
    const NOW: u64 = 1 << 60;
    for (rate, first, other, want) in [
        (1e-300, &cold, &known, true),
        (1e-300, &seed, &known, true),
        // It was tried.
        (1.0, &cold, &known, false),
        // Nobody is ever tried.
        (0.0, &seed, &known, false),
        (1e-300, &cold, &seed, false),
        (1e-300, &known, &cold, false),
        (1e-300, &stale, &known, false),
    ] {
        let scorer =
            TtftAwareScorer::new(TtftAware { exploration_rate: rate, ..TtftAware::default() }).unwrap();
        let first_one = |_: &dyn Query, _: &mut Env<'_>, _: &[Contender<'_>]| Some(0);
        let selector = Selector::builder()
            .scorer(1.0, Rc::new(scorer))
            .unwrap()
            .picker(Rc::new(first_one))
            .unwrap()
            .build();
        let models = [first.clone(), other.clone()];
        let (mut rng, mut account) = (SplitMix64::new(0), Account::default());
        let mut env = Env { now_ns: NOW, rng: &mut rng };
        let query = [("model", Requested::text("auto"))];
        let chosen = selector.select_observed(&models, &Fields(&query), &mut env, &mut account).unwrap();
        assert_eq!(chosen.index, 0);
        let told = selector.exploration_suppressed(&account, &models, NOW);
        assert_eq!(told, want, "{rate} {} beside {}: {account:?}", first.name(), other.name());
    }
    let none = Selector::builder().build();
    assert!(!none.exploration_suppressed(&Account::default(), &[], NOW));
}
