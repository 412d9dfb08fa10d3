//! What becomes of requests when a VM traps (section 7.1), and that a trap of any guest is told and survived.

use std::path::PathBuf;
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
    for (launch, failed) in [(native(), "it panicked"), (compiled(), "unreachable")] {
        let mut proxy = proxy(settings(), CONFIG, launch).unwrap();
        for _ in 0..2 {
            let ended = run(&mut proxy, post(r#"{"model":"trap"}"#), answer(&[]));
            assert_eq!(ended.observed.response.unwrap().status, 503);
            let traps = ended.observed.traps;
            assert!(traps[0].contains("told to crash"), "what the guest logs: {traps:?}");
            assert!(traps[1].starts_with("Function: proxy_on_request_body failed: "), "{traps:?}");
            assert!(traps[1].contains(failed), "{traps:?}");
            let later = Exchange {
                at: Some(Duration::from_secs(2)),
                ..exchange(post(r#"{"model":"fine"}"#), answer(&[]))
            };
            let ended = proxy.run(&[later]);
            assert_eq!(ended[0].observed.response.as_ref().unwrap().status, 200);
        }
    }
}

/// An endless loop is a trap here; in Envoy nothing would ever stop it (section 7.4).
#[test]
fn an_endless_loop() {
    let module = module(&[0x03, 0x40, 0x0c, 0x00, 0x0b, 0x0b]);
    let launch = |module: Compiled| -> Launch {
        Box::new(move |handle| module.start(handle, 0).map(|guest| Box::new(guest) as Box<dyn Guest>))
    };
    let refused = proxy(settings(), "", launch(module)).err().unwrap();
    assert!(refused.contains("proxy_on_context_create failed: wasm trap: all fuel consumed"), "{refused}");
}

/// A module that does this in `proxy_on_context_create`, and has no other callback.
fn module(code: &[u8]) -> Compiled {
    let folder = tempfile("module");
    let file = folder.join("module.wasm");
    std::fs::write(&file, wasm_module("proxy_abi_version_0_2_1", code)).unwrap();
    let compiled = Compiled::load(&file, None).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    compiled
}

/// A folder of this process's own.
fn tempfile(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("native-emulate-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn wasm_module(version: &str, code: &[u8]) -> Vec<u8> {
    let section = |id: u8, body: &[u8]| [&[id, u8::try_from(body.len()).unwrap()], body].concat();
    let export = |name: &str, kind: u8, index: u8| {
        [&[u8::try_from(name.len()).unwrap()], name.as_bytes(), &[kind, index]].concat()
    };
    let function = |code: &[u8]| [&[u8::try_from(code.len() + 1).unwrap(), 0], code].concat();
    let exports =
        [export("memory", 2, 0), export(version, 0, 0), export("proxy_on_context_create", 0, 1)].concat();
    [
        b"\0asm\x01\0\0\0".to_vec(),
        // () -> () and (i32, i32) -> ()
        section(1, &[2, 0x60, 0, 0, 0x60, 2, 0x7f, 0x7f, 0]),
        section(3, &[2, 0, 1]),
        section(5, &[1, 0, 1]),
        section(7, &[&[3], exports.as_slice()].concat()),
        section(10, &[vec![2], function(&[0x0b]), function(code)].concat()),
    ]
    .concat()
}

#[test]
fn files_that_are_no_modules() {
    let folder = tempfile("refused");
    let load = |bytes: &[u8]| {
        let file = folder.join("module.wasm");
        std::fs::write(&file, bytes).unwrap();
        Compiled::load(&file, None).err().unwrap()
    };
    assert!(load(b"no module").contains("compiling the module"));
    assert!(load(&wasm_module("proxy_abi_version_9", &[0x0b])).contains("not of proxy-wasm ABI 0.2"));
    let missing = Compiled::load(&folder.join("missing"), None).err().unwrap();
    assert!(missing.contains("missing: reading the module"), "{missing}");
    std::fs::remove_dir_all(folder).unwrap();
}

/// What was compiled is kept, and taken if it is good.
#[test]
fn compiled_modules_are_kept() {
    let folder = tempfile("kept");
    let file = folder.join("module.wasm");
    std::fs::write(&file, wasm_module("proxy_abi_version_0_2_1", &[0x0b])).unwrap();
    let cache = folder.join("cache");
    let kept = || std::fs::read_dir(&cache).unwrap().map(|file| file.unwrap().path()).collect::<Vec<_>>();
    Compiled::load(&file, Some(&cache)).unwrap();
    let [first] = kept().try_into().unwrap();
    let (bytes, written) = (std::fs::read(&first).unwrap(), first.metadata().unwrap().modified().unwrap());
    Compiled::load(&file, Some(&cache)).unwrap();
    assert_eq!(first.metadata().unwrap().modified().unwrap(), written, "it was compiled again");
    std::fs::write(&first, b"broken").unwrap();
    Compiled::load(&file, Some(&cache)).unwrap();
    assert_eq!((kept(), std::fs::read(&first).unwrap()), (vec![first], bytes));
    std::fs::remove_dir_all(folder).unwrap();
}
