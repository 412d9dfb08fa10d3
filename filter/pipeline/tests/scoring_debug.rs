//! `scoring-debug-headers` through a whole configuration: when the account is made, and what becomes of it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod support;

use ipp_pipeline::config::load;
use ipp_pipeline::plugin::{DataSource, Plugin, PluginType, Registry, Response};
use ipp_pipeline::{Decision, stock};
use ipp_selector::scorers::{TtftAware, TtftAwareScorer};
use ipp_selector::{
    Candidate, Env, ExpectedTtft, MODEL_GROUPS, MaxAge, Point, Prediction, Query, Scorer, Scores, TTFT_CURVE,
    TextList, TtftCurve,
};
use std::collections::BTreeMap;
use support::{INFO, TestEnv, apply, post};

/// Models as a module of one's own may bring them, one in each state that a time to the first token can be in.
struct Measured(Vec<Candidate>);

impl DataSource for Measured {
    fn models(&self) -> &[Candidate] {
        &self.0
    }
}

const MEASURED: PluginType = PluginType {
    name: "measured",
    about: "",
    parameters: &[],
    example: "",
    build: |_, _| {
        let curve = TtftCurve {
            floor: 0.2,
            low: Point { in_flight: 4.0, ttft: 0.35 },
            high: Point { in_flight: 9.0, ttft: 0.5504 },
            recent: 100,
            min_requests: 10,
            at_ns: u64::MAX,
        };
        let model = |name: &str, curve: TtftCurve| Candidate::new(name).with(&TTFT_CURVE, curve);
        Ok(Plugin::new().data_source(Measured(vec![
            model("trusted", curve),
            model("seed", TtftCurve { recent: 9, ..curve }),
            model("old", TtftCurve { at_ns: 0, ..curve }),
            Candidate::new("cold").with(&MODEL_GROUPS, TextList::from(["new"])),
            model("known", curve).with(&MODEL_GROUPS, TextList::from(["new"])),
            Candidate::new("\u{e9}t\u{e9} \"2\""),
        ])))
    },
};

const EXPLORING: PluginType = PluginType {
    name: "exploring",
    build: |_, _| {
        let settings = TtftAware { max_age: MaxAge(0), ..TtftAware::default() };
        Ok(Plugin::new().scorer(Tails(TtftAwareScorer::new(settings).unwrap())))
    },
    ..EXPECTING
};

/// The scorer by time to the first token whose coin always falls on tails.
struct Tails(TtftAwareScorer);

impl Scorer for Tails {
    fn type_name(&self) -> &'static str {
        self.0.type_name()
    }
    fn attributes(&self) -> Vec<&str> {
        self.0.attributes()
    }
    fn expected_ttft(&self, candidate: &Candidate, now_ns: u64) -> Option<ExpectedTtft> {
        self.0.expected_ttft(candidate, now_ns)
    }
    fn exploration_rate(&self) -> f64 {
        0.5
    }
    fn score(&self, _: &dyn Query, env: &mut Env<'_>, scores: &mut Scores<'_>) {
        let now = env.now_ns;
        let trusted = |candidate: &Candidate| {
            matches!(self.expected_ttft(candidate, now), Some(ExpectedTtft::Fresh(Prediction::Trusted(_))))
        };
        let any = scores.candidates().any(trusted);
        scores.fill(|candidate| f64::from(u8::from(trusted(candidate) || !any)));
    }
}

const EXPECTING: PluginType = PluginType {
    name: "expecting",
    about: "",
    parameters: &[],
    example: "",
    build: |_, _| {
        // A step of 0.15 s, so that the prediction is not the floor; measurements from 0 are too old at once.
        let settings = TtftAware { round_ttft_step: 0.15, max_age: MaxAge(0), ..TtftAware::default() };
        Ok(Plugin::new().scorer(TtftAwareScorer::new(settings).unwrap()))
    },
};

/// Says whether there is an account, without having asked for one.
const WITNESS: PluginType = PluginType {
    name: "witness",
    about: "",
    parameters: &[],
    example: "",
    build: |_, build| {
        let header = build.edits_response_header("x-account").unwrap();
        Ok(Plugin::new().response_headers(move |response: &mut Response<'_>| {
            let there = response.state().get::<Decision>().is_some();
            response.set_header(header, there.to_string());
        }))
    },
};

fn registry() -> Registry {
    stock().with(MEASURED).with(EXPECTING).with(EXPLORING).with(WITNESS)
}

/// The response's headers after a request for that model. `scorer`, `response` and `post` are references.
fn answered(model: &str, scorer: &str, response: &str, post_processing: &str) -> BTreeMap<String, String> {
    let config = format!(
        "apiVersion: llm-d.ai/v1alpha1\nkind: PayloadProcessorConfig\nplugins:\n- type: measured\n- type: expecting\n- type: exploring\n- type: random-picker\n\
         - type: cost-scorer\n- type: witness\n- type: model-group-name-filter\n- type: model-selector\n\
         - type: scoring-debug-headers\ndatalayer: {{datasources: [{{pluginRef: measured}}]}}\nprofiles:\n- name: p\n  \
         plugins:\n    request: [{{pluginRef: model-group-name-filter}}, {{weight: 1, pluginRef: {scorer}}}, {{pluginRef: model-selector}}]\n    \
         response: [{{pluginRef: witness}}{response}]\npostProcessing: {{plugins: [{post_processing}]}}\n"
    );
    let pipeline = load(&config, &registry(), INFO).unwrap_or_else(|errors| panic!("{errors}"));
    let outcome = post(&pipeline, &[], &serde_json::json!({ "model": model }).to_string());
    assert_eq!(outcome.rejection, None);
    let mut env = TestEnv { counts: vec![0; pipeline.metrics().all().len()], ..TestEnv::default() };
    let server = [(":status", "200"), ("x-ipp-scorer-model", "a lie"), ("x-ipp-scorer-floor", "9")];
    let bytes = server.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let edits = pipeline.respond(&outcome.routed, bytes, false, &mut env).headers;
    let mut headers = server.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    apply(&mut headers, pipeline.response_header_names(), &edits);
    headers
}

const ASK: &str = "{pluginRef: scoring-debug-headers}";

fn asked(model: &str, scorer: &str) -> BTreeMap<String, String> {
    answered(model, scorer, &format!(", {ASK}"), "")
}

#[test]
fn the_account_is_made_only_where_it_is_asked_for() {
    let here = asked("auto", "expecting");
    let post_processing = answered("auto", "expecting", "", ASK);
    let nowhere = answered("auto", "expecting", "", "");
    assert_eq!(
        [&here["x-account"], &post_processing["x-account"], &nowhere["x-account"]],
        ["true", "true", "false"]
    );
    assert_eq!(here["x-ipp-scorer-candidates"], post_processing["x-ipp-scorer-candidates"]);
    assert_eq!(nowhere["x-ipp-scorer-model"], "a lie", "nobody decides on these headers");
    assert!(!nowhere.contains_key("x-ipp-scorer-candidates"));
}

#[test]
fn what_a_scorer_by_time_to_first_token_goes_by() {
    // The prediction is the floor, 0.2 s, rounded to 0.15.
    for (model, want) in [
        ("trusted", [Some("trusted"), Some("100"), Some("0.200"), Some("0.550"), Some("0.150")]),
        ("seed", [Some("seed"), Some("9"), Some("0.200"), Some("0.550"), Some("0.150")]),
        ("old", [Some("stale"), Some("100"), Some("0.200"), Some("0.550"), None]),
        ("cold", [Some("cold"), Some("0"), None, None, None]),
    ] {
        let headers = asked(model, "expecting");
        let found = ["state", "recentn", "floor", "p50", "effectivettft"]
            .map(|name| headers.get(&format!("x-ipp-scorer-{name}")).map(String::as_str));
        assert_eq!(found, want, "{model}");
        assert_eq!(headers["x-ipp-scorer-model"], model);
        assert_eq!(headers["x-ipp-scorer-inflight"], "0");
        // A scorer by something else: nothing is said of it, neither by us nor by the model server.
        let headers = asked(model, "cost-scorer");
        let names: Vec<&str> = headers.keys().filter_map(|name| name.strip_prefix("x-ipp-scorer-")).collect();
        assert_eq!(names, ["candidates", "inflight", "model", "scores"], "{model}");
    }
}

/// Chance takes one that is left, whatever its score: said is whether the scorer might have tried it.
#[test]
fn a_trial_that_was_not_made_is_told() {
    const HEADER: &str = "x-ipp-scorer-explorationsuppressed";
    // Together with a model that is well known.
    for (asks, scorer, chosen, want) in [
        ("auto/new", "exploring", "cold", Some("true")),
        ("auto/new", "expecting", "cold", None),
        ("auto/new", "cost-scorer", "cold", None),
        // It is well known itself, or known to be out of date, or there is nobody who is known better.
        ("auto", "exploring", "known", None),
        ("old", "exploring", "old", None),
        ("seed", "exploring", "seed", None),
        ("cold", "exploring", "cold", None),
    ] {
        let headers = asked(asks, &format!("{scorer}}}, {{pluginRef: random-picker"));
        assert_eq!(headers["x-ipp-scorer-model"], chosen);
        assert_eq!(headers.get(HEADER).map(String::as_str), want, "{asks} {scorer}: {headers:?}");
    }
}

#[test]
fn names_are_what_a_header_can_hold() {
    let headers = asked("\u{e9}t\u{e9} \"2\"", "cost-scorer");
    assert_eq!(headers["x-ipp-scorer-model"], "\u{e9}t\u{e9} \"2\"", "as model-name-to-header writes it");
    assert_eq!(
        headers["x-ipp-scorer-candidates"],
        r#""trusted";removed-by=model-group-name-filter, "seed";removed-by=model-group-name-filter, "old";removed-by=model-group-name-filter, "cold";removed-by=model-group-name-filter, "known";removed-by=model-group-name-filter, "?t? \"2\"";total=0.500"#
    );
    assert_eq!(headers["x-ipp-scorer-scores"], "cost-scorer;score=0.500;weight=1.000");
}
