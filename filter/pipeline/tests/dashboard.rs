//! The dashboard and the alert rules of `envoy/` ask for metrics and labels that there are.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use support::{METRICS_OF_RESPONSES, pipeline};

const DASHBOARD: &str = include_str!("../../../envoy/dashboard.json");
const ALERTS: &str = include_str!("../../../envoy/alerts.yaml");

/// Configurations that define every metric: of responses, of model selection and its sources, of each role.
const CONFIGS: [&str; 4] = [
    METRICS_OF_RESPONSES,
    "
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- {type: model-config-datasource, parameters: {models: [{name: a}]}}
- {type: model-config-datasource, name: more, parameters: {source: {cluster: c, path: /}}}
- {type: session-affinity, parameters: {sessionIdKey: x-session-id}}
- type: model-name-filter
- type: model-selector
datalayer: {datasources: [{pluginRef: model-config-datasource}, {pluginRef: more}]}
profiles:
- name: default
  plugins: {request: [{pluginRef: model-name-filter}, {pluginRef: session-affinity, weight: 1}, {pluginRef: model-selector}]}
",
    "
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins: [{type: base-model-to-header}]
profiles: [{name: default, plugins: {request: [{pluginRef: base-model-to-header}]}}]
proxyWasm: {role: reader}
",
    "
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins: [{type: base-model-to-header}]
profiles: [{name: default, plugins: {request: [{pluginRef: base-model-to-header}]}}]
proxyWasm: {role: gate}
",
];

/// What needs no panel and no alert: what tells of builds, of the filter's own work, and of what others tell better.
const NOT_SHOWN: [&str; 8] = [
    "ipp_info",
    "ipp_success_total",
    "ipp_body_field_not_found_total",
    "ipp_body_field_empty_total",
    "ipp_inflight_tokens",
    "ipp_source_fetches_total",
    "ipp_source_documents_total",
    "ipp_source_read_microseconds",
];
const NOT_SHOWN_OF_FIGURES: [&str; 4] = [
    "ipp_model_observations_total",
    "ipp_model_observations_lost_total",
    "ipp_session_affinity_lost_total",
    "ipp_source_problems",
];

/// The queries, with the place where each stands.
fn queries() -> Vec<(String, String)> {
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().unwrap() {
            let text = |key: &str| target[key].as_str().unwrap().to_owned();
            queries.push((title.to_owned(), text("expr")));
            queries.push((title.to_owned(), text("legendFormat")));
        }
    }
    let alerts: serde_yaml::Value = serde_yaml::from_str(ALERTS).unwrap();
    for rule in alerts["groups"][0]["rules"].as_sequence().unwrap() {
        let name = rule["alert"].as_str().unwrap();
        queries.push((name.to_owned(), rule["expr"].as_str().unwrap().to_owned()));
    }
    queries
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
}

#[test]
fn every_metric_and_label_of_a_query_exists() {
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for config in CONFIGS {
        for metric in pipeline(config).metrics().all() {
            let mut parts: Vec<&str> = metric.name.split(";.;").collect();
            let labels = known.entry(parts.pop().unwrap().to_owned()).or_default();
            labels.extend(parts.iter().map(|part| part.split_once("=.=").unwrap().0.to_owned()));
        }
    }
    let labels: BTreeSet<&str> = known.values().flatten().map(String::as_str).collect();
    let mut asked = BTreeSet::new();
    for (place, query) in queries() {
        let metrics: Vec<&str> = words(&query).filter(|word| word.starts_with("ipp_")).collect();
        for word in &metrics {
            let name = word.strip_suffix("_bucket").unwrap_or(word);
            assert!(known.contains_key(name), "{place}: there is no metric {word}");
            asked.insert(name.to_owned());
        }
        // Labels stand in braces, or behind `by`.
        for inside in query.split(" by (").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            for label in words(inside).filter(|label| !label.is_empty() && *label != "le") {
                assert!(labels.contains(label), "{place}: there is no label {label}");
                let has =
                    |metric: &&str| known[metric.strip_suffix("_bucket").unwrap_or(metric)].contains(label);
                assert!(metrics.iter().all(has), "{place}: not every metric has {label}");
            }
        }
        for inside in query.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
            let label = words(inside).next().unwrap_or_default();
            assert!(label.is_empty() || labels.contains(label), "{place}: there is no label {label}");
        }
    }
    // Whatever there is to see is shown, or watched by an alert.
    let hidden: Vec<&str> = known
        .keys()
        .map(String::as_str)
        .filter(|name| !asked.contains(*name))
        .filter(|name| !NOT_SHOWN.contains(name) && !NOT_SHOWN_OF_FIGURES.contains(name))
        .collect();
    assert!(hidden.is_empty(), "on no panel and in no alert: {hidden:?}");
    for name in NOT_SHOWN.iter().chain(&NOT_SHOWN_OF_FIGURES) {
        assert!(!asked.contains(*name), "{name} is shown");
        assert!(known.contains_key(*name) || name.contains("observations"), "there is no {name}");
    }
}
