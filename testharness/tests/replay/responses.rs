//! What model servers answer: events and their cuts, delays, resets, and clients that have seen enough.

use std::time::Duration;

use crate::support::{run, two_pools};

#[test]
fn events_come_as_they_were_sent_however_they_are_cut() {
    let observed = run(&two_pools(
        r#"
- request: {json: {model: sql, stream: true}}
  upstream:
    sse: [{data: {n: 1}}, {data: "zwei ü", after: 30ms}, {data: "[DONE]", after: 30ms}]
    splitAt: [1, 5, 9, 28]
  expect:
    response:
      status: 200
      headers: {content-type: text/event-stream}
      body: "data: {\"n\":1}\n\ndata: zwei ü\n\ndata: [DONE]\n\n"
"#,
    ));
    assert!(observed[0].took >= Duration::from_millis(60), "{:?}", observed[0].took);
}

#[test]
fn an_answer_may_take_its_time() {
    let observed = run(&two_pools(
        r#"
- request: {json: {model: sql}}
  upstream: {delay: 80ms, status: 202, headers: [[x-a, "1"], [x-a, "2"]], body: done}
  expect: {outcome: forwarded, response: {status: 202, headers: {x-a: ["1", "2"]}, body: done}}
"#,
    ));
    assert!(observed[0].took >= Duration::from_millis(80), "{:?}", observed[0].took);
}

#[test]
fn a_server_that_breaks_off_before_it_answers() {
    let observed = run(&two_pools(
        r#"
- request: {json: {model: sql}}
  upstream: {reset: headers}
  expect: {outcome: forwarded, cluster: qwen-pool, request: {bodyUnchanged: true}, response: {status: 503}}
- request: {json: {model: sql}}
  expect: {outcome: forwarded, response: {status: 200}}
"#,
    ));
    assert!(observed[0].request.is_some());
}

#[test]
fn a_server_that_breaks_off_within_its_answer() {
    let observed = run(&two_pools(
        r#"
- request: {json: {model: sql}}
  upstream: {sse: [{data: one}, {data: two}], reset: body}
  expect: {outcome: aborted, cluster: qwen-pool, response: {status: 200, body: "data: one\n\ndata: two\n\n"}}
- request: {json: {model: sql}}
  upstream: {body: "", reset: body}
  expect: {outcome: aborted, response: {status: 200, body: ""}}
"#,
    ));
    assert_eq!(observed.len(), 2);
}

#[test]
fn a_client_that_has_seen_enough() {
    let observed = run(&two_pools(
        r#"
- request: {json: {model: sql}, abortAfterResponseBytes: 13}
  upstream: {sse: [{data: one}, {data: two}, {data: three, after: 5s}]}
  expect: {outcome: aborted, cluster: qwen-pool, response: {status: 200, body: "data: one\n\nda"}}
  metrics: {'ipp_requests_total{outcome="processed"}': 1}
- request: {json: {model: sql}, abortAfterResponseBytes: 0}
  expect: {outcome: aborted, response: {status: 200, body: ""}}
- request: {json: {model: sql}, abortAfterResponseBytes: 1000000}
  expect: {outcome: forwarded, response: {status: 200, bodyUnchanged: true}}
"#,
    ));
    assert!(observed[0].took < Duration::from_secs(4), "it waited for the third event");
}

#[test]
fn answers_without_a_body() {
    run(&two_pools(
        r#"
- request: {json: {model: sql}}
  upstream: {status: 204}
  expect: {outcome: forwarded, response: {status: 204, body: ""}}
- request: {method: HEAD, path: /}
  expect: {outcome: forwarded, response: {status: 200, body: ""}}
- request: {json: {model: sql}}
  upstream: {status: 500, body: ""}
  expect: {outcome: forwarded, response: {status: 500, headers: {content-length: "0"}, body: ""}}
"#,
    ));
}
