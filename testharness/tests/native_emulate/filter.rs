//! The filter itself, linked in and compiled: both see and do the same.

use std::time::Duration;

use ipp_testharness::artifacts;
use ipp_testharness::emulate::driver::{Ended, Launch, Proxy};
use ipp_testharness::emulate::guest::Guest;
use ipp_testharness::emulate::native::Native;
use ipp_testharness::emulate::wasm::{self, Compiled};
use ipp_testharness::recording::{Abort, Exchange, Outcome, Request, Reset};
use ipp_testharness::replay::engine::Observed;

use crate::support::{answer, exchange, post, proxy, settings};

const CONFIG: &str = "\
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: body-field-to-header
  parameters: {fieldName: model, headerName: X-Gateway-Model-Name}
- type: base-model-to-header
  parameters:
    mappings:
    - {baseModel: meta-llama/Llama-3.1-8B-Instruct, adapters: [sql-lora]}
    - {baseModel: Qwen/Qwen2.5-1.5B-Instruct, adapters: [qwen-summarizer]}
profiles:
- name: default
  plugins: {request: [{pluginRef: body-field-to-header}, {pluginRef: base-model-to-header}]}
";

fn native() -> Launch {
    Box::new(|handle| {
        Native::start(handle, ipp_pipeline::stock).map(|guest| Box::new(guest) as Box<dyn Guest>)
    })
}

fn compiled() -> Launch {
    let compiled = Compiled::load(&artifacts::module(), wasm::cache().as_deref()).unwrap();
    Box::new(move |handle| compiled.start(handle, 0).map(|guest| Box::new(guest) as Box<dyn Guest>))
}

/// Both, in the order in which differences are told.
fn proxies(configuration: &str) -> [Proxy; 2] {
    [native(), compiled()].map(|launch| proxy(settings(), configuration, launch).unwrap())
}

fn same(native: &Ended, compiled: &Ended) {
    let told = |ended: &Ended| {
        let Observed { outcome, cluster, request, response, mut metrics, traps, errors, took: _ } =
            ended.observed.clone();
        // The module says which commit it was built from.
        metrics.retain(|name, value| *value != 0.0 && !name.starts_with("ipp_info"));
        format!(
            "{outcome} {cluster:?} {request:?} {response:?} {metrics:?} {traps:?} {errors:?} {} {}",
            ended.details, ended.flags
        )
    };
    assert_eq!(told(native), told(compiled));
    assert_eq!((&native.observed.traps, &native.observed.errors), (&vec![], &vec![]));
}

/// Runs requests one after the other on both, which have to agree, and gives what became of each.
fn both(configuration: &str, requests: Vec<Request>) -> Vec<Ended> {
    let exchanges: Vec<_> = requests.into_iter().map(|request| exchange(request, answer(&["ok"]))).collect();
    let [native, compiled] = proxies(configuration).map(|mut proxy| proxy.run(&exchanges));
    assert_eq!(native.len(), exchanges.len());
    for (native, compiled) in native.iter().zip(&compiled) {
        same(native, compiled);
    }
    native
}

fn routed(ended: &Ended, body: &str) -> (String, Option<String>, Option<String>) {
    assert_eq!(ended.observed.outcome, Outcome::Forwarded);
    let request = ended.observed.request.as_ref().unwrap();
    assert_eq!(request.body, body);
    let header = |name: &str| request.headers.get(name);
    let cluster = ended.observed.cluster.clone().unwrap();
    (cluster, header("x-gateway-model-name"), header("x-gateway-base-model-name"))
}

fn refused(ended: &Ended) -> (u16, String) {
    assert_eq!((ended.observed.outcome, &ended.observed.request), (Outcome::Replied, &None));
    let response = ended.observed.response.as_ref().unwrap();
    let told: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(ended.details, format!("ipp_{}", told["error"]["code"].as_str().unwrap()));
    (response.status, told["error"]["code"].as_str().unwrap().to_owned())
}

const FIRST: &str = r#"{"model":"sql-lora","messages":[{"role":"user","content":"caf\u00e9"}],"n":1.0}"#;
const LAST: &str = r#"{"messages":[{"role":"user","content":"é 😀"}], "model" : "qwen-summ\u0061rizer" }"#;

fn llama() -> (String, Option<String>, Option<String>) {
    let base = "meta-llama/Llama-3.1-8B-Instruct";
    ("llama-pool".to_owned(), Some("sql-lora".to_owned()), Some(base.to_owned()))
}

fn qwen() -> (String, Option<String>, Option<String>) {
    let base = "Qwen/Qwen2.5-1.5B-Instruct";
    ("qwen-pool".to_owned(), Some("qwen-summarizer".to_owned()), Some(base.to_owned()))
}

#[test]
fn cut_anywhere() {
    for (text, expected) in [(FIRST, llama()), (LAST, qwen())] {
        let mut requests = vec![post(text)];
        for at in 1..text.len() {
            let mut request = post(text);
            request.chunks = vec![at];
            if at % 2 == 0 {
                request.headers.push("transfer-encoding", "chunked");
            }
            requests.push(request);
        }
        let mut request = post(text);
        request.chunks = vec![1; text.len()];
        request.trailers.push("x-sum", "1");
        requests.push(request);
        for ended in both(CONFIG, requests) {
            assert_eq!(routed(&ended, text), expected);
        }
    }
}

#[test]
fn what_a_client_spoofs_is_gone() {
    let mut requests = Vec::new();
    for body in ["{}", FIRST, "not read"] {
        let mut request = post(body);
        if body == "not read" {
            request.headers = [("content-type", "text/plain")].into_iter().collect();
        }
        request.headers.push("X-Gateway-Base-Model-Name", "Qwen/Qwen2.5-1.5B-Instruct");
        request.headers.push("x-gateway-model-name", "qwen-pool");
        request.headers.push("X-GATEWAY-BASE-MODEL-NAME", "qwen-pool");
        requests.push(request);
    }
    let mut get = requests[2].clone();
    "GET".clone_into(&mut get.method);
    get.body = bytes::Bytes::new();
    requests.push(get);
    let ended = both(CONFIG, requests);
    let nothing = ("default".to_owned(), None, None);
    assert_eq!(routed(&ended[1], FIRST), llama());
    assert_eq!(routed(&ended[2], "not read"), nothing);
    assert_eq!(routed(&ended[3], ""), nothing);
}

#[test]
fn bad_bodies() {
    let bodies: [(&[u8], &str); 6] = [
        (b"{", "invalid_json"),
        (b"[]", "invalid_json"),
        (b"{\"model\":\"a\"} x", "invalid_json"),
        (b"{\"model\":\"a\",\"model\":\"b\"}", "duplicate_key"),
        (b"{\"a\":\"\xff\"}", "invalid_utf8"),
        (b"", "invalid_json"),
    ];
    let mut requests: Vec<_> = bodies.iter().map(|(body, _)| post(*body)).collect();
    requests[5].headers.push("transfer-encoding", "chunked");
    for (ended, (_, code)) in both(CONFIG, requests).iter().zip(bodies) {
        assert_eq!(refused(ended), (400, code.to_owned()));
    }
}

#[test]
fn names_that_cannot_be_headers() {
    let ended = both(CONFIG, vec![post(r#"{"model":"a\r\nx-evil: 1"}"#), post(r#"{"model":"é"}"#)]);
    assert_eq!(refused(&ended[0]), (400, "invalid_header_value".to_owned()));
}

/// A header with bytes that are not UTF-8 kills a filter that reads headers as text (rule 8).
#[test]
fn headers_that_are_not_utf_8() {
    let mut request = post(FIRST);
    request.headers.push("x-bytes", b"\xff\x80");
    let ended = both(CONFIG, vec![request]);
    assert_eq!(routed(&ended[0], FIRST), llama());
    assert_eq!(ended[0].observed.request.as_ref().unwrap().headers.bytes("x-bytes"), Some(&b"\xff\x80"[..]));
}

#[test]
fn large_bodies() {
    let limited = format!("{CONFIG}proxyWasm: {{requestBody: {{maxBytes: 1000}}}}\n");
    let fill = |size: usize| {
        let (head, tail) = (r#"{"model":"sql-lora","x":""#, r#""}"#);
        format!("{head}{}{tail}", "x".repeat(size - head.len() - tail.len()))
    };
    let mut streamed = post(fill(1001));
    streamed.headers.push("transfer-encoding", "chunked");
    let ended = both(&limited, vec![post(fill(1000)), post(fill(1001)), streamed]);
    assert_eq!(routed(&ended[0], &fill(1000)), llama());
    assert_eq!(refused(&ended[1]), (413, "body_too_large".to_owned()));
    assert_eq!(refused(&ended[2]), (413, "body_too_large".to_owned()));
}

#[test]
fn every_ending_is_counted_once() {
    let mut held = post(FIRST);
    held.abort = Some(Abort::AfterBytes(10));
    let mut answered = post(FIRST);
    answered.abort = Some(Abort::AfterResponseBytes(1));
    let mut reset = answer(&["x"]);
    reset.reset = Some(Reset::Body);
    let later = |request: Request| Exchange {
        at: Some(Duration::from_millis(1)),
        ..exchange(request, answer(&["ok"]))
    };
    let exchanges = [
        exchange(held, answer(&[])),
        exchange(answered, answer(&["abc"])),
        exchange(post(FIRST), reset),
        exchange(post("{"), answer(&[])),
        later(Request { method: "GET".to_owned(), ..post("") }),
        Exchange { until: Some(6), ..exchange(post(LAST), answer(&["late"])) },
        exchange(post(FIRST), answer(&["ok"])),
    ];
    let [native, compiled] = proxies(CONFIG).map(|mut proxy| proxy.run(&exchanges));
    for (native, compiled) in native.iter().zip(&compiled) {
        same(native, compiled);
    }
    let last = &native[5].observed.metrics;
    let count = |outcome: &str| last[&format!("ipp_requests_total{{outcome={outcome:?}}}")];
    let counts = ["processed", "passed", "bypassed", "rejected", "aborted"].map(count);
    assert_eq!(counts, [4.0, 1.0, 0.0, 1.0, 1.0]);
    assert_eq!(last["ipp_success_total"], 4.0);
}

#[test]
fn a_configuration_that_both_refuse() {
    let refused =
        [native(), compiled()].map(|launch| proxy(settings(), "kind: Nonsense\n", launch).err().unwrap());
    assert!(refused[0].contains("kind"), "{}", refused[0]);
    assert_eq!(refused[0], refused[1]);
}
