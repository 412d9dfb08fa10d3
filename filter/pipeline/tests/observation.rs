//! What is accounted for of a response, and what is read for that.

#![allow(clippy::type_complexity, reason = "tables of cases")]
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod support;

use ipp_pipeline::{Outcome, stock};
use support::answer::{DONE, END, HI, JSON, Passed, SSE, USAGE, pass};
use support::{TestEnv, pipeline, post, refused};

const OBSERVED: &str = "
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: body-field-to-header
  parameters: {fieldName: model, headerName: X-Model}
profiles:
- name: default
  plugins: {request: [{pluginRef: body-field-to-header}]}
proxyWasm:
  responses:
    models:
    - {name: llama, inputPerMillion: 0.5, outputPerMillion: 1.5, cachedInputPerMillion: 0.25}
    - {name: qwen}
  attribution: {header: X-Tenant-Id, trusted: [red, blue]}
";

/// The same with another section.
fn with(section: &str) -> String {
    let (rest, _) = OBSERVED.split_once("proxyWasm:\n").unwrap();
    format!("{rest}proxyWasm:\n{section}\n")
}

fn observed(model: &str, tenant: &str, headers: &[(&str, &str)], chunks: &[&[u8]], details: &[u8]) -> Passed {
    let pipeline = pipeline(OBSERVED);
    let body = format!("{{\"model\":\"{model}\"}}");
    pass(&pipeline, post(&pipeline, &[("x-tenant-id", tenant)], &body).routed, headers, chunks, details)
}

const ANSWER: &[u8] = br#"{"model":"llama-3","usage":{"prompt_tokens":1000,"completion_tokens":100,"prompt_tokens_details":{"cached_tokens":400}}}"#;

#[test]
fn tokens_are_counted_by_model_and_tenant() {
    let passed = observed("llama", "red", JSON, &[&ANSWER[..30], &ANSWER[30..]], DONE);
    for (name, value) in [
        ("model=.=llama;.;tenant=.=red;.;ipp_prompt_tokens_total", 1000),
        ("model=.=llama;.;tenant=.=red;.;ipp_completion_tokens_total", 100),
        ("model=.=llama;.;tenant=.=red;.;ipp_cached_tokens_total", 400),
        // 600 at 500, 400 at 250 and 100 at 1500 billionths of a dollar.
        ("model=.=llama;.;tenant=.=red;.;ipp_cost_nanousd_total", 550_000),
        ("model=.=llama;.;result=.=ok;.;ipp_responses_total", 1),
        ("model=.=llama;.;ipp_request_ttft_milliseconds", 1),
        ("model=.=llama;.;result=.=ok;.;ipp_request_duration_milliseconds", 1),
        // `llama-3` is none of the configured names.
        ("model=.=llama;.;served=.=other;.;ipp_served_total", 1),
        ("model=.=llama;.;tenant=.=blue;.;ipp_prompt_tokens_total", 0),
        ("reason=.=no_usage;.;ipp_usage_unobserved_total", 0),
    ] {
        assert_eq!(passed.metric(name), value, "{name}");
    }
    let finished = passed.finished.unwrap();
    assert_eq!((finished.outcome, finished.served_model.as_deref()), (Outcome::Ok, Some("llama-3")));
    assert_eq!((finished.requested_model.as_deref(), finished.status), (Some("llama"), Some(200)));
}

/// Nothing that a client or a model server sends becomes a label.
#[test]
fn what_is_not_configured_counts_as_other() {
    let passed = observed("evil", "nobody", JSON, &[ANSWER], DONE);
    assert_eq!(passed.metric("model=.=other;.;tenant=.=other;.;ipp_prompt_tokens_total"), 1000);
    assert!(
        !passed
            .metrics
            .keys()
            .any(|name| ["evil", "nobody", "llama-3"].iter().any(|text| name.contains(text)))
    );
    assert!(
        !passed
            .metrics
            .keys()
            .any(|name| name.starts_with("model=.=qwen") && name.ends_with("nanousd_total"))
    );
}

#[test]
fn what_is_not_observed_says_why_and_is_not_counted() {
    let gzip = [JSON[0], ("content-encoding", "gzip")];
    let cases: [(&[(&str, &str)], &[u8], &str); 4] = [
        (&gzip, ANSWER, "encoded"),
        (&[("content-type", "audio/mpeg")], b"x", "other_type"),
        (JSON, &ANSWER[..50], "broken"),
        (JSON, b"{}", "no_usage"),
    ];
    for (headers, body, reason) in cases {
        let passed = observed("llama", "red", headers, &[body], DONE);
        assert_eq!(passed.metric(&format!("reason=.={reason};.;ipp_usage_unobserved_total")), 1, "{reason}");
        assert_eq!(passed.metric("model=.=llama;.;tenant=.=red;.;ipp_prompt_tokens_total"), 0);
        assert_eq!(passed.metric("model=.=llama;.;result=.=ok;.;ipp_responses_total"), 1);
        assert_eq!(passed.body, body);
    }
}

#[test]
fn every_ending_is_accounted_for_once() {
    let stream = [HI.as_bytes(), USAGE.as_bytes(), END.as_bytes()];
    let error = [b"data: {\"error\":{\"code\":500}}\n\n".as_slice()];
    let cases: [(&[&[u8]], &[u8], Outcome); 6] = [
        (&stream, DONE, Outcome::Ok),
        (&error, DONE, Outcome::Error),
        (&stream[..1], b"upstream_reset_after_response_started{connection_termination}", Outcome::Reset),
        (&stream[..1], b"stream_idle_timeout", Outcome::Reset),
        (&stream[..1], b"downstream_remote_disconnect", Outcome::Aborted),
        (&[], b"downstream_remote_disconnect", Outcome::Aborted),
    ];
    for (chunks, details, outcome) in cases {
        let passed = observed("llama", "red", SSE, chunks, details);
        assert_eq!(passed.finished.as_ref().unwrap().outcome, outcome);
        for (label, other) in [
            ("ok", Outcome::Ok),
            ("error", Outcome::Error),
            ("reset", Outcome::Reset),
            ("aborted", Outcome::Aborted),
            ("unanswered", Outcome::Unanswered),
        ] {
            let name = format!("model=.=llama;.;result=.={label};.;ipp_responses_total");
            assert_eq!(passed.metric(&name), u64::from(other == outcome), "{outcome:?} {label}");
        }
        let ttft = passed.metric("model=.=llama;.;ipp_request_ttft_milliseconds");
        assert_eq!(ttft, u64::from(outcome == Outcome::Ok), "failures have no part in it");
    }
    // A local reply: Envoy's, in place of a model server's.
    let pipeline = pipeline(OBSERVED);
    let mut env = TestEnv { counts: vec![0; pipeline.metrics().all().len()], ..TestEnv::default() };
    for details in
        [&b"upstream_reset_before_response_started{connection_termination}"[..], b"response_timeout", b""]
    {
        let mut routed = post(&pipeline, &[], "{}").routed;
        let answer =
            pipeline.respond(&routed, [(&b":status"[..], &b"503"[..])].into_iter(), true, &mut env).answer;
        let finished = pipeline.account_for(&mut routed, Some(answer), details, &mut env).unwrap();
        assert_eq!((finished.outcome, finished.status), (Outcome::Unanswered, None));
    }
    let mut routed = post(&pipeline, &[], "{}").routed;
    let left = pipeline.account_for(&mut routed, None, b"downstream_remote_disconnect", &mut env).unwrap();
    assert_eq!(left.outcome, Outcome::Aborted);
}

#[test]
fn without_a_section_nothing_is_observed_and_nothing_read() {
    let pipeline = pipeline("");
    let outcome = post(&pipeline, &[], r#"{"model":"llama"}"#);
    assert!(!pipeline.follows(&outcome.routed) && !pipeline.accounts(&outcome.routed));
    assert!(!pipeline.metrics().all().iter().any(|metric| metric.name.contains("tokens")));
    let passed = pass(&pipeline, outcome.routed, JSON, &[ANSWER], DONE);
    assert_eq!((passed.read, passed.finished), (0, None));
}

#[test]
fn without_tokens_a_stream_is_read_up_to_its_first_content_and_a_document_not_at_all() {
    let pipeline = pipeline(&with("  responses: {tokens: false, models: [{name: llama}]}"));
    let told = |name: &str| pipeline.metrics().all().iter().any(|metric| metric.name.ends_with(name));
    assert!(told("ipp_request_ttft_milliseconds"));
    for absent in ["tokens_total", "ipp_served_total", "unobserved_total", "tokens_per_second"] {
        assert!(!told(absent), "{absent}");
    }
    let passes = |headers, chunks: &[&[u8]]| {
        pass(&pipeline, post(&pipeline, &[], r#"{"model":"llama"}"#).routed, headers, chunks, DONE)
    };
    let role = b"data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"role\":\"assistant\"}}],\"usage\":{\"prompt_tokens\":9}}\n\n";
    let stream = [role, HI.as_bytes(), HI.as_bytes(), USAGE.as_bytes(), END.as_bytes()];
    let gzip = [JSON[0], ("content-encoding", "gzip")];
    for (headers, chunks, read) in
        [(SSE, &stream[..], 2), (SSE, &stream[1..], 1), (JSON, &[ANSWER, b" "], 0), (&gzip, &[ANSWER], 0)]
    {
        let passed = passes(headers, chunks);
        assert_eq!((passed.read, &passed.body), (read, &chunks.concat()));
        let finished = passed.finished.as_ref().unwrap();
        assert_eq!((finished.outcome, finished.usage), (Outcome::Ok, None));
        assert!(finished.ttft_ns.is_some());
        assert_eq!(passed.metric("model=.=llama;.;ipp_request_ttft_milliseconds"), 1);
        assert_eq!(passed.metric("model=.=llama;.;result=.=ok;.;ipp_responses_total"), 1);
    }
}

#[test]
fn a_section_that_is_wrong_says_so() {
    let many = (0..33).map(|index| format!("m{index}")).collect::<Vec<_>>();
    let models = many.iter().map(|name| format!("{{name: {name}}}")).collect::<Vec<_>>().join(", ");
    for (section, expected) in [
        ("  responses: {models: [{name: a}, {name: a}]}", "stands here already"),
        ("  responses: {models: [{name: other}]}", "stands here already"),
        ("  responses: {models: [{name: 'a;.;b'}]}", "cannot be a metric label"),
        (
            "  responses: {models: [{name: a, inputPerMillion: 1}]}",
            "need both inputPerMillion and outputPerMillion",
        ),
        (
            "  responses: {models: [{name: a, inputPerMillion: -1, outputPerMillion: 1}]}",
            "a price in USD for a million tokens",
        ),
        ("  attribution: {header: x}", "add `responses: {}`"),
        ("  responses: {}\n  attribution: {header: 'a b'}", "is not a header name"),
        ("  responses: {}\n  attribution: {trusted: [a]}", "\"header\" is missing"),
        ("  responses: {}\n  attribution: {header: x, trusted: [a, a]}", "stands here already"),
        ("  responses: {observe: 1}", "expected true or false"),
        (
            "  responses: {tokens: false, models: [{name: a, inputPerMillion: 1, outputPerMillion: 1}]}",
            "`tokens: false` says that none are counted",
        ),
        (&format!("  responses: {{models: [{models}]}}"), "33 models, and at most 32"),
        (
            &format!("  responses: {{}}\n  attribution: {{header: x, trusted: [{}]}}", many.join(", ")),
            "33 tenants, and at most 32",
        ),
    ] {
        let errors = refused(&with(section), &stock()).to_string();
        assert!(errors.contains(expected), "{section}: {errors}");
    }
}
