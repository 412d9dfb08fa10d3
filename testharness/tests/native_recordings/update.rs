//! `--update` writes what came, and leaves the rest of a file as it is.

use bytes::Bytes;
use ipp_testharness::message::Headers;
use ipp_testharness::recording::{EngineKind, Recording};
use ipp_testharness::replay::engine::{EngineError, Observed, Ran};

use crate::support::{Folder, passed_on, replied, run};

#[expect(clippy::unnecessary_wraps, reason = "it stands for an engine")]
fn see(_: EngineKind, recording: &Recording) -> Result<Ran, EngineError> {
    let mut seen = passed_on(recording);
    for (exchange, seen) in recording.exchanges().iter().zip(&mut seen) {
        match exchange.id.as_str() {
            "replied" => *seen = replied(400, r#"{"error": {"code": "it's"}}"#),
            "edited" => edit(seen, br#"{"model":"b"}"#),
            "large" => edit(seen, &[b'x'; 5000]),
            "bytes" => seen.request.as_mut().unwrap().headers.push("x-a", b"\xff"),
            _ => {}
        }
        seen.metrics.insert("ipp_n{a=\"b\"}".to_owned(), 3.0);
    }
    Ok(Ran::Exchanges(seen))
}

fn edit(seen: &mut Observed, body: &[u8]) {
    let request = seen.request.as_mut().unwrap();
    request.body = Bytes::copy_from_slice(body);
    let others = request.headers.iter().filter(|(name, _)| *name != b"content-length");
    request.headers = others.collect::<Headers>().with("content-length", body.len().to_string());
}

/// Updates a recording; what is in its file then, and what was said.
fn update(name: &str, text: &str) -> (Folder, String) {
    let folder = Folder::new().with(name, text);
    let (ended, out) = run(&["--update"], &[folder.file(name)], see);
    ended.unwrap();
    let out = folder.strip(&out);
    (folder, out)
}

const BLOCKS: &str = "\
# A comment.
name: x   # kept
exchanges:
- id: replied
  request: {}
  expect:
    # This one goes.
    outcome: forwarded
    cluster: default
    request:
      bodyUnchanged: true
    response:
      status: 200
      headers: {content-type: text/plain, x-gone: 1}
      json: {}

  # Stays.
  metrics:
    ipp_n{a=\"b\"}: 1
    ipp_other: 2
- id: fine
  request: {}
  expect:
    outcome:   forwarded # as it was
- expect: {cluster: default, request: {headers: {X-Gateway-Model-Name: other, x-y: z}, absent: [host], body: a}}
  request: {body: '{\"model\":\"é\"}'}
- expect:
    outcome: forwarded
  id: edited
  request: {body: '{\"model\":\"a\"}'}
- {id: large, request: {body: a}, expect: {request: {body: a}}}
- id: bytes
  request: {body: abc}
  expect:
    request:
      headers: {x-a: b}
      bodyUnchanged: true
    response: {bodySha256: \"0000000000000000000000000000000000000000000000000000000000000000\"}
";

const UPDATED: &str = "\
# A comment.
name: x   # kept
exchanges:
- id: replied
  request: {}
  expect:
    # This one goes.
    outcome: replied
    response:
      status: 400
      headers:
        content-type: application/json
      absent: [x-gone]
      json: {\"error\":{\"code\":\"it's\"}}

  # Stays.
  metrics:
    'ipp_n{a=\"b\"}': 3
    ipp_other: 0
- id: fine
  request: {}
  expect:
    outcome:   forwarded # as it was
- expect: {cluster: default, request: {headers: {X-Gateway-Model-Name: m, host: ipp.test}, absent: [x-y], body: '{\"model\":\"é\"}'}}
  request: {body: '{\"model\":\"é\"}'}
- expect:
    outcome: forwarded
    request:
      body: '{\"model\":\"b\"}'
  id: edited
  request: {body: '{\"model\":\"a\"}'}
- {id: large, request: {body: a}, expect: {request: {bodySha256: \"DIGEST\"}}}
- id: bytes
  request: {body: abc}
  expect:
    request:
      headers:
        x-a: !!binary /w==
      body: abc
    response:
      bodySha256: DIGEST
";

#[test]
fn only_the_expectations_in_question_are_written() {
    let (folder, out) = update("a.yaml", BLOCKS);
    let text = folder.text("a.yaml");
    for (line, expected) in text.lines().zip(UPDATED.lines()) {
        let (before, after) = expected
            .split_once("\"DIGEST\"")
            .or_else(|| expected.split_once("DIGEST"))
            .unwrap_or((expected, ""));
        assert!(line.starts_with(before) && line.ends_with(after), "{line}\n{expected}\n\n{text}");
    }
    assert_eq!(text.lines().count(), UPDATED.lines().count());
    assert!(out.starts_with("passed a.yaml\nUPDATED a.yaml\n"), "{out}");
    let (again, out) = run(&[], &[folder.file("a.yaml")], see);
    assert_eq!(again.unwrap().failed, 0, "{out}");
}

#[test]
fn json_stays_json() {
    let text = "{\"name\": \"\\ud83d\\ude00\", \"exchanges\": [{\"id\": \"replied\", \"request\": {\"body\": \"\\ud83d\\ude00\"}, \
                \"expect\": {\"outcome\": \"aborted\"}}]}\n";
    let (folder, _) = update("a.json", text);
    assert_eq!(folder.text("a.json"), text.replace("aborted", "replied"));
    let bytes = text
        .replace("replied", "bytes")
        .replace("{\"outcome\": \"aborted\"}", "{\"request\": {\"headers\": {\"x-a\": \"b\"}}}");
    let (folder, out) = update("a.json", &bytes);
    assert_eq!(folder.text("a.json"), bytes);
    assert!(out.contains("NOT UPDATED a.json: JSON cannot hold the bytes that came\n"), "{out}");
}

#[test]
fn without_an_expectation_there_is_a_snapshot() {
    let text = "name: x\nexchanges:\n- request: {headers: [[X-A, b], [x-a, c]], body: '{}'}\n- {id: replied, request: {}}\n\
                - {id: edited, request: {}}\n- {id: fine, request: {}, expect: {}}\n";
    let (folder, out) = update("a.yaml", text);
    assert_eq!(folder.text("a.yaml"), text);
    let expected = "\
# What came out when this was last updated with `--update`.
exchanges:
- id: \"1\"
  expect:
    outcome: forwarded
    cluster: default
    request:
      headers:
        x-gateway-model-name: m
      bodyUnchanged: true
    response:
      status: 200
      bodyUnchanged: true
- id: replied
  expect:
    outcome: replied
    response:
      status: 400
      headers:
        content-type: application/json
      json: {\"error\":{\"code\":\"it's\"}}
- id: edited
  expect:
    outcome: forwarded
    cluster: default
    request:
      headers:
        x-gateway-model-name: m
      body: '{\"model\":\"b\"}'
    response:
      status: 200
      bodyUnchanged: true
";
    assert_eq!(folder.text("a.snap.yaml"), expected);
    assert_eq!(out, "passed a.yaml\nUPDATED a.snap.yaml\n4 passed, 0 failed, 0 skipped\n");
    let (_, out) = run(&["--update"], &[folder.file("a.yaml")], see);
    assert!(!out.contains("UPDATED"), "{out}");
    let (ended, out) =
        run(&[], &[folder.file("a.yaml")], |_, recording| Ok(Ran::Exchanges(passed_on(recording))));
    assert_eq!(ended.unwrap().failed, 2, "{out}");
}

#[test]
fn what_a_configuration_is_refused_with() {
    let folder = Folder::new().with("a.yaml", "name: x\nconfig: {}\nexpectConfigError: 'old'  # why\n");
    let (ended, _) = run(&["--update"], &[folder.file("a.yaml")], |_, _| {
        Ok(Ran::Refused("the config has 1 error\n  1. plugins[0] (line 1, column 2): it's \"x\"".to_owned()))
    });
    assert_eq!(ended.unwrap().passed, 1);
    assert_eq!(folder.text("a.yaml"), "name: x\nconfig: {}\nexpectConfigError: 'it''s \"x\"'  # why\n");
}

#[test]
fn what_is_not_written() {
    let one_of =
        "name: x\nexchanges: [{request: {}, expect: {oneOf: [{cluster: default, outcome: replied}]}}]\n";
    let (folder, out) = update("a.yaml", one_of);
    assert_eq!(folder.text("a.yaml"), one_of);
    assert!(
        out.contains("NOT UPDATED a.yaml: an expectation with alternatives is not written anew\n"),
        "{out}"
    );
    let folder =
        Folder::new().with("a.yaml", "name: x\nexchanges: [{request: {}, expect: {outcome: replied}}]\n");
    let before = folder.text("a.yaml");
    for (engines, seen) in [("native", Ran::Refused("no".to_owned())), ("all", Ran::Exchanges(Vec::new()))] {
        let see = Box::leak(Box::new(seen));
        let see: &'static Ran = see;
        let (ended, _) =
            run(&["--update", "--engine", engines], &[folder.file("a.yaml")], move |kind, recording| match (
                engines, kind,
            ) {
                ("all", EngineKind::Native) => Ok(Ran::Refused("no".to_owned())),
                ("all", _) => Ok(Ran::Exchanges(passed_on(recording))),
                _ => Ok(see.clone()),
            });
        assert!(ended.unwrap().failed > 0);
        assert_eq!(folder.text("a.yaml"), before);
    }
}

/// A trap is not something that one gets used to.
#[test]
fn a_trap_stays_a_failure() {
    let folder =
        Folder::new().with("a.yaml", "name: x\nexchanges: [{request: {}, expect: {outcome: replied}}]\n");
    let (ended, out) = run(&["--update"], &[folder.file("a.yaml")], |_, recording| {
        let mut seen = passed_on(recording);
        seen[0].traps.push("unreachable".to_owned());
        Ok(Ran::Exchanges(seen))
    });
    assert_eq!(ended.unwrap().failed, 1);
    assert!(out.contains("the module trapped: unreachable\n"), "{out}");
}
