//! Cases of the Go service's own tests that only a whole configuration can show: what is chosen, what is counted, which
//! parameters are taken. The cases of single plugins stand beside the plugins, in the crate `ipp-selector`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod support;

use ipp_pipeline::config::load;
use ipp_pipeline::{Routed, stock};
use std::collections::BTreeSet;
use support::process::Process;
use support::{INFO, refused};

/// Models by name; `plugins` and `request` are more lines.
fn config(models: &[&str], plugins: &str, request: &str) -> String {
    let models: String = models.iter().map(|name| format!("    - {{name: {name}}}\n")).collect();
    format!(
        "\
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: model-selector
- {{type: body-field-to-header, parameters: {{fieldName: model, headerName: X-Model}}}}
- {{type: model-name-to-header, parameters: {{headerName: x-selected}}}}
- type: model-config-datasource
  parameters:
    models:
{models}{plugins}
datalayer:
  datasources: [{{pluginRef: model-config-datasource}}]
profiles:
- name: default
  plugins:
    request:
{request}
    - pluginRef: model-selector
    - pluginRef: body-field-to-header
    response: [{{pluginRef: model-name-to-header}}]
"
    )
}

#[test]
fn model_selector_plugin() {
    // S01: without filters and scorers any of them, and what the response says is what the body has.
    let models = ["llama-70b", "llama-8b", "mistral-7b"];
    let mut process = Process::new(&config(&models, "", ""));
    let (model, routed) = process.send(0, &[], r#"{"model":"auto"}"#);
    assert!(models.contains(&model.as_str()), "{model}");
    assert_eq!(process.response(&routed)["x-selected"], model);
    // Without a filter by name even a name that a client gives is only a suggestion.
    let (model, _) = process.send(0, &[], r#"{"model":"gpt-4"}"#);
    assert!(models.contains(&model.as_str()), "{model}");
}

#[test]
fn by_field_filter() {
    let filter = "- {type: by-field-filter, parameters: {fieldName: model}}";
    let models = ["qwen3-8b", "qwen3-32b", "llama3-8b"];
    let mut process = Process::new(&config(&models, filter, "    - pluginRef: by-field-filter"));
    assert_eq!(process.send(0, &[], r#"{"model":"qwen3-32b"}"#).0, "qwen3-32b");
    let status = |process: &mut Process, body: &str| process.try_send(0, &[], body).unwrap_err().status;
    assert_eq!(status(&mut process, r#"{"model":"auto"}"#), 404);
    assert_eq!(status(&mut process, r#"{"model":42}"#), 400);
    // The factory.
    let with = |parameters: &str| {
        config(&models, &format!("- {{type: by-field-filter, parameters: {parameters}}}"), "")
    };
    load(&with("{fieldName: anthropic_version}"), &stock(), INFO).map(drop).unwrap();
    for wrong in ["{}", "null", "{fieldName: ''}", "{fieldName: 7}", "{fieldName: [", "[]", "{byField: x}"] {
        assert!(!refused(&with(wrong), &stock()).0.is_empty(), "{wrong}");
    }
    refused(&config(&models, "- type: by-field-filter", ""), &stock());
}

#[test]
fn request_metadata() {
    // Events of the Go service are the choice and the end of a request here.
    let mut process = Process::new(&config(
        &["m1", "m2"],
        "- type: model-name-filter",
        "    - pluginRef: model-name-filter",
    ));
    let figures = |process: &Process, model: &str| {
        ["ipp_inflight", "ipp_inflight_tokens"]
            .map(|name| process.metric(&format!("model=.={model};.;{name}")))
    };
    let (_, mut first) = process.send(0, &[], r#"{"model":"m1","max_tokens":100}"#);
    assert_eq!(figures(&process, "m1"), [1, 100]);
    process.workers[0].finish(&mut first, &mut process.env);
    assert_eq!(figures(&process, "m1"), [0, 0]);
    // An end of what never began.
    process.workers[0].finish(&mut Routed::default(), &mut process.env);
    assert_eq!(figures(&process, "m1"), [0, 0]);
    let mut open: Vec<Routed> = [("m1", 10), ("m2", 20)]
        .map(|(model, tokens)| {
            process.send(1, &[], &format!(r#"{{"model":"{model}","max_tokens":{tokens}}}"#)).1
        })
        .into();
    assert_eq!((figures(&process, "m1"), figures(&process, "m2")), ([1, 10], [1, 20]));
    for routed in &mut open {
        process.workers[0].finish(routed, &mut process.env);
    }
    assert_eq!((figures(&process, "m1"), figures(&process, "m2")), ([0, 0], [0, 0]));
}

#[test]
fn parameters_that_are_taken() {
    for plugin in [
        "{type: costguard}",
        "{type: costguard, parameters: {}}",
        "{type: costguard, parameters: {epsilon: 0, lambda: 0, alpha: 0.01, percentileMarginError: 0.01}}",
        "{type: costguard, parameters: {epsilon: 1}}",
        "{type: cost-scorer, parameters: null}",
        "{type: cost-scorer, parameters: {}}",
        "{type: session-affinity, parameters: {sessionIdKey: x-custom-id, maxSessions: 500, ttlSeconds: 300}}",
        "{type: session-affinity, parameters: {sessionIdKey: '', maxSessions: -1, ttlSeconds: 0}}",
        "{type: ttft-aware-scorer, parameters: {explorationRate: 1, minInflightGap: 0.5, roundTTFTStep: 0}}",
        "{type: queue-ttft-scorer, parameters: {explorationRate: 0.1}}",
        "{type: load-aware-ttft-scorer, parameters: {explorationRate: 0}}",
        "{type: exploration-max-score-picker, parameters: {explorationRatio: 0.1, stalenessThreshold: 1m}}",
        "{type: model-cost-extractor, parameters: {compression: 0.5, flushIntervalDuration: 0s, windowDuration: 0s}}",
        "{type: model-cost-extractor, parameters: {compression: 1000, windowDuration: 2h0m0s}}",
        "{type: ttft-percentile-extractor, parameters: {windowSize: 5000, maxRequests: 5000, minRequests: 1}}",
        "{type: ttft-percentile-extractor, parameters: {lowPercentile: 1, highPercentile: 99, bucketHistorySize: 2}}",
        "{type: kv-cache-collector, parameters: {maxConcurrent: 0, utilizationMetric: ''}}",
    ] {
        load(&config(&["m"], &format!("- {plugin}"), ""), &stock(), INFO)
            .map(drop)
            .unwrap_or_else(|errors| panic!("{plugin}: {errors}"));
    }
}

#[test]
fn parameters_that_are_refused() {
    for plugin in [
        "{type: costguard, parameters: {epsilon: -0.1}}",
        "{type: costguard, parameters: {epsilon: 1.1}}",
        "{type: costguard, parameters: {alpha: 0}}",
        "{type: costguard, parameters: {alpha: 1}}",
        "{type: costguard, parameters: {lambda: -1}}",
        "{type: costguard, parameters: {percentileMarginError: 0}}",
        "{type: costguard, parameters: {percentileMarginError: 1}}",
        "{type: costguard, parameters: {epsilon: many}}",
        "{type: session-affinity, parameters: {maxSessions: 1.5}}",
        "{type: session-affinity, parameters: {ttlSeconds: 0.5}}",
        "{type: session-affinity, parameters: {sessionIdKey: 7}}",
        "{type: ttft-aware-scorer, parameters: {explorationRate: -0.1}}",
        "{type: ttft-aware-scorer, parameters: {explorationRate: 1.5}}",
        "{type: ttft-aware-scorer, parameters: {minInflightGap: 0}}",
        "{type: ttft-aware-scorer, parameters: {minInflightGap: -1}}",
        "{type: queue-ttft-scorer, parameters: {roundTTFTStep: -0.01}}",
        "{type: exploration-max-score-picker, parameters: {stalenessThreshold: not-a-duration}}",
        "{type: model-cost-extractor, parameters: {flushIntervalDuration: -1s}}",
        "{type: model-cost-extractor, parameters: {windowDuration: -1s}}",
        "{type: model-cost-extractor, parameters: {windowDuration: soon}}",
        "{type: ttft-percentile-extractor, parameters: {windowSize: 0}}",
        "{type: ttft-percentile-extractor, parameters: {windowSize: 50}}",
        "{type: ttft-percentile-extractor, parameters: {maxRequests: 5001}}",
        "{type: ttft-percentile-extractor, parameters: {maxRequests: 0}}",
        "{type: ttft-percentile-extractor, parameters: {minRequests: 0}}",
        "{type: ttft-percentile-extractor, parameters: {intervalDuration: 0s}}",
        "{type: ttft-percentile-extractor, parameters: {maxObservationAge: 0s}}",
        "{type: ttft-percentile-extractor, parameters: {bucketDuration: 0s}}",
        "{type: ttft-percentile-extractor, parameters: {bucketHistorySize: 1}}",
        "{type: ttft-percentile-extractor, parameters: {lowPercentile: 0}}",
        "{type: ttft-percentile-extractor, parameters: {highPercentile: 100}}",
        "{type: ttft-percentile-extractor, parameters: {lowPercentile: 50}}",
        "{type: router-metrics-collector, parameters: {interval: 0s}}",
        "{type: router-metrics-collector, parameters: {timeout: 0s}}",
        "{type: router-metrics-collector, parameters: {maxConcurrent: -1}}",
    ] {
        let errors = refused(&config(&["m"], &format!("- {plugin}"), ""), &stock());
        assert_eq!(errors.0.len(), 1, "{plugin}: {errors}");
    }
}

#[test]
fn every_type_of_the_go_service_is_there() {
    // Reference, section 0; the missing ones are those that another one replaces.
    let there: BTreeSet<&str> = stock().all().iter().map(|kind| kind.name).collect();
    for name in [
        "model-selector",
        "model-group-name-filter",
        "by-field-filter",
        "model-name-filter",
        "inflight-requests-scorer",
        "session-affinity",
        "costguard",
        "cost-scorer",
        "avg-ttft-scorer",
        "avg-tpot-scorer",
        "expected-wait-scorer",
        "ttft-aware-scorer",
        "load-aware-ttft-scorer",
        "queue-ttft-scorer",
        "max-score-picker",
        "random-picker",
        "weighted-random-picker",
        "exploration-max-score-picker",
        "request-metadata-extractor",
        "model-cost-extractor",
        "model-config-datasource",
        "ttft-percentile-extractor",
        "router-metrics-collector",
        "kv-cache-collector",
        "model-name-to-header",
        "scoring-debug-headers",
    ] {
        assert!(there.contains(name), "{name}");
    }
}
