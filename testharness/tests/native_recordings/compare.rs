//! Every way in which an exchange can come out wrong has its sentence.

use ipp_testharness::message::Headers;
use ipp_testharness::recording::{EngineKind, Outcome, Recording};
use ipp_testharness::replay::agree::differences;
use ipp_testharness::replay::compare::compare;
use ipp_testharness::replay::engine::{Message, Observed, Ran};

use crate::support::{passed_on, read, replied};

/// A recording of one exchange with these lines below it.
fn recording(lines: &str) -> Recording {
    read(&format!(
        "name: x\nclusters: [pool]\nexchanges:\n- request: {{body: '{{\"model\":\"m\"}}'}}\n{lines}\n"
    ))
}

fn reasons(recording: &Recording, seen: &Observed) -> Vec<String> {
    compare(&recording.exchanges()[0], seen)
}

fn seen(recording: &Recording) -> Observed {
    passed_on(recording).remove(0)
}

#[test]
fn what_holds() {
    for lines in [
        "",
        "  expect: {outcome: forwarded, cluster: default}",
        "  expect: {request: {headers: {X-Gateway-Model-Name: m}, absent: [x-a], json: {model: m}}}",
        "  expect: {request: {body: '{\"model\":\"m\"}'}, response: {status: 200, bodyUnchanged: true}}",
        "  expect: {request: {bodySha256: 548f58d1c36c715b44f0863472074a97c448d5b8d18164b92adf55592b127f86}}",
        "  expect: {response: {bodyContains: Hello, headers: {content-type: application/json}}}",
        "  expect: {oneOf: [{cluster: pool}, {cluster: default}]}",
        "  expect: {}\n  metrics: {ipp_untouched: 0}",
    ] {
        let recording = recording(lines);
        assert_eq!(reasons(&recording, &seen(&recording)), Vec::<String>::new(), "{lines}");
    }
}

#[test]
fn what_is_expected_and_does_not_come() {
    for (lines, expected) in [
        ("expect: {outcome: replied}", "outcome: expected replied, got forwarded (200)"),
        ("expect: {cluster: pool}", "cluster: expected \"pool\", got \"default\""),
        ("expect: {request: {headers: {x-a: b}}}", "request header x-a: expected \"b\", got nothing"),
        (
            "expect: {request: {headers: {x-gateway-model-name: [m, n]}}}",
            "request header x-gateway-model-name: expected \"m\" and \"n\", got \"m\"",
        ),
        (
            "expect: {request: {absent: [X-Gateway-Model-Name]}}",
            "request header x-gateway-model-name: expected none, got \"m\"",
        ),
        ("expect: {request: {body: '{}'}}", "request body: expected \"{}\", got \"{\"model\":\"m\"}\""),
        ("expect: {request: {json: {model: x}}}", "request json: model: expected \"x\", got \"m\""),
        ("expect: {response: {status: 404}}", "response status: expected 404, got 200 (200)"),
        (
            "expect: {oneOf: [{cluster: pool, request: {absent: [host]}}, {cluster: pool}]}",
            "none of the 2 alternatives holds; the nearest is oneOf[1]: cluster: expected \"pool\", got \"default\"",
        ),
        ("metrics: {'a{z=\"1\",b=\"2\"}': 2}", "metric a{b=\"2\",z=\"1\"}: expected 2, got 0"),
    ] {
        let recording = recording(&format!("  {lines}"));
        assert_eq!(reasons(&recording, &seen(&recording)), [expected], "{lines}");
    }
}

#[test]
fn an_answer_of_the_filter_is_shown() {
    let recording =
        recording("  expect: {outcome: forwarded, request: {headers: {a: b}}, response: {status: 200}}");
    let seen = replied(400, "{\"error\":\"bad\"}");
    assert_eq!(
        reasons(&recording, &seen),
        [
            "outcome: expected forwarded, got replied (400 \"{\"error\":\"bad\"}\")",
            "request: expected one, got none",
            "response status: expected 200, got 400 (400 \"{\"error\":\"bad\"}\")",
        ]
    );
}

#[test]
fn what_is_always_wrong() {
    let recording = recording("  expect: {}");
    let mut trapped = seen(&recording);
    trapped.traps.push("unreachable".to_owned());
    trapped.errors.push("what now?".to_owned());
    assert_eq!(
        reasons(&recording, &trapped),
        ["the module trapped: unreachable", "the filter logged an error: what now?"]
    );
    let mut changed = seen(&recording);
    changed.request.as_mut().unwrap().body = "{\"model\":\"n\"}".into();
    changed.response.as_mut().unwrap().body = "x".into();
    let found = reasons(&recording, &changed);
    assert_eq!(
        found[0],
        "request body: changed, and nothing in \"expect\" says so: expected \"{\"model\":\"m\"}\", got \
         \"{\"model\":\"n\"}\""
    );
    assert!(
        found[1].starts_with("response body: changed, and nothing in \"expect\" says so: expected "),
        "{found:?}"
    );
    let mut stale = seen(&recording);
    let request = stale.request.as_mut().unwrap();
    request.headers = Headers::new().with("content-length", "12");
    assert_eq!(reasons(&recording, &stale), ["request content-length: got \"12\" with a body of 13 bytes"]);
}

#[test]
fn a_body_may_be_changed_where_the_recording_says_so() {
    for expect in ["body: '{}'", "json: {}"] {
        let recording = recording(&format!("  expect: {{request: {{{expect}}}}}"));
        let mut seen = seen(&recording);
        seen.request = Some(Message { body: "{}".into(), ..Message::default() });
        assert!(reasons(&recording, &seen).is_empty());
    }
    let either = recording("  expect: {oneOf: [{request: {body: a}}, {request: {body: b}}]}");
    let mut seen = seen(&either);
    seen.request = Some(Message { body: "b".into(), ..Message::default() });
    assert!(reasons(&either, &seen).is_empty());
}

#[test]
fn what_is_cut_off_is_not_changed() {
    let recording = recording("  expect: {outcome: aborted}");
    let mut cut = seen(&recording);
    cut.outcome = Outcome::Aborted;
    let request = cut.request.as_mut().unwrap();
    request.body = request.body.slice(..4);
    let response = cut.response.as_mut().unwrap();
    response.body = response.body.slice(..9);
    assert!(reasons(&recording, &cut).is_empty());
    cut.request.as_mut().unwrap().body = "{\"x".into();
    assert_eq!(reasons(&recording, &cut).len(), 1);
}

#[test]
fn what_has_no_body_has_not_lost_one() {
    let text = "name: x\nexchanges:\n- {request: {method: HEAD, path: /}}\n- {request: {}, upstream: {status: 204, body: x}}\n\
                - {request: {}, upstream: {reset: headers}}\n";
    let recording = read(text);
    let mut all = passed_on(&recording);
    for seen in &mut all {
        let response = seen.response.as_mut().unwrap();
        response.headers.push("content-length", response.body.len().to_string());
        response.body.clear();
    }
    all[2].response.as_mut().unwrap().headers = Headers::new();
    all[2].response.as_mut().unwrap().body = "upstream connect error".into();
    for (exchange, seen) in recording.exchanges().iter().zip(&all) {
        assert_eq!(compare(exchange, seen), Vec::<String>::new());
    }
}

fn differ(recording: &Recording, left: Ran, right: Ran) -> Vec<String> {
    let ran = [(EngineKind::Native, left), (EngineKind::Envoy, right)];
    differences(recording, &ran).into_iter().map(|it| format!("{:?} {}", it.exchange, it.why)).collect()
}

#[test]
fn engines_that_differ_are_named() {
    let recording =
        recording("  expect: {request: {headers: {x-a: b}}, response: {bodyContains: H}}\n  metrics: {a: 1}");
    let left = seen(&recording);
    let mut right = left.clone();
    assert_eq!(
        differ(&recording, Ran::Exchanges(vec![left.clone()]), Ran::Exchanges(vec![right.clone()])),
        Vec::<String>::new()
    );
    right.cluster = None;
    right.metrics.insert("a".to_owned(), 1.0);
    right.request.as_mut().unwrap().headers.push("X-A", "b");
    // The recording does not name it.
    right.request.as_mut().unwrap().headers.push("x-c", "b");
    right.response = replied(500, "oops").response;
    assert_eq!(
        differ(&recording, Ran::Exchanges(vec![left.clone()]), Ran::Exchanges(vec![right])),
        [format!(
            "Some(\"1\") native and envoy differ: cluster: native Some(\"default\"), envoy None; response status: native \
             200, envoy 500; response body: native 252 bytes with the SHA-256 {}, envoy \"oops\"; request header x-a: \
             native nothing, envoy \"b\"; metric a: native 0, envoy 1",
            ipp_testharness::message::sha256_hex(&left.response.as_ref().unwrap().body)
        )]
    );
    assert_eq!(
        differ(&recording, Ran::Exchanges(vec![left]), Ran::Refused("no".to_owned())),
        ["None native and envoy differ: envoy refused the configuration, native did not"]
    );
    let refused = || Ran::Refused("no".to_owned());
    assert_eq!(differ(&recording, refused(), refused()), Vec::<String>::new());
}

#[test]
fn how_far_something_came_before_it_broke_off_is_no_difference() {
    let recording = recording("  expect: {outcome: aborted}");
    let (mut left, mut right) = (seen(&recording), Observed::new(Outcome::Aborted));
    left.outcome = Outcome::Aborted;
    right.outcome = Outcome::Aborted;
    assert_eq!(
        differ(&recording, Ran::Exchanges(vec![left]), Ran::Exchanges(vec![right])),
        Vec::<String>::new()
    );
}
