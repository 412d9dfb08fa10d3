//! What becomes of requests when a VM traps (section 7.1), and that a trap of any guest is told and survived.

use std::time::Duration;

use ipp_pipeline::Rejection;
use ipp_pipeline::payload::Value;
use ipp_pipeline::plugin::{Plugin, PluginType, Registry, Request};
use ipp_testharness::artifacts;
use ipp_testharness::emulate::driver::{Launch, Settings};
use ipp_testharness::emulate::guest::{Callback, Guest, Side, Trap};
use ipp_testharness::emulate::native::Native;
use ipp_testharness::emulate::wasm::{self, Compiled};
use ipp_testharness::recording::{Exchange, Outcome};

use crate::support::script::{CONTINUE, script};
use crate::support::{answer, exchange, post, proxy, run, settings};

/// Traps on requests to `/trap`.
fn fragile() -> Launch {
    script(|calls, callback| match callback {
        Callback::Headers { of: Side::Request, .. } if calls.get_header(0, b":path").unwrap() == b"/trap" => {
            Err(Trap("told to".to_owned()))
        }
        _ => Ok(CONTINUE),
    })
}

fn to(path: &str) -> Exchange {
    let mut request = post("{}");
    path.clone_into(&mut request.path);
    exchange(request, answer(&["x"]))
}

/// The request that trapped gets 503 with an empty body; another one in flight is answered at its next callback; later
/// ones get 503 until the VM is replaced, and then all is well.
#[test]
fn fail_reload() {
    let mut proxy = proxy(settings(), "", fragile()).unwrap();
    let in_flight = Exchange { until: Some(1), ..to("/") };
    let later = |milliseconds| Exchange { at: Some(Duration::from_millis(milliseconds)), ..to("/") };
    let ended = proxy.run(&[in_flight, to("/trap"), later(500), later(1500)]);
    let seen: Vec<_> = ended
        .iter()
        .map(|ended| (ended.observed.outcome, ended.observed.response.as_ref().unwrap().status))
        .collect();
    let failed = (Outcome::Replied, 503);
    assert_eq!(seen, [(Outcome::Forwarded, 503), failed, failed, (Outcome::Forwarded, 200)]);
    assert_eq!(ended[1].observed.traps, ["told to"]);
    assert_eq!(ended[1].details, "wasm_fail_stream");
    assert_eq!(ended[1].observed.response.as_ref().unwrap().body, "");
    assert_eq!(ended[3].observed.traps, [] as [&str; 0]);
}

#[test]
fn fail_closed() {
    let mut proxy = proxy(Settings { reload: None, ..settings() }, "", fragile()).unwrap();
    let later = Exchange { at: Some(Duration::from_secs(3600)), ..to("/") };
    let ended = proxy.run(&[to("/trap"), later]);
    assert_eq!(ended[1].observed.response.as_ref().unwrap().status, 503);
}

#[test]
fn a_configuration_that_is_refused() {
    let no = script(|calls, callback| {
        if matches!(callback, Callback::Configure { .. }) {
            calls.log(4, b"not like this").unwrap();
            return Err(Trap("and then a trap".to_owned()));
        }
        Ok(CONTINUE)
    });
    assert_eq!(proxy(settings(), "", no).err().unwrap(), "and then a trap\nnot like this");
}

/// As in `testharness/trap-module`.
const TRAP: PluginType = PluginType {
    name: "trap",
    about: "",
    parameters: &[],
    example: "",
    build: |_, build| {
        let model = build.field("model");
        Ok(Plugin::new().request(move |request: &mut Request<'_>| {
            assert!(request.field(model) != Value::String("trap"), "told to crash");
            Ok::<(), Rejection>(())
        }))
    },
};

const CONFIG: &str = "apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins: [{type: trap}]
profiles: [{name: default, plugins: {request: [{pluginRef: trap}]}}]
";

fn registry() -> Registry {
    ipp_pipeline::stock().with(TRAP)
}

fn native() -> Launch {
    Box::new(|handle| Native::start(handle, registry).map(|guest| Box::new(guest) as Box<dyn Guest>))
}

fn compiled() -> Launch {
    let compiled = Compiled::load(&artifacts::trap_module(), wasm::cache().as_deref()).unwrap();
    Box::new(move |handle| compiled.start(handle, 0).map(|guest| Box::new(guest) as Box<dyn Guest>))
}

/// A panic in the filter is a trap natively, too, and takes down neither the process nor the next VM.
#[test]
fn a_plugin_that_panics() {
    for (launch, in_trap) in [(native(), "told to crash"), (compiled(), "unreachable")] {
        let mut proxy = proxy(settings(), CONFIG, launch).unwrap();
        for _ in 0..2 {
            let ended = run(&mut proxy, post(r#"{"model":"trap"}"#), answer(&[]));
            assert_eq!(ended.observed.response.unwrap().status, 503);
            assert!(ended.observed.traps[0].contains(in_trap), "{:?}", ended.observed.traps);
            assert!(ended.observed.errors[0].contains("told to crash"), "{:?}", ended.observed.errors);
            let later = Exchange {
                at: Some(Duration::from_secs(2)),
                ..exchange(post(r#"{"model":"fine"}"#), answer(&[]))
            };
            let ended = proxy.run(&[later]);
            assert_eq!(ended[0].observed.response.as_ref().unwrap().status, 200);
        }
    }
}
