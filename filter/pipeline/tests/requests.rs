//! Requests through a whole configuration: what the Go service's cases pin down, and what this product adds.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test fails by panicking")]

mod support;

use ipp_pipeline::config::load;
use ipp_pipeline::payload::Value;
use ipp_pipeline::plugin::{Plugin, PluginType, Request, Response};
use ipp_pipeline::{Rejection, stock};
use support::{INFO, apply, pipeline, post, send};

const MODEL: &str = "x-gateway-model-name";
const BASE: &str = "x-gateway-base-model-name";

/// The built-in pair with a mapping, and more of the document if any.
fn mapped(unknown: &str, more: &str) -> String {
    format!(
        r#"
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: body-field-to-header
  parameters: {{fieldName: model, headerName: X-Gateway-Model-Name}}
- type: base-model-to-header
  parameters:
    unknown: {unknown}
    mappings:
    - baseModel: qwen
      adapters: [sql-lora-sheddable, " foo ", 1, ""]
    configMaps:
    - metadata: {{name: llama, namespace: ns, labels: {{inference.llm-d.ai/ipp-managed: "true"}}}}
      data: {{baseModel: " llama ", adapters: "- a1\n-  a2 \n- 7\n- \n- ''\n"}}
    - metadata: {{name: other}}
      data: {{baseModel: ignored}}
profiles:
- name: default
  plugins:
    request: [{{pluginRef: body-field-to-header}}, {{pluginRef: base-model-to-header}}]
{more}"#
    )
}

#[test]
fn the_built_in_pair() {
    let pipeline = pipeline("");
    // Body, model header, base model header, not found, empty: P01-P06 of the Go service's cases.
    for (body, model, base, not_found, empty) in [
        (r#"{"prompt":"Tell me a joke"}"#, None, None, 1, 0),
        (r#"{"model":"","prompt":"Tell me a joke"}"#, None, Some(""), 0, 1),
        (r#"{"model":1,"prompt":"Tell me a joke"}"#, Some("1"), Some(""), 0, 0),
        (r#"{"model":"foo","prompt":"Tell me a joke"}"#, Some("foo"), Some(""), 0, 0),
        (r#"{"model":"foo"}"#, Some("foo"), Some(""), 0, 0),
        (r#"{"model":null}"#, None, None, 1, 0),
        (r#"{"model":true}"#, Some("true"), Some(""), 0, 0),
        (r#"{"model":1000000}"#, Some("1000000"), Some(""), 0, 0),
        (r#"{"model":0.70}"#, Some("0.70"), Some(""), 0, 0),
        (r#"{"mod\u0065l":"f\u006fo"}"#, Some("foo"), Some(""), 0, 0),
    ] {
        let outcome = post(&pipeline, &[], body);
        assert_eq!(outcome.refused(), (200, ""), "{body}");
        assert_eq!(outcome.header(MODEL), model, "{body}");
        assert_eq!(outcome.header(BASE), base, "{body}");
        assert_eq!(outcome.body, body);
        assert_eq!(outcome.content_length, None, "{body}");
        assert_eq!(outcome.metric("ipp_success_total"), 1);
        assert_eq!(outcome.metric("field=.=model;.;ipp_body_field_not_found_total"), not_found, "{body}");
        assert_eq!(outcome.metric("field=.=model;.;ipp_body_field_empty_total"), empty, "{body}");
        assert_eq!(outcome.metric("ipp_body_bytes"), 1);
    }
}

#[test]
fn adapters_lead_to_their_base_model() {
    let pipeline = pipeline(&mapped("empty", ""));
    for (model, base) in [
        ("qwen", "qwen"),
        ("sql-lora-sheddable", "qwen"),
        ("foo", "qwen"),
        (" foo ", "qwen"),
        ("1", "qwen"),
        ("llama", "llama"),
        ("a1", "llama"),
        ("a2", "llama"),
        ("7", "llama"),
        ("QWEN", ""),
        ("ignored", ""),
        ("other", ""),
        ("", ""),
    ] {
        let outcome = post(&pipeline, &[], &format!("{{\"model\":{model:?}}}"));
        assert_eq!(outcome.header(BASE), Some(base), "{model}");
    }
    assert_eq!(post(&pipeline, &[], r#"{"model":1}"#).header(BASE), Some("qwen"));
}

#[test]
fn what_an_unknown_model_leads_to() {
    let absent = post(&pipeline(&mapped("absent", "")), &[(BASE, "spoof")], r#"{"model":"nobody"}"#);
    assert_eq!((absent.refused(), absent.header(BASE)), ((200, ""), None));
    let rejected = post(&pipeline(&mapped("reject", "")), &[], r#"{"model":"nobody"}"#);
    assert_eq!(rejected.refused(), (404, "model_not_found"));
    assert!(post(&pipeline(&mapped("reject", "")), &[], r#"{"prompt":"x"}"#).rejection.is_none());
}

#[test]
fn clients_cannot_set_what_the_filter_decides() {
    let pipeline = pipeline(&mapped("empty", "proxyWasm: {ownedHeaders: [X-Tenant], paths: [/v1/]}"));
    let spoofed = [(MODEL, "spoof"), (BASE, "spoof"), ("x-tenant", "spoof"), ("x-other", "kept")];
    let outcomes = [
        post(&pipeline, &spoofed, r#"{"prompt":"x"}"#),
        send(&pipeline, &[&[(":method", "GET"), (":path", "/v1/models")][..], &spoofed].concat(), ""),
        send(&pipeline, &[&[(":method", "POST"), (":path", "/other")][..], &spoofed].concat(), "{}"),
        send(
            &pipeline,
            &[&[(":method", "POST"), (":path", "/v1/"), ("content-type", "text/plain")][..], &spoofed]
                .concat(),
            "x",
        ),
    ];
    for outcome in outcomes {
        assert!(outcome.rejection.is_none(), "{outcome:?}");
        for name in [MODEL, BASE, "x-tenant"] {
            assert_eq!(outcome.header(name), None, "{outcome:?}");
        }
        assert_eq!(outcome.header("x-other"), Some("kept"));
    }
}

#[test]
fn bodies_that_are_refused() {
    let pipeline = pipeline("");
    for (body, code) in [
        ("[1,2]", "invalid_json"),
        ("null", "invalid_json"),
        ("model foo", "invalid_json"),
        (" ", "invalid_json"),
        ("{\"model\":\"a\"", "invalid_json"),
        ("{\"model\":\"a\"}x", "invalid_json"),
        (r#"{"model":"a","model":"b"}"#, "duplicate_key"),
        (r#"{"model":["a"]}"#, "invalid_model"),
        (r#"{"model":{"a":1}}"#, "invalid_model"),
        (r#"{"model":"a\nb"}"#, "invalid_header_value"),
        (r#"{"model":"a\u0000b"}"#, "invalid_header_value"),
        (r#"{"model":"a\u007fb"}"#, "invalid_header_value"),
    ] {
        let outcome = post(&pipeline, &[], body);
        assert_eq!(outcome.refused(), (400, code), "{body}");
        assert_eq!(outcome.metric("ipp_success_total"), 0);
    }
    let long = format!("{{\"model\":\"{}\"}}", "m".repeat(8193));
    assert_eq!(post(&pipeline, &[], &long).refused(), (400, "invalid_header_value"));
    let fits = format!("{{\"model\":\"{}\"}}", "m".repeat(8192));
    assert_eq!(post(&pipeline, &[], &fits).header(MODEL).map(str::len), Some(8192));
}

#[test]
fn the_size_limit() {
    let reject = pipeline(&mapped("empty", "proxyWasm: {requestBody: {maxBytes: 15}}"));
    let bypass = pipeline(&mapped("empty", "proxyWasm: {requestBody: {maxBytes: 15, tooLarge: bypass}}"));
    let fits = r#"{"model":"qwen"}"#;
    let fits = &fits.replace("qwen", "foo");
    let large = r#"{"model":"qwen"}"#;
    let head = [(":method", "POST"), (":path", "/")];
    for pipeline in [&reject, &bypass] {
        assert_eq!(send(pipeline, &head, fits).header(BASE), Some("qwen"));
    }
    assert_eq!(send(&reject, &head, large).refused(), (413, "body_too_large"));
    let spoofed = send(&bypass, &[&head[..], &[(BASE, "spoof")]].concat(), large);
    assert_eq!((spoofed.refused(), spoofed.header(BASE)), ((200, ""), None));
    // With a content-length the answer comes before the body.
    let early = post(&reject, &[], large);
    assert!(!early.held && early.refused() == (413, "body_too_large"));
}

/// `rename` sets `model` to `b`, and `extra` to "x".
const RENAME: PluginType = PluginType {
    name: "rename",
    about: "",
    parameters: &[],
    example: "type: rename\n",
    build: |_, build| {
        let model = build.field("model");
        let extra = build.field("extra");
        Ok(Plugin::new().request(move |request: &mut Request<'_>| {
            request.set_field(model, "b\"");
            assert_eq!(request.field(model), Value::String("b\""));
            request.set_field(extra, "x");
            request.state().put(7_u8);
            Ok::<(), Rejection>(())
        }))
    },
};

/// `seven` sets a response header to what `rename` left.
const SEVEN: PluginType = PluginType {
    name: "seven",
    about: "",
    parameters: &[],
    example: "type: seven\n",
    build: |parameters, build| {
        let header = build.edits_response_header("X-Seven").map_err(|why| parameters.invalid(why))?;
        Ok(Plugin::new().response_headers(move |response: &mut Response<'_>| {
            let left = response.state().get::<u8>().copied();
            response.set_header(header, format!("{left:?}"));
        }))
    },
};

const ORDER: &str = r#"
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: rename
- type: seven
- type: body-field-to-header
  parameters: {fieldName: model, headerName: X-Model}
preProcessing: {plugins: [{pluginRef: rename}]}
profiles:
- name: only
  plugins: {request: [{pluginRef: body-field-to-header}]}
postProcessing: {plugins: [{pluginRef: seven}]}
"#;

#[test]
fn edits_are_splices_and_visible_to_later_plugins() {
    let registry = stock().with(RENAME).with(SEVEN);
    let once = load(ORDER, &registry, INFO).unwrap();
    let last = format!("{ORDER}\nproxyWasm: {{requestBody: {{duplicateKeys: last}}}}");
    let last = load(&last, &registry, INFO).unwrap();
    for (pipeline, body, changed) in [
        (&once, r#"{"model":"x","extra":"x"}"#, r#"{"model":"b\"","extra":"x"}"#),
        (
            &once,
            r#" { "seed" : 9007199254740993, "a":"<b>", "model" : "long name" , "extra": 5 } "#,
            r#" { "seed" : 9007199254740993, "a":"<b>", "model" : "b\"" , "extra": "x" } "#,
        ),
        (&once, r#"{"model":"b\"","extra":"\u0078"}"#, r#"{"model":"b\"","extra":"\u0078"}"#),
        (&once, r#"{"z":1}"#, r#"{"model":"b\"","extra":"x","z":1}"#),
        (&last, r#"{"model":"x","model":[],"extra":"x"}"#, r#"{"model":"b\"","model":"b\"","extra":"x"}"#),
    ] {
        let outcome = post(pipeline, &[], body);
        assert_eq!(outcome.body, changed);
        assert_eq!(outcome.content_length, (body != changed).then_some(changed.len()));
        assert_eq!(outcome.header("x-model"), Some("b\""));
    }
    let empty = post(&once, &[], "{}").body;
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&empty).unwrap(),
        serde_json::json!({"model": "b\"", "extra": "x"})
    );
}

#[test]
fn what_a_request_leaves_reaches_its_response() {
    let pipeline = load(ORDER, &stock().with(RENAME).with(SEVEN), INFO).unwrap();
    let seven = |routed: ipp_pipeline::Routed| {
        let mut env = support::TestEnv { counts: vec![0; pipeline.metrics().all().len()], now: 0 };
        let headers = [(&b":status"[..], &b"200"[..])];
        assert!(pipeline.follows(&routed));
        let edits = pipeline.respond(&routed, headers.into_iter(), false, &mut env).headers;
        let mut seen = std::collections::BTreeMap::new();
        apply(&mut seen, pipeline.response_header_names(), &edits);
        seen.remove("x-seven").unwrap()
    };
    assert_eq!(seven(post(&pipeline, &[], "{}").routed), "Some(7)");
    // A request that was not read has a response too.
    assert_eq!(seven(send(&pipeline, &[(":method", "GET"), (":path", "/")], "").routed), "None");
}
