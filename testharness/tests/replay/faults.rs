//! Modules that crash: who is told, and what becomes of those that come after.

use ipp_testharness::artifacts;

use crate::support::{engine, read, run_with, two_pools};
use ipp_testharness::recording::Outcome;
use ipp_testharness::replay::compare::compare;
use ipp_testharness::replay::engine::{Engine, Observed, Ran, Role};

fn trap() -> String {
    let text = two_pools(
        r#"
- id: good
  request: {json: {model: sql}}
  expect: {outcome: forwarded}
- id: trap
  request: {json: {model: trap}}
- id: after
  request: {json: {model: sql}}
"#,
    );
    text.replacen("  plugins:\n", "  plugins:\n  - type: trap\n", 1)
        .replace("request: [{", "request: [{pluginRef: trap}, {")
}

fn run() -> Vec<Observed> {
    let engine = engine(&artifacts::trap_module());
    let Ok(Ran::Exchanges(observed)) = engine.run(&read(&trap()), Role::Direct) else { panic!("it ran") };
    observed
}

#[test]
fn a_trap_is_put_down_to_the_exchange_in_which_it_came() {
    let [good, trapped, after] = run().try_into().expect("three");
    assert!(good.traps.is_empty() && good.errors.is_empty(), "{good:#?}");
    assert_eq!(trapped.outcome, Outcome::Replied);
    assert_eq!(trapped.response.as_ref().map(|response| response.status), Some(503));
    let [panic, trap] = trapped.traps.as_slice() else { panic!("{:#?}", trapped.traps) };
    assert!(panic.starts_with("panicked at ") && panic.ends_with("told to crash"), "{panic}");
    assert!(trap.starts_with("Function: proxy_on_request_body failed: Uncaught RuntimeError"), "{trap}");
    assert!(!trap.contains('\n'), "{trap}");
    // The worker has no module until Envoy gives it another one.
    assert_eq!(after.response.map(|response| response.status), Some(503));
    let recording = read(&trap_text());
    let reasons = compare(&recording.exchanges()[1], &trapped);
    assert!(reasons.iter().all(|reason| reason.starts_with("the module trapped: ")), "{reasons:#?}");
    assert_eq!(reasons.len(), 2);
}

fn trap_text() -> String {
    trap()
}

#[test]
fn the_next_recording_knows_nothing_of_it() {
    let engine = engine(&artifacts::trap_module());
    for _ in 0..3 {
        run();
        run_with(
            &engine,
            &two_pools(
                r#"
- request: {json: {model: sql}}
  expect: {outcome: forwarded, cluster: qwen-pool}
  metrics: {ipp_success_total: 1, 'ipp_requests_total{outcome="processed"}': 1}
"#,
            ),
        );
    }
}
