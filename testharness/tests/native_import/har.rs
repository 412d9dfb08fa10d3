//! HAR files: what becomes of requests and answers, and what is left out.

use ipp_testharness::import::har;
use ipp_testharness::message::Headers;
use ipp_testharness::recording::{BodyExpectation, Outcome};

use crate::support::{Folder, options};

const QWEN: &str = "post-v1-chat-completions-qwen-summarizer-0001.yaml";
const SQL: &str = "post-v1-chat-completions-sql-lora-0002.yaml";

fn imported() -> Folder {
    let out = Folder::new();
    // Three entries are broken, so that it has to say no.
    assert!(!har::run(&options(&["browser.har"], &out)).unwrap());
    out
}

#[test]
fn each_call_of_a_model_becomes_a_recording() {
    let expected = [
        "post-v1-chat-completions-broken-messages-0010.yaml",
        "post-v1-chat-completions-packed-0006.yaml",
        QWEN,
        SQL,
        "post-v1-embeddings-qwen-qwen2.5-1.5b-instruct-0004.yaml",
        "post-v1-messages-claude-0007.yaml",
    ];
    // The body of the tenth is no JSON, so that no model is known.
    let expected = expected.map(|name| name.replace("-broken-messages", ""));
    let mut expected = expected.to_vec();
    expected.sort();
    assert_eq!(imported().names(), expected);
}

#[test]
fn a_request_is_as_it_was_sent_without_what_belongs_to_the_connection() {
    let exchange = imported().exchange(QWEN);
    let request = &exchange.request;
    assert_eq!(request.method, "POST");
    assert_eq!(request.path, "/v1/chat/completions?api-version=1&key=<redacted>");
    let headers = [
        ("content-type", "application/json"),
        ("user-agent", "OpenAI/Python 2.8.0"),
        ("Authorization", "<redacted>"),
        ("Cookie", "<redacted>"),
    ];
    assert_eq!(request.headers, headers.into_iter().collect::<Headers>());
    let body = r#"{"model":"qwen-summarizer","messages":[{"role":"user","content":"What is a café?"}]}"#;
    assert_eq!(request.body, body);
}

#[test]
fn an_answer_is_as_the_browser_unpacked_it() {
    let exchange = imported().exchange(QWEN);
    let headers = [
        ("content-type", "application/json"),
        ("set-cookie", "<redacted>"),
        ("set-cookie", "<redacted>"),
        ("x-request-id", "req-1"),
    ];
    assert_eq!(exchange.upstream.headers, headers.into_iter().collect::<Headers>());
    assert!(exchange.upstream.body().starts_with(b"{\"id\":\"chatcmpl-1\""));
}

#[test]
fn the_expectation_always_holds() {
    let expect = imported().exchange(QWEN).expect.unwrap();
    assert_eq!(expect.outcome, Some(Outcome::Forwarded));
    assert_eq!(expect.request.body, Some(BodyExpectation::Unchanged));
    assert_eq!((expect.response.status, expect.response.body), (Some(200), Some(BodyExpectation::Unchanged)));
}

#[test]
fn a_stream_becomes_events() {
    let out = imported();
    let text = out.text(SQL);
    assert!(text.contains("\n# browser.har, entry 2, 2026-11-22T10:00:00.000Z\n"), "{text}");
    assert!(
        text.contains("    - data: {\"id\":\"1\",\"choices\":[{\"delta\":{\"content\":\"A\"}}]}\n"),
        "{text}"
    );
    let exchange = out.exchange(SQL);
    assert_eq!(exchange.upstream.pieces.len(), 3);
    assert_eq!(exchange.upstream.pieces[2].bytes, "data: [DONE]\n\n");
}

/// Anthropic's events have names, which the list of events has no place for.
#[test]
fn a_stream_that_events_cannot_say_stays_text() {
    let out = imported();
    let text = out.text("post-v1-messages-claude-0007.yaml");
    assert!(text.contains("    body: |+\n      event: message_start\n"), "{text}");
    let body = out.exchange("post-v1-messages-claude-0007.yaml").upstream.body();
    assert!(body.ends_with(b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
}

#[test]
fn base64_is_read_and_what_is_still_packed_stays_packed() {
    let out = imported();
    let text = out.exchange("post-v1-embeddings-qwen-qwen2.5-1.5b-instruct-0004.yaml");
    assert_eq!(
        text.upstream.body(),
        r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.25,-0.5]}]}"#
    );
    let lines = "{\n  \"model\": \"Qwen/Qwen2.5-1.5B-Instruct\",\n  \"input\": \"it's\"\n}\n";
    assert_eq!(text.request.body, lines);
    let packed = out.exchange("post-v1-chat-completions-packed-0006.yaml");
    assert_eq!(packed.upstream.headers.get("content-encoding").as_deref(), Some("gzip"));
    assert!(packed.upstream.body().starts_with(b"\x1f\x8b"));
}

/// A body that is no JSON may be refused, and a capture cannot know.
#[test]
fn what_the_filter_may_refuse_is_left_to_update() {
    let exchange = imported().exchange("post-v1-chat-completions-0010.yaml");
    assert!(exchange.expect.is_none());
    assert_eq!(exchange.upstream.status, 400);
}

#[test]
fn all_takes_the_others_too() {
    let out = Folder::new();
    let mut options = options(&["browser.har"], &out);
    options.all = true;
    // The picture's bytes are not in the capture.
    assert!(!har::run(&options).unwrap());
    assert!(out.names().contains(&"post-collect-0008.yaml".to_owned()), "{:?}", out.names());
}

#[test]
fn single_makes_one_recording_of_all() {
    let out = Folder::new();
    let mut options = options(&["browser.har"], &out);
    options.single = true;
    har::run(&options).unwrap();
    assert_eq!(out.names(), ["imported-browser.yaml"]);
    assert_eq!(out.exchanges("imported-browser.yaml").len(), 6);
}

#[test]
fn a_configuration_is_referred_to_from_where_the_recordings_are() {
    let out = Folder::new();
    let config = out.write("config.yaml", "kind: PayloadProcessorConfig\n");
    let mut options = options(&["browser.har"], &out);
    options.out = out.path().join("deep/er");
    options.config = Some(config);
    har::run(&options).unwrap();
    assert!(out.text(&format!("deep/er/{QWEN}")).contains("\nconfig: '../../config.yaml'\n"));
    let exchanges = out.exchanges(&format!("deep/er/{QWEN}"));
    assert_eq!(exchanges.len(), 1);
}

#[test]
fn what_is_there_already_stays_unless_it_is_forced_away() {
    let out = imported();
    std::fs::write(out.path().join(QWEN), "mine").unwrap();
    let mut options = options(&["browser.har"], &out);
    assert!(!har::run(&options).unwrap());
    assert_eq!(out.text(QWEN), "mine");
    options.force = true;
    har::run(&options).unwrap();
    assert_eq!(out.exchange(QWEN).request.method, "POST");
}

#[test]
fn captures_with_the_same_requests_do_not_overwrite_each_other() {
    let out = Folder::new();
    har::run(&options(&["browser.har", "browser.har"], &out)).unwrap();
    assert_eq!(out.names().len(), 12);
}

/// Taken from mitmproxy 11: text of which it does not know the character set, and bytes that are no text.
#[test]
fn what_mitmproxy_writes_is_read_as_the_bytes_that_they_were() {
    let out = Folder::new();
    let report = har::import(&options(&["mitmproxy.har"], &out)).unwrap();
    assert_eq!(
        (report.broken.as_slice(), report.notes.as_slice(), report.written.len()),
        (&[][..], &[][..], 5)
    );
    let stream = out.exchange("post-v1-chat-completions-stream-0001.yaml");
    assert_eq!(stream.request.body, r#"{"model":"stream","m":"café"}"#);
    assert_eq!(stream.upstream.body(), "data: {\"delta\":\"café 😀\"}\n\ndata: [DONE]\n\n");
    let unpacked = out.exchange("post-v1-chat-completions-gzip-0002.yaml");
    assert_eq!(unpacked.upstream.body(), r#"{"ok":true,"text":"café"}"#);
    assert!(!unpacked.upstream.headers.contains("content-encoding"));
    let bytes = out.exchange("post-v1-chat-completions-bin-0003.yaml");
    assert_eq!(bytes.upstream.body(), (0..=255).collect::<Vec<u8>>());
    let odd = out.exchange("post-v1-chat-completions-odd-0004.yaml");
    assert_eq!(odd.upstream.headers.bytes("x-odd"), Some(&b"a\xffb"[..]));
    let broken = out.exchange("post-v1-chat-completions-0005.yaml");
    assert_eq!(broken.request.body, &b"{\"model\":\"broken\xff\"}"[..]);
}
