//! What the tests share.

pub(crate) mod script;

use std::time::Duration;

use bytes::Bytes;
use ipp_testharness::emulate::driver::{Ended, Filter, Launch, Proxy, Settings, VmSpec};
use ipp_testharness::emulate::host::Plugin;
use ipp_testharness::message::Headers;
use ipp_testharness::recording::{Exchange, Piece, Request, Routing, Upstream};

/// Routes to two pools by the header of the base model.
pub(crate) fn routing() -> Routing {
    Routing {
        clusters: ["default", "llama-pool", "qwen-pool"].map(str::to_owned).to_vec(),
        header: "x-gateway-base-model-name".to_owned(),
        values: [
            ("meta-llama/Llama-3.1-8B-Instruct", "llama-pool"),
            ("Qwen/Qwen2.5-1.5B-Instruct", "qwen-pool"),
        ]
        .map(|(value, cluster)| (value.to_owned(), cluster.to_owned()))
        .to_vec(),
    }
}

/// The settings of the tests.
pub(crate) fn settings() -> Settings {
    let start = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
    Settings::new(start, routing(), Vec::new())
}

/// A proxy with one filter in one VM.
pub(crate) fn proxy(settings: Settings, configuration: &str, launch: Launch) -> Result<Proxy, String> {
    let vm = VmSpec { id: "ipp".to_owned(), configuration: Vec::new(), launch };
    let configuration = configuration.as_bytes().to_vec();
    let plugin = Plugin { name: "ipp".to_owned(), root_id: "root".to_owned(), configuration };
    Proxy::start(settings, vec![vm], vec![Filter { vm: 0, plugin }])
}

/// A request with a JSON body.
pub(crate) fn post(body: impl Into<Bytes>) -> Request {
    let mut headers = Headers::new();
    headers.push("content-type", "application/json");
    Request {
        method: "POST".to_owned(),
        path: "/v1/chat/completions".to_owned(),
        headers,
        body: body.into(),
        chunks: Vec::new(),
        trailers: Headers::new(),
        abort: None,
    }
}

/// An answer with these pieces of a body.
pub(crate) fn answer(pieces: &[&str]) -> Upstream {
    let mut headers = Headers::new();
    headers.push("content-type", "text/plain");
    let piece = |text: &&str| Piece { after: Duration::ZERO, bytes: Bytes::copy_from_slice(text.as_bytes()) };
    let pieces = pieces.iter().map(piece).collect();
    Upstream { delay: Duration::ZERO, status: 200, headers, pieces, reset: None }
}

/// One exchange.
pub(crate) fn exchange(request: Request, upstream: Upstream) -> Exchange {
    let (id, at, until, expect, metrics) = Default::default();
    Exchange { id, at, request, upstream, until, expect, metrics }
}

/// Runs one exchange.
pub(crate) fn run(proxy: &mut Proxy, request: Request, upstream: Upstream) -> Ended {
    let mut ended = proxy.run(&[exchange(request, upstream)]);
    ended.pop().expect("it has ended")
}
