//! A folder that goes away, and an engine that says what it is told to.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Parser;
use ipp_testharness::message::Headers;
use ipp_testharness::recording::{EngineKind, Outcome, Recording};
use ipp_testharness::replay::command::{Unusable, replay};
use ipp_testharness::replay::engine::{Engine, EngineError, Message, Observed, Ran, Response, Role};
use ipp_testharness::replay::options::{Options, Replay};
use ipp_testharness::replay::outcome::Summary;

/// A folder of its own for each test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("ipp-recordings-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// With one more file; folders in its name are created.
    pub(crate) fn with(self, name: &str, text: &str) -> Self {
        let file = self.file(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
        self
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    /// A message with the name of the folder taken out.
    pub(crate) fn strip(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.display()), "").replace(&self.0.display().to_string(), "DIR")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a text is read as.
pub(crate) fn read(text: &str) -> Recording {
    Recording::read(Path::new("test.yaml"), text).unwrap_or_else(|error| panic!("{error}"))
}

/// What is wrong with a text.
pub(crate) fn refused(text: &str) -> String {
    Recording::read(Path::new("t.yaml"), text).map(|it| it.name).unwrap_err().to_string()
}

/// An engine that passes everything on to a function.
pub(crate) struct Fake<F>(pub(crate) EngineKind, pub(crate) F);

impl<F: Fn(&Recording) -> Result<Ran, EngineError> + Send + Sync> Engine for Fake<F> {
    fn kind(&self) -> EngineKind {
        self.0
    }

    fn run(&self, recording: &Recording, _: Role) -> Result<Ran, EngineError> {
        (self.1)(recording)
    }
}

/// What a filter would lead to that changes nothing and sets one header.
pub(crate) fn passed_on(recording: &Recording) -> Vec<Observed> {
    let seen = |exchange: &ipp_testharness::recording::Exchange| {
        let headers = exchange.request.wire_headers().with("x-gateway-model-name", "m");
        let body = exchange.request.body.clone();
        Observed {
            cluster: Some("default".to_owned()),
            request: Some(Message { headers, body, trailers: Headers::new() }),
            response: Some(Response {
                status: exchange.upstream.status,
                headers: exchange.upstream.headers.clone(),
                body: exchange.upstream.body(),
            }),
            ..Observed::new(Outcome::Forwarded)
        }
    };
    recording.exchanges().iter().map(seen).collect()
}

/// What a filter answers itself.
pub(crate) fn replied(status: u16, body: &'static str) -> Observed {
    let headers = Headers::new().with("content-type", "application/json");
    let response = Response { status, headers, body: body.into() };
    Observed { response: Some(response), ..Observed::new(Outcome::Replied) }
}

/// A replay with these arguments, on engines that all see this.
pub(crate) fn run(
    arguments: &[&str],
    paths: &[PathBuf],
    see: impl Fn(EngineKind, &Recording) -> Result<Ran, EngineError> + Copy + Send + Sync + 'static,
) -> (Result<Summary, Unusable>, String) {
    let mut out = Vec::new();
    let options = options(arguments, paths);
    let engine = |kind: EngineKind, _: &Replay| {
        Ok(Box::new(Fake(kind, move |recording: &Recording| see(kind, recording))) as Box<dyn Engine>)
    };
    let summary = replay(&options, engine, &mut out);
    (summary, String::from_utf8(out).unwrap())
}

pub(crate) fn options(arguments: &[&str], paths: &[PathBuf]) -> Replay {
    let arguments = arguments.iter().map(std::ffi::OsString::from);
    let paths = paths.iter().map(|path| path.clone().into_os_string());
    Options::try_parse_from(std::iter::once("ipp-replay".into()).chain(arguments).chain(paths))
        .unwrap()
        .replay
}
