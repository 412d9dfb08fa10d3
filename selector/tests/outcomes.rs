//! What an empty set of candidates means for the client: unknown, malformed, loaded or unsuitable.
#![cfg(test)]

use std::rc::Rc;

use ipp_selector::Emptied::{Loaded, Malformed, Unknown, Unsuitable};
use ipp_selector::filters::{
    AttributeFilter, ByFieldFilter, Condition, CoolDownFilter, LoadFilter, ModelGroupNameFilter,
};
use ipp_selector::testing::Fields;
use ipp_selector::{
    AttributeKey, Busy, CAPACITY, Candidate, Emptied, Env, Filter, HEALTH, Health, IN_FLIGHT, MODEL_GROUPS,
    MaxAge, Requested, SelectError, Selector, SplitMix64,
};

const BUSY: Busy = Busy { status: 503, retry_after_seconds: 7 };

fn models() -> [Candidate; 3] {
    let model = |name: &str, in_flight| {
        Candidate::new(name).with(&IN_FLIGHT, in_flight).with(&CAPACITY, 4.0).with(&MODEL_GROUPS, ["g"])
    };
    let quality = AttributeKey::<f64>::new("quality");
    [model("full", 4.0).with(&quality, 1.0), model("fuller", 9.0), model("idle", 0.0)]
}

fn outcome(
    filters: Vec<Rc<dyn Filter>>,
    models: &[Candidate],
    model: Requested<'_>,
) -> Result<String, Emptied> {
    let selector =
        filters.into_iter().fold(Selector::builder(), |builder, filter| builder.filter(filter)).build();
    let mut rng = SplitMix64::new(0);
    let mut env = Env { now_ns: 100, rng: &mut rng };
    match selector.select(models, &Fields(&[("model", model)]), &mut env) {
        Ok(selected) => Ok(selected.candidate.name().to_owned()),
        Err(SelectError::AllFiltered { cause, .. }) => Err(cause),
        Err(other) => panic!("{other}"),
    }
}

fn load() -> Rc<dyn Filter> {
    Rc::new(LoadFilter::new(None, Some(1.0), BUSY).unwrap())
}

#[test]
fn names_and_groups() {
    use Requested::Name;
    for filters in [
        || -> Vec<Rc<dyn Filter>> { vec![Rc::new(ModelGroupNameFilter), load()] },
        || -> Vec<Rc<dyn Filter>> { vec![load(), Rc::new(ModelGroupNameFilter)] },
    ] {
        let ask = |model| outcome(filters(), &models(), model);
        assert_eq!(ask(Name("auto")), Ok("idle".to_owned()));
        assert_eq!(ask(Name("idle")), Ok("idle".to_owned()));
        assert_eq!(ask(Name("gone")), Err(Unknown));
        assert_eq!(ask(Name("auto/h")), Err(Unknown));
        assert_eq!(ask(Name("auto/")), Err(Unknown));
        assert_eq!(ask(Requested::Malformed), Err(Malformed));
        // Whatever the order: a model that exists and is busy is not a model that does not exist.
        assert_eq!(ask(Name("full")), Err(Loaded(BUSY)));
        let all_full = &models()[..2];
        assert_eq!(outcome(filters(), all_full, Name("auto")), Err(Loaded(BUSY)));
        assert_eq!(outcome(filters(), all_full, Name("auto/g")), Err(Loaded(BUSY)));
        assert_eq!(outcome(filters(), all_full, Name("idle")), Err(Unknown));
    }
}

#[test]
fn other_reasons() {
    let good: Rc<dyn Filter> = Rc::new(
        AttributeFilter::new("quality", Condition::AtLeast(2.0), false, false, MaxAge::NONE).unwrap(),
    );
    // Nobody is good enough, busy or not.
    assert_eq!(outcome(vec![load(), good.clone()], &models(), Requested::Absent), Err(Unsuitable));
    assert_eq!(outcome(vec![good.clone(), load()], &models(), Requested::Absent), Err(Unsuitable));
    // The one that is good enough is busy.
    let good: Rc<dyn Filter> = Rc::new(
        AttributeFilter::new("quality", Condition::AtLeast(1.0), false, false, MaxAge::NONE).unwrap(),
    );
    assert_eq!(outcome(vec![load(), good.clone()], &models(), Requested::Absent), Err(Loaded(BUSY)));
    assert_eq!(outcome(vec![good, load()], &models(), Requested::Absent), Err(Loaded(BUSY)));

    let by_model: Rc<dyn Filter> = Rc::new(ByFieldFilter::new("model", "").unwrap());
    assert_eq!(outcome(vec![by_model.clone()], &models(), Requested::Name("auto")), Err(Unknown));
    assert_eq!(outcome(vec![by_model], &models(), Requested::Malformed), Err(Malformed));
}

#[test]
fn all_cooling_down_is_no_reason() {
    let ill = Health { cooling_until_ns: 200, ..Health::default() };
    let models = [Candidate::new("a").with(&HEALTH, ill)];
    assert_eq!(outcome(vec![Rc::new(CoolDownFilter)], &models, Requested::Absent), Ok("a".to_owned()));
}
