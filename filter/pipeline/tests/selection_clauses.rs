//! What is better than in the Go service, each clause through a whole configuration: figures that are too old, capacities,
//! bands of equals, sessions whose model is out of the question.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod support;

use ipp_pipeline::{Observed, Routed, Served};
use std::collections::BTreeSet;
use support::process::{Process, selection};

const SECOND: u64 = 1_000_000_000;
const AUTO: &str = r#"{"model":"auto"}"#;

/// A model `a` for ten requests at once, `b` for two and `c` of unknown capacity, at these input prices.
fn config(prices: [f64; 3], plugins: &str, request: &str) -> String {
    let [a, b, c] = prices;
    let models = format!(
        "    models:
    - {{name: a, capacity: 10, pricing: {{input_per_million: {a}}}}}
    - {{name: b, capacity: 2, pricing: {{input_per_million: {b}}}}}
    - {{name: c, pricing: {{input_per_million: {c}, output_per_million: 0.1}}}}
    groups: [{{name: ab, models: [a, b]}}, {{name: bc, models: [b, c]}}]"
    );
    selection(&models, "", plugins, request, "")
}

fn chosen(process: &mut Process, body: &str) -> String {
    let (model, mut routed) = process.send(0, &[], body);
    process.workers[0].finish(&mut routed, &mut process.env);
    model
}

#[test]
fn a_figure_that_is_too_old_is_neither_for_nor_against() {
    let plugins = "- {type: avg-ttft-scorer, parameters: {maxAge: 1m, decayWeight: 0}}\n- type: cost-scorer";
    let request =
        "    - {pluginRef: avg-ttft-scorer, weight: 1}\n    - {pluginRef: cost-scorer, weight: 0.1}";
    let mut process = Process::new(&config([1.0, 2.0, 9.0], plugins, request));
    let streamed = |seconds: u64| Observed {
        served: Served::Well,
        ttft_ns: Some(seconds * SECOND),
        duration_ns: seconds * SECOND,
        prompt_tokens: None,
        completion_tokens: None,
    };
    process.serve(0, "a", streamed(9));
    process.serve(0, "b", streamed(1));
    process.serve(0, "c", streamed(2));
    process.pass(SECOND);
    assert_eq!(chosen(&mut process, AUTO), "b", "by the latency, whatever it costs");
    // All of it is too old: 0.5 for everybody, and the price decides.
    process.pass(61 * SECOND);
    assert_eq!(chosen(&mut process, AUTO), "a");
    // `b` is measured again, and slow: of those that are known it is the best and the worst, 1 of 1.
    process.serve(0, "b", streamed(20));
    process.pass(SECOND);
    assert_eq!(chosen(&mut process, AUTO), "b");
}

#[test]
fn load_against_a_capacity() {
    let plugins = "- {type: inflight-requests-scorer, parameters: {scale: capacity, defaultCapacity: 4}}";
    let request = "    - {pluginRef: inflight-requests-scorer, weight: 1}";
    let mut process = Process::new(&config([1.0; 3], plugins, request));
    // Each goes where the least of the capacity is taken, until all of it is: 10, 2, and 4 by default.
    let open: Vec<Routed> = (0..16).map(|_| process.send(0, &[], AUTO).1).collect();
    let busy = ["a", "b", "c"].map(|model| process.metric(&format!("model=.={model};.;ipp_inflight")));
    assert_eq!(busy, [10, 2, 4], "{}", open.len());
}

#[test]
fn a_band_of_equals() {
    let with = |band: &str| {
        let plugins = format!(
            "- {{type: cost-scorer, parameters: {{normalisation: min-max}}}}\n\
             - {{type: max-score-picker, parameters: {{tieBand: {band}}}}}\n"
        );
        let request = "    - {pluginRef: cost-scorer, weight: 1}\n    - pluginRef: max-score-picker";
        let mut process = Process::new(&config([1.5, 1.0, 11.0], &plugins, request));
        // Chance of the test's world always takes the first of equals.
        ["auto", "auto/ab", "auto/bc"].map(|ask| chosen(&mut process, &format!(r#"{{"model":"{ask}"}}"#)))
    };
    assert_eq!(with("0"), ["b", "b", "b"]);
    // Of all three `a` has 0.95 and `b` 1: equals within 0.1. Of the two alone it is 0 and 1.
    assert_eq!(with("0.1"), ["a", "b", "b"]);
}

#[test]
fn other_prices_and_scales() {
    for (parameters, want) in [
        ("{}", "a"),
        // `a` and `b` are free.
        ("{price: output}", "a, b"),
        ("{price: output, normalisation: log-ratio}", "a, b, c"),
        ("{normalisation: min-max}", "a"),
        ("{normalisation: log-ratio}", "a"),
        ("{price: blended, inputWeight: 1, outputWeight: 30, normalisation: min-max}", "a"),
    ] {
        let plugins = format!("- {{type: cost-scorer, parameters: {parameters}}}");
        let mut process =
            Process::new(&config([1.0, 1.1, 3.0], &plugins, "    - {pluginRef: cost-scorer, weight: 1}"));
        assert!(want.contains(&chosen(&mut process, AUTO)), "{parameters}");
    }
}

#[test]
fn a_session_whose_model_is_out_of_the_question_goes_elsewhere_and_stays() {
    let plugins = "- {type: session-affinity, parameters: {ttlSeconds: 60}}\n- type: cost-scorer";
    let request =
        "    - {pluginRef: session-affinity, weight: 10}\n    - {pluginRef: cost-scorer, weight: 1}";
    let mut process = Process::new(&config([1.0, 2.0, 3.0], plugins, request));
    let session = [("X-Session-Id".to_lowercase(), "s".to_owned())];
    let session: Vec<(&str, &str)> = session.iter().map(|(name, id)| (name.as_str(), id.as_str())).collect();
    let mut ask = |body: &str| {
        let (model, mut routed) = process.send(0, &session, body);
        process.workers[0].finish(&mut routed, &mut process.env);
        model
    };
    assert_eq!(ask(AUTO), "a");
    assert_eq!(ask(r#"{"model":"auto/bc"}"#), "b", "its model is filtered out: as if it had none");
    assert_eq!(ask(AUTO), "b", "and it stays where it went");
    let metric = |process: &Process, name: &str| {
        process.metric(&format!("plugin_name=.=session-affinity;.;ipp_session_affinity_{name}_total"))
    };
    assert_eq!(metric(&process, "cache_hits"), 2);
    assert_eq!(metric(&process, "cache_misses"), 1);
    assert_eq!(metric(&process, "moved"), 1);
    // Its time is over: the cheapest again.
    process.pass(61 * SECOND);
    let (model, _) = process.send(0, &session, AUTO);
    assert_eq!(model, "a");
}

#[test]
fn no_name_of_a_client_becomes_a_model() {
    let mut process = Process::new(&config([1.0, 2.0, 3.0], "", ""));
    let before: BTreeSet<String> =
        process.env.metrics.all().iter().map(|metric| metric.name.clone()).collect();
    for number in 0..50 {
        let body = format!(r#"{{"model":"made-up-{number}"}}"#);
        assert_eq!(process.try_send(0, &[], &body).unwrap_err().code, "model_not_found");
    }
    let after: BTreeSet<String> =
        process.env.metrics.all().iter().map(|metric| metric.name.clone()).collect();
    assert_eq!(before, after);
    assert!(process.env.records.is_empty());
}
