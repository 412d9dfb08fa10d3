//! What a configuration that is refused says: the place, what was found, what was expected, all at once.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod support;

use ipp_pipeline::config::load;
use ipp_pipeline::plugin::{Build, ModelSelector, Plugin, PluginType, Request, RequestPlugin, Response};
use ipp_pipeline::{Rejection, stock};
use ipp_selector::pickers::{MaxScorePicker, RandomPicker};
use ipp_selector::scorers::CostScorer;
use ipp_selector::{Env, Query, Selector, Survivors};
use std::rc::Rc;
use support::{INFO, refused};

/// Types of every kind that a reference can be routed to.
fn registry() -> ipp_pipeline::plugin::Registry {
    const fn kind(
        name: &'static str,
        build: fn(&ipp_pipeline::plugin::Params<'_>, &mut Build<'_>) -> Result<Plugin, ipp_pipeline::Invalid>,
    ) -> PluginType {
        PluginType { name, about: "", parameters: &[], example: "", build }
    }
    struct Chooser;
    impl ModelSelector for Chooser {
        fn request_plugin(
            &self,
            selector: Selector,
            _: &mut Build<'_>,
        ) -> Result<Rc<dyn RequestPlugin>, String> {
            let expected = (selector.filters().len(), selector.scorers().collect(), selector.picker());
            if expected != (1, vec![("cost-scorer", 2.5)], "max-score-picker") {
                return Err(format!("{expected:?}"));
            }
            Ok(Rc::new(|_: &mut Request<'_>| Ok::<(), Rejection>(())))
        }
    }
    stock()
        .with(kind("model-selector", |_, _| Ok(Plugin::new().model_selector(Chooser))))
        .with(kind("test-filter", |_, _| {
            Ok(Plugin::new().filter(|_: &dyn Query, _: &mut Env<'_>, _: &mut Survivors<'_>| {}))
        }))
        .with(kind("cost-scorer", |_, _| Ok(Plugin::new().scorer(CostScorer::default()))))
        .with(kind("max-score-picker", |_, _| Ok(Plugin::new().picker(MaxScorePicker::default()))))
        .with(kind("random-picker", |_, _| Ok(Plugin::new().picker(RandomPicker))))
        .with(kind("bare", |_, _| Ok(Plugin::new())))
        .with(kind("response-headers", |_, _| Ok(Plugin::new().response_headers(|_: &mut Response<'_>| {}))))
}

const HEAD: &str = "apiVersion: llm-d.ai/v1alpha1\nkind: PayloadProcessorConfig\n";
const PLUGIN: &str = "{type: body-field-to-header, parameters: {fieldName: model, headerName: X-M}}";
const PROFILE: &str = "profiles: [{name: p, plugins: {request: [{pluginRef: body-field-to-header}]}}]\n";

/// The document's errors without the line that counts them, below the usual first two lines.
fn errors(rest: &str) -> Vec<String> {
    let errors = refused(&format!("{HEAD}{rest}"), &registry());
    errors.0.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn one_error(rest: &str, expected: &str) {
    assert_eq!(errors(rest), [expected]);
}

#[test]
fn the_envelope() {
    let all = |text: &str| refused(text, &registry()).to_string();
    assert_eq!(
        all("apiVersion: v1\nkind: Thing\nplugin: []\n"),
        "the PayloadProcessorConfig has 5 errors
  1. plugins (line 1, column 1): \"plugins\" is missing here
  2. profiles (line 1, column 1): \"profiles\" is missing here
  3. apiVersion (line 1, column 13): found \"v1\", expected \"llm-d.ai/v1alpha1\"
  4. kind (line 2, column 7): found \"Thing\", expected \"PayloadProcessorConfig\"
  5. plugin (line 3, column 1): unknown field \"plugin\", expected one of apiVersion, kind, plugins, preProcessing, \
         profilePicker, profiles, postProcessing, datalayer, proxyWasm; did you mean \"plugins\"?"
            .replace("plugins (line 1, column 1)", "document (line 1, column 1)")
            .replace("profiles (line 1, column 1)", "document (line 1, column 1)")
    );
    assert!(all("a: [").contains("neither YAML nor JSON"), "{}", all("a: ["));
    for empty in ["# only a comment", "null"] {
        assert_eq!(
            all(empty),
            "the PayloadProcessorConfig has 1 error\n  1. document: found nothing, expected a PayloadProcessorConfig"
        );
    }
    assert!(all("\u{1}").contains("google.protobuf.StringValue"), "{}", all("\u{1}"));
    assert!(all("[]").contains("found an empty list, expected a map"));
    assert!(
        all("apiVersion: !x y").contains("neither YAML nor JSON")
            || all("apiVersion: !x y").contains("found")
    );
}

#[test]
fn plugins() {
    assert_eq!(
        errors(&format!("plugins: []\n{PROFILE}"))[0],
        "plugins (line 3, column 10): one or more plugins must be defined"
    );
    one_error(
        &format!("plugins:\n- {PLUGIN}\n- {PLUGIN}\n{PROFILE}"),
        "plugins[1] (line 5, column 3): plugins[0] has the name \"body-field-to-header\" already; give one of them \
         another name (an absent name is the type)",
    );
    one_error(
        &format!("plugins:\n- {PLUGIN}\n- name: x\n{PROFILE}"),
        "plugins[1] (line 5, column 3): \"type\" is missing here",
    );
    one_error(
        &format!("plugins:\n- {PLUGIN}\n- type: base-model-to-headers\n{PROFILE}"),
        "plugins[1].type (line 5, column 9): \"base-model-to-headers\" is not registered; did you mean \"base-model-to-header\"?",
    );
    let unlike = errors(&format!("plugins:\n- {PLUGIN}\n- type: something-quite-different\n{PROFILE}"));
    assert!(
        unlike[0].contains("is not registered, expected one of body-field-to-header, base-model-to-header, single-profile-picker,"),
        "{unlike:?}"
    );
    let missing = errors(&format!("plugins:\n- {PLUGIN}\n- type: median-ttft-scorer\n{PROFILE}"));
    assert!(
        missing[0].contains("a plugin type of the Go service that this module does not have"),
        "{missing:?}"
    );
    one_error(
        &format!("plugins:\n- {PLUGIN}\n- {{type: single-profile-picker, nane: x}}\n{PROFILE}"),
        "plugins[1].nane (line 5, column 33): unknown field \"nane\", expected one of name, type, parameters; did you \
         mean \"name\"?",
    );
}

#[test]
fn parameters() {
    let with = |parameters: &str| {
        errors(&format!("plugins:\n- type: body-field-to-header\n  parameters: {parameters}\n{PROFILE}"))
    };
    assert_eq!(
        with("{field_name: model, headerName: ''}"),
        [
            "plugins[0].parameters (line 5, column 15): \"fieldName\" is missing here",
            "plugins[0].parameters.field_name (line 5, column 16): unknown field \"field_name\", expected one of \
             fieldName, headerName; did you mean \"fieldName\"?",
            "plugins[0].parameters.headerName (line 5, column 47): found \"\", expected a string that is not empty",
        ]
    );
    assert_eq!(
        with("{fieldName: 5, headerName: 'a b'}"),
        [
            "plugins[0].parameters.fieldName (line 5, column 27): found 5, expected a string that is not empty",
            "plugins[0].parameters.headerName (line 5, column 42): \"a b\" is not a header name",
        ]
    );
    assert_eq!(
        with("{fieldName: a, headerName: 'a b'}"),
        ["plugins[0].parameters.headerName (line 5, column 42): \"a b\" is not a header name"]
    );
    assert_eq!(
        with("{fieldName: a, headerName: Content-Length}"),
        [
            "plugins[0].parameters.headerName (line 5, column 42): \"Content-Length\" frames the message and cannot be changed"
        ]
    );
    for absent in ["", "null", "{}"] {
        assert_eq!(with(absent).len(), 2, "{absent}");
    }
    assert_eq!(with("text").len(), 1);
}

#[test]
fn profiles_and_their_references() {
    let plugins = format!("plugins:\n- {PLUGIN}\n");
    one_error(
        &format!("{plugins}profiles: []\n"),
        "profiles (line 5, column 11): one or more profiles must be defined",
    );
    one_error(
        &format!("{plugins}profiles: [{{plugins: {{request: [{{pluginRef: body-field-to-header}}]}}}}]\n"),
        "profiles[0] (line 5, column 12): \"name\" is missing here",
    );
    one_error(
        &format!("{plugins}profiles: [{{name: p}}]\n"),
        "profiles[0] (line 5, column 12): \"plugins\" is missing here",
    );
    one_error(
        &format!("{plugins}profiles: [{{name: p, plugins: {{request: [], response: null}}}}]\n"),
        "profiles[0].plugins (line 5, column 31): request and response are both empty; a profile needs at least one plugin",
    );
    one_error(
        &format!(
            "{plugins}profiles:\n- name: p\n  plugins:\n    request:\n    - pluginRef: body-field-to-heder\n"
        ),
        "profiles[0].plugins.request[0].pluginRef (line 9, column 18): no plugin in plugins[] has the name \
         \"body-field-to-heder\"; did you mean \"body-field-to-header\"?",
    );
    one_error(
        &format!(
            "plugins:\n- type: bare\n- {PLUGIN}\nprofiles:\n- name: p\n  plugins: {{request: [{{pluginRef: bare}}]}}\n"
        ),
        "profiles[0].plugins.request[0] (line 8, column 23): the plugin \"bare\" of type \"bare\" is not a \
         RequestProcessor, Filter, Scorer, or Picker",
    );
    one_error(
        &format!(
            "{plugins}profiles:\n- name: p\n  plugins: {{response: [{{pluginRef: body-field-to-header}}]}}\n"
        ),
        "profiles[0].plugins.response[0] (line 7, column 24): the plugin \"body-field-to-header\" of type \
         \"body-field-to-header\" is not a ResponseProcessor or ResponseChunkProcessor, nor does it act on response headers",
    );
    let twice = "{name: p, plugins: {request: [{pluginRef: body-field-to-header}]}}";
    let twice = errors(&format!("{plugins}profiles: [{twice}, {twice}]\n"));
    assert!(twice.iter().any(|error| error.contains("profiles[0] has the name \"p\" already")), "{twice:?}");
}

#[test]
fn model_selection_in_a_profile() {
    let config = |references: &str| {
        format!(
            "{HEAD}plugins: [{{type: model-selector}}, {{type: test-filter}}, {{type: cost-scorer}}, {{type: max-score-picker}}, \
             {{type: random-picker}}]\nprofiles:\n- name: p\n  plugins:\n    request:\n{references}"
        )
    };
    let refs = |names: &[&str]| {
        names.iter().map(|name| format!("    - {{pluginRef: {name}}}\n")).collect::<String>()
    };
    let scored = "    - {pluginRef: cost-scorer, weight: 2.5}\n";
    for names in
        [&["model-selector", "test-filter"][..], &["test-filter", "model-selector", "max-score-picker"]]
    {
        load(&config(&(refs(names) + scored)), &registry(), INFO).unwrap_or_else(|errors| panic!("{errors}"));
    }
    let message = |references: &str| refused(&config(references), &registry()).0.remove(0).to_string();
    assert_eq!(
        message(&(refs(&["test-filter", "model-selector"]) + &refs(&["cost-scorer"]))),
        "profiles[0].plugins.request[2] (line 10, column 7): the scorer \"cost-scorer\" requires a weight: add `weight: 1`"
    );
    assert!(
        message(scored).contains("this profile has no model-selector, so it would do nothing"),
        "{}",
        message(scored)
    );
    let two =
        message(&(refs(&["model-selector", "test-filter", "max-score-picker", "random-picker"]) + scored));
    assert!(two.contains("already has a picker"), "{two}");
    let hosts = message(&(refs(&["model-selector", "test-filter", "model-selector"]) + scored));
    assert!(hosts.contains("this is the second"), "{hosts}");
}

#[test]
fn the_profile_picker() {
    let plugins = format!("plugins:\n- {PLUGIN}\n- type: single-profile-picker\n");
    one_error(
        &format!("{plugins}profilePicker: {{pluginRef: nobody}}\n{PROFILE}"),
        "profilePicker.pluginRef (line 6, column 28): no plugin in plugins[] has the name \"nobody\"",
    );
    one_error(
        &format!("{plugins}profilePicker: {{pluginRef: body-field-to-header}}\n{PROFILE}"),
        "profilePicker (line 6, column 16): the plugin \"body-field-to-header\" of type \"body-field-to-header\" is not \
         a ProfilePicker",
    );
    let two = "profiles:\n- {name: a, plugins: {request: [{pluginRef: body-field-to-header}]}}\n\
               - {name: b, plugins: {request: [{pluginRef: body-field-to-header}]}}\n";
    one_error(
        &format!("plugins:\n- {PLUGIN}\n{two}"),
        "document (line 1, column 1): 2 profiles need a profile picker: add a plugin that is one, and profilePicker: \
         {pluginRef: NAME}",
    );
    one_error(
        &format!("{plugins}{two}"),
        "document (line 1, column 1): single-profile-picker works with one profile, and there are 2; use another picker",
    );
    let several = format!("{plugins}- {{type: single-profile-picker, name: other}}\n{PROFILE}");
    one_error(
        &several,
        "document (line 1, column 1): multiple profile pickers (single-profile-picker, other): say which one with \
         profilePicker: {pluginRef: NAME}",
    );
    let said = format!("{HEAD}{several}profilePicker: {{pluginRef: other}}\n");
    assert!(load(&said, &registry(), INFO).is_ok());
    let empty = format!("{HEAD}{plugins}{PROFILE}profilePicker: {{pluginRef: ''}}\n");
    assert!(load(&empty, &registry(), INFO).is_ok());
}

#[test]
fn pre_and_post_processing_and_the_data_layer() {
    let base = format!("plugins:\n- {PLUGIN}\n- type: response-headers\n{PROFILE}");
    for fine in [
        "preProcessing:\n",
        "postProcessing:\n  plugins:\n",
        "preProcessing: {plugins: [{pluginRef: body-field-to-header}]}\n",
        "postProcessing: {plugins: [{pluginRef: response-headers}]}\n",
        "datalayer: {collectors: [], extractors: null}\n",
    ] {
        load(&format!("{HEAD}{base}{fine}"), &registry(), INFO).unwrap_or_else(|errors| panic!("{errors}"));
    }
    for (wrong, expected) in [
        (
            "postProcessing: [{pluginRef: response-headers}]\n",
            "postProcessing (line 7, column 17): found a list, expected a map with the key \"plugins\": write \
             `postProcessing: {plugins: [...]}`",
        ),
        (
            "preProcessing: {plugins: [{pluginRef: response-headers}]}\n",
            "preProcessing.plugins[0] (line 7, column 27): the plugin \"response-headers\" of type \"response-headers\" \
             is not a RequestProcessor, so it cannot pre-process",
        ),
        (
            "postProcessing: {plugins: [{pluginRef: body-field-to-header}]}\n",
            "postProcessing.plugins[0] (line 7, column 28): the plugin \"body-field-to-header\" of type \
             \"body-field-to-header\" is not a post-processor: it acts on no responses",
        ),
        (
            "datalayer: {datasources: [{pluginRef: response-headers}]}\n",
            "datalayer.datasources[0] (line 7, column 27): the plugin \"response-headers\" of type \"response-headers\" \
             is not a DataSource",
        ),
    ] {
        one_error(&format!("{base}{wrong}"), expected);
    }
}

#[test]
fn the_section_of_this_product() {
    let found = errors(&format!(
        "plugins:\n- {PLUGIN}\n{PROFILE}proxyWasm:\n  paths: [v1]\n  requestBody: {{maxBytes: 0, tooLarge: rejct, max: 1}}\n  \
         errors: json\n  ownedHeaders: [host]\n  seed: -1\n"
    ));
    assert_eq!(
        found,
        [
            "proxyWasm.paths[0] (line 7, column 11): found \"v1\", expected a path that begins with \"/\"",
            "proxyWasm.requestBody.maxBytes (line 8, column 27): found 0, expected a whole number from 1 to 1073741824",
            "proxyWasm.requestBody.tooLarge (line 8, column 40): found \"rejct\", expected reject or bypass; did you mean \
             \"reject\"?",
            "proxyWasm.requestBody.max (line 8, column 47): unknown field \"max\", expected one of maxBytes, tooLarge, \
             duplicateKeys, encoded",
            "proxyWasm.errors (line 9, column 11): found \"json\", expected openai or upstream",
            "proxyWasm.ownedHeaders[0] (line 10, column 18): \"host\" frames the message and cannot be changed",
            "proxyWasm.seed (line 11, column 9): found -1, expected a whole number from 0 to 18446744073709551615",
        ]
    );
}

#[test]
fn roles() {
    let section = "role: gates\n  gateTimeout: 90\n  onStall: pass";
    assert_eq!(
        errors(&format!("plugins:\n- {PLUGIN}\n{PROFILE}proxyWasm:\n  {section}\n")),
        [
            "proxyWasm.role (line 7, column 9): found \"gates\", expected direct or reader or gate; did you mean \"gate\"?",
            "proxyWasm.gateTimeout (line 8, column 16): found 90, expected a duration such as 30s, from 100ms to 1h",
            "proxyWasm.onStall (line 9, column 12): found \"pass\", expected reject or continue",
        ]
    );
    for timeout in ["99ms", "1h1ns", "-5s", "5 s", ""] {
        let all =
            errors(&format!("plugins:\n- {PLUGIN}\n{PROFILE}proxyWasm: {{gateTimeout: {timeout:?}}}\n"));
        assert!(all.len() == 1 && all[0].contains("expected a duration such as 30s"), "{all:?}");
    }
}

#[test]
fn model_mappings() {
    let with = |parameters: &str| {
        errors(&format!(
            "plugins:\n- {PLUGIN}\n- type: base-model-to-header\n  parameters:\n{parameters}\n{PROFILE}"
        ))
    };
    let managed = "metadata: {labels: {inference.llm-d.ai/ipp-managed: \"true\"}, namespace: n, name: ";
    for (parameters, expected) in [
        (
            "    mappings: [{baseModel: a, adapters: [x]}, {baseModel: b, adapters: [x]}]".to_owned(),
            "the name \"x\" stands in two objects, plugins[1].parameters.mappings[0] and plugins[1].parameters.mappings[1]; \
             which base model serves it?",
        ),
        (
            format!(
                "    configMaps: [{{{managed}one}}, data: {{baseModel: a, adapters: '- x'}}}}, {{{managed}two}}, data: \
                 {{baseModel: a, adapters: '- x'}}}}]"
            ),
            "the name \"x\" stands in two objects, ConfigMap n/one and ConfigMap n/two; which base model serves it?",
        ),
        (
            format!("    configMaps: [{{{managed}one}}, data: {{adapters: '- x'}}}}]"),
            "\"baseModel\" is missing here",
        ),
        (
            format!("    configMaps: [{{{managed}one}}, data: {{baseModel: ' '}}}}]"),
            "found \" \", expected the name of a base model",
        ),
        (
            format!("    configMaps: [{{{managed}one}}, data: {{baseModel: a, adapters: '['}}}}]"),
            "expected a YAML list of adapter names",
        ),
        (
            format!("    configMaps: [{{{managed}one}}, data: {{baseModel: a, adapters: 'x: y'}}}}]"),
            "expected a YAML list of adapter names: found a map",
        ),
        ("    unknown: maybe".to_owned(), "found \"maybe\", expected empty or absent or reject"),
    ] {
        let found = with(&parameters);
        assert!(found.len() == 1 && found[0].contains(expected), "{parameters}\n{found:?}");
    }
}
