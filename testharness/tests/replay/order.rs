//! When exchanges start, and answers that are held back.

use std::time::{Duration, Instant};

use crate::support::{run, two_pools};

#[test]
fn an_answer_is_held_back_until_another_exchange_has_ended() {
    let observed = run(&two_pools(
        r#"
- id: first
  request: {json: {model: sql}}
  until: third
  expect: {outcome: forwarded, cluster: qwen-pool}
  metrics: {ipp_success_total: 3}
- id: second
  request: {json: {model: food}}
  until: third
  expect: {outcome: forwarded, cluster: llama-pool}
  metrics: {ipp_success_total: 3}
- id: third
  request: {json: {model: sql}}
  upstream: {delay: 60ms}
  expect: {outcome: forwarded, cluster: qwen-pool}
  metrics: {ipp_success_total: 3}
- id: fourth
  request: {json: {model: food}}
  expect: {outcome: forwarded, cluster: llama-pool}
  metrics: {ipp_success_total: 4}
"#,
    ));
    assert!(
        observed[0].took > observed[2].took && observed[1].took > observed[2].took,
        "it was not held back"
    );
}

#[test]
fn what_never_reaches_a_server_holds_nothing_up() {
    run(&two_pools(
        r#"
- {id: a, until: c, request: {headers: [[content-type, application/json]], body: "{"}, expect: {outcome: replied}}
- {id: b, until: c, request: {json: {model: sql}}, expect: {outcome: forwarded}}
- {id: c, request: {json: {model: sql}, abortAfter: 3}, expect: {outcome: aborted}}
"#,
    ));
}

#[test]
fn exchanges_start_at_their_time() {
    let began = Instant::now();
    let observed = run(&two_pools(
        r#"
- {at: 0s, request: {json: {model: sql}}, upstream: {delay: 400ms}, expect: {response: {status: 200}}}
- {at: 100ms, request: {json: {model: food}}, expect: {cluster: llama-pool}, metrics: {ipp_success_total: 2}}
- {request: {json: {model: food}}, expect: {cluster: llama-pool}, metrics: {ipp_success_total: 3}}
- {at: 700ms, request: {json: {model: food}}, expect: {cluster: llama-pool}, metrics: {ipp_success_total: 4}}
"#,
    ));
    assert!(began.elapsed() >= Duration::from_millis(700));
    assert!(observed[0].took >= Duration::from_millis(400));
    assert!(observed[1].took < observed[0].took, "it waited for the one before");
}
