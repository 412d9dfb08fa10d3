//! docs/plugins.md is made from the plugin types themselves; this test makes it and compares.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod support;

use ipp_pipeline::config::{ignores_parameters, load};
use ipp_pipeline::plugin::PluginType;
use ipp_pipeline::stock;
use std::fmt::Write;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/plugins.md");

const INTRO: &str = "\
<!-- Made by `UPDATE_DOCS=1 cargo test -p ipp-pipeline --test reference`. Edit the plugin's own file instead. -->

# Plugins

The plugin types of the stock module. An entry of `plugins[]` names a `type`, may give a `name` (default: the type) \
and `parameters`; profiles and the other sections refer to it by name. Unknown parameters are errors, unless it says otherwise. \
How to add a type of your own: [creating-a-plugin.md](creating-a-plugin.md). What is different from the Go \
service: [differences.md](differences.md).
";

fn section(plugin: &PluginType) -> String {
    let mut text = format!("\n## `{}`\n\n{}\n", plugin.name, plugin.about);
    if plugin.parameters.is_empty() {
        text.push_str("\nNo parameters");
        text.push_str(match ignores_parameters(plugin.name) {
            true => "; as in the Go service, what stands there all the same is not looked at.\n",
            false => ".\n",
        });
    } else {
        text.push_str("\n| parameter | type | default | |\n|---|---|---|---|\n");
        for parameter in plugin.parameters {
            let default = match parameter.default {
                "required" => "required".to_owned(),
                default => format!("`{default}`"),
            };
            writeln!(text, "| `{}` | {} | {default} | {} |", parameter.name, parameter.kind, parameter.about)
                .unwrap();
        }
    }
    write!(text, "\n```yaml\n{}```\n", plugin.example).unwrap();
    text
}

#[test]
fn the_reference_page_is_current() {
    let page: String = INTRO.to_owned() + &stock().all().iter().map(section).collect::<String>();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PAGE, &page).unwrap();
    }
    let there = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert!(
        there == page,
        "docs/plugins.md is old; make it with UPDATE_DOCS=1 cargo test -p ipp-pipeline --test reference"
    );
}

#[test]
fn every_example_is_a_configuration() {
    for plugin in stock().all() {
        let indented = plugin.example.replace('\n', "\n  ");
        let config = format!(
            "apiVersion: llm-d.ai/v1alpha1\nkind: PayloadProcessorConfig\nplugins:\n- {indented}\n- type: base-model-to-header\n  \
             name: of-the-test\nprofiles: [{{name: p, plugins: {{request: [{{pluginRef: of-the-test}}]}}}}]\n"
        );
        load(&config, &stock(), support::INFO).unwrap_or_else(|errors| panic!("{}: {errors}", plugin.name));
    }
}
