//! The reports that machines read.

use ipp_testharness::recording::{EngineKind, Recording};
use ipp_testharness::replay::engine::{EngineError, Ran};
use serde_json::{Value, json};

use crate::support::{Folder, passed_on, run};

#[expect(clippy::unnecessary_wraps, reason = "it stands for an engine")]
fn see(_: EngineKind, recording: &Recording) -> Result<Ran, EngineError> {
    let mut seen = passed_on(recording);
    for (number, seen) in seen.iter_mut().enumerate() {
        seen.took = std::time::Duration::from_micros(1500 + number as u64);
    }
    Ok(Ran::Exchanges(seen))
}

fn folder() -> Folder {
    Folder::new()
        .with(
            "r/a.yaml",
            "name: a <b> & \"c\"\nexchanges:\n- {id: one, request: {}}\n\
             - {request: {headers: [[x, y]]}, expect: {request: {headers: {x: <}}}}\n",
        )
        .with("r/b.yaml", "name: b\nengines: [envoy]\nexchanges: [{request: {}}]\n")
}

#[test]
fn json_report() {
    let folder = folder();
    let file = folder.file("report.json");
    let (ended, _) = run(&["--json", file.to_str().unwrap()], &[folder.file("r")], see);
    assert_eq!(ended.unwrap().failed, 1);
    let report: Value = serde_json::from_str(&folder.strip(&folder.text("report.json"))).unwrap();
    let row = |recording: &str, exchange: &str, outcome: &str, why: Value, micros: u32| json!({"recording": recording, "exchange": exchange, "engine": "native", "outcome": outcome, "why": why, "micros": micros});
    let expected = json!({
        "summary": {"passed": 1, "failed": 1, "skipped": 1},
        "results": [
            row("r/a.yaml", "one", "passed", Value::Null, 1500),
            row("r/a.yaml", "2", "failed", "request header x: expected \"<\", got \"y\"".into(), 1501),
            row("r/b.yaml", "1", "skipped", "the recording runs on envoy only".into(), 0),
        ],
    });
    assert_eq!(report, expected);
}

#[test]
fn junit_report() {
    let folder = folder();
    let file = folder.file("report.xml");
    let (ended, _) = run(&["--junit", file.to_str().unwrap()], &[folder.file("r")], see);
    assert_eq!(ended.unwrap().failed, 1);
    let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="ipp-replay" tests="3" failures="1" skipped="1" time="0.003001">
  <testsuite name="r/a.yaml" tests="2" failures="1" skipped="0" time="0.003001">
    <testcase name="a &lt;b&gt; &amp; &quot;c&quot; / one [native]" classname="r/a.yaml" file="r/a.yaml" time="0.001500"/>
    <testcase name="a &lt;b&gt; &amp; &quot;c&quot; / 2 [native]" classname="r/a.yaml" file="r/a.yaml" time="0.001501"><failure message="request header x: expected &quot;&lt;&quot;, got &quot;y&quot;">request header x: expected &quot;&lt;&quot;, got &quot;y&quot;</failure></testcase>
  </testsuite>
  <testsuite name="r/b.yaml" tests="1" failures="0" skipped="1" time="0.000000">
    <testcase name="b / 1 [native]" classname="r/b.yaml" file="r/b.yaml" time="0.000000"><skipped message="the recording runs on envoy only"/></testcase>
  </testsuite>
</testsuites>
"#;
    assert_eq!(folder.strip(&folder.text("report.xml")), expected);
}

#[test]
fn a_report_that_cannot_be_written_is_said() {
    let folder = folder();
    let (ended, _) = run(&["--json", "/nowhere/report.json"], &[folder.file("r")], see);
    let why = ended.unwrap_err().to_string();
    assert_eq!(why, "/nowhere/report.json: No such file or directory (os error 2)");
}
