//! Everything that the format has is read as what it means.

use std::time::{Duration, SystemTime};

use ipp_testharness::message::Headers;
use ipp_testharness::recording::{
    Abort, BodyExpectation, EngineKind, Framing, Outcome, Plan, Recording, Reset, Upstream,
};

use crate::support::{Folder, read};

/// The example of the contract, with every alternative somewhere.
const CONTRACT: &str = r#"
name: an adapter is routed to its base model          # required
config: configs/multi-pool.yaml
now: "2026-11-22T10:00:00Z"
seed: 1
engines: [native, wasm]
clusters: [llama-pool, qwen-pool]
route: X-Gateway-Base-Model-Name
routes: {Qwen/Qwen2.5-1.5B-Instruct: qwen-pool}
callouts: {registry: [{status: 200, json: {models: [a]}}, {status: 503}]}
exchanges:
- id: first
  at: 0s
  request:
    method: POST
    path: /v1/chat/completions
    headers: [[Content-Type, application/json], [x-a, 1], [x-a, !!binary "/2E="], [x-b, ""]]
    body: '{"model":"qwen-summarizer","messages":[]}'
    chunks: [7, 1, 20]
    trailers: [[x-checksum, abc]]
    abortAfter: 30
  upstream:
    status: 200
    headers: [[content-type, text/event-stream; charset=utf-8], [content-length, 3]]
    sse: [{data: {b: 1, a: 1.50}, after: 20ms}, {data: "[DONE]"}, {data: "a\nb"}]
    splitAt: [1, 5, 9, 25]
    delay: 50ms
    reset: body
  until: second
  expect:
    outcome: forwarded
    cluster: qwen-pool
    request:
      headers: {X-Gateway-Base-Model-Name: Qwen/Qwen2.5-1.5B-Instruct, x-n: 5, x-list: [a, b]}
      absent: [X-Not-There]
      body: '...'
    response:
      status: 200
      headers: {}
      absent: []
      bodyContains: DONE
    oneOf: [{cluster: qwen-pool}, {request: {json: {a: [1, null]}}, response: {bodyUnchanged: true}}]
  metrics: {'ipp_success_total': 1, 'ipp_inflight{model="a",base="b"}': 0.5}
- id: second
  at: 1s
  request: {json: {model: a, n: 1.50, deep: {z: 1, a: [true, ~, "1"]}}, abortAfterResponseBytes: 3}
  upstream: {reset: headers}
  expect:
    outcome: aborted
    response: {bodySha256: E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855}
- request: {generate: {kind: chat, bytes: 2048, modelFirst: false, model: big}, method: PUT, path: "/x?y=1"}
- request: {bodyFile: body.bin, headers: [[transfer-encoding, chunked]]}
- request: {bodyBase64: "AP8="}
  upstream: {json: [1, "é"], headers: [[x-a, b]]}
- request: {method: GET, path: /v1/models}
  upstream: {status: 404}
"#;

fn contract() -> (Folder, Recording) {
    let folder = Folder::new()
        .with("a/contract.yaml", CONTRACT)
        .with("a/configs/multi-pool.yaml", "kind: PayloadProcessorConfig\n")
        .with("a/body.bin", "{}");
    let recording =
        Recording::load(&folder.file("a/contract.yaml")).unwrap_or_else(|error| panic!("{error}"));
    (folder, recording)
}

#[test]
fn the_recording_itself() {
    let (folder, recording) = contract();
    assert_eq!(recording.name, "an adapter is routed to its base model");
    assert_eq!(recording.config.file, Some(folder.file("a/configs/multi-pool.yaml")));
    assert_eq!(recording.config.text, "proxyWasm: {\"seed\": 1}\nkind: PayloadProcessorConfig\n");
    assert_eq!(recording.start(), SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_341_600));
    assert_eq!(recording.seed, Some(1));
    assert_eq!(recording.engines, [EngineKind::Native, EngineKind::Wasm]);
    assert_eq!(recording.routing.clusters, ["default", "llama-pool", "qwen-pool"]);
    assert_eq!(recording.routing.header, "x-gateway-base-model-name");
    let registry = &recording.callouts[0];
    assert_eq!((registry.cluster.as_str(), registry.answers.len()), ("registry", 2));
    assert_eq!(registry.answers[0].body(), r#"{"models":["a"]}"#);
    assert_eq!((registry.answers[1].status, registry.answers[1].body().len()), (503, 0));
    assert_eq!(recording.exchanges().len(), 6);
}

#[test]
fn routing() {
    let routing = contract().1.routing;
    for (value, cluster) in [
        (None, "default"),
        (Some("x"), "default"),
        (Some("llama-pool"), "llama-pool"),
        (Some("Qwen/Qwen2.5-1.5B-Instruct"), "qwen-pool"),
        (Some("qwen/qwen2.5-1.5b-instruct"), "default"),
    ] {
        assert_eq!(routing.cluster(value.map(str::as_bytes)), cluster);
    }
}

#[test]
fn a_request() {
    let recording = contract().1;
    let first = &recording.exchanges()[0];
    assert_eq!((first.id.as_str(), first.at, first.until), ("first", Some(Duration::ZERO), Some(1)));
    let request = &first.request;
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/chat/completions"));
    let headers = Headers::new()
        .with("Content-Type", "application/json")
        .with("x-a", "1")
        .with("x-a", b"\xffa".as_slice())
        .with("x-b", "");
    assert_eq!(request.headers, headers);
    // Trailers need chunks, and chunks need no length.
    assert_eq!(request.framing(), Framing::Chunked);
    assert_eq!(request.wire_headers(), headers.with("host", "ipp.test"));
    assert_eq!(request.trailers, Headers::new().with("x-checksum", "abc"));
    assert_eq!(request.abort, Some(Abort::AfterBytes(30)));
    let pieces: Vec<_> = request.pieces();
    assert_eq!(pieces, [&b"{\"model"[..], b"\"", b":\"qwen-summarizer\",\"", b"me"]);
}

#[test]
fn the_forms_of_a_body() {
    let recording = contract().1;
    let bodies: Vec<_> = recording.exchanges().iter().map(|exchange| &exchange.request.body[..]).collect();
    assert_eq!(bodies[1], br#"{"model":"a","n":1.50,"deep":{"z":1,"a":[true,null,"1"]}}"#);
    assert_eq!(bodies[2].len(), 2048);
    assert!(bodies[2].ends_with(br#""model":"big"}"#));
    assert_eq!(bodies[3], b"{}");
    assert_eq!(bodies[4], b"\0\xff");
    assert_eq!(bodies[5], b"");
    let framings: Vec<_> = recording.exchanges().iter().map(|exchange| exchange.request.framing()).collect();
    use Framing::{Chunked, Length, None};
    assert_eq!(framings, [Chunked, Length, Length, Chunked, Length, None]);
    let third = &recording.exchanges()[2];
    assert_eq!(
        (third.id.as_str(), third.request.method.as_str(), third.request.path.as_str()),
        ("3", "PUT", "/x?y=1")
    );
    assert_eq!(
        third.request.wire_headers(),
        Headers::new().with("host", "ipp.test").with("content-length", "2048")
    );
    let fourth = &recording.exchanges()[3].request;
    assert_eq!(fourth.wire_headers(), Headers::new().with("host", "ipp.test"));
}

#[test]
fn answers() {
    let recording = contract().1;
    let answers: Vec<&Upstream> = recording.exchanges().iter().map(|exchange| &exchange.upstream).collect();
    let first = answers[0];
    assert_eq!((first.status, first.delay, first.reset), (200, Duration::from_millis(50), Some(Reset::Body)));
    assert_eq!(first.headers, Headers::new().with("content-type", "text/event-stream; charset=utf-8"));
    let pieces: Vec<_> = first
        .pieces
        .iter()
        .map(|it| (it.after.as_millis(), std::str::from_utf8(&it.bytes).unwrap()))
        .collect();
    let expected = [
        (20, "d"),
        (0, "ata:"),
        (0, " {\"b"),
        (0, "\":1,\"a\":1.50}\n\n"),
        (0, "d"),
        (0, "ata: [DONE]\n\n"),
        (0, "data: a\ndata: b\n\n"),
    ];
    assert_eq!(pieces, expected);
    assert_eq!((answers[1].reset, answers[1].status), (Some(Reset::Headers), 200));
    assert!(answers[1].body().starts_with(br#"{"id":"chatcmpl-1""#));
    assert_eq!(answers[2].headers, Headers::new().with("content-type", "application/json"));
    assert_eq!(answers[4].body(), "[1,\"é\"]");
    assert_eq!(answers[4].headers, Headers::new().with("x-a", "b").with("content-type", "application/json"));
    assert_eq!((answers[5].status, answers[5].pieces.len()), (404, 0));
    assert!(answers[5].headers.is_empty());
}

#[test]
fn expectations() {
    let recording = contract().1;
    let first = &recording.exchanges()[0];
    let expect = first.expect.as_ref().unwrap();
    assert_eq!((expect.outcome, expect.cluster.as_deref()), (Some(Outcome::Forwarded), Some("qwen-pool")));
    let headers: Vec<_> =
        expect.request.headers.iter().map(|it| (it.name.as_str(), it.values.join(&b','))).collect();
    let expected: [(&str, &[u8]); 3] =
        [("x-gateway-base-model-name", b"Qwen/Qwen2.5-1.5B-Instruct"), ("x-n", b"5"), ("x-list", b"a,b")];
    assert_eq!(headers, expected.map(|(name, value)| (name, value.to_vec())));
    assert_eq!(expect.request.absent, ["x-not-there"]);
    assert_eq!(expect.request.body, Some(BodyExpectation::Exact("...".into())));
    assert_eq!(expect.response.status, Some(200));
    assert_eq!(expect.response.body, Some(BodyExpectation::Contains("DONE".into())));
    assert_eq!(
        expect.one_of[1].request.body,
        Some(BodyExpectation::Json(serde_json::json!({"a": [1, null]})))
    );
    assert_eq!(expect.one_of[1].response.body, Some(BodyExpectation::Unchanged));
    let metrics: Vec<_> = first.metrics.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert_eq!(metrics, [(r#"ipp_inflight{base="b",model="a"}"#, 0.5), ("ipp_success_total", 1.0)]);
    let second = &recording.exchanges()[1];
    assert_eq!(second.request.abort, Some(Abort::AfterResponseBytes(3)));
    let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let expect = second.expect.as_ref().unwrap();
    assert_eq!(expect.response.body, Some(BodyExpectation::Sha256(digest.to_owned())));
    assert!(recording.exchanges()[2].expect.is_none());
}

#[test]
fn a_configuration_that_must_be_refused() {
    let recording = read("name: x\nconfig:\n  kind: Nonsense\n  a: [1]\n\nexpectConfigError: kind\n");
    assert!(matches!(&recording.plan, Plan::ConfigError(text) if text == "kind"));
    // What the filter says about a line is about the line of the recording.
    assert_eq!(recording.config.text, "\n\n  kind: Nonsense\n  a: [1]");
    assert!(recording.exchanges().is_empty());
}

#[test]
fn without_a_configuration_it_is_the_built_in_one() {
    let recording = read("name: x\nseed: 3\nexchanges: [{request: {}}]\n");
    assert!(recording.config.text.starts_with("proxyWasm: {\"seed\": 3}\napiVersion: llm-d.ai/v1alpha1\n"));
    assert_eq!(recording.engines, EngineKind::ALL);
    assert_eq!(recording.routing.clusters, ["default"]);
    assert_eq!(recording.start(), SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600));
}

#[test]
fn json_is_read_as_well_as_yaml() {
    let recording = read(
        "{\n\t\"name\": \"\\ud83d\\ude00 \\u00e9 \\/\",\n\t\"exchanges\": [{\"request\": {\"json\": {\"b\": 1e400, \"a\": 12345678901234567890123}}}]\n}\n",
    );
    assert_eq!(recording.name, "\u{1f600} é /");
    assert_eq!(recording.exchanges()[0].request.body, r#"{"b":1e400,"a":12345678901234567890123}"#);
}

#[test]
fn anchors_and_multiline_text() {
    let recording = read(
        "name: x\nexchanges:\n- &a\n  request:\n    body: |\n      {\"model\":\n       \"a\"}\n- *a\n- {id: z, request: {body: \"a\\\n b\"}}\n",
    );
    let bodies: Vec<_> = recording.exchanges().iter().map(|it| it.request.body.clone()).collect();
    assert_eq!(bodies, ["{\"model\":\n \"a\"}\n", "{\"model\":\n \"a\"}\n", "ab"]);
}

#[test]
fn a_snapshot_stands_in_for_expectations() {
    let folder = Folder::new()
        .with(
            "a.yaml",
            "name: x\nexchanges:\n- {request: {}}\n- {id: b, request: {}, expect: {cluster: default}}\n",
        )
        .with(
            "a.snap.yaml",
            "exchanges:\n- {id: \"1\", expect: {outcome: replied}}\n- {id: b, expect: {outcome: aborted}}\n",
        );
    let recording = Recording::load(&folder.file("a.yaml")).unwrap();
    let outcomes: Vec<_> =
        recording.exchanges().iter().map(|it| it.expect.as_ref().and_then(|it| it.outcome)).collect();
    assert_eq!(outcomes, [Some(Outcome::Replied), None]);
}
