//! `--role gate`: the module is attached twice, as reader and as gate, and everything comes out as it does of one.

use ipp_testharness::artifacts;
use ipp_testharness::recording::Outcome;
use ipp_testharness::replay::engine::{Engine, Ran, Role};

use crate::support::{engine, read, run_in, two_pools};

fn run(text: &str) -> Vec<ipp_testharness::replay::engine::Observed> {
    run_in(Role::Gate, &engine(&artifacts::module()), text)
}

#[test]
fn exchanges_and_their_metrics() {
    let observed = run(&two_pools(
        r#"
- request: {json: {model: sql}, headers: [[x-gateway-base-model-name, llama-pool]]}
  expect: {outcome: forwarded, cluster: qwen-pool, request: {bodyUnchanged: true}}
  metrics: {ipp_success_total: 1, 'ipp_requests_total{outcome="processed"}': 1}
- request: {method: GET, path: /v1/models}
  expect: {outcome: forwarded, cluster: default}
  metrics: {'ipp_requests_total{outcome="passed"}': 1}
- request: {headers: [[content-type, application/json]], body: "{", chunks: [1]}
  expect: {outcome: replied, response: {status: 400}}
  metrics: {'ipp_requests_total{outcome="rejected"}': 1}
- request: {json: {model: sql}, abortAfter: 7}
  expect: {outcome: aborted}
  metrics: {'ipp_requests_total{outcome="aborted"}': 1}
- request: {json: {model: food}, headers: [[transfer-encoding, chunked]], chunks: [3, 2]}
  expect: {outcome: forwarded, cluster: llama-pool, request: {bodyUnchanged: true}}
  metrics: {ipp_reader_missing_total: 0, ipp_gate_missing_total: 0, ipp_gate_timeouts_total: 0}
"#,
    ));
    assert_eq!(observed[3].outcome, Outcome::Aborted);
    // Of two filters with the module one counts.
    assert!(observed.iter().all(|observed| observed.errors.is_empty()), "{observed:?}");
}

#[test]
fn a_configuration_with_a_section_of_its_own_gets_the_role() {
    let limit = "  proxyWasm: {role: direct, requestBody: {maxBytes: 20}}\nclusters: [";
    run(&two_pools(
        r#"
- request: {json: {model: sql}}
  expect: {cluster: qwen-pool, request: {bodyUnchanged: true}}
- request: {json: {model: sql, x: "0123456789"}}
  expect: {outcome: replied, response: {status: 413}}
"#,
    )
    .replace("clusters: [", limit));
}

/// What is wrong is told with its place, which a role put into the text would move.
#[test]
fn a_refused_configuration_is_refused_with_its_places() {
    let good = two_pools("- {request: {json: {model: sql}}}\n");
    let (config, _) = good.split_once("clusters:").expect("a configuration");
    let bad = config.replace("fieldName: model", "fieldname: model") + "expectConfigError: fieldname\n";
    let engine = engine(&artifacts::module());
    let refused = [Role::Direct, Role::Gate].map(|role| match engine.run(&read(&bad), role) {
        Ok(Ran::Refused(message)) => message,
        other => panic!("{other:?}"),
    });
    assert!(refused[0].contains("fieldname"), "{}", refused[0]);
    assert_eq!(refused[0], refused[1]);
}
