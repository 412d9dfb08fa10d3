//! What clients send: pieces, trailers, bytes that are not UTF-8, sizes, and clients that go away.

use ipp_testharness::artifacts;
use ipp_testharness::recording::Outcome;

use crate::support::{run, run_on, two_pools};

#[test]
fn a_request_goes_to_the_cluster_that_the_header_names() {
    let observed = run(&two_pools(
        r#"
- request: {headers: [[Content-Type, application/json], [X-Own, "1"]], json: {model: sql}}
  expect:
    outcome: forwarded
    cluster: qwen-pool
    request: {headers: {x-gateway-model-name: sql, x-gateway-base-model-name: qwen-pool, x-own: "1"}, bodyUnchanged: true}
    response: {status: 200, bodyUnchanged: true}
  metrics: {ipp_success_total: 1}
- request: {json: {model: somebody-else}}
  expect: {outcome: forwarded, cluster: default, request: {headers: {x-gateway-base-model-name: ""}}}
- request: {method: GET, path: "/v1/models?x=1"}
  expect: {outcome: forwarded, cluster: default, request: {body: ""}}
"#,
    ));
    let request = observed[0].request.as_ref().unwrap();
    for (name, _) in request.headers.iter() {
        assert!(!name.starts_with(b"x-ipp-"), "the harness' own field is left");
        assert!(name.iter().all(|byte| !byte.is_ascii_uppercase()));
    }
    assert!(request.headers.contains("host"));
}

#[test]
fn another_header_and_other_values_decide_about_the_route() {
    run(&two_pools(
        r#"
- request: {json: {model: sql}}
  expect: {cluster: llama-pool}
- request: {json: {model: qwen-pool}}
  expect: {cluster: qwen-pool}
- request: {json: {model: food}}
  expect: {cluster: default}
"#,
    )
    .replace("exchanges:\n", "route: X-Gateway-Model-Name\nroutes: {sql: llama-pool}\nexchanges:\n"));
}

#[test]
fn pieces_of_any_size() {
    let ones = vec!["1"; 28].join(", ");
    run(&two_pools(&format!(
        r#"
- request: {{json: {{model: sql, messages: []}}, chunks: [{ones}]}}
  expect: {{cluster: qwen-pool, request: {{bodyUnchanged: true}}}}
- request: {{headers: [[transfer-encoding, chunked]], json: {{model: sql, messages: []}}, chunks: [3, 9, 2]}}
  expect: {{cluster: qwen-pool, request: {{bodyUnchanged: true}}}}
- request: {{generate: {{bytes: 3000000, modelFirst: false, model: sql}}, chunks: [1, 1000000]}}
  expect: {{cluster: qwen-pool, request: {{bodyUnchanged: true}}}}
"#
    )));
}

#[test]
fn trailers_arrive() {
    let observed = run(&two_pools(
        r#"
- request: {json: {model: sql}, trailers: [[X-Checksum, abc]]}
  expect: {outcome: forwarded, cluster: qwen-pool, request: {bodyUnchanged: true}}
"#,
    ));
    let trailers = &observed[0].request.as_ref().unwrap().trailers;
    assert_eq!(trailers.get("x-checksum").as_deref(), Some("abc"));
}

#[test]
fn bytes_that_are_not_utf8_arrive() {
    let observed = run(&two_pools(
        r#"
- request: {headers: [[x-raw, !!binary "YYD/"]], json: {model: sql}}
  expect: {outcome: forwarded, cluster: qwen-pool, request: {headers: {x-raw: !!binary "YYD/"}}}
"#,
    ));
    assert_eq!(observed[0].request.as_ref().unwrap().headers.bytes("x-raw"), Some(&b"a\x80\xff"[..]));
}

#[test]
fn a_body_may_be_as_large_as_the_filter_reads() {
    let limit = "  proxyWasm: {requestBody: {maxBytes: 12000000}}\nclusters: [";
    run(&two_pools(
        r#"
- request: {generate: {bytes: 12000000, modelFirst: false, model: sql}}
  expect: {outcome: forwarded, cluster: qwen-pool, request: {bodyUnchanged: true}}
- request: {generate: {bytes: 12000001, modelFirst: false, model: sql}, headers: [[transfer-encoding, chunked]]}
  expect: {outcome: replied, response: {status: 413, bodyContains: '"code":"body_too_large"'}}
"#,
    )
    .replace("clusters: [", limit));
}

#[test]
fn a_client_that_leaves_while_it_is_held() {
    let observed = run(&two_pools(
        r#"
- request: {json: {model: sql}, abortAfter: 7}
  expect: {outcome: aborted}
  metrics: {'ipp_requests_total{outcome="aborted"}': 1, 'ipp_requests_total{outcome="processed"}': 0}
- request: {json: {model: sql}, abortAfter: 0}
  expect: {outcome: aborted}
  metrics: {'ipp_requests_total{outcome="aborted"}': 2}
"#,
    ));
    for observed in observed {
        assert_eq!((observed.cluster, observed.request, observed.response), (None, None, None));
    }
}

#[test]
fn a_client_that_leaves_while_its_request_passes() {
    let observed = run(&two_pools(
        r#"
- request: {headers: [[content-type, text/plain]], body: some words, abortAfter: 4}
  expect: {outcome: aborted, cluster: default}
- request: {headers: [[content-type, text/plain]], body: some words, abortAfter: 0}
  expect: {outcome: aborted, cluster: default}
- request: {json: {model: sql}, abortAfter: 15}
  expect: {outcome: aborted, cluster: qwen-pool}
  metrics: {'ipp_requests_total{outcome="processed"}': 1}
"#,
    ));
    let bodies: Vec<_> = observed.iter().map(|it| it.request.as_ref().unwrap().body.as_ref()).collect();
    assert_eq!(bodies, [&b"some"[..], b"", br#"{"model":"sql"}"#]);
    assert!(observed.iter().all(|it| it.response.is_none()));
}

#[test]
fn a_client_that_is_answered_before_it_leaves() {
    let observed = run(&two_pools(
        r#"
- request: {headers: [[content-type, application/json]], body: '{"model"::::::::', chunks: [10], abortAfter: 12}
  expect: {outcome: replied, response: {status: 400}}
"#,
    ));
    assert!(observed[0].request.is_none());
}

#[test]
fn envoy_answers_what_no_filter_sees() {
    let huge = "x".repeat(70_000);
    let observed = run(&two_pools(&format!(
        r#"
- request: {{headers: [[x-huge, {huge}]], json: {{model: sql}}}}
  expect: {{outcome: replied, response: {{status: 431}}}}
  metrics: {{'ipp_requests_total{{outcome="rejected"}}': 0}}
"#
    )));
    assert_eq!(observed[0].outcome, Outcome::Replied);
}

#[test]
fn a_module_of_ones_own_changes_a_body() {
    let config = "\
name: test
config:
  apiVersion: llm-d.ai/v1alpha1
  kind: PayloadProcessorConfig
  plugins:
  - {type: model-alias, parameters: {aliases: {gpt-4: llama}}}
  - {type: body-field-to-header, parameters: {fieldName: model, headerName: X-M}}
  profiles:
  - {name: default, plugins: {request: [{pluginRef: model-alias}, {pluginRef: body-field-to-header}]}}
";
    let exchange = r#"
exchanges:
- request: {headers: [[content-type, application/json]], body: '{"a": 1, "model": "gpt-4" }'}
  expect: {request: {headers: {x-m: llama, content-length: "27"}, body: '{"a": 1, "model": "llama" }'}}
"#;
    run_on(&artifacts::custom_module(), &format!("{config}{exchange}"));
}
