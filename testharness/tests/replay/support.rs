//! Engines that tests share, and recordings that come out as they expect.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ipp_testharness::artifacts;
use ipp_testharness::recording::Recording;
use ipp_testharness::replay::compare::compare;
use ipp_testharness::replay::engine::{Engine, EngineError, Observed, Ran, Role};
use ipp_testharness::replay::envoy::EnvoyEngine;

/// A configuration with two base models, which are named as the clusters are, and what stands before exchanges.
pub(crate) const TWO_POOLS: &str = "\
name: test
config:
  apiVersion: llm-d.ai/v1alpha1
  kind: PayloadProcessorConfig
  plugins:
  - type: body-field-to-header
    parameters: {fieldName: model, headerName: X-Gateway-Model-Name}
  - type: base-model-to-header
    parameters:
      mappings:
      - {baseModel: llama-pool, adapters: [food]}
      - {baseModel: qwen-pool, adapters: [sql]}
  profiles:
  - name: default
    plugins: {request: [{pluginRef: body-field-to-header}, {pluginRef: base-model-to-header}]}
clusters: [llama-pool, qwen-pool]
exchanges:
";

/// The engine with that module. Tests that run at the same time have the same one; with the last of them its Envoys end.
pub(crate) fn engine(module: &Path) -> Arc<EnvoyEngine> {
    static ENGINES: Mutex<Option<HashMap<PathBuf, Weak<EnvoyEngine>>>> = Mutex::new(None);
    let mut engines = ENGINES.lock().unwrap_or_else(PoisonError::into_inner);
    let engines = engines.get_or_insert_default();
    if let Some(engine) = engines.get(module).and_then(Weak::upgrade) {
        return engine;
    }
    let engine = Arc::new(EnvoyEngine::new(&artifacts::envoy(), module).expect("the files are there"));
    engines.insert(module.to_owned(), Arc::downgrade(&engine));
    engine
}

/// What a text is read as.
pub(crate) fn read(text: &str) -> Recording {
    Recording::read(Path::new("test.yaml"), text).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs a recording with the stock module.
pub(crate) fn try_run(text: &str) -> Result<Ran, EngineError> {
    engine(&artifacts::module()).run(&read(text), Role::Direct)
}

/// Runs a recording with that module. Everything has to come out as it expects.
pub(crate) fn run_on(module: &Path, text: &str) -> Vec<Observed> {
    run_with(&engine(module), text)
}

/// Runs a recording with the stock module. Everything has to come out as it expects.
pub(crate) fn run(text: &str) -> Vec<Observed> {
    run_on(&artifacts::module(), text)
}

/// The same of an engine that is there already.
pub(crate) fn run_with(engine: &EnvoyEngine, text: &str) -> Vec<Observed> {
    run_in(Role::Direct, engine, text)
}

/// The same with the module attached in that way.
pub(crate) fn run_in(role: Role, engine: &EnvoyEngine, text: &str) -> Vec<Observed> {
    let recording = read(text);
    let observed = match engine.run(&recording, role) {
        Ok(Ran::Exchanges(observed)) => observed,
        Ok(Ran::Refused(why)) => panic!("the configuration was refused: {why}"),
        Err(error) => panic!("the engine did not work: {error}"),
    };
    assert_eq!(observed.len(), recording.exchanges().len());
    for (exchange, observed) in recording.exchanges().iter().zip(&observed) {
        let reasons = compare(exchange, observed);
        let (request, response) = (&observed.request, &observed.response);
        assert!(reasons.is_empty(), "exchange {}: {reasons:#?}\n{request:?}\n{response:?}", exchange.id);
    }
    observed
}

/// Two pools, and these exchanges.
pub(crate) fn two_pools(exchanges: &str) -> String {
    format!("{TWO_POOLS}{exchanges}")
}
