//! Several exchanges, timers, callouts and queues on one virtual clock.

use std::time::Duration;

use ipp_testharness::emulate::driver::{Filter, Proxy, Settings, VmSpec};
use ipp_testharness::emulate::guest::{Callback, Side};
use ipp_testharness::emulate::host::{Plugin, lock};
use ipp_testharness::recording::{self, Exchange, Outcome};

use crate::support::script::{CONTINUE, Notes, PAUSE, script, shown};
use crate::support::{answer, exchange, post, proxy, run, settings};

fn milliseconds(number: u64) -> Duration {
    Duration::from_millis(number)
}

/// The second one runs while the first one's answer is held back.
#[test]
fn two_in_flight() {
    let notes = Notes::default();
    let inside = notes.clone();
    let launch = script(move |_, callback| {
        match callback {
            Callback::Headers { context, of, .. } => inside.note(format!("{of:?} {context}")),
            Callback::Delete { context } => inside.note(format!("end {context}")),
            _ => {}
        }
        Ok(CONTINUE)
    });
    let mut proxy = proxy(settings(), "", launch).unwrap();
    let first = Exchange { until: Some(1), ..exchange(post("{}"), answer(&["1"])) };
    let ended = proxy.run(&[first, exchange(post("{}"), answer(&["2"]))]);
    assert_eq!(notes.take(), ["Request 2", "Request 3", "Response 3", "end 3", "Response 2", "end 2"]);
    let bodies: Vec<_> = ended.into_iter().map(|ended| ended.observed.response.unwrap().body).collect();
    assert_eq!(bodies, ["1", "2"]);
}

#[test]
fn times_of_their_own() {
    let notes = Notes::default();
    let inside = notes.clone();
    let launch = script(move |calls, callback| {
        if let Callback::Headers { of: Side::Request, .. } = callback {
            inside.note(format!("{}", calls.elapsed() / 1_000_000));
        }
        Ok(CONTINUE)
    });
    let mut proxy = proxy(settings(), "", launch).unwrap();
    let mut slow = answer(&["x"]);
    slow.delay = milliseconds(7);
    let at =
        |time: Option<u64>| Exchange { at: time.map(milliseconds), ..exchange(post("{}"), slow.clone()) };
    proxy.run(&[at(None), at(None), at(Some(100)), at(Some(50)), at(None)]);
    assert_eq!(notes.take(), ["0", "7", "50", "57", "100"]);
}

/// Section 5: a tick is the root's, and its timer is armed again after it has run.
#[test]
fn ticks() {
    let notes = Notes::default();
    let inside = notes.clone();
    let launch = script(move |calls, callback| {
        match callback {
            Callback::Configure { .. } => calls.set_tick_period(30).unwrap(),
            Callback::Tick { root } => {
                let now = calls.elapsed() / 1_000_000;
                inside.note(format!("{root} {now}"));
                if now == 60 {
                    calls.set_tick_period(0).unwrap();
                }
            }
            _ => {}
        }
        Ok(CONTINUE)
    });
    let mut proxy = proxy(settings(), "", launch).unwrap();
    let late = Exchange { at: Some(milliseconds(200)), ..exchange(post("{}"), answer(&[])) };
    proxy.run(&[late]);
    assert_eq!(notes.take(), ["1 30", "1 60"]);
}

fn callouts() -> Vec<recording::Callout> {
    let mut slow = answer(&["slow"]);
    slow.delay = milliseconds(500);
    let mut broken = answer(&["broken"]);
    broken.reset = Some(recording::Reset::Body);
    let answers = vec![answer(&["one"]), slow, broken, answer(&["last"])];
    vec![recording::Callout { cluster: "registry".to_owned(), answers }]
}

/// Section 5: answers in turn, what is too late as 504, what breaks off with no headers at all.
#[test]
fn callouts_are_answered() {
    let notes = Notes::default();
    let inside = notes.clone();
    let launch = script(move |calls, callback| {
        let mut ask = |cluster: &str, names: &[&str]| {
            let headers = names.iter().map(|name| (name.as_bytes().to_vec(), b"/".to_vec())).collect();
            let asked = calls.http_call(cluster.as_bytes(), headers, Vec::new(), Vec::new(), 100);
            asked.map(|_| ()).map_err(|status| inside.note(format!("{status:?}"))).ok();
        };
        let all = [":method", ":path", ":authority"];
        match callback {
            Callback::Configure { .. } => {
                ask("nowhere", &all);
                ask("registry", &all[..2]);
                ask("registry", &all);
            }
            Callback::HttpCallResponse { headers, .. } => {
                let (status, body) = (calls.get_header(6, b":status"), calls.get_buffer(4, 0, 99));
                inside.note(format!(
                    "{headers} {} {} {}",
                    shown(status),
                    shown(body),
                    calls.elapsed() / 1_000_000
                ));
                let headers = all.iter().map(|name| (name.as_bytes().to_vec(), b"/".to_vec())).collect();
                calls.http_call(b"registry", headers, Vec::new(), Vec::new(), 100).unwrap();
            }
            Callback::Headers { of: Side::Request, .. } => {
                inside.note(shown(calls.get_header(6, b":status")))
            }
            _ => {}
        }
        Ok(CONTINUE)
    });
    let settings = Settings { callouts: callouts(), ..settings() };
    let mut proxy = proxy(settings, "x", launch).unwrap();
    let late = Exchange { at: Some(milliseconds(100)), ..exchange(post("{}"), answer(&[])) };
    proxy.run(&[late]);
    let seen = notes.take();
    assert_eq!(
        seen[..5],
        ["BadArgument", "BadArgument", "3 200 one 0", "BadArgument", "3 504 upstream request timeout 100"]
    );
}

#[test]
fn a_callout_that_breaks_off_has_no_headers() {
    let notes = Notes::default();
    let inside = notes.clone();
    let launch = script(move |calls, callback| {
        let all = [":method", ":path", ":authority"];
        let headers = || all.iter().map(|name| (name.as_bytes().to_vec(), b"/".to_vec())).collect();
        match callback {
            Callback::Configure { .. } => {
                calls.http_call(b"registry", headers(), Vec::new(), Vec::new(), 0).unwrap();
            }
            Callback::HttpCallResponse { headers, body, .. } => inside.note(format!("{headers} {body}")),
            _ => {}
        }
        Ok(CONTINUE)
    });
    let mut callouts = callouts();
    callouts[0].answers.drain(..2);
    let mut proxy = proxy(Settings { callouts, ..settings() }, "x", launch).unwrap();
    run(&mut proxy, post("{}"), answer(&[]));
    assert_eq!(notes.take(), ["0 0"]);
}

/// gate-mode.md, section 1, in small: the first filter reads the body, the second one holds the headers without the
/// flag until it hears from the first over a queue.
fn gate(vms: usize) {
    let launch = |_| {
        script(move |calls, callback| {
            let role = shown(calls.get_property(b"plugin_root_id"));
            match (role.as_str(), callback) {
                ("gate", Callback::Configure { .. }) => {
                    calls.register_queue(b"wake").unwrap();
                }
                ("gate", Callback::Headers { context, of: Side::Request, .. }) => {
                    calls.set_property(b"gate", &context.to_le_bytes()).unwrap();
                    return Ok(PAUSE);
                }
                ("gate", Callback::QueueReady { root, queue }) => {
                    let item = calls.dequeue(queue).unwrap();
                    let context = u32::from_le_bytes(*item.first_chunk().unwrap());
                    calls.set_effective_context(context).unwrap();
                    calls.replace_header(0, b"x-gateway-base-model-name", b"qwen-pool").unwrap();
                    calls.continue_stream(0).unwrap();
                    calls.set_effective_context(root).unwrap();
                }
                ("reader", Callback::Body { of: Side::Request, end, .. }) => {
                    if !end {
                        return Ok(PAUSE);
                    }
                    let queue = calls.resolve_queue(b"gate", b"wake").unwrap();
                    let context = calls.get_property(b"gate").unwrap();
                    calls.enqueue(queue, &context).unwrap();
                }
                _ => {}
            }
            Ok(CONTINUE)
        })
    };
    let vm = |number: usize| VmSpec {
        id: if number + 1 == vms { "gate".to_owned() } else { "reader".to_owned() },
        configuration: Vec::new(),
        launch: launch(number),
    };
    let filter = |name: &str, vm| Filter {
        vm,
        plugin: Plugin { name: name.to_owned(), root_id: name.to_owned(), configuration: Vec::new() },
    };
    let settings = Settings { hold_headers: false, ..settings() };
    let filters = vec![filter("reader", 0), filter("gate", vms - 1)];
    let mut proxy = Proxy::start(settings, (0..vms).map(vm).collect(), filters).unwrap();
    let mut request = post("0123456789");
    request.chunks = vec![3];
    let ended = run(&mut proxy, request, answer(&["x"]));
    assert_eq!(ended.observed.outcome, Outcome::Forwarded);
    assert_eq!(ended.observed.cluster.as_deref(), Some("qwen-pool"));
    assert_eq!(ended.observed.request.unwrap().body, "0123456789");
    assert!(lock(proxy.host()).vms.iter().all(|vm| vm.contexts.len() <= 2), "only root contexts are left");
}

#[test]
fn reader_and_gate_in_one_vm() {
    gate(1);
}

#[test]
fn reader_and_gate_in_two_vms() {
    gate(2);
}
