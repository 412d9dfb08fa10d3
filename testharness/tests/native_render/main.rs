//! `ipp-replay render`: what it makes, word for word, and what it refuses. `UPDATE_RENDERED=1` writes the golden files
//! anew.

mod models;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ipp_testharness::render::Form;
use serde::Deserialize;
use serde_yaml::Value;

const URL: &str = "oci://registry.example/payload-processor@sha256:0000000000000000000000000000000000000000000000000000000000000001";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/native_render")
}

/// The command, run in the folder of this test.
fn command(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_ipp-replay");
    Command::new(program).arg("render").args(arguments).current_dir(folder()).output().expect("it starts")
}

fn rendered(arguments: &[&str]) -> String {
    let output = command(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What it says when it refuses, without its own name.
fn refused(arguments: &[&str]) -> String {
    let output = command(arguments);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.stdout.is_empty(), "nothing half done comes out");
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    text.trim_end().trim_start_matches("ipp-replay: ").to_owned()
}

fn golden(name: &str, arguments: &[&str]) -> String {
    let text = rendered(arguments);
    let file = folder().join("golden").join(name);
    if std::env::var_os("UPDATE_RENDERED").is_some() {
        std::fs::write(&file, &text).expect("written");
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        text == expected,
        "{} is old; make it with UPDATE_RENDERED=1 cargo test -p ipp-testharness --test native_render\n{text}",
        file.display()
    );
    text
}

fn documents(text: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(text).map(|it| Value::deserialize(it).expect("YAML")).collect()
}

const ALL: [&str; 4] = ["--config", "input/config.yaml", "--config-map", "input/config-maps.yaml"];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&ALL[..], more].concat()
}

#[test]
fn a_pair_of_wasm_plugins_differs_in_name_priority_and_role_only() {
    let arguments = with(&["--as", "wasmplugin", "--url", URL, "--namespace", "prod", "--gateway", "llm"]);
    let pair = documents(&golden("wasmplugin.yaml", &arguments));
    let [reader, gate] = &pair[..] else { panic!("{} documents", pair.len()) };
    assert_eq!(reader["spec"]["pluginConfig"]["proxyWasm"]["role"].as_str(), Some("reader"));
    assert_eq!(gate["spec"]["pluginConfig"]["proxyWasm"]["role"].as_str(), Some("gate"));
    assert!(reader["spec"]["priority"].as_u64() > gate["spec"]["priority"].as_u64());
    let same = |plugin: &Value| {
        let mut plugin = plugin.clone();
        plugin["metadata"]["name"] = Value::Null;
        plugin["spec"]["pluginName"] = Value::Null;
        plugin["spec"]["priority"] = Value::Null;
        plugin["spec"]["pluginConfig"]["proxyWasm"]["role"] = Value::Null;
        plugin
    };
    assert_eq!(same(reader), same(gate));
}

#[test]
fn an_envoy_filter_has_the_configuration_as_text_and_no_role() {
    let objects = documents(&golden("envoyfilter.yaml", &with(&["--as", "envoyfilter", "--url", URL])));
    let patches = &objects[0]["spec"]["configPatches"];
    let config = &patches[0]["patch"]["value"]["typed_config"]["config"];
    assert_eq!(config["allow_on_headers_stop_iteration"].as_bool(), Some(true));
    let text = config["configuration"]["value"].as_str().expect("text");
    let document: Value = serde_yaml::from_str(text).expect("YAML");
    assert_eq!(document["plugins"][1]["parameters"]["configMaps"].as_sequence().map(Vec::len), Some(2));
    assert!(document["proxyWasm"].get("role").is_none());
    assert_eq!(patches[0]["patch"]["value"]["name"], patches[1]["patch"]["value"]["name"]);
}

#[test]
fn helm_values_name_the_module_in_its_parts() {
    let values = documents(&golden("helm-values.yaml", &with(&["--as", "helm-values", "--url", URL])));
    let image = &values[0]["payloadProcessor"]["image"];
    assert_eq!(
        [&image["registry"], &image["repository"], &image["digest"]].map(Value::as_str),
        [Some("registry.example"), Some("payload-processor"), URL.split_once('@').map(|it| it.1)]
    );
    assert_eq!(values[0]["bufferLimits"]["bytes"].as_u64(), Some(4_194_304 + (1 << 20)));
}

/// `testharness/tests/envoy/render.rs` runs one like it.
#[test]
fn an_envoy_bootstrap_has_a_route_and_a_cluster_for_each_server() {
    let arguments = with(&[
        "--as",
        "envoy",
        "--route",
        "Qwen/Qwen2.5-1.5B-Instruct=qwen.models.internal:8000",
        "--route",
        "mistralai/Mistral-7B-Instruct-v0.3=[fd00::7]:8000",
        "--default",
        "default.models.internal:8000",
    ]);
    golden("envoy.yaml", &arguments);
}

#[test]
fn without_a_configuration_it_is_the_built_in_one() {
    let text = golden("built-in.yaml", &["--as", "wasmplugin", "--url", URL]);
    assert_eq!(documents(&text)[1]["spec"]["pluginConfig"]["profiles"][0]["name"].as_str(), Some("default"));
}

#[test]
fn notes_go_beside_the_result() {
    let output = command(&with(&["--as", "wasmplugin", "--url", "oci://registry.example/ipp:0.1.0"]));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "ipp-replay: input/config-maps.yaml: ConfigMap prod/kube-root-ca.crt is passed over: it has no label \
         inference.llm-d.ai/ipp-managed: \"true\"\n\
         ipp-replay: oci://registry.example/ipp:0.1.0 names no digest: what is behind a tag can change under a running \
         gateway\n"
    );
    assert!(output.status.success());
}

/// A file with this content, for one test.
struct Given(PathBuf);

impl Given {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ipp-render-{}-{name}", std::process::id()));
        std::fs::write(&path, text).expect("written");
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

const NEAR: &str = "\
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: base-model-to-heder
profiles: []
";

#[test]
fn a_configuration_that_the_filter_refuses_is_refused_in_its_words() {
    let config = Given::new("near.yaml", NEAR);
    let said = refused(&["--as", "wasmplugin", "--url", URL, "--config", config.path()]);
    let (place, said) = said.split_once(": ").expect("a place");
    assert_eq!(place, config.path());
    assert!(
        said.starts_with(
            "the PayloadProcessorConfig has 2 errors\n  1. plugins[0].type (line 4, column 9): "
        ),
        "{said}"
    );
    assert!(said.contains("did you mean \"base-model-to-header\"?"), "{said}");
}

#[test]
fn an_error_in_a_config_map_names_the_file_and_the_object() {
    let map = |name: &str, data: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  labels: {{inference.llm-d.ai/ipp-managed: \"true\"}}\ndata: {data}\n"
        )
    };
    let base = Given::new("base.yaml", &map("no-base", "{adapters: \"- a\"}"));
    let twice = Given::new("twice.yaml", &map("again", "{baseModel: other, adapters: \"- sql-lora\"}"));
    let said = refused(&with(&[base.path(), twice.path(), "--as", "wasmplugin", "--url", URL]));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].starts_with(&format!("{}: ConfigMap no-base: data: ", base.path())), "{said}");
    assert!(
        lines[1].starts_with(&format!(
            "{}: ConfigMap again: the name \"sql-lora\" stands in two objects",
            twice.path()
        )),
        "{said}"
    );
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let role = Given::new("role.yaml", &format!("{}proxyWasm: {{role: gate}}\n", rendered_config()));
    let secret = Given::new("secret.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n");
    let none = Given::new("none.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    let no_mapper = Given::new(
        "no-mapper.yaml",
        &rendered_config().replace("base-model-to-header", "single-profile-picker"),
    );
    let route = "gpt-4=a:1";
    for (arguments, why) in [
        (vec!["--as", "wasmplugin"], "--url is missing"),
        (vec!["--as", "wasmplugin", "--url", "ghcr.io/me/ipp:1"], "expected oci://"),
        (vec!["--as", "envoy"], "--default is missing"),
        (vec!["--as", "envoy", "--default", "host"], "expected HOST:PORT"),
        (
            with(&["--as", "envoy", "--default", "a:1", "--route", route]),
            "which no mapping has as its base model; there are: meta-llama/",
        ),
        (vec!["--as", "wasmplugin", "--url", URL, "--config", role.path()], "role"),
        (
            vec!["--as", "wasmplugin", "--url", URL, "--config-map", secret.path()],
            "found a Secret, expected ConfigMaps",
        ),
        (
            vec!["--as", "wasmplugin", "--url", URL, "--config-map", none.path()],
            "no ConfigMap with the label",
        ),
        (vec!["--as", "wasmplugin", "--url", URL, "--config", "nowhere.yaml"], "nowhere.yaml"),
        (
            vec![
                "--as",
                "wasmplugin",
                "--url",
                URL,
                "--config",
                no_mapper.path(),
                "--config-map",
                "input/config-maps.yaml",
            ],
            "no plugin of the type base-model-to-header",
        ),
    ] {
        let said = refused(&arguments);
        assert!(said.contains(why), "{arguments:?}: {said}");
    }
}

/// A configuration with one line for `base-model-to-header`.
fn rendered_config() -> String {
    let fields = "{fieldName: model, headerName: X-Model}";
    format!(
        "apiVersion: llm-d.ai/v1alpha1\nkind: PayloadProcessorConfig\nplugins:\n- type: body-field-to-header\n  parameters: {fields}\n- type: base-model-to-header\nprofiles:\n- name: default\n  plugins: {{request: [{{pluginRef: body-field-to-header}}]}}\n"
    )
}

/// The page that sends people here shows a command that works, and lists what it can make.
#[test]
fn the_migration_page_says_what_works() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/migrate-from-ext-proc.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let (_, shown) = page.split_once("\nipp-replay render ").expect("a command");
    let (shown, _) = shown.split_once(" > filter.yaml").expect("its end");
    let digest = URL.split_once("sha256:").expect("a digest").1;
    let words: Vec<String> = shown
        .replace("\\\n", " ")
        .split_whitespace()
        .map(|word| match word {
            "config.yaml" | "config-maps.yaml" => format!("input/{word}"),
            word => word.replace("sha256:...", &format!("sha256:{digest}")),
        })
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    assert_eq!(documents(&rendered(&words)).len(), 2, "{words:?}");

    let rows = page.split_once("| `--as` |").expect("the table").1.lines().skip(2);
    let listed: Vec<&str> = rows.map_while(|row| row.strip_prefix("| `")?.split('`').next()).collect();
    let forms = <Form as clap::ValueEnum>::value_variants();
    let known = forms.iter().filter_map(clap::ValueEnum::to_possible_value);
    assert_eq!(listed, known.map(|it| it.get_name().to_owned()).collect::<Vec<_>>());
}
