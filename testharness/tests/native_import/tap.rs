//! Traces of Envoy 1.40, as its tap filter writes them.

use ipp_testharness::import::tap;
use ipp_testharness::message::Headers;
use ipp_testharness::recording::Framing;

use crate::support::{Folder, fixture, options};

const NAME: &str = "post-v1-chat-completions-qwen-summarizer-0001.yaml";

#[test]
fn every_form_of_a_trace_becomes_the_same_recording() {
    for (capture, server) in [
        ("tap-buffered-bytes.json", None),
        ("tap-buffered-string.json", None),
        ("tap-streamed-bytes.json", Some("BaseHTTP")),
        ("tap-streamed-string.json", Some("BaseHTTP")),
    ] {
        let out = Folder::new();
        assert!(tap::run(&options(&[capture], &out)).unwrap(), "{capture}");
        assert_eq!(out.names(), [NAME], "{capture}");
        let exchange = out.exchange(NAME);
        let request = &exchange.request;
        assert_eq!(request.path, "/v1/chat/completions?key=<redacted>", "{capture}");
        let body =
            r#"{"model":"qwen-summarizer","stream":true,"messages":[{"role":"user","content":"café"}]}"#;
        assert_eq!(request.body, body, "{capture}");
        assert_eq!(request.framing(), Framing::Chunked, "{capture}");
        let headers = [
            ("user-agent", "curl/7.88.1"),
            ("accept", "*/*"),
            ("authorization", "<redacted>"),
            ("content-type", "application/json"),
            ("transfer-encoding", "chunked"),
        ];
        assert_eq!(request.headers, headers.into_iter().collect::<Headers>(), "{capture}");
        let upstream = &exchange.upstream;
        assert_eq!((upstream.status, upstream.pieces.len()), (200, 4), "{capture}");
        assert_eq!(upstream.pieces[3].bytes, "data: {\"i\":3}\n\n", "{capture}");
        // Envoy's own name takes the place of the server's only in traces that are written in the end.
        assert_eq!(
            upstream.headers.get("server").is_some_and(|name| name.starts_with(server.unwrap_or("-"))),
            server.is_some()
        );
        assert!(!upstream.headers.contains("x-envoy-upstream-service-time"), "{capture}");
    }
}

#[test]
fn what_is_no_call_of_a_model_is_taken_with_all() {
    let out = Folder::new();
    let mut options = options(&["tap-get.json"], &out);
    assert!(tap::run(&options).unwrap());
    assert!(out.names().is_empty());
    options.all = true;
    assert!(tap::run(&options).unwrap());
    assert_eq!(out.names(), ["get-v1-models-0001.yaml"]);
    assert_eq!(out.exchange("get-v1-models-0001.yaml").request.framing(), Framing::None);
}

#[test]
fn a_file_can_have_several_traces() {
    let text = |name: &str| std::fs::read_to_string(fixture(name)).unwrap();
    let (streamed, buffered) = (text("tap-streamed-bytes.json"), text("tap-buffered-string.json"));
    let folder = Folder::new();
    let file = folder.write("all.json", &format!("{streamed}{buffered}"));
    let out = Folder::new();
    let mut options = options(&[], &out);
    options.files = vec![file];
    assert!(tap::run(&options).unwrap());
    assert_eq!(out.names().len(), 2);
    assert!(out.text(&out.names()[1]).contains("all.json, trace 2, "));
}
