//! When callbacks run, what Pause means, and what goes over the wire.

use std::sync::atomic::{AtomicBool, Ordering};

use ipp_testharness::emulate::driver::{Ended, Launch, Settings};
use ipp_testharness::emulate::guest::{Callback, Side};
use ipp_testharness::message::Headers;
use ipp_testharness::recording::{Outcome, Request, Upstream};

use crate::support::script::{CONTINUE, PAUSE, name, script};
use crate::support::{answer, post, proxy, run, settings};

/// A guest that answers with what this says.
fn acting(action: impl Fn(Callback) -> u32 + Send + Sync + 'static) -> Launch {
    script(move |_, callback| Ok(action(callback)))
}

fn ran(settings: Settings, launch: Launch, request: Request, upstream: Upstream) -> (Vec<String>, Ended) {
    let mut proxy = proxy(settings, "", launch).unwrap();
    let ended = run(&mut proxy, request, upstream);
    (ended.callbacks.iter().map(|(_, callback)| name(*callback)).collect(), ended)
}

fn continues() -> Launch {
    acting(|_| CONTINUE)
}

/// Pauses a request until its end.
fn holds() -> Launch {
    acting(|callback| match callback {
        Callback::Headers { of: Side::Request, end: false, .. }
        | Callback::Body { of: Side::Request, end: false, .. } => PAUSE,
        _ => CONTINUE,
    })
}

const ENDING: [&str; 3] = ["log", "done", "delete"];

/// Sections 6.1 and 8: over HTTP/1 the end is an empty callback of its own, on both sides.
#[test]
fn the_end_comes_by_itself() {
    let mut request = post("0123456789");
    request.chunks = vec![3, 0, 5];
    let (callbacks, ended) = ran(settings(), continues(), request, answer(&["ab", "c"]));
    let expected = [
        "create",
        "request headers",
        "request body 3",
        "request body 5",
        "request body 2",
        "request body 0 end",
        "response headers",
        "response body 2",
        "response body 1",
        "response body 0 end",
    ];
    assert_eq!(callbacks, [&expected[..], &ENDING].concat());
    assert_eq!(ended.observed.outcome, Outcome::Forwarded);
    assert_eq!(ended.observed.request.unwrap().body, "0123456789");
    assert_eq!(ended.observed.response.unwrap().body, "abc");
    assert_eq!((ended.details.as_str(), ended.flags), ("via_upstream", 0));
}

#[test]
fn a_request_without_a_body_ends_with_its_headers() {
    for (method, body) in [("GET", ""), ("POST", "")] {
        let request = Request { method: method.to_owned(), ..post(body) };
        let (callbacks, ended) = ran(settings(), continues(), request, answer(&[]));
        let expected = ["create", "request headers end", "response headers end"];
        assert_eq!(callbacks, [&expected[..], &ENDING].concat());
        let length = ended.observed.request.unwrap().headers.get("content-length");
        assert_eq!(length.as_deref(), (method == "POST").then_some("0"));
    }
}

/// gate-mode.md, section 3: "empty chunked [...] reaches the body callback".
#[test]
fn an_empty_body_in_chunks_has_an_end_of_its_own() {
    let mut request = post("");
    request.headers.push("transfer-encoding", "chunked");
    let (callbacks, ended) = ran(settings(), continues(), request, answer(&[]));
    assert_eq!(callbacks[1..3], ["request headers", "request body 0 end"]);
    let headers = ended.observed.request.unwrap().headers;
    assert_eq!(
        (headers.get("content-length"), headers.get("transfer-encoding").as_deref()),
        (None, Some("chunked"))
    );
}

/// Rule 3: "with trailers no body callback has eos=true".
#[test]
fn trailers_are_the_end() {
    let mut request = post("0123");
    request.trailers.push("X-Sum", "1");
    let (callbacks, ended) = ran(settings(), holds(), request, answer(&["x"]));
    let expected = ["create", "request headers", "request body 4", "request trailers"];
    assert_eq!(callbacks[..4], expected);
    let arrived = ended.observed.request.unwrap();
    assert_eq!((&arrived.body[..], arrived.trailers.get("x-sum").as_deref()), (&b"0123"[..], Some("1")));
}

/// Section 1.1: "with the flag, Pause in headers and then *any* body callback that returns Continue releases the
/// headers"; section 1.4: later pieces are passed on one by one.
#[test]
fn a_body_callback_lets_the_headers_go() {
    let decided = AtomicBool::new(false);
    let launch = acting(move |callback| match callback {
        Callback::Headers { of: Side::Request, .. } => PAUSE,
        Callback::Body { of: Side::Request, size, .. } => {
            let now = size >= 4 || decided.load(Ordering::Relaxed);
            decided.store(now, Ordering::Relaxed);
            if now { CONTINUE } else { PAUSE }
        }
        _ => CONTINUE,
    });
    let mut request = post("0123456789");
    request.chunks = vec![2, 2, 2, 2];
    let (callbacks, ended) = ran(settings(), launch, request, answer(&[]));
    let expected = [
        "request body 2",
        "request body 4",
        "request body 2",
        "request body 2",
        "request body 2",
        "request body 0 end",
    ];
    assert_eq!(callbacks[2..8], expected);
    assert_eq!(ended.observed.request.unwrap().body, "0123456789");
}

/// Section 1.1: without the flag Pause on headers stops everything, and the request hangs until a timeout.
#[test]
fn without_the_flag_a_paused_request_hangs() {
    let settings = Settings { hold_headers: false, ..settings() };
    let (callbacks, ended) = ran(settings, holds(), post("0123"), answer(&[]));
    let expected = ["create", "request headers", "response headers", "response body 14 end"];
    assert_eq!(callbacks, [&expected[..], &ENDING].concat());
    assert_eq!(ended.observed.outcome, Outcome::Replied);
    assert_eq!(ended.observed.response.unwrap().status, 504);
    assert!(ended.observed.errors[0].contains("the filter holds it"), "{:?}", ended.observed.errors);
}

/// Section 1.1: "Pausing with end_of_stream=true (GET, empty POST) hangs".
#[test]
fn pausing_at_the_end_hangs() {
    let launch =
        acting(|callback| u32::from(matches!(callback, Callback::Headers { of: Side::Request, .. })));
    let request = Request { method: "GET".to_owned(), ..post("") };
    let (_, ended) = ran(settings(), launch, request, answer(&[]));
    assert_eq!(ended.observed.response.unwrap().status, 504);
    assert_eq!(ended.details, "stream_idle_timeout");
}

/// Section 1.2, the codes that the SDK does not have.
#[test]
fn watermark_and_no_buffer() {
    for (code, arrives) in [(2, "012345"), (3, "45")] {
        let launch = acting(move |callback| match callback {
            Callback::Headers { of: Side::Request, .. } => PAUSE,
            Callback::Body { of: Side::Request, end, size, .. } if !end && size == 2 => code,
            _ => CONTINUE,
        });
        let mut request = post("012345");
        request.chunks = vec![2, 2];
        request.headers.push("transfer-encoding", "chunked");
        let launch = if code == 3 {
            acting(|callback| match callback {
                Callback::Headers { of: Side::Request, .. } => PAUSE,
                Callback::Body { of: Side::Request, size: 1, .. } => 3,
                _ => CONTINUE,
            })
        } else {
            launch
        };
        if code == 3 {
            request.chunks = vec![1, 1, 1, 1];
        }
        let (callbacks, ended) = ran(settings(), launch, request, answer(&[]));
        assert!(!callbacks.contains(&"request body 4".to_owned()), "only new bytes are shown: {callbacks:?}");
        assert_eq!(ended.observed.request.unwrap().body, arrives);
    }
}

/// Section 1.4: what is held and crosses the limit is refused, whatever the callback answers; a first piece that goes
/// on at once may have any size.
#[test]
fn limits() {
    let limited = || Settings { request_limit: 10, ..settings() };
    let mut request = post("0123456789a");
    for chunks in [vec![], vec![10], vec![1, 9]] {
        request.chunks = chunks;
        let (_, ended) = ran(limited(), holds(), request.clone(), answer(&[]));
        assert_eq!(ended.observed.outcome, Outcome::Replied);
        let response = ended.observed.response.unwrap();
        assert_eq!((response.status, &response.body[..]), (413, &b"Payload Too Large"[..]));
        assert_eq!(ended.details, "request_payload_too_large");
        assert_eq!(ended.observed.request, None);
    }
    request.chunks = vec![4];
    let decided = acting(|callback| match callback {
        Callback::Headers { of: Side::Request, .. } => PAUSE,
        Callback::Body { of: Side::Request, size, .. } if size < 10 => PAUSE,
        _ => CONTINUE,
    });
    assert_eq!(
        ran(limited(), decided, request.clone(), answer(&[])).1.observed.response.unwrap().status,
        413
    );
    for launch in [
        continues(),
        acting(|callback| match callback {
            Callback::Headers { of: Side::Request, .. } => PAUSE,
            _ => CONTINUE,
        }),
    ] {
        let (_, ended) = ran(limited(), launch, request.clone(), answer(&[]));
        assert_eq!(ended.observed.request.unwrap().body, "0123456789a");
    }
    let (_, ended) = ran(limited(), holds(), post("0123456789"), answer(&[]));
    assert_eq!(ended.observed.outcome, Outcome::Forwarded);
}

/// Section 6.1: a held response over the limit is cut off or replaced.
#[test]
fn limits_of_responses() {
    let launch =
        || acting(|callback| u32::from(matches!(callback, Callback::Body { of: Side::Response, .. })));
    let limited = Settings { response_limit: 3, ..settings() };
    let (_, ended) = ran(limited.clone(), launch(), post("{}"), answer(&["ab", "cd"]));
    assert_eq!(
        (ended.observed.outcome, ended.details.as_str()),
        (Outcome::Aborted, "response_payload_too_large")
    );
    let both = acting(|callback| {
        u32::from(matches!(
            callback,
            Callback::Headers { of: Side::Response, .. } | Callback::Body { of: Side::Response, .. }
        ))
    });
    let (callbacks, ended) = ran(limited, both, post("{}"), answer(&["ab", "cd"]));
    assert_eq!(ended.observed.response.unwrap().status, 500);
    assert_eq!(callbacks.iter().filter(|name| name.starts_with("response headers")).count(), 1);
}

/// Section 2.2: any change of a request header makes Envoy look for the route again; without one the client's counts.
#[test]
fn routes() {
    let cluster = |change: Option<(&'static str, Option<&'static str>)>, sent: &str| {
        let launch = script(move |calls, callback| {
            if let (Callback::Headers { of: Side::Request, .. }, Some((name, value))) = (callback, change) {
                match value {
                    Some(value) => calls.replace_header(0, name.as_bytes(), value.as_bytes()).unwrap(),
                    None => calls.remove_header(0, name.as_bytes()).unwrap(),
                }
            }
            Ok(CONTINUE)
        });
        let mut request = post("{}");
        request.headers.push("X-Gateway-Base-Model-Name", sent);
        ran(settings(), launch, request, answer(&[])).1.observed.cluster.unwrap()
    };
    let route = "x-gateway-base-model-name";
    assert_eq!(cluster(None, "qwen-pool"), "qwen-pool");
    assert_eq!(cluster(Some((route, Some("llama-pool"))), "qwen-pool"), "llama-pool");
    assert_eq!(cluster(Some((route, Some("Qwen/Qwen2.5-1.5B-Instruct"))), ""), "qwen-pool");
    assert_eq!(cluster(Some((route, None)), "qwen-pool"), "default");
    assert_eq!(cluster(Some(("x-other", Some("1"))), "nobody"), "default");
}

/// Section 2.4: a length that is not true any more is smuggling, or a hang.
#[test]
fn a_stale_content_length_is_told() {
    for (bytes, arrives) in [("0123456789+", "0123456789"), ("0", "0")] {
        let launch = script(move |calls, callback| match callback {
            Callback::Headers { of: Side::Request, .. } => Ok(PAUSE),
            Callback::Body { of: Side::Request, end: true, .. } => {
                calls.set_buffer(0, 0, 99, bytes.as_bytes()).unwrap();
                Ok(CONTINUE)
            }
            Callback::Body { of: Side::Request, .. } => Ok(PAUSE),
            _ => Ok(CONTINUE),
        });
        let (_, ended) = ran(settings(), launch, post("0123456789"), answer(&[]));
        let told = format!("a request says content-length 10 and has {} bytes", bytes.len());
        assert_eq!(ended.observed.errors, [told]);
        assert_eq!(ended.observed.request.unwrap().body, arrives);
    }
}

#[test]
fn what_the_client_gets() {
    let (_, ended) = ran(settings(), continues(), post("{}"), answer(&["one"]));
    let response = ended.observed.response.unwrap();
    let mut expected = Headers::new();
    for (name, value) in [
        ("content-type", "text/plain"),
        ("content-length", "3"),
        ("date", "Thu, 01 Jan 2026 00:00:00 GMT"),
        ("server", "envoy"),
    ] {
        expected.push(name, value);
    }
    assert_eq!(response.headers, expected);
    let (_, ended) = ran(settings(), continues(), post("{}"), answer(&["one", "two"]));
    assert_eq!(ended.observed.response.unwrap().headers.get("transfer-encoding").as_deref(), Some("chunked"));
}
