//! What becomes of a response: plugins on headers, on events and on whole bodies, and the account at the end.

#![allow(clippy::type_complexity, reason = "tables of cases")]
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod support;

use ipp_pipeline::config::load;
use ipp_pipeline::plugin::{
    FullResponse, Plugin, PluginType, Registry, Request, ResponseBodyPlugin, ResponseEventsPlugin,
    StreamEvent, Unreadable,
};
use ipp_pipeline::response::Need;
use ipp_pipeline::{Finished, Outcome, Pipeline, Rejection, Routed, SelectedModel, stock};
use std::collections::BTreeMap;
use support::{INFO, TestEnv, apply, pipeline, post, refused};

/// What the client got, and what was accounted for.
#[derive(Debug)]
struct Passed {
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
    /// What the client got with each chunk.
    pieces: Vec<usize>,
    held: bool,
    read: usize,
    rejection: Option<Rejection>,
    finished: Option<Finished>,
    metrics: BTreeMap<String, u64>,
}

impl Passed {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn metric(&self, name: &str) -> u64 {
        *self.metrics.get(name).unwrap_or_else(|| panic!("no {name} in {:#?}", self.metrics.keys()))
    }
}

const DONE: &[u8] = b"via_upstream";

/// A response in chunks through the pipeline, as the proxy does it. It ends unless `details` say that it was cut.
fn pass(
    pipeline: &Pipeline,
    mut routed: Routed,
    headers: &[(&str, &str)],
    chunks: &[&[u8]],
    details: &[u8],
) -> Passed {
    let mut env = TestEnv { counts: vec![0; pipeline.metrics().all().len()], ..TestEnv::default() };
    let cut = details != DONE;
    let all = || [(":status", "200")].into_iter().chain(headers.iter().copied());
    let bytes = || all().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let answered = pipeline.respond(&routed, bytes(), chunks.is_empty() && !cut, &mut env);
    let mut passed = Passed {
        headers: all().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        body: Vec::new(),
        pieces: Vec::new(),
        held: answered.hold,
        read: 0,
        rejection: answered.reject,
        finished: None,
        metrics: BTreeMap::new(),
    };
    apply(&mut passed.headers, pipeline.response_header_names(), &answered.headers);
    let mut answer = answered.answer;
    let mut kept: Vec<u8> = Vec::new();
    for (index, chunk) in chunks.iter().enumerate() {
        let end = !cut && index + 1 == chunks.len();
        let mut out = chunk.to_vec();
        match answer.needs() {
            Need::End => {}
            Need::Time => pipeline.arrived(&mut answer, &mut env),
            Need::Bytes => {
                passed.read += 1;
                if let Some(changed) = pipeline.pass(&routed, &mut answer, chunk, end, &mut env) {
                    out = changed;
                }
            }
            Need::Whole => {
                kept.append(&mut out);
                if pipeline.outgrew(kept.len()) {
                    pipeline.let_go(&mut answer);
                    out = std::mem::take(&mut kept);
                    passed.rejection = pipeline.unreadable(&routed, &mut env).err();
                } else if end {
                    match pipeline.whole(&routed, &mut answer, bytes(), &kept, &mut env) {
                        Ok(whole) => {
                            apply(&mut passed.headers, pipeline.response_header_names(), &whole.headers);
                            out = whole.body.unwrap_or_else(|| std::mem::take(&mut kept));
                        }
                        Err(rejection) => passed.rejection = Some(rejection),
                    }
                }
            }
        }
        if end {
            answer.end();
        }
        passed.pieces.push(out.len());
        passed.body.extend(out);
    }
    passed.finished = pipeline.account_for(&mut routed, Some(answer), details, &mut env);
    assert_eq!(pipeline.account_for(&mut routed, None, details, &mut env), None, "accounted for twice");
    let all = pipeline.metrics().all().iter().zip(env.counts);
    passed.metrics = all.map(|(metric, count)| (metric.name.clone(), count)).collect();
    passed
}

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const SSE: &[(&str, &str)] = &[("content-type", "text/event-stream")];

const STREAM_USAGE: &str = "
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: stream-usage
profiles:
- name: default
  plugins: {request: [{pluginRef: stream-usage}]}
";

const HI: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n";
const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\n\n";
const END: &str = "data: [DONE]\n\n";

#[test]
fn stream_usage_asks_for_usage_by_a_splice() {
    let pipeline = pipeline(STREAM_USAGE);
    for (before, after) in [
        (r#"{"stream":true}"#, r#"{"stream_options":{"include_usage":true},"stream":true}"#),
        (
            r#"{"stream": true, "stream_options" : null }"#,
            r#"{"stream": true, "stream_options" : {"include_usage":true} }"#,
        ),
        (
            r#"{"a":1.0,"stream_options":{ "include_usage" : false, "x":[1e3] },"stream":true}"#,
            r#"{"a":1.0,"stream_options":{ "include_usage" : true, "x":[1e3] },"stream":true}"#,
        ),
        (
            r#"{"stream_options":{"x":1},"stream":true}"#,
            r#"{"stream_options":{"include_usage":true,"x":1},"stream":true}"#,
        ),
    ] {
        assert_eq!(post(&pipeline, &[], before).body, after);
    }
    for untouched in [
        "{}",
        r#"{"stream":false,"stream_options":{"include_usage":false}}"#,
        r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
        r#"{"stream":true,"stream_options":"x"}"#,
        r#"{"stream":"true"}"#,
    ] {
        assert_eq!(post(&pipeline, &[], untouched).body, untouched);
    }
}

#[test]
fn stream_usage_leaves_other_apis_alone() {
    let pipeline = pipeline(STREAM_USAGE);
    for path in ["/v1/messages", "/v1/responses", "/v1/completions/x"] {
        let body = r#"{"stream":true}"#;
        let headers = [(":method", "POST"), (":path", path)];
        assert_eq!(support::send(&pipeline, &headers, body).body, body, "{path}");
    }
}

/// Cut at every two places, with every kind of line end: the client gets every byte but the event that it had not
/// asked for, and nothing later than its last byte.
#[test]
fn stream_usage_takes_its_event_out_again() {
    let pipeline = pipeline(STREAM_USAGE);
    for ends in ["\n", "\r\n", "\r"] {
        let whole = format!("{HI}: ping\n\n{USAGE}{END}").replace('\n', ends);
        let expected = format!("{HI}: ping\n\n{END}").replace('\n', ends);
        for first in 0..whole.len() {
            for second in (first..whole.len()).step_by(if ends == "\n" { 1 } else { 7 }) {
                let routed = post(&pipeline, &[], r#"{"stream":true}"#).routed;
                let bytes = whole.as_bytes();
                let chunks = [&bytes[..first], &bytes[first..second], &bytes[second..], b""];
                let passed = pass(&pipeline, routed, SSE, &chunks, DONE);
                assert_eq!(passed.text(), expected, "{first} {second}");
            }
        }
        // A client that asked gets it.
        let asked = r#"{"stream":true,"stream_options":{"include_usage":true}}"#;
        let passed = pass(&pipeline, post(&pipeline, &[], asked).routed, SSE, &[whole.as_bytes(), b""], DONE);
        assert_eq!((passed.text(), passed.read), (whole.as_str(), 0));
    }
}

#[test]
fn nothing_is_held_but_an_event_that_is_not_complete() {
    let pipeline = pipeline(STREAM_USAGE);
    let routed = post(&pipeline, &[], r#"{"stream":true}"#).routed;
    let half = HI.len() / 2;
    let chunks =
        [HI.as_bytes(), HI.as_bytes(), &HI.as_bytes()[..half], &HI.as_bytes()[half..], b"data: rest", b""];
    let passed = pass(&pipeline, routed, SSE, &chunks, DONE);
    assert_eq!(passed.pieces, [HI.len(), HI.len(), 0, HI.len(), 0, 10]);
    assert_eq!(passed.text(), format!("{HI}{HI}{HI}data: rest"));
}

#[test]
fn a_stream_that_is_encoded_or_no_stream_is_not_touched() {
    let pipeline = pipeline(STREAM_USAGE);
    let gzip = [SSE[0], ("content-encoding", "gzip")];
    for headers in [&gzip[..], JSON, &[]] {
        let routed = post(&pipeline, &[], r#"{"stream":true}"#).routed;
        let passed = pass(&pipeline, routed, headers, &[USAGE.as_bytes()], DONE);
        assert_eq!((passed.text(), passed.read, passed.held), (USAGE, 0, false));
    }
}

const SELECT: PluginType = PluginType {
    name: "select",
    about: "",
    parameters: &[],
    example: "",
    build: |_, _| {
        fn select(request: &mut Request<'_>) -> Result<(), Rejection> {
            request.state().put(SelectedModel("chosen".into()));
            Ok(())
        }
        Ok(Plugin::new().request(select))
    },
};

#[test]
fn the_selected_model_becomes_a_header_of_the_response() {
    for (parameters, name) in [
        ("{}", "x-gateway-model-name"),
        ("{headerName: ''}", "x-gateway-model-name"),
        ("{headerName: X-Model}", "x-model"),
    ] {
        for place in ["profile", "post"] {
            let (response, post_processing) = match place {
                "profile" => ("[{pluginRef: model-name-to-header}]", "[]"),
                _ => ("[]", "[{pluginRef: model-name-to-header}]"),
            };
            let config = format!(
                "apiVersion: llm-d.ai/v1alpha1\nkind: PayloadProcessorConfig\nplugins:\n- type: select\n- type: stream-usage\n\
                 - {{type: model-name-to-header, parameters: {parameters}}}\nprofiles:\n- name: p\n  plugins: \
                 {{request: [{{pluginRef: select}}], response: {response}}}\npostProcessing: {{plugins: {post_processing}}}\n"
            );
            let pipeline = load(&config, &stock().with(SELECT), INFO).unwrap();
            let headers = [SSE[0], (name, "of the server")];
            let passed = pass(&pipeline, post(&pipeline, &[], "{}").routed, &headers, &[b"x"], DONE);
            assert_eq!(passed.headers[name], "chosen");
            assert!(!passed.held && passed.read == 0);
            // No model was selected: nothing is done.
            let passed = pass(&pipeline, Routed::default(), &headers, &[b"x"], DONE);
            assert_eq!(passed.headers[name], "of the server");
        }
    }
}

fn field_to_header(unreadable: &str) -> Pipeline {
    pipeline(&format!(
        "apiVersion: llm-d.ai/v1alpha1\nkind: PayloadProcessorConfig\nplugins:\n- type: response-field-to-header\n  \
         parameters: {{fieldName: system_fingerprint, headerName: X-Print, unreadable: {unreadable}}}\nprofiles:\n\
         - name: p\n  plugins: {{response: [{{pluginRef: response-field-to-header}}]}}\nproxyWasm: {{responseBody: {{maxBytes: 100}}}}\n"
    ))
}

#[test]
fn a_field_of_the_response_becomes_a_header() {
    let pipeline = field_to_header("skip");
    for (body, expected) in [
        (r#"{"system_fingerprint":"fp_1"}"#, Some("fp_1")),
        (r#"{"system_fingerprint":1.50}"#, Some("1.50")),
        (r#"{"system_fingerprint":true}"#, Some("true")),
        (r#"{"system_fingerprint":null}"#, None),
        (r#"{"system_fingerprint":{}}"#, None),
        (r#"{"system_fingerprint":"a\nb"}"#, None),
        ("{}", None),
    ] {
        let passed = pass(
            &pipeline,
            post(&pipeline, &[], "{}").routed,
            JSON,
            &[&body.as_bytes()[..2], &body.as_bytes()[2..]],
            DONE,
        );
        assert_eq!((passed.text(), passed.held), (body, true));
        assert_eq!(passed.headers.get("x-print").map(String::as_str), expected, "{body}");
    }
}

#[test]
fn what_cannot_be_read_is_skipped_or_rejected_as_the_plugin_declares() {
    let (skip, reject) = (field_to_header("skip"), field_to_header("reject"));
    let gzip = [JSON[0], ("content-encoding", "gzip")];
    let large = format!(r#"{{"x":"{}"}}"#, "x".repeat(200));
    let cases: [(&[(&str, &str)], &[&[u8]]); 6] = [
        (SSE, &[END.as_bytes()]),
        (&gzip, &[b"\x1f\x8b"]),
        (&[("content-type", "text/plain")], &[b"{}"]),
        (JSON, &[b"[1]"]),
        (JSON, &[b"{\"x\":"]),
        (JSON, &[&large.as_bytes()[..90], &large.as_bytes()[90..]]),
    ];
    let skipped = "plugin_type=.=response-field-to-header;.;plugin_name=.=response-field-to-header;.;ipp_response_plugin_skipped_total";
    for (headers, chunks) in cases {
        let passed = pass(&skip, post(&skip, &[], "{}").routed, headers, chunks, DONE);
        assert_eq!((passed.body.clone(), passed.metric(skipped)), (chunks.concat(), 1), "{headers:?}");
        assert_eq!(passed.rejection, None);
        let passed = pass(&reject, post(&reject, &[], "{}").routed, headers, chunks, DONE);
        let rejection = passed.rejection.unwrap();
        assert_eq!((rejection.status, rejection.code), (502, "response_unreadable"), "{headers:?}");
    }
    // There is no body to be read: HEAD, 204, 304.
    let passed = pass(&reject, post(&reject, &[], "{}").routed, &[], &[], DONE);
    assert_eq!((passed.rejection, passed.held), (None, false));
    // A request that was not read, gRPC or an upgrade, is none of these plugins'.
    let passed = pass(&reject, Routed::default(), &[("content-type", "application/grpc")], &[b"x"], DONE);
    assert_eq!((passed.rejection, passed.held, passed.read), (None, false, 0));
}

struct Upper;

impl ResponseEventsPlugin for Upper {
    fn process(&self, event: &mut StreamEvent<'_>) {
        if event.name() == Some(b"up") {
            event.replace(event.bytes().to_ascii_uppercase());
        }
    }
}

struct Signed;

impl ResponseBodyPlugin for Signed {
    fn process(&self, response: &mut FullResponse<'_>) -> Result<(), Rejection> {
        if response.body() == b"{\"forbidden\":1}" {
            return Err(Rejection::new(403, "forbidden", "no"));
        }
        let mut body = response.body().to_vec();
        body.extend_from_slice(b"!");
        response.set_body(body);
        Ok(())
    }
}

fn registry() -> Registry {
    let upper = PluginType {
        name: "upper",
        about: "",
        parameters: &[],
        example: "",
        build: |_, _| Ok(Plugin::new().response_events(Upper)),
    };
    let signed = PluginType {
        name: "signed",
        build: |_, _| Ok(Plugin::new().response_body(Signed, Unreadable::Skip)),
        ..upper
    };
    stock().with(upper).with(signed)
}

fn of(request: &str, response: &str, post: &str) -> String {
    let list = |names: &str| {
        let names = names.split_whitespace().map(|name| format!("{{pluginRef: {name}}}"));
        names.collect::<Vec<_>>().join(", ")
    };
    format!(
        "apiVersion: llm-d.ai/v1alpha1\nkind: PayloadProcessorConfig\nplugins: [{{type: upper}}, {{type: signed}}, \
         {{type: stream-usage}}, {{type: base-model-to-header}}]\nprofiles: [{{name: p, plugins: {{request: [{}], \
         response: [{}]}}}}]\npostProcessing: {{plugins: [{}]}}\n",
        list(request),
        list(response),
        list(post)
    )
}

#[test]
fn plugins_on_events_and_on_bodies_run_in_their_order() {
    let streaming = load(&of("", "upper", ""), &registry(), INFO).unwrap();
    let passed =
        pass(&streaming, post(&streaming, &[], "{}").routed, SSE, &[b"event: up\n\nevent: x\n", b"\n"], DONE);
    assert_eq!(passed.text(), "EVENT: UP\n\nevent: x\n\n");
    let full = load(&of("", "signed", "signed"), &registry(), INFO).unwrap();
    let passed = pass(&full, post(&full, &[], "{}").routed, JSON, &[b"{}"], DONE);
    assert_eq!(passed.text(), "{}!!");
    let passed = pass(&full, post(&full, &[], "{}").routed, JSON, &[b"{\"forbidden\":1}"], DONE);
    assert_eq!(passed.rejection.unwrap().code, "forbidden");
}

#[test]
fn plugins_on_events_and_on_bodies_do_not_mix() {
    for mixed in [
        of("", "upper signed", ""),
        of("stream-usage", "signed", ""),
        of("", "upper", "signed"),
        of("stream-usage", "", "signed"),
    ] {
        let errors = refused(&mixed, &registry()).to_string();
        assert!(errors.contains("profiles[0].plugins") && errors.contains("cannot be mixed"), "{errors}");
    }
    for fine in [of("stream-usage", "upper", "upper"), of("base-model-to-header", "signed", "signed")] {
        load(&fine, &registry(), INFO).unwrap_or_else(|errors| panic!("{errors}"));
    }
}

/// Where the headers of a response cannot be held, a response would hang.
#[test]
fn a_reader_holds_no_response() {
    let reader = "proxyWasm: {role: reader}\n";
    for held in [of("", "signed", ""), of("base-model-to-header", "", "signed")] {
        let errors = refused(&format!("{held}{reader}"), &registry()).to_string();
        assert!(errors.contains("which only the role \"direct\" can"), "{errors}");
        load(&held, &registry(), INFO).unwrap_or_else(|errors| panic!("{errors}"));
    }
    load(&format!("{}{reader}", of("stream-usage", "upper", "")), &registry(), INFO)
        .unwrap_or_else(|errors| panic!("{errors}"));
}

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
    let config =
        format!("{STREAM_USAGE}proxyWasm: {{responses: {{tokens: false, models: [{{name: llama}}]}}}}\n")
            .replace("stream-usage", "base-model-to-header");
    let pipeline = pipeline(&config);
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
    let config = |section: &str| format!("{}proxyWasm:\n{section}", STREAM_USAGE);
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
        let errors = refused(&config(section), &stock()).to_string();
        assert!(errors.contains(expected), "{section}: {errors}");
    }
}
