//! What a request costs, by whichever price list knows its model.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod support;

use ipp_pipeline::Pipeline;
use ipp_pipeline::source::Answer;
use support::{TestEnv, pipeline, post};

fn config(datasource: &str, responses: &str) -> String {
    format!(
        "
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: model-selector
- type: model-name-filter
- type: model-config-datasource
  parameters: {datasource}
datalayer: {{datasources: [{{pluginRef: model-config-datasource}}]}}
profiles:
- name: default
  plugins: {{request: [{{pluginRef: model-name-filter}}, {{pluginRef: model-selector}}]}}
proxyWasm:
  responses: {responses}
"
    )
}

const CATALOGUE: &str = "{models: [{name: both, pricing: {input_per_million: 7, output_per_million: 7}}, \
                         {name: listed, pricing: {input_per_million: 0.5, output_per_million: 1.5}}, \
                         {name: unlisted, pricing: {input_per_million: 2, output_per_million: 3}}, {name: free}]}";
const RESPONSES: &str = "{models: [{name: both, inputPerMillion: 1, outputPerMillion: 4, cachedInputPerMillion: 0.5}, {name: listed}, {name: free}]}";

/// What a request for `model` adds to the costs of `label`; nothing if there is no such series.
fn cost(pipeline: &Pipeline, model: &str, label: &str) -> Option<u64> {
    let name = format!("model=.={label};.;tenant=.=other;.;ipp_cost_nanousd_total");
    let series = pipeline.metrics().all().iter().position(|metric| metric.name == name);
    let outcome = post(pipeline, &[], &format!("{{\"model\":\"{model}\"}}"));
    assert_eq!(outcome.rejection, None);
    let mut routed = outcome.routed;
    let mut env = TestEnv { counts: vec![0; 500], ..TestEnv::default() };
    let headers = [(&b":status"[..], &b"200"[..]), (b"content-type", b"application/json")];
    let mut answer = pipeline.respond(&routed, headers.into_iter(), false, &mut env).answer;
    let body = br#"{"usage":{"prompt_tokens":100,"completion_tokens":10,"prompt_tokens_details":{"cached_tokens":40}}}"#;
    pipeline.pass(&routed, &mut answer, body, true, &mut env);
    pipeline.account_for(&mut routed, Some(answer), b"via_upstream", &mut env).unwrap();
    series.map(|series| env.counts[series])
}

#[test]
fn the_section_comes_before_the_catalogue() {
    let pipeline = pipeline(&config(CATALOGUE, RESPONSES));
    // 60 at 1000, 40 at 500 and 10 at 4000 billionths of a dollar.
    assert_eq!(cost(&pipeline, "both", "both"), Some(60 * 1000 + 40 * 500 + 10 * 4000));
    // A catalogue has one price for the prompt, cached or not.
    assert_eq!(cost(&pipeline, "listed", "listed"), Some(100 * 500 + 10 * 1500));
    assert_eq!(cost(&pipeline, "unlisted", "other"), Some(100 * 2000 + 10 * 3000));
    assert_eq!(cost(&pipeline, "free", "free"), Some(0));
}

#[test]
fn without_a_price_there_is_no_series() {
    let free = "{models: [{name: listed}, {name: free}]}";
    let unpriced = pipeline(&config(free, "{models: [{name: listed}]}"));
    assert_eq!([cost(&unpriced, "listed", "listed"), cost(&unpriced, "free", "other")], [None, None]);
}

/// A catalogue that is fetched: the prices are those of now.
#[test]
fn prices_change_with_their_catalogue() {
    let pipeline = pipeline(&config("{source: {cluster: c, path: /models}}", "{models: [{name: listed}]}"));
    let put = |price: &str| {
        let body = format!(
            r#"{{"models":[{{"name":"listed","pricing":{{"input_per_million":{price}}}}},{{"name":"more"}}]}}"#
        );
        let answer =
            Answer { status: 200, content_type: "application/json", body: body.as_bytes(), previous: None };
        let source = &pipeline.sources()[0];
        let condensed = source.condense(&answer).unwrap();
        source.put(&condensed.bytes, 1).unwrap();
    };
    put("2");
    assert_eq!(cost(&pipeline, "listed", "listed"), Some(100 * 2000));
    put("3");
    assert_eq!(cost(&pipeline, "listed", "listed"), Some(100 * 3000));
    assert_eq!(cost(&pipeline, "more", "other"), Some(0));
    // A mistake in the unit does not spoil the counter.
    put("1e300");
    assert_eq!(cost(&pipeline, "listed", "listed"), Some(100 * 1_000_000_000));
}
