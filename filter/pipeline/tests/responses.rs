//! What becomes of a response: plugins on headers, on events and on whole bodies.

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
use ipp_pipeline::{Pipeline, Rejection, Routed, SelectedModel, stock};
use support::answer::{DONE, END, HI, JSON, SSE, USAGE, pass};
use support::{INFO, pipeline, post, refused};

const STREAM_USAGE: &str = "
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: stream-usage
profiles:
- name: default
  plugins: {request: [{pluginRef: stream-usage}]}
";

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
