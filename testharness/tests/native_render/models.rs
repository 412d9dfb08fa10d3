//! `--models`: the Go service's models file in every form, and what of it is refused, with file, line and field.

use ipp_pipeline::config::{BuildInfo, load};
use ipp_pipeline::stock;
use serde_yaml::Value;

use crate::{Given, URL, command, documents, golden, refused, rendered};

const MODELS: &str = "input/models.json";
const SELECTING: [&str; 4] = ["--config", "input/selecting.yaml", "--models", MODELS];

fn selecting<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&SELECTING[..], more].concat()
}

/// The filter takes it, whatever the form was.
fn accepted(config: &Value) -> Vec<&Value> {
    let text = serde_yaml::to_string(config).expect("YAML");
    let info = BuildInfo { commit: "none", build_ref: "test" };
    load(&text, &stock(), info).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    config["plugins"].as_sequence().expect("plugins").iter().collect()
}

/// The parameters of the data source, which has to be the plugin at this place.
fn source(config: &Value, at: usize) -> Value {
    let plugin = accepted(config)[at];
    assert_eq!(plugin["type"].as_str(), Some("model-config-datasource"));
    plugin["parameters"].clone()
}

/// What the file says.
fn expected() -> Value {
    serde_yaml::from_str(
        "
models:
- name: Qwen/Qwen2.5-1.5B-Instruct
  pricing: {input_per_million: 0.1, output_per_million: 0.4}
  metricsURL: http://qwen.models.internal:8000/metrics
- name: mistralai/Mistral-7B-Instruct-v0.3
  pricing: {input_per_million: 1, output_per_million: 1.5}
- name: \"on\"
groups:
- name: fast
  models: [Qwen/Qwen2.5-1.5B-Instruct, \"on\"]
",
    )
    .expect("YAML")
}

#[test]
fn both_wasm_plugins_have_the_models_in_place_of_the_path() {
    let pair =
        documents(&golden("models-wasmplugin.yaml", &selecting(&["--as", "wasmplugin", "--url", URL])));
    assert_eq!(pair.len(), 2);
    for plugin in &pair {
        assert_eq!(source(&plugin["spec"]["pluginConfig"], 0), expected());
    }
}

#[test]
fn so_has_an_envoy_filter() {
    let arguments = selecting(&["--as", "envoyfilter", "--url", URL]);
    let objects = documents(&golden("models-envoyfilter.yaml", &arguments));
    let config = &objects[0]["spec"]["configPatches"][0]["patch"]["value"]["typed_config"]["config"];
    let text = config["configuration"]["value"].as_str().expect("text");
    assert_eq!(source(&serde_yaml::from_str(text).expect("YAML"), 0), expected());
}

/// `testharness/tests/envoy/render.rs` runs it.
#[test]
fn so_has_a_bootstrap_which_routes_by_the_chosen_name() {
    let route = "Qwen/Qwen2.5-1.5B-Instruct=qwen.models.internal:8000";
    let arguments =
        selecting(&["--as", "envoy", "--route", route, "--default", "default.models.internal:8000"]);
    let text = golden("models-envoy.yaml", &arguments);
    assert!(text.contains("- name: x-gateway-model-name\n"), "{text}");
}

#[test]
fn helm_values_have_a_new_data_source_where_there_was_none() {
    let arguments = ["--as", "helm-values", "--url", URL, "--models", MODELS];
    let values = documents(&golden("models-helm-values.yaml", &arguments));
    let config = &values[0]["payloadProcessor"]["customConfig"];
    assert_eq!(source(config, 2), expected());
    let layer: Value =
        serde_yaml::from_str("datasources: [{pluginRef: model-config-datasource}]").expect("YAML");
    assert_eq!(config["datalayer"], layer);
}

#[test]
fn what_was_replaced_or_added_is_said() {
    let said = |arguments: &[&str]| String::from_utf8(command(arguments).stderr).expect("UTF-8");
    assert_eq!(
        said(&selecting(&["--as", "wasmplugin", "--url", URL])),
        "ipp-replay: input/selecting.yaml: plugins[0].parameters.modelsPath (\"/config/models.json\") is replaced by \
         the content of input/models.json\n"
    );
    let built_in = said(&["--as", "wasmplugin", "--url", URL, "--models", MODELS]);
    let lines: Vec<&str> = built_in.lines().collect();
    assert_eq!(
        lines,
        [
            "ipp-replay: the built-in configuration: no plugin of the type model-selector: nothing chooses among the \
             models yet",
            "ipp-replay: the built-in configuration: no plugin of the type model-config-datasource: one is added, and \
             named under datalayer.datasources",
        ]
    );
}

#[test]
fn models_and_config_maps_go_together() {
    let both =
        ["--as", "wasmplugin", "--url", URL, "--models", MODELS, "--config-map", "input/config-maps.yaml"];
    let config = documents(&rendered(&both))[0]["spec"]["pluginConfig"].clone();
    assert_eq!(source(&config, 2), expected());
    let maps = &accepted(&config)[1]["parameters"]["configMaps"];
    assert_eq!(maps.as_sequence().map(Vec::len), Some(2));
}

/// What is said of a models file with this content, after its path.
fn refusal(name: &str, text: &str) -> String {
    let file = Given::new(name, text);
    let arguments =
        ["--as", "wasmplugin", "--url", URL, "--config", "input/selecting.yaml", "--models", file.path()];
    let said = refused(&arguments);
    said.strip_prefix(&format!("{}: ", file.path())).unwrap_or_else(|| panic!("{said}")).to_owned()
}

#[test]
fn errors_in_the_models_file_have_its_lines_and_fields() {
    let text = "{
  \"models\": [
\t{\"name\": \"\"},
    {\"name\": \"a\", \"pricing\": {\"input_per_million\": -1}},
    {\"nam\": \"b\"}
  ]
}
";
    assert_eq!(
        refusal("wrong.json", text),
        "the models file has 4 errors\n  \
         1. models[0].name (line 3, column 11): found \"\", expected a string that is not empty\n  \
         2. models[1].pricing.input_per_million (line 4, column 52): found -1, expected a price that is not negative\n  \
         3. models[2] (line 5, column 5): \"name\" is missing here\n  \
         4. models[2].nam (line 5, column 6): unknown field \"nam\", expected one of name, pricing, capacity, metricsURL, \
         attributes; did you mean \"name\"?"
    );
    for (name, text, why) in [
        ("cut.json", "{\"models\": [\n}", "not JSON: expected value at line 2 column 1"),
        ("empty.json", "", "not JSON: EOF while parsing a value at line 1 column 0"),
        // It may not end what it is put into.
        ("closed.json", "{}}, {\"x\": {}", "not JSON: trailing characters at line 1 column 3"),
        (
            "list.json",
            "[]",
            "the models file has 1 error\n  1. document (line 1, column 1): found an empty list",
        ),
        ("none.json", "{\"models\": []}", "models (line 1, column 12): one or more models must be defined"),
        (
            "member.json",
            "{\"models\": [{\"name\": \"a\"}],\n\"groups\": [{\"name\": \"g\", \"models\": [\"b\"]}]}",
            "groups[0].models[0] (line 2, column 37): \"b\" is none of the models",
        ),
        (
            "twice.json",
            "{\"models\": [{\"name\": \"a\"}], \"models\": []}",
            "models (line 1, column 29): the key \"models\" stands here a second time",
        ),
    ] {
        let said = refusal(name, text);
        assert!(said.contains(why), "{name}: {said}");
    }
}

#[test]
fn errors_in_the_configuration_keep_their_lines() {
    let selecting = std::fs::read_to_string(crate::folder().join("input/selecting.yaml")).expect("the file");
    let with = |from: &str, to: &str| {
        assert!(selecting.contains(from), "{from}");
        selecting.replacen(from, to, 1)
    };
    let models = "  parameters:\n    modelsPath: /config/models.json\n";
    let second = "- type: model-config-datasource\n  name: more\n  parameters: {modelsPath: /more}\n";
    for (name, text, why) in [
        (
            "scorer.yaml",
            with("- type: cost-scorer", "- type: cost-scoer"),
            "the PayloadProcessorConfig has 2 errors\n  1. plugins[2].type (line 9, column 9): \"cost-scoer\" is not \
             registered; did you mean \"cost-scorer\"?\n  2. profiles[0]",
        ),
        ("syntax.yaml", with("- type: cost-scorer", "- type: ]"), "neither YAML nor JSON: "),
        ("twice.yaml", with("kind:", "kind: PayloadProcessorConfig\nkind:"), "stands here a second time"),
        (
            "inline.yaml",
            with(models, "  parameters: {models: [{name: a}]}\n"),
            "plugins[0].parameters has models already, and input/models.json has others: leave one of them out",
        ),
        (
            "several.yaml",
            with("plugins:\n", &format!("plugins:\n{second}")),
            "2 plugins of the type model-config-datasource (plugins[0], plugins[1]), expected one to put \
             input/models.json into",
        ),
        (
            "overlap.yaml",
            with(
                "plugins:\n",
                "plugins:\n- {type: model-config-datasource, parameters: {models: [{name: \"on\"}]}}\n",
            )
            .replace("datasources:\n", "datasources:\n  - pluginRef: model-config-datasource\n"),
            "datalayer.datasources[1]: another data source has the model \"on\" already",
        ),
        (
            "unnamed.yaml",
            with("datalayer:\n  datasources:\n  - pluginRef: models\n", ""),
            "there are no models to select from",
        ),
        (
            "parameters.yaml",
            with(models, "  parameters: [1]\n"),
            "plugins[0].parameters (line 6, column 15): found a list",
        ),
        ("plugins.yaml", "plugins: 1\n".to_owned(), "plugins (line 1, column 10): found 1, expected a list"),
    ] {
        let file = Given::new(name, &text);
        let said =
            refused(&["--as", "wasmplugin", "--url", URL, "--config", file.path(), "--models", MODELS]);
        let said = said.rsplit_once("\nipp-replay: ").map_or(said.as_str(), |(_, last)| last);
        assert!(said.contains(why), "{name}: {said}");
        assert!(said.starts_with(file.path()), "{name}: {said}");
    }
}

#[test]
fn a_path_without_the_file_is_refused_and_says_how_to_give_it() {
    let said = refused(&["--as", "wasmplugin", "--url", URL, "--config", "input/selecting.yaml"]);
    assert!(said.contains(
        "plugins[0].parameters.modelsPath (line 7, column 17): a module inside Envoy has no files"
    ));
    assert!(
        said.ends_with("With `--models FILE` the file's content stands in place of modelsPath."),
        "{said}"
    );
}
