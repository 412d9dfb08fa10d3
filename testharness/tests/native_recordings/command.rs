//! The command: what it runs, what it says, and how it ends.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use ipp_testharness::recording::{EngineKind, Recording};
use ipp_testharness::replay::command::{Unusable, replay};
use ipp_testharness::replay::engine::{EngineError, Ran};
use ipp_testharness::replay::options::Choice;
use ipp_testharness::replay::outcome::Summary;

use crate::support::{Folder, options, passed_on, run};

const GOOD: &str = "name: good\nexchanges: [{request: {}}, {id: b, request: {}}]\n";
const BAD: &str = "name: bad\nexchanges: [{id: a, request: {}, expect: {outcome: replied}}]\n";
const REFUSED: &str = "name: refused\nconfig: {}\nexpectConfigError: kind is missing\n";

#[expect(clippy::unnecessary_wraps, reason = "it stands for an engine")]
fn see(_: EngineKind, recording: &Recording) -> Result<Ran, EngineError> {
    Ok(match recording.name.as_str() {
        "refused" => Ran::Refused("kind\nis missing".to_owned()),
        "panics" => panic!("on purpose"),
        _ => Ran::Exchanges(passed_on(recording)),
    })
}

fn summary(passed: usize, failed: usize, skipped: usize) -> Summary {
    Summary { passed, failed, skipped }
}

#[test]
fn a_folder_is_walked_in_order_and_what_is_no_recording_is_passed_over() {
    let folder = Folder::new()
        .with("r/b/2.yaml", GOOD)
        .with("r/b/configs/multi-pool.yaml", "apiVersion: x\nkind: PayloadProcessorConfig\nplugins: []\n")
        .with("r/b/body.json", "{\"model\": \"m\"}")
        .with("r/b/2.snap.yaml", "exchanges: []\n")
        .with("r/b/configs/broken.yaml", "kind: [")
        .with("r/README.md", "name: x")
        .with("r/c.json", "{\"name\": \"good\", \"exchanges\": [{\"request\": {}}]}")
        .with("r/a.yml", GOOD);
    let (ended, out) = run(&[], &[folder.file("r"), folder.file("r/c.json")], see);
    assert_eq!(ended.unwrap(), summary(5, 0, 0));
    assert_eq!(
        folder.strip(&out),
        "passed r/a.yml\npassed r/b/2.yaml\npassed r/c.json\n5 passed, 0 failed, 0 skipped\n"
    );
}

#[test]
fn failures_have_a_line_each() {
    let folder = Folder::new()
        .with("1.yaml", BAD)
        .with("2.yaml", GOOD)
        .with("3.yaml", REFUSED)
        .with("4.yaml", "name: panics\nexchanges: [{request: {}}]\n")
        .with("5.yaml", "name: accepted\nexpectConfigError: x\n");
    let (ended, out) = run(&[], &[folder.file("")], see);
    assert_eq!(ended.unwrap(), summary(2, 4, 0));
    assert_eq!(
        folder.strip(&out),
        "\
FAILED 1.yaml a [native]: outcome: expected replied, got forwarded (200)
passed 2.yaml
FAILED 3.yaml [native]: expected the configuration to be refused with \"kind is missing\", got kind is missing
FAILED 4.yaml [native]: the engine did not work: it panicked: on purpose
FAILED 5.yaml [native]: expected the configuration to be refused with \"x\", but it was accepted
2 passed, 4 failed, 0 skipped
"
    );
}

#[test]
fn refusals() {
    let folder = Folder::new().with("1.yaml", REFUSED).with("2.yaml", GOOD);
    let refuse = |_: EngineKind, _: &Recording| Ok(Ran::Refused("1 error\n  1. kind is missing".to_owned()));
    let (ended, out) = run(&[], &[folder.file("")], refuse);
    assert_eq!(ended.unwrap(), summary(1, 1, 0));
    assert!(
        out.contains("2.yaml [native]: the configuration was refused: 1 error 1. kind is missing\n"),
        "{out}"
    );
    let short = |_: EngineKind, _: &Recording| Ok(Ran::Exchanges(Vec::new()));
    let (_, out) = run(&[], &[folder.file("2.yaml")], short);
    assert!(out.contains("2.yaml [native]: the engine reported 0 of 2 exchanges\n"), "{out}");
}

#[test]
fn all_engines_and_those_that_a_recording_does_not_run_on() {
    let folder = Folder::new().with("1.yaml", GOOD).with("2.yaml", &format!("engines: [wasm]\n{GOOD}"));
    let (ended, out) = run(&["--engine", "all"], &[folder.file("")], |kind, recording| {
        let mut seen = passed_on(recording);
        if kind == EngineKind::Envoy {
            seen[1].cluster = Some("pool".to_owned());
        }
        Ok(Ran::Exchanges(seen))
    });
    assert_eq!(ended.unwrap(), summary(8, 1, 4));
    assert_eq!(
        folder.strip(&out),
        "FAILED 1.yaml b [all]: native and envoy differ: cluster: native Some(\"default\"), envoy Some(\"pool\")\n\
         passed 2.yaml\n8 passed, 1 failed, 4 skipped\n"
    );
    let (ended, out) = run(&["--engine", "native"], &[folder.file("2.yaml")], see);
    assert_eq!(ended.unwrap(), summary(0, 0, 2));
    assert_eq!(
        folder.strip(&out),
        "skipped 2.yaml: the recording runs on wasm only\n0 passed, 0 failed, 2 skipped\n"
    );
}

#[test]
fn a_filter_and_a_configuration_of_the_users_own() {
    let folder = Folder::new()
        .with("one.yaml", GOOD)
        .with("two.yaml", &format!("seed: 5\n{BAD}"))
        .with("three.yaml", REFUSED)
        .with("own/config.yaml", "kind: Own\n");
    let config = folder.file("own/config.yaml");
    let check = |_: EngineKind, recording: &Recording| {
        let expected = match recording.name.as_str() {
            "good" => "kind: Own\n",
            "bad" => "proxyWasm: {\"seed\": 5}\nkind: Own\n",
            _ => "{}",
        };
        assert_eq!(recording.config.text.trim_start(), expected);
        Ok(Ran::Refused("kind is missing".to_owned()))
    };
    let (ended, _) = run(&["--config", config.to_str().unwrap()], &[folder.file("")], check);
    assert_eq!(ended.unwrap(), summary(1, 2, 0));
    for (text, count) in [("GOOD", 2), ("three", 1)] {
        let (ended, _) = run(&["--filter", text], &[folder.file("")], see);
        let ended = ended.unwrap();
        assert_eq!(ended.passed + ended.failed, count, "{text}");
    }
}

#[test]
fn nothing_is_started_after_a_failure() {
    static STARTED: AtomicUsize = AtomicUsize::new(0);
    let mut folder = Folder::new();
    for number in 10..50 {
        folder = folder.with(&format!("{number}.yaml"), BAD);
    }
    let (ended, _) = run(&["--fail-fast"], &[folder.file("")], |_, recording| {
        STARTED.fetch_add(1, Ordering::Relaxed);
        Ok(Ran::Exchanges(passed_on(recording)))
    });
    let (ended, started) = (ended.unwrap(), STARTED.load(Ordering::Relaxed));
    assert!(started < 40 && ended.failed == started, "{started} {ended}");
    assert_eq!(ended.skipped, 40 - started);
}

#[test]
fn what_cannot_be_run() {
    let folder = Folder::new()
        .with("a/1.yaml", "name: x\nexchange: []\n")
        .with("a/2.yaml", "{exchanges: [")
        .with("b/x.txt", "");
    let why = |arguments: &[&str], name: &str| {
        let (ended, out) = run(arguments, &[folder.file(name)], see);
        assert_eq!(out, "");
        folder.strip(&ended.unwrap_err().to_string())
    };
    assert_eq!(
        why(&[], "a"),
        "a/1.yaml:1:1: \"exchanges\" or \"expectConfigError\" is missing\n\
         a/1.yaml:2:1: exchange: unknown field \"exchange\", expected one of name, config, now, seed, engines, clusters, \
         route, routes, callouts, exchanges, expectConfigError; did you mean \"exchanges\"?\n\
         a/2.yaml:2:1: neither YAML nor JSON: while parsing a node, did not find expected node content"
    );
    assert_eq!(why(&[], "b"), "there is no recording in b");
    assert_eq!(why(&[], "c"), "c: cannot be read: No such file or directory (os error 2)");
    let folder = Folder::new().with("a.yaml", GOOD);
    let (ended, _) = run(&["--filter", "x y"], &[folder.file("a.yaml")], see);
    assert!(ended.unwrap_err().to_string().ends_with("a.yaml that matches \"x y\""));
    let (ended, _) = run(&["--config", "/nowhere"], &[folder.file("a.yaml")], see);
    assert!(matches!(ended, Err(Unusable::File(file, _)) if file.ends_with("nowhere")));
    let none = replay(
        &options(&[], &[folder.file("a.yaml")]),
        |_, _| Err(EngineError("not here".to_owned())),
        Vec::new(),
    );
    assert_eq!(none.unwrap_err().to_string(), "the engine native: not here");
}

#[test]
fn the_engine_is_native_unless_a_module_is_named() {
    for (arguments, kinds) in [
        (&[][..], &[EngineKind::Native][..]),
        (&["--module", "m.wasm"], &[EngineKind::Wasm]),
        (&["--module", "m.wasm", "--engine", "envoy"], &[EngineKind::Envoy]),
        (&["--engine", "all"], &EngineKind::ALL),
    ] {
        assert_eq!(options(arguments, &[]).engines(), kinds);
    }
    assert_eq!(options(&["--engine", "native"], &[]).engine, Some(Choice::Native));
    assert_eq!(options(&[], &[]).paths, [std::path::PathBuf::from("testharness/recordings")]);
}

#[test]
fn the_binary_ends_with_2_where_it_cannot_run() {
    let folder = Folder::new().with("a.yaml", "name: x\n");
    for (arguments, expected) in [
        (vec!["--engine".into(), "none".into()], "invalid value 'none' for '--engine <ENGINE>'"),
        (
            vec![folder.file("a.yaml").into_os_string()],
            "a.yaml:1:1: \"exchanges\" or \"expectConfigError\" is missing",
        ),
    ] {
        let ended = Command::new(env!("CARGO_BIN_EXE_ipp-replay")).args(&arguments).output().unwrap();
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}");
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(said.contains(expected), "{said}");
    }
}
