//! What is learned from responses and of sessions, through whole configurations, with several workers that share it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod support;

use ipp_pipeline::{Observed, Routed, Served, stock};
use support::process::{Process, selection};
use support::{pipeline, refused};

const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

/// Two models of equal price; `plugins`, `request` and `response` are more lines of the lists.
fn config(plugins: &str, request: &str, response: &str, extractors: &str) -> String {
    const MODELS: &str = "    models:
    - {name: a, capacity: 2, pricing: {input_per_million: 1, output_per_million: 2}}
    - {name: b, capacity: 2, pricing: {input_per_million: 1, output_per_million: 2}}";
    selection(MODELS, &format!("  extractors: [{extractors}]"), plugins, request, response)
}

/// One scorer and nothing else.
fn by(scorer: &str) -> String {
    config(&format!("- {scorer}"), &format!("    - {{pluginRef: {}, weight: 1}}", name(scorer)), "", "")
}

fn name(plugin: &str) -> &str {
    plugin.split("type: ").nth(1).unwrap().split(['}', ',', '\n']).next().unwrap()
}

/// A streamed answer of 100 tokens.
fn streamed(ttft_ms: u64, duration_ms: u64) -> Observed {
    Observed {
        served: Served::Well,
        ttft_ns: Some(ttft_ms * MILLISECOND),
        duration_ns: duration_ms * MILLISECOND,
        prompt_tokens: Some(50),
        completion_tokens: Some(100),
    }
}

fn failed() -> Observed {
    Observed {
        served: Served::Failed,
        ttft_ns: Some(MILLISECOND),
        duration_ns: MILLISECOND,
        prompt_tokens: None,
        completion_tokens: None,
    }
}

#[test]
fn what_one_worker_learns_all_decide_by() {
    for scorer in [
        "{type: avg-ttft-scorer}",
        "{type: avg-tpot-scorer}",
        "{type: expected-wait-scorer}",
        "{type: ttft-aware-scorer}",
        "{type: load-aware-ttft-scorer}",
        "{type: queue-ttft-scorer}",
    ] {
        let mut process = Process::new(&by(scorer));
        for _ in 0..12 {
            process.serve(0, "a", streamed(100, 1_000));
            process.serve(0, "b", streamed(900, 9_000));
        }
        // Ten requests at each model, and one that asks for many tokens.
        let asks = r#"{"model":"auto","max_tokens":1000}"#;
        process.pass(SECOND);
        let chosen: Vec<String> = (0..8).map(|_| process.send(1, &[], asks).0).collect();
        // With more in flight at `a` than at `b` it is not `a` in each case that weighs load.
        assert_eq!(chosen[0], "a", "{scorer}");
        assert_eq!(process.metric("model=.=a;.;ipp_model_observations_total"), 12, "{scorer}");
        assert_eq!(process.metric("ipp_model_observations_lost_total"), 0, "{scorer}");

        // The other way round it is the other one: nothing but the figures makes the difference.
        let mut process = Process::new(&by(scorer));
        for _ in 0..12 {
            process.serve(0, "a", streamed(900, 9_000));
            process.serve(0, "b", streamed(100, 1_000));
        }
        process.pass(SECOND);
        assert_eq!(process.send(1, &[], asks).0, "b", "{scorer}");
    }
}

#[test]
fn a_choice_is_at_most_a_fifth_of_a_second_behind() {
    let mut process = Process::new(&by("{type: avg-ttft-scorer, parameters: {decayWeight: 0}}"));
    process.serve(0, "a", streamed(200, 1_000));
    process.serve(0, "b", streamed(900, 1_000));
    assert_eq!(process.sent_to_a(1), 40);
    process.serve(0, "b", streamed(100, 1_000));
    for _ in 0..40 {
        process.serve(0, "a", streamed(2_000, 2_000));
    }
    // Worker 1 looked just now, in its time; a fifth of a second later it looks again.
    process.pass(200 * MILLISECOND);
    assert_eq!(process.send(1, &[], r#"{"model":"auto"}"#).0, "b");
}

#[test]
fn failures_are_no_latencies_and_lead_to_rest() {
    let plugins = "- {type: avg-ttft-scorer}\n- {type: cool-down-filter}\n- {type: health-extractor}";
    let request = "    - pluginRef: cool-down-filter\n    - {pluginRef: avg-ttft-scorer, weight: 1}";
    let mut process = Process::new(&config(plugins, request, "", "{pluginRef: health-extractor}"));
    process.serve(0, "a", streamed(500, 600));
    process.serve(0, "b", streamed(600, 600));
    // Fast failures: `b` fails in a millisecond, and that is neither a latency nor an attraction.
    for _ in 0..6 {
        process.serve(0, "b", failed());
    }
    assert_eq!(process.sent_to_a(1), 40, "it cools down");
    process.serve(0, "a", streamed(5_000, 5_000));
    for _ in 0..30 {
        process.serve(0, "a", streamed(5_000, 5_000));
    }
    assert_eq!(process.sent_to_a(1), 0, "its rest is over, and it is the faster one");
    // If all cool down, all stay.
    for model in ["a", "b"] {
        for _ in 0..200 {
            process.serve(0, model, failed());
        }
    }
    process.pass(SECOND);
    process.send(1, &[], r#"{"model":"auto"}"#);
}

#[test]
fn the_share_of_failures_is_a_score() {
    let mut process = Process::new(&by("{type: error-rate-scorer}"));
    process.serve(0, "a", streamed(1, 1));
    for _ in 0..3 {
        process.serve(0, "b", streamed(1, 1));
        process.serve(0, "b", failed());
    }
    assert_eq!(process.sent_to_a(1), 40);
    // What is nobody's fault speaks against nobody.
    let mut process = Process::new(&by("{type: error-rate-scorer}"));
    for _ in 0..10 {
        process.serve(0, "a", Observed { served: Served::Unsaid, ..failed() });
        process.serve(0, "b", failed());
    }
    assert_eq!(process.sent_to_a(1), 40);
    assert_eq!(process.metric("model=.=a;.;ipp_model_observations_total"), 0);
}

#[test]
fn costs_of_real_answers() {
    let scorer = "{type: costguard, parameters: {epsilon: 0, percentileMarginError: 0.5}}";
    let mut process = Process::new(&by(scorer));
    // Same prices, but `b` talks three times as much.
    for _ in 0..10 {
        process.serve(0, "a", streamed(10, 100));
        process.serve(0, "b", Observed { completion_tokens: Some(300), ..streamed(10, 100) });
    }
    process.pass(5 * SECOND);
    assert_eq!(process.sent_to_a(1), 40);
}

#[test]
fn what_is_free_has_a_cost_of_nothing_and_no_tokens_have_none() {
    let scorer = "{type: costguard, parameters: {epsilon: 0, percentileMarginError: 0.5}}";
    // `a` is free: that is known after as many answers as of any other price, and decides.
    let free = by(scorer).replacen(
        "{name: a, capacity: 2, pricing: {input_per_million: 1, output_per_million: 2}}",
        "{name: a, capacity: 2}",
        1,
    );
    let mut process = Process::new(&free);
    for _ in 0..10 {
        process.serve(0, "a", streamed(10, 100));
        process.serve(0, "b", streamed(10, 100));
    }
    process.pass(5 * SECOND);
    assert_eq!(process.sent_to_a(1), 40);
    // Reference, 2.13: both counts have to be above 0, else there is no sample, and nobody is explored.
    let mut process = Process::new(&free);
    for _ in 0..10 {
        process.serve(0, "a", Observed { completion_tokens: Some(0), ..streamed(10, 100) });
        process.serve(0, "a", Observed { prompt_tokens: Some(0), ..streamed(10, 100) });
        process.serve(0, "a", Observed { prompt_tokens: None, ..streamed(10, 100) });
    }
    assert!(process.env.records.keys().all(|key| !key.starts_with("model/cost/")));
}

#[test]
fn only_answers_that_are_streamed_and_no_other_make_a_time_to_the_first_token() {
    let mut process = Process::new(&by("{type: avg-ttft-scorer}"));
    for _ in 0..5 {
        process.serve(0, "a", Observed { ttft_ns: None, ..streamed(0, 60_000) });
        process.serve(0, "b", streamed(100, 1_000));
    }
    // `a` was never measured, so that it is tried.
    assert_eq!(process.sent_to_a(1), 40);
}

#[test]
fn figures_outlive_a_configuration_and_leave_with_a_model() {
    let config = by("{type: avg-ttft-scorer, parameters: {decayWeight: 0}}");
    let mut process = Process::new(&config);
    process.serve(0, "a", streamed(900, 1_000));
    process.serve(0, "b", streamed(100, 1_000));
    process.workers[1] = pipeline(&config);
    assert_eq!(process.sent_to_a(1), 0, "the new one knows what the old one learned");
}

#[test]
fn an_observation_is_counted_once_and_survives_other_workers() {
    let mut process = Process::new(&by("{type: avg-ttft-scorer}"));
    let (_, mut routed) = process.send(0, &[], r#"{"model":"a"}"#);
    assert!(process.workers[0].learns(&routed));
    process.env.late = 15;
    for _ in 0..3 {
        process.workers[0].observed(&mut routed, &streamed(100, 1_000), &mut process.env);
    }
    assert_eq!(process.metric("model=.=a;.;ipp_model_observations_total"), 1);
    assert_eq!(process.metric("ipp_model_observations_lost_total"), 0);
    assert_eq!(process.env.records.len(), 1);
    // Every try too late: it is given up, and counted.
    process.env.late = 16;
    process.serve(0, "a", streamed(100, 1_000));
    assert_eq!(process.metric("ipp_model_observations_lost_total"), 1);
    // A configuration that reads no figure keeps none.
    let mut process = Process::new(&by("{type: cost-scorer}"));
    let (_, routed) = process.send(0, &[], r#"{"model":"a"}"#);
    assert!(!process.workers[0].learns(&routed) && process.env.records.is_empty());
}

const STICKY: &str = "- {type: session-affinity, parameters: {maxSessions: 100, ttlSeconds: 60, breakAwayLoad: 1}}\n\
                      - {type: inflight-requests-scorer}";
const STICKY_REQUEST: &str =
    "    - {pluginRef: session-affinity, weight: 2}\n    - {pluginRef: inflight-requests-scorer, weight: 1}";
const AUTO: &str = r#"{"model":"auto"}"#;

#[test]
fn a_session_stays_in_every_worker_until_its_model_is_full() {
    let mut process = Process::new(&config(STICKY, STICKY_REQUEST, "", ""));
    let session = [("x-session-id", "s1")];
    let (first, mut routed) = process.send(0, &session, AUTO);
    process.workers[0].finish(&mut routed, &mut process.env);
    for turn in 0..20 {
        process.pass(50 * SECOND);
        let (model, mut routed) = process.send(turn % 2, &session, AUTO);
        assert_eq!(model, first, "each turn prolongs it");
        process.workers[0].finish(&mut routed, &mut process.env);
    }
    assert_eq!(process.metric("plugin_name=.=session-affinity;.;ipp_session_affinity_cache_hits_total"), 20);
    assert_eq!(process.metric("plugin_name=.=session-affinity;.;ipp_session_affinity_cache_misses_total"), 1);
    // Full: two in flight of two.
    let body = format!(r#"{{"model":"{first}"}}"#);
    let mut open: Vec<Routed> = (0..2).map(|_| process.send(0, &[], &body).1).collect();
    let (other, mut routed) = process.send(1, &session, AUTO);
    assert_ne!(other, first);
    assert_eq!(process.metric("plugin_name=.=session-affinity;.;ipp_session_affinity_moved_total"), 1);
    process.workers[1].finish(&mut routed, &mut process.env);
    for routed in &mut open {
        process.workers[0].finish(routed, &mut process.env);
    }
    // And it stays with the other one.
    assert_eq!(process.send(0, &session, AUTO).0, other);
    // After its time it is nobody's.
    process.pass(61 * SECOND);
    process.send(0, &session, AUTO);
    assert_eq!(process.metric("plugin_name=.=session-affinity;.;ipp_session_affinity_cache_misses_total"), 2);
}

#[test]
fn sessions_are_bounded() {
    let mut process = Process::new(&config(STICKY, STICKY_REQUEST, "", ""));
    for number in 0..2_000 {
        let id = format!("session-{number}");
        let (_, mut routed) = process.send(0, &[("x-session-id", &id)], AUTO);
        process.workers[0].finish(&mut routed, &mut process.env);
    }
    let (buckets, bytes) =
        (process.env.records.len(), process.env.records.values().map(|(bytes, _)| bytes.len()));
    assert!(buckets <= 7 && bytes.sum::<usize>() <= 100 * 24 + 7 * 3, "{buckets}");
    // All but those that are there made room for others.
    let there: usize = process.env.records.values().map(|(bytes, _)| (bytes.len() - 3) / 24).sum();
    let evicted =
        process.metric("plugin_name=.=session-affinity;.;ipp_session_affinity_cache_evictions_total");
    assert_eq!(usize::try_from(evicted).unwrap() + there, 2_000);
    // What is no identifier is no session.
    let before = process.env.records.clone();
    let long = "x".repeat(257);
    for id in ["", &long] {
        process.send(0, &[("x-session-id", id)], AUTO);
    }
    process.send(0, &[], AUTO);
    assert_eq!(process.env.records, before);
}

#[test]
fn a_profile_can_tell_clients_their_session() {
    let mut process = Process::new(&config(STICKY, STICKY_REQUEST, "{pluginRef: session-affinity}", ""));
    let (_, routed) = process.send(0, &[("x-session-id", "mine")], AUTO);
    assert_eq!(process.response(&routed)["x-session-id"], "mine");
    let (model, mut routed) = process.send(0, &[], AUTO);
    let id = process.response(&routed)["x-session-id"].clone();
    let form: Vec<usize> = id.split('-').map(str::len).collect();
    assert_eq!((form.as_slice(), &id[14..15]), (&[8, 4, 4, 4, 12][..], "4"), "{id}");
    process.workers[0].finish(&mut routed, &mut process.env);
    assert_eq!(process.send(1, &[("x-session-id", &id)], AUTO).0, model);
}

#[test]
fn what_a_configuration_may_not_say() {
    for (plugins, request, extractors, want) in [
        (
            "- {type: session-affinity}\n- {type: session-affinity, name: two}",
            "    - {pluginRef: session-affinity, weight: 1}\n    - {pluginRef: two, weight: 1}",
            "",
            "the plugin \"session-affinity\" has the header \"x-session-id\" for its sessions already",
        ),
        (
            "- {type: session-affinity, parameters: {maxSessions: 2000000}}",
            "    - {pluginRef: session-affinity, weight: 1}",
            "",
            "a whole number up to 1000000",
        ),
        (
            "- {type: ttft-percentile-extractor, parameters: {lowPercentile: 60}}",
            "",
            "{pluginRef: ttft-percentile-extractor}",
            "above 0 and below highPercentile",
        ),
        (
            "- {type: health-extractor}\n- {type: health-extractor, name: two}",
            "",
            "{pluginRef: health-extractor}, {pluginRef: two}",
            "another extractor makes the same figures already",
        ),
        ("- {type: costguard, parameters: {epsilon: 2}}", "", "", "a number from 0 to 1"),
        ("- {type: avg-ttft-scorer, parameters: {decayWeight: 3}}", "", "", "a number from 0 to 1"),
        ("- {type: request-metadata-extractor, parameters: {alpha: 0}}", "", "", "above 0 and up to 1"),
    ] {
        let errors = refused(&config(plugins, request, "", extractors), &stock()).to_string();
        assert!(errors.contains(want), "{plugins}: {errors}");
    }
}
