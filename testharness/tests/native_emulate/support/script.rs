//! A guest whose callbacks are closures of a test.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use ipp_testharness::emulate::driver::Launch;
use ipp_testharness::emulate::guest::{Callback, Guest, Side, Trap};
use ipp_testharness::emulate::host::{Answer, Calls, Handle};

/// Continue and Pause as numbers.
pub(crate) const CONTINUE: u32 = 0;
pub(crate) const PAUSE: u32 = 1;

/// What a script does in a callback: host calls, and an answer.
type Work = dyn Fn(&mut Calls<'_>, Callback) -> Result<u32, Trap> + Send + Sync;

struct Script {
    handle: Handle,
    work: Arc<Work>,
}

impl Guest for Script {
    fn call(&mut self, callback: Callback) -> Result<u32, Trap> {
        self.handle.with(|calls| (self.work)(calls, callback))
    }
}

/// A guest that does this in every callback of a stream, and says yes to its configuration.
pub(crate) fn script(
    work: impl Fn(&mut Calls<'_>, Callback) -> Result<u32, Trap> + Send + Sync + 'static,
) -> Launch {
    let work: Arc<Work> = Arc::new(move |calls: &mut Calls<'_>, callback: Callback| match callback {
        Callback::VmStart { .. } | Callback::Configure { .. } | Callback::Done { .. } => {
            work(calls, callback).map(|_| 1)
        }
        callback => work(calls, callback),
    });
    Box::new(move |handle| Ok(Box::new(Script { handle, work: Arc::clone(&work) }) as Box<dyn Guest>))
}

/// What callbacks found, put down in order.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<VecDeque<String>>>);

impl Notes {
    pub(crate) fn note(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push_back(text.into());
    }

    pub(crate) fn take(&self) -> Vec<String> {
        self.0.lock().unwrap().drain(..).collect()
    }
}

/// A callback of a stream in a few letters.
pub(crate) fn name(callback: Callback) -> String {
    let of = |side| if side == Side::Request { "request" } else { "response" };
    let end = |end| if end { " end" } else { "" };
    match callback {
        Callback::Headers { of: side, end: last, .. } => format!("{} headers{}", of(side), end(last)),
        Callback::Body { of: side, size, end: last, .. } => format!("{} body {size}{}", of(side), end(last)),
        Callback::Trailers { of: side, .. } => format!("{} trailers", of(side)),
        Callback::Create { .. } => "create".to_owned(),
        Callback::Log { .. } => "log".to_owned(),
        Callback::Done { .. } => "done".to_owned(),
        Callback::Delete { .. } => "delete".to_owned(),
        other => format!("{other:?}"),
    }
}

/// What a host call answered, in a few letters.
pub(crate) fn shown(answer: Answer<Vec<u8>>) -> String {
    match answer {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(status) => format!("{status:?}"),
    }
}
