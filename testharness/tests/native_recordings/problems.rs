//! What is wrong with a recording is said with its line, its field, and what was expected.

use ipp_testharness::recording::Recording;

use crate::support::{Folder, refused};

/// The line of a recording's last exchange, in which the rest is put.
fn exchange(rest: &str) -> String {
    format!("name: x\nclusters: [pool]\nexchanges:\n- {rest}\n")
}

fn check(text: &str, expected: &[&str]) {
    assert_eq!(refused(text).lines().collect::<Vec<_>>(), expected, "{text}");
}

#[test]
fn what_is_no_document() {
    check(
        "name: [",
        &["t.yaml:2:1: neither YAML nor JSON: while parsing a node, did not find expected node content"],
    );
    check("a: 1\n---\nb: 1", &["t.yaml:2:1: neither YAML nor JSON: a second document, but a file holds one"]);
    check("a: !x 1", &["t.yaml:1:4: neither YAML nor JSON: the tag !x, but only `!!binary` is known"]);
    check("", &["t.yaml:1:1: found nothing, expected a map"]);
    check("[]", &["t.yaml:1:1: found an empty list, expected a map"]);
}

#[test]
fn unknown_fields_with_the_nearest_known_one() {
    check(
        &exchange("request: {metod: GET}\n  Expect: {}"),
        &[
            "t.yaml:4:13: exchanges[0].request.metod: unknown field \"metod\", expected one of method, path, headers, \
             body, json, bodyFile, bodyBase64, generate, chunks, trailers, abortAfter, abortAfterResponseBytes; did you \
             mean \"method\"?",
            "t.yaml:5:3: exchanges[0].Expect: unknown field \"Expect\", expected one of id, at, request, upstream, until, \
             expect, metrics; did you mean \"expect\"?",
        ],
    );
    check(
        &exchange("request: {}\n  expect: {request: {status: 1}}"),
        &[
            "t.yaml:5:22: exchanges[0].expect.request.status: unknown field \"status\", expected one of headers, absent, \
           body, bodySha256, json, bodyUnchanged",
        ],
    );
}

#[test]
fn what_is_missing_or_too_much() {
    check("name: x", &["t.yaml:1:1: \"exchanges\" or \"expectConfigError\" is missing"]);
    check("expectConfigError: x", &["t.yaml:1:1: \"name\" is missing"]);
    check(
        "name: x\nexchanges: []",
        &["t.yaml:2:12: exchanges: found an empty list, expected one exchange or more"],
    );
    check(&exchange("id: a"), &["t.yaml:4:3: exchanges[0]: \"request\" is missing"]);
    check(
        "name: x\nexchanges: [{request: {}}]\nexpectConfigError: x",
        &["t.yaml:3:1: expectConfigError: \"exchanges\" stands here already, and only one of the two can"],
    );
    check(
        &exchange("request: {body: a, json: 1}"),
        &[
            "t.yaml:4:22: exchanges[0].request.json: \"body\" stands here already, and only one of the two can",
        ],
    );
    check(
        &exchange("request: {}\n  request: {}"),
        &["t.yaml:5:3: exchanges[0].request: the key \"request\" stands here a second time"],
    );
}

#[test]
fn values_of_another_kind() {
    for (rest, expected) in [
        ("request: x", "4:12: exchanges[0].request: found \"x\", expected a map"),
        ("request:", "4:11: exchanges[0].request: found nothing, expected a map"),
        (
            "request: {method: 1}",
            "4:21: exchanges[0].request.method: found 1, expected a string that is not empty",
        ),
        (
            "request: {method: 'A B'}",
            "4:21: exchanges[0].request.method: found \"A B\", expected a method such as POST",
        ),
        (
            "request: {path: x}",
            "4:19: exchanges[0].request.path: found \"x\", expected a path that begins with \"/\" and has no spaces",
        ),
        (
            "request: {body: 1}",
            "4:19: exchanges[0].request.body: found 1, expected a string, or base64 with the tag !!binary",
        ),
        (
            "request: {body: !!binary '!'}",
            "4:19: exchanges[0].request.body: found bytes, expected a string, or base64 with the tag !!binary",
        ),
        (
            "request: {json: {a: .inf}}",
            "4:23: exchanges[0].request.json: found .inf, expected what JSON has a form for",
        ),
        (
            "request: {bodyBase64: 'a'}",
            "4:25: exchanges[0].request.bodyBase64: this is not base64: Invalid input length: 1",
        ),
        (
            "request: {headers: {a: b}}",
            "4:22: exchanges[0].request.headers: found a map, expected a list of pairs of a name and a value",
        ),
        (
            "request: {headers: [[a, b, c]]}",
            "4:23: exchanges[0].request.headers[0]: found a list, expected a pair of a name and a value",
        ),
        (
            "request: {headers: [[':path', b]]}",
            "4:24: exchanges[0].request.headers[0][0]: found \":path\", expected the name of a header",
        ),
        (
            "request: {headers: [[a, \"b\\n\"]]}",
            "4:27: exchanges[0].request.headers[0][1]: a header cannot hold line breaks or NUL",
        ),
        (
            "request: {headers: [[a, ~]]}",
            "4:27: exchanges[0].request.headers[0][1]: found nothing, expected the value of a header",
        ),
        ("request: {}\n  at: 5", "5:7: exchanges[0].at: found 5, expected a time such as 20ms or 1s"),
        (
            "request: {}\n  at: 5 parsecs",
            "5:7: exchanges[0].at: found \"5 parsecs\", expected a time such as 20ms or 1s",
        ),
        (
            "request: {chunks: [0]}",
            "4:22: exchanges[0].request.chunks[0]: found 0, expected a whole number from 1 to 4294967295",
        ),
        (
            "request: {body: abc, chunks: [2, 2]}",
            "4:36: exchanges[0].request.chunks[1]: found 2, expected at most 1, which is what is left of the body",
        ),
        (
            "request: {body: abc, abortAfter: 4}",
            "4:36: exchanges[0].request.abortAfter: found 4, expected at most 3, the length of the body",
        ),
        (
            "request: {generate: {bytes: 5, model: a}}",
            "4:31: exchanges[0].request.generate.bytes: found 5, expected 55 or more, for that is what the smallest such \
             body takes",
        ),
        (
            "request: {}\n  upstream: {status: 100}",
            "5:22: exchanges[0].upstream.status: found 100, expected a whole number from 200 to 599",
        ),
        (
            "request: {}\n  upstream: {reset: boddy}",
            "5:21: exchanges[0].upstream.reset: found \"boddy\", expected headers or body; did you mean \"body\"?",
        ),
        (
            "request: {}\n  upstream: {body: abcd, splitAt: [2, 2]}",
            "5:39: exchanges[0].upstream.splitAt[1]: found 2, expected an offset from 3 to 3",
        ),
        (
            "request: {}\n  expect: {cluster: pol}",
            "5:21: exchanges[0].expect.cluster: there is no cluster \"pol\", only default, pool; did you mean \"pool\"?",
        ),
        (
            "request: {}\n  expect: {oneOf: []}",
            "5:19: exchanges[0].expect.oneOf: found an empty list, expected one expectation or more",
        ),
        (
            "request: {}\n  expect: {request: {bodyUnchanged: false}}",
            "5:37: exchanges[0].expect.request.bodyUnchanged: found false, expected true",
        ),
        (
            "request: {}\n  expect: {response: {bodySha256: ab}}",
            "5:35: exchanges[0].expect.response.bodySha256: found \"ab\", expected 64 hexadecimal digits",
        ),
        (
            "request: {}\n  expect: {request: {headers: {X-A: b}, absent: [x-a]}}",
            "5:50: exchanges[0].expect.request.absent[0]: \"x-a\" is among \"headers\", too",
        ),
        (
            "request: {}\n  expect: {request: {headers: {X-A: b, x-a: b}}}",
            "5:40: exchanges[0].expect.request.headers.x-a: the header \"x-a\" stands here a second time",
        ),
        (
            "request: {}\n  metrics: {a b: 1}",
            "5:13: exchanges[0].metrics[\"a b\"]: \"a b\" cannot be the name of a metric",
        ),
        ("request: {}\n  metrics: {a: x}", "5:16: exchanges[0].metrics.a: found \"x\", expected a number"),
        ("request: {}\n  until: '1'", "5:10: exchanges[0].until: \"1\" is not a later exchange"),
        (
            "request: {}\n  until: secnd\n- {id: second, request: {}}",
            "5:10: exchanges[0].until: there is no exchange \"secnd\"; did you mean \"second\"?",
        ),
        (
            "{id: a, request: {}}\n- {id: a, request: {}}",
            "5:8: exchanges[1].id: \"a\" is the id of two exchanges",
        ),
        (
            "{at: 2s, request: {}}\n- {at: 1s, request: {}}",
            "5:8: exchanges[1].at: this is before the exchange above starts",
        ),
    ] {
        check(&exchange(rest), &[&format!("t.yaml:{expected}")]);
    }
}

#[test]
fn the_recording_itself() {
    for (rest, expected) in [
        (
            "now: yesterday",
            "2:6: now: found \"yesterday\", expected a point in time such as 2026-11-22T10:00:00Z",
        ),
        ("seed: -1", "2:7: seed: found -1, expected a whole number from 0"),
        (
            "engines: [nativ]",
            "2:11: engines[0]: found \"nativ\", expected native or wasm or envoy; did you mean \"native\"?",
        ),
        ("engines: []", "2:10: engines: found an empty list, expected one engine or more"),
        ("clusters: [a]\nroutes: {m: b}", "3:13: routes.m: there is no cluster \"b\", only default, a"),
        ("callouts: {a: []}", "2:15: callouts.a: found an empty list, expected one answer or more"),
        ("config: [a]", "2:9: config: found a list, expected a path or a map"),
        (
            "config: nowhere.yaml",
            "2:9: config: nowhere.yaml cannot be read: No such file or directory (os error 2)",
        ),
    ] {
        check(
            &format!("name: x\n{rest}\nexchanges: [{{request: {{}}}}]\n"),
            &[&format!("t.yaml:{expected}")],
        );
    }
}

#[test]
fn every_problem_at_once_in_the_order_of_the_lines() {
    check(
        "nme: x\nconfig: a.yaml\nexchanges:\n- request: {bodyFile: b}\n  at: soon\n  until: z\n",
        &[
            "t.yaml:1:1: nme: unknown field \"nme\", expected one of name, config, now, seed, engines, clusters, route, \
             routes, callouts, exchanges, expectConfigError; did you mean \"name\"?",
            "t.yaml:1:1: \"name\" is missing",
            "t.yaml:2:9: config: a.yaml cannot be read: No such file or directory (os error 2)",
            "t.yaml:4:23: exchanges[0].request.bodyFile: b cannot be read: No such file or directory (os error 2)",
            "t.yaml:5:7: exchanges[0].at: found \"soon\", expected a time such as 20ms or 1s",
            "t.yaml:6:10: exchanges[0].until: there is no exchange \"z\"",
        ],
    );
}

#[test]
fn places_in_json_are_those_of_the_file() {
    check(
        "{\"name\": \"\\ud83d\\ude00\", \"x\": 1,\n \"exchanges\": [{\"request\": {\"body\": \"é\\ud83d\\ude00\", \"y\": 1}}]}",
        &[
            "t.yaml:1:26: x: unknown field \"x\", expected one of name, config, now, seed, engines, clusters, route, \
             routes, callouts, exchanges, expectConfigError",
            "t.yaml:2:54: exchanges[0].request.y: unknown field \"y\", expected one of method, path, headers, body, json, \
             bodyFile, bodyBase64, generate, chunks, trailers, abortAfter, abortAfterResponseBytes",
        ],
    );
}

#[test]
fn files_that_cannot_be_read() {
    let folder = Folder::new()
        .with("a.yaml", "name: x\nexchanges: [{request: {}}]\n")
        .with("a.snap.yaml", "exchanges:\n- {id: \"1\", expect: {outcom: replied, cluster: x}}\n");
    let error = |name: &str| folder.strip(&Recording::load(&folder.file(name)).unwrap_err().to_string());
    assert_eq!(error("b.yaml"), "b.yaml: cannot be read: No such file or directory (os error 2)");
    assert_eq!(
        error("a.yaml"),
        "a.snap.yaml:2:22: exchanges[0].expect.outcom: unknown field \"outcom\", expected one of outcome, cluster, \
         request, response, oneOf; did you mean \"outcome\"?\n\
         a.snap.yaml:2:48: exchanges[0].expect.cluster: there is no cluster \"x\", only default"
    );
}
