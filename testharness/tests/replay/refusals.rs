//! What does not run: configurations that are refused, and engines that cannot be had.

use std::path::Path;

use ipp_testharness::artifacts;
use ipp_testharness::replay::engine::{Engine, Ran, Role};
use ipp_testharness::replay::envoy::EnvoyEngine;

use crate::support::{read, run, try_run, two_pools};

const GOOD: &str = "- {request: {json: {model: sql}}, expect: {outcome: forwarded, cluster: qwen-pool}}\n";

#[test]
fn a_refused_configuration_says_all_that_is_wrong_with_it() {
    let bad = two_pools(GOOD)
        .replace("fieldName: model", "fieldname: model")
        .replace("name: default", "nam: default");
    for _ in 0..2 {
        let Ok(Ran::Refused(message)) = try_run(&bad) else { panic!("it was accepted") };
        assert!(message.starts_with("configuration refused: the PayloadProcessorConfig has "), "{message}");
        for part in ["unknown field \"fieldname\"", "\"fieldName\" is missing here", "unknown field \"nam\""]
        {
            assert!(message.contains(part), "no {part:?} in {message}");
        }
        assert!(!message.contains("Wasm"), "Envoy's own words are left: {message}");
        // And the same Envoy goes on.
        run(&two_pools(GOOD));
    }
}

#[test]
fn an_expected_refusal_that_does_not_come() {
    let good = two_pools(GOOD);
    let (config, _) = good.split_once("clusters:").expect("a configuration");
    let Ok(Ran::Exchanges(observed)) = try_run(&format!("{config}expectConfigError: x\n")) else {
        panic!("it was refused");
    };
    assert!(observed.is_empty());
}

#[test]
fn files_that_are_not_there() {
    let (envoy, module) = (artifacts::envoy(), artifacts::module());
    for (envoy, module) in
        [(Path::new("no/envoy"), module.as_path()), (envoy.as_path(), Path::new("no/module"))]
    {
        let Err(error) = EnvoyEngine::new(envoy, module) else { panic!("it was made") };
        assert!(error.to_string().ends_with(" is not a file"), "{error}");
    }
}

#[test]
fn a_file_that_is_no_module() {
    let file = artifacts::workspace().join("Cargo.toml");
    let Err(error) = EnvoyEngine::new(&artifacts::envoy(), &file) else { panic!("it was made") };
    assert!(error.to_string().ends_with("Cargo.toml is not a compiled module"), "{error}");
}

#[test]
fn an_envoy_that_does_not_start() {
    let engine =
        EnvoyEngine::new(Path::new("/bin/false"), &artifacts::module()).expect("the files are there");
    let error = engine.run(&read(&two_pools(GOOD)), Role::Direct).unwrap_err();
    assert!(error.to_string().contains("Envoy ended with exit status: 1"), "{error}");
}
