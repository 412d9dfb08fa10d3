//! Local replies, and the table of section 6.3: in every ending `on_log`, `on_done` and `on_delete` run once, in order.

use std::time::Duration;

use ipp_testharness::emulate::driver::{Ended, Launch};
use ipp_testharness::emulate::guest::{Callback, Side};
use ipp_testharness::emulate::host::Reply;
use ipp_testharness::recording::{Abort, Outcome, Piece, Request, Reset, Upstream};

use crate::support::script::{CONTINUE, PAUSE, name, script};
use crate::support::{answer, post, proxy, run, settings};

fn ran(launch: Launch, request: Request, upstream: Upstream) -> (Vec<String>, Ended) {
    let mut proxy = proxy(settings(), "", launch).unwrap();
    let ended = run(&mut proxy, request, upstream);
    let callbacks: Vec<_> = ended.callbacks.iter().map(|(_, callback)| name(*callback)).collect();
    assert_eq!(callbacks[callbacks.len() - 3..], ["log", "done", "delete"]);
    assert_eq!(callbacks.iter().filter(|name| *name == "log").count(), 1);
    (callbacks[..callbacks.len() - 3].to_vec(), ended)
}

fn continues() -> Launch {
    script(|_, _| Ok(CONTINUE))
}

fn holds() -> Launch {
    script(|_, callback| {
        Ok(match callback {
            Callback::Headers { of: Side::Request, .. }
            | Callback::Body { of: Side::Request, end: false, .. } => PAUSE,
            _ => CONTINUE,
        })
    })
}

fn status(ended: &Ended) -> u16 {
    ended.observed.response.as_ref().map_or(0, |response| response.status)
}

/// A guest that answers in the callback of this name.
fn replies_in(where_to: &'static str, headers: &'static [(&str, &str)], body: &'static str) -> Launch {
    script(move |calls, callback| {
        if name(callback) == where_to {
            let headers =
                headers.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
            let reply = Reply::new(429, b"too many", headers.collect(), body.as_bytes().to_vec(), -1);
            calls.send_local_response(reply).unwrap();
        }
        // What it returns does not count (section 1.2).
        Ok(
            if matches!(callback, Callback::Headers { of: Side::Request, .. })
                && !where_to.contains("headers")
            {
                PAUSE
            } else {
                CONTINUE
            },
        )
    })
}

/// Section 6.2: the reply passes the response callbacks, its body with the end in one.
#[test]
fn a_reply_from_the_headers() {
    let launch = replies_in("request headers", &[("x-why", "a"), ("content-type", "application/json")], "{}");
    let (callbacks, ended) = ran(launch, post("0123"), answer(&["never"]));
    assert_eq!(callbacks, ["create", "request headers", "response headers", "response body 2 end"]);
    assert_eq!((ended.observed.outcome, ended.details.as_str()), (Outcome::Replied, "too_many"));
    assert_eq!((ended.observed.request, ended.observed.cluster), (None, None));
    let response = ended.observed.response.unwrap();
    assert_eq!((response.status, &response.body[..]), (429, &b"{}"[..]));
    for (name, value) in [("x-why", "a"), ("content-type", "application/json"), ("content-length", "2")] {
        assert_eq!(response.headers.get(name).as_deref(), Some(value));
    }
}

#[test]
fn a_reply_from_the_body_and_one_without_a_body() {
    let (callbacks, ended) = ran(replies_in("request body 4", &[], "no"), post("0123"), answer(&["never"]));
    assert_eq!(callbacks[2..], ["request body 4", "response headers", "response body 2 end"]);
    let response = ended.observed.response.unwrap();
    assert_eq!(response.headers.get("content-type").as_deref(), Some("text/plain"));

    let typed = &[("content-type", "application/json")];
    let (callbacks, ended) = ran(replies_in("request headers", typed, ""), post("0123"), answer(&[]));
    assert_eq!(callbacks[2..], ["response headers end"]);
    let response = ended.observed.response.unwrap();
    assert_eq!(response.headers.get("content-type"), None, "an empty reply has no type");
    assert_eq!(response.headers.get("content-length").as_deref(), Some("0"));
}

/// Section 6.2: "From response headers: replaces the response, callbacks are not re-run".
#[test]
fn a_reply_in_the_place_of_a_response() {
    let launch = replies_in("response headers", &[], "instead");
    let (callbacks, ended) =
        ran(launch, Request { method: "GET".to_owned(), ..post("") }, answer(&["never"]));
    assert_eq!(callbacks, ["create", "request headers end", "response headers"]);
    let response = ended.observed.response.unwrap();
    assert_eq!((response.status, &response.body[..]), (429, &b"instead"[..]));
}

/// A gRPC client gets trailers only, with status 200.
#[test]
fn a_reply_to_grpc() {
    let mut request = post("0123");
    request.headers = [("content-type", "application/grpc")].into_iter().collect();
    let (_, ended) = ran(replies_in("request headers", &[], "slow down"), request, answer(&[]));
    let response = ended.observed.response.unwrap();
    assert_eq!((response.status, response.body.len()), (200, 0));
    assert_eq!(response.headers.get("grpc-status").as_deref(), Some("14"));
    assert_eq!(response.headers.get("grpc-message").as_deref(), Some("slow down"));
}

#[test]
fn an_upstream_that_resets_before_its_headers() {
    let upstream = Upstream { reset: Some(Reset::Headers), ..answer(&[]) };
    let (callbacks, ended) = ran(continues(), post("0123"), upstream);
    assert_eq!(callbacks[4..], ["response headers", "response body 95 end"]);
    assert_eq!((status(&ended), ended.flags), (503, 64));
    assert_eq!(ended.details, "upstream_reset_before_response_started{connection_termination}");
    assert_eq!(ended.observed.cluster.as_deref(), Some("default"));
}

#[test]
fn an_upstream_that_resets_in_its_body() {
    let upstream = Upstream { reset: Some(Reset::Body), ..answer(&["ab"]) };
    let (callbacks, ended) = ran(continues(), post("0123"), upstream);
    assert_eq!(callbacks[4..], ["response headers", "response body 2"], "there is no end");
    assert_eq!((status(&ended), ended.flags), (200, 8_388_608));
    assert_eq!(ended.observed.outcome, Outcome::Aborted);
    assert_eq!(ended.observed.response.unwrap().body, "ab");
}

#[test]
fn the_timeout_of_the_route() {
    let upstream = Upstream { delay: Duration::from_secs(61), ..answer(&["late"]) };
    let (callbacks, ended) = ran(continues(), post("0123"), upstream);
    assert_eq!(callbacks[4..], ["response headers", "response body 24 end"]);
    assert_eq!((status(&ended), ended.details.as_str(), ended.flags), (504, "response_timeout", 4));
}

#[test]
fn a_client_that_goes_away_in_its_body() {
    for (launch, reaches) in [(holds as fn() -> Launch, false), (continues, true)] {
        let mut request = post("0123456789");
        request.chunks = vec![2];
        request.abort = Some(Abort::AfterBytes(4));
        let (callbacks, ended) = ran(launch(), request, answer(&["never"]));
        assert_eq!(callbacks.len(), 4, "neither an end nor a response: {callbacks:?}");
        assert_eq!((ended.observed.outcome, ended.flags), (Outcome::Aborted, 16_384));
        assert_eq!(ended.details, "downstream_remote_disconnect");
        assert_eq!(ended.observed.response, None);
        assert_eq!(ended.observed.request.map(|request| request.body), reaches.then(|| "0123".into()));
    }
}

#[test]
fn a_client_that_goes_away_in_the_response() {
    let mut request = post("0123");
    request.abort = Some(Abort::AfterResponseBytes(3));
    let (callbacks, ended) = ran(continues(), request, answer(&["ab", "cd", "ef"]));
    assert_eq!(callbacks[4..], ["response headers", "response body 2", "response body 2"]);
    assert_eq!((ended.observed.outcome, ended.flags), (Outcome::Aborted, 16_384));
    assert_eq!(ended.observed.response.unwrap().body, "abc");
}

/// Several requests on one clock: the times of their pieces, and answers that wait for each other.
#[test]
fn a_slow_response_takes_its_time() {
    let mut upstream = answer(&[]);
    upstream.pieces =
        ["a", "b"].map(|text| Piece { after: Duration::from_millis(20), bytes: text.into() }).to_vec();
    upstream.delay = Duration::from_millis(5);
    let mut proxy = proxy(settings(), "", continues()).unwrap();
    let ended = run(&mut proxy, post("{}"), upstream);
    assert_eq!(ended.observed.response.unwrap().body, "ab");
    let host = ipp_testharness::emulate::host::lock(proxy.host());
    assert_eq!(host.elapsed_ns(), 45_000_000);
}
