//! What host calls answer, by phase: the sections of `wasm-hosts.md`, one test each.

use std::sync::Arc;

use ipp_testharness::emulate::guest::{Callback, Side};
use ipp_testharness::emulate::host::{Calls, Level, Status};

use crate::support::script::{CONTINUE, Notes, PAUSE, name, script, shown};
use crate::support::{answer, post, proxy, run, settings};

const REQUEST: u32 = 0;
const RESPONSE: u32 = 2;
const BODY: u32 = 0;

/// Runs one request through a guest that notes what this gives in each callback, and pauses the request until its end.
fn noted(
    look: impl Fn(&mut Calls<'_>, Callback) -> Option<String> + Send + Sync + 'static,
    pauses: bool,
) -> Vec<String> {
    let notes = Notes::default();
    let inside = notes.clone();
    let launch = script(move |calls, callback| {
        if let Some(text) = look(calls, callback) {
            inside.note(format!("{}: {text}", name(callback)));
        }
        Ok(match callback {
            Callback::Headers { of: Side::Request, end, .. }
            | Callback::Body { of: Side::Request, end, .. }
                if pauses && !end =>
            {
                PAUSE
            }
            _ => CONTINUE,
        })
    });
    let mut proxy = proxy(settings(), "the configuration", launch).unwrap();
    let mut request = post("0123456789");
    request.chunks = vec![4];
    run(&mut proxy, request, answer(&["one", "two"]));
    notes.take()
}

fn headers(calls: &mut Calls<'_>, callback: Callback) -> Option<String> {
    matches!(
        callback,
        Callback::Headers { .. } | Callback::Body { .. } | Callback::Trailers { .. } | Callback::Log { .. }
    )
    .then(|| {
        let request = shown(calls.get_header(REQUEST, b"content-type"));
        let response = shown(calls.get_header(RESPONSE, b":status"));
        let absent = shown(calls.get_header(REQUEST, b"not-there"));
        format!("{request} {response} {absent}")
    })
}

/// Sections 2.1 and 6.3: after Continue from the headers callback they are out of reach, until `on_log`.
#[test]
fn headers_outside_of_their_phase_are_a_bad_argument() {
    assert_eq!(
        noted(headers, false),
        [
            "request headers: application/json BadArgument NotFound",
            "request body 4: BadArgument BadArgument BadArgument",
            "request body 6: BadArgument BadArgument BadArgument",
            "request body 0 end: BadArgument BadArgument BadArgument",
            "response headers: BadArgument 200 BadArgument",
            "response body 3: BadArgument BadArgument BadArgument",
            "response body 3: BadArgument BadArgument BadArgument",
            "response body 0 end: BadArgument BadArgument BadArgument",
            "log: application/json 200 NotFound",
        ]
    );
}

/// Section 2.1: after Pause they can be read and written while the body comes in.
#[test]
fn headers_stay_in_reach_while_the_request_is_held() {
    let seen = noted(headers, true);
    assert_eq!(
        seen[..4],
        [
            "request headers: application/json BadArgument NotFound",
            "request body 4: application/json BadArgument NotFound",
            "request body 10: application/json BadArgument NotFound",
            "request body 10 end: application/json BadArgument NotFound",
        ]
    );
}

/// All headers at once are the exception: nothing instead of an error (`Context::getHeaderMapPairs`).
#[test]
fn all_headers_outside_of_their_phase_are_none() {
    let seen = noted(
        |calls, callback| {
            matches!(callback, Callback::Headers { .. } | Callback::Configure { .. })
                .then(|| format!("{:?}", calls.get_headers(REQUEST).map(|pairs| pairs.is_empty())))
        },
        false,
    );
    let configured = "Configure { root: 1, size: 17 }: Ok(true)";
    assert_eq!(seen, [configured, "request headers: Ok(false)", "response headers: Ok(true)"]);
}

/// Section 1.4: "Before the first Pause it shows just the current chunk"; section 1.2: then the whole body so far.
#[test]
fn what_a_body_callback_sees() {
    let look = |calls: &mut Calls<'_>, callback: Callback| {
        matches!(callback, Callback::Body { .. }).then(|| {
            let (request, response) = (calls.get_buffer(BODY, 0, 99), calls.get_buffer(1, 0, 99));
            format!("{} {}", shown(request), shown(response))
        })
    };
    assert_eq!(
        noted(look, true),
        [
            "request body 4: 0123 ",
            "request body 10: 0123456789 ",
            "request body 10 end: 0123456789 ",
            "response body 3:  one",
            "response body 3:  two",
            "response body 0 end:  ",
        ]
    );
    assert_eq!(
        noted(look, false)[..3],
        ["request body 4: 0123 ", "request body 6: 456789 ", "request body 0 end:  "]
    );
}

/// Section 2.3.
#[test]
fn a_body_is_edited_at_its_ends_only() {
    let notes = Notes::default();
    let inside = notes.clone();
    let launch = script(move |calls, callback| match callback {
        Callback::Headers { of: Side::Request, .. } => {
            calls.remove_header(REQUEST, b"content-length").unwrap();
            Ok(PAUSE)
        }
        Callback::Body { of: Side::Request, end: true, .. } => {
            for (start, length, bytes) in [(5, 5, "x"), (0, 4, "<>"), (99, 0, "!"), (1, 0, "x")] {
                inside.note(format!("{:?}", calls.set_buffer(BODY, start, length, bytes.as_bytes())));
            }
            Ok(CONTINUE)
        }
        Callback::Body { of: Side::Request, .. } => Ok(PAUSE),
        Callback::Body { of: Side::Response, size, .. } if size > 0 => {
            inside.note(format!("{:?}", calls.set_buffer(1, 0, 1, b"O")));
            inside.note(format!("{:?}", calls.set_buffer(BODY, 0, 0, b"x")));
            Ok(CONTINUE)
        }
        _ => Ok(CONTINUE),
    });
    let mut proxy = proxy(settings(), "", launch).unwrap();
    let mut request = post("0123456789");
    request.chunks = vec![1, 1];
    let ended = run(&mut proxy, request, answer(&["one"]));
    let bad = "Err(BadArgument)";
    assert_eq!(notes.take(), [bad, "Ok(())", "Ok(())", bad, "Ok(())", bad]);
    assert_eq!(ended.observed.request.unwrap().body, "<>456789!");
    assert_eq!(ended.observed.response.unwrap().body, "One");
    assert_eq!(ended.observed.errors, [] as [&str; 0]);
}

/// The configuration can be read in `on_configure` only; that of the VM always.
#[test]
fn configurations() {
    let seen = noted(
        |calls, callback| {
            let asked = matches!(callback, Callback::Configure { .. } | Callback::Log { .. });
            asked.then(|| {
                let (vm, plugin) = (calls.get_buffer(6, 0, 99), calls.get_buffer(7, 4, 6));
                format!("{} {}", shown(vm), shown(plugin))
            })
        },
        false,
    );
    assert_eq!(seen, ["Configure { root: 1, size: 17 }:  config", "log:  NotFound"]);
}

/// Section 4.5.
#[test]
fn metrics() {
    let launch = script(|calls, callback| {
        if matches!(callback, Callback::Configure { .. }) {
            let [counter, gauge, histogram] =
                [0, 1, 2].map(|kind| calls.define_metric(kind, format!("kind {kind}").as_bytes()).unwrap());
            assert_eq!(calls.increment_metric(counter, 0), Err(Status::BadArgument));
            assert_eq!(calls.increment_metric(counter, -1), Err(Status::BadArgument));
            calls.increment_metric(counter, 2).unwrap();
            calls.increment_metric(gauge, -1).unwrap();
            assert_eq!(calls.get_metric(gauge), Ok(u64::MAX));
            calls.record_metric(gauge, 7).unwrap();
            calls.record_metric(histogram, 7).unwrap();
            assert_eq!(calls.get_metric(histogram), Err(Status::BadArgument));
            assert_eq!(calls.increment_metric(histogram, 1), Err(Status::BadArgument));
            let again = calls.define_metric(0, b"kind 0").unwrap();
            assert_ne!(again, counter);
            assert_eq!(calls.get_metric(again), Ok(2));
            assert_eq!(calls.get_metric(again + 4), Err(Status::NotFound));
            assert_eq!(calls.define_metric(3, b"none"), Err(Status::BadArgument));
        }
        Ok(CONTINUE)
    });
    let proxy = proxy(settings(), "x", launch).unwrap();
    assert_eq!(ipp_testharness::emulate::host::lock(proxy.host()).metrics.value("kind 1"), 7);
}

/// Section 4.4.
#[test]
fn shared_data_and_queues() {
    let launch = script(|calls, callback| {
        if matches!(callback, Callback::Configure { .. }) {
            assert_eq!(calls.get_shared_data(b"key"), Err(Status::NotFound));
            calls.set_shared_data(b"key", b"one", 99).unwrap();
            let (value, cas) = calls.get_shared_data(b"key").unwrap();
            assert_eq!((value.as_slice(), cas > 0), (b"one".as_slice(), true));
            calls.set_shared_data(b"key", b"two", cas).unwrap();
            assert_eq!(calls.set_shared_data(b"key", b"three", cas), Err(Status::CasMismatch));
            calls.set_shared_data(b"key", b"four", 0).unwrap();
            assert_eq!(calls.get_shared_data(b"key").unwrap().0, b"four");

            let queue = calls.register_queue(b"queue").unwrap();
            assert_eq!(calls.register_queue(b"queue"), Ok(queue));
            assert_eq!(calls.resolve_queue(b"ipp", b"queue"), Ok(queue));
            assert_eq!(calls.resolve_queue(b"another", b"queue"), Err(Status::NotFound));
            assert_eq!(calls.dequeue(queue), Err(Status::Empty));
            calls.enqueue(queue, b"item").unwrap();
            assert_eq!(calls.dequeue(queue).unwrap(), b"item");
            assert_eq!(calls.enqueue(queue + 1, b"item"), Err(Status::NotFound));
        }
        Ok(CONTINUE)
    });
    proxy(settings(), "x", launch).unwrap();
}

/// Sections 4.4 and 6.4.
#[test]
fn properties() {
    let look = |calls: &mut Calls<'_>, callback: Callback| {
        let path = |names: &[&str]| names.join("\0").into_bytes();
        match callback {
            Callback::Configure { .. } => {
                assert_eq!(calls.set_property(b"mine", b"x"), Err(Status::NotFound));
                Some(shown(calls.get_property(b"plugin_root_id")))
            }
            Callback::Headers { of: Side::Request, .. } => {
                calls.set_property(b"mine", b"left").unwrap();
                let all =
                    [&["request", "path"][..], &["request", "headers", "content-type"], &["node", "id"]];
                let told: Vec<_> = all.iter().map(|names| shown(calls.get_property(&path(names)))).collect();
                Some(told.join(" "))
            }
            Callback::Headers { of: Side::Response, .. } => {
                let own = shown(calls.get_property(b"mine"));
                Some(format!("{own} {}", shown(calls.get_property(&path(&["xds", "cluster_name"])))))
            }
            Callback::Log { .. } => {
                let code = calls.get_property(&path(&["response", "code"])).unwrap();
                let details = calls.get_property(&path(&["response", "code_details"]));
                Some(format!(
                    "{:?} {}",
                    code.first_chunk().map(|code| u64::from_le_bytes(*code)),
                    shown(details)
                ))
            }
            _ => None,
        }
    };
    let seen = noted(look, false);
    assert_eq!(
        seen,
        [
            "Configure { root: 1, size: 17 }: root",
            "request headers: /v1/chat/completions application/json NotFound",
            "response headers: left default",
            "log: Some(200) via_upstream",
        ]
    );
}

/// gate-mode.md, section 1: "set_effective_context(ctx) (BadArgument = stream gone: skip)".
#[test]
fn acting_for_another_context() {
    let seen = noted(
        |calls, callback| match callback {
            Callback::Headers { context, of: Side::Request, .. } => {
                calls.set_effective_context(1).unwrap();
                let of_root = shown(calls.get_header(REQUEST, b":path"));
                calls.set_effective_context(context).unwrap();
                let gone = calls.set_effective_context(99);
                Some(format!("{of_root} {gone:?} {}", shown(calls.get_header(REQUEST, b":path"))))
            }
            Callback::Headers { .. } => Some(shown(calls.get_header(RESPONSE, b":status"))),
            _ => None,
        },
        false,
    );
    // It does not outlive the callback.
    assert_eq!(
        seen,
        ["request headers: BadArgument Err(BadArgument) /v1/chat/completions", "response headers: 200"]
    );
}

/// What a guest logs as an error is told with the exchange, also what it writes to stderr.
#[test]
fn error_lines_are_told() {
    let launch = script(|calls, callback| {
        if matches!(callback, Callback::Headers { of: Side::Request, .. }) {
            for (level, text) in [(2, "fine"), (3, "not so fine"), (4, "wrong"), (5, "very wrong")] {
                calls.log(level, text.as_bytes()).unwrap();
            }
            assert_eq!(calls.log(6, b"no level"), Err(Status::BadArgument));
        }
        Ok(CONTINUE)
    });
    let mut proxy = proxy(settings(), "", launch).unwrap();
    let ended = run(&mut proxy, post("{}"), answer(&[]));
    assert_eq!(ended.observed.errors, ["wrong"]);
    assert_eq!(ended.observed.traps, ["very wrong"], "the SDK logs panics so");
    assert!(Level::Warn < Level::Error);
    assert_eq!(Arc::strong_count(proxy.host()), 2);
}
