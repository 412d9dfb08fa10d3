//! Callouts of filters and what clusters answer to them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Event, Proxy};
use crate::emulate::guest::Callback;
use crate::emulate::host::{Callout, CalloutResponse, HeaderMap, lock};
use crate::recording::{self, Reset, Upstream};

/// The answers that are left, and the callouts that wait.
pub(super) struct Callouts {
    answers: BTreeMap<String, Vec<Upstream>>,
    given: BTreeMap<String, usize>,
    waiting: BTreeMap<u32, (Callout, Option<CalloutResponse>)>,
}

impl Callouts {
    pub(super) fn new(callouts: &[recording::Callout]) -> Self {
        let answers = callouts.iter().map(|known| (known.cluster.clone(), known.answers.clone())).collect();
        Self { answers, given: BTreeMap::new(), waiting: BTreeMap::new() }
    }

    /// The next answer of a cluster; the last one is given again and again.
    fn next(&mut self, cluster: &str) -> Option<&Upstream> {
        let answers = self.answers.get(cluster)?;
        let given = self.given.entry(cluster.to_owned()).or_default();
        let answer = answers.get(*given).or_else(|| answers.last());
        *given += 1;
        answer
    }
}

impl Proxy {
    /// Takes the callouts that filters have made and plans their answers.
    pub(super) fn send_callouts(&mut self) {
        loop {
            let callout = lock(&self.host).callouts.pop_front();
            let Some(callout) = callout else { return };
            let (after, response) = answer(self.callouts.next(&callout.cluster), callout.timeout);
            let at = self.now() + after;
            self.plan(at, Event::Callout(callout.token));
            self.callouts.waiting.insert(callout.token, (callout, response));
        }
    }

    /// Answers a callout. One whose VM has been replaced was cancelled with it.
    pub(super) fn answer_callout(&mut self, token: u32) {
        let Some((callout, response)) = self.callouts.waiting.remove(&token) else { return };
        let Callout { vm, root, .. } = callout;
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let size = response.as_ref().map_or([0; 3], |own| {
            [count(own.headers.len()), count(own.body.len()), count(own.trailers.len())]
        });
        if !self.set_answer(vm, root, response) {
            return;
        }
        let [headers, body, trailers] = size;
        self.call_root(vm, Callback::HttpCallResponse { root, token, headers, body, trailers });
        self.set_answer(vm, root, None);
    }

    fn set_answer(&self, vm: usize, root: u32, answer: Option<CalloutResponse>) -> bool {
        let mut host = lock(&self.host);
        host.vms[vm].contexts.get_mut(&root).map(|context| context.answer = answer).is_some()
    }
}

/// What comes back and when (section 5). A failure has no headers; an upstream that is too late or breaks off before
/// its headers is a response that Envoy makes up.
fn answer(upstream: Option<&Upstream>, timeout: Option<Duration>) -> (Duration, Option<CalloutResponse>) {
    let Some(upstream) = upstream else { return (Duration::ZERO, Some(made_up(404, ""))) };
    let body_takes: Duration = upstream.pieces.iter().map(|piece| piece.after).sum();
    let takes = upstream.delay + body_takes;
    if let Some(timeout) = timeout.filter(|timeout| takes > *timeout) {
        return (timeout, Some(made_up(504, "upstream request timeout")));
    }
    match upstream.reset {
        Some(Reset::Headers) => {
            let text = "upstream connect error or disconnect/reset before headers. reset reason: connection termination";
            (upstream.delay, Some(made_up(503, text)))
        }
        Some(Reset::Body) => (takes, None),
        None => {
            let mut headers = HeaderMap::of_response();
            headers.add(b":status", upstream.status.to_string().as_bytes());
            for (name, value) in upstream.headers.iter() {
                headers.add(name, value);
            }
            let body = upstream.body().to_vec();
            headers.set(b"content-length", body.len().to_string().as_bytes());
            (takes, Some(CalloutResponse { headers, body, trailers: HeaderMap::trailers() }))
        }
    }
}

fn made_up(status: u16, body: &str) -> CalloutResponse {
    let mut headers = HeaderMap::of_response();
    headers.add(b":status", status.to_string().as_bytes());
    if !body.is_empty() {
        headers.add(b"content-length", body.len().to_string().as_bytes());
        headers.add(b"content-type", b"text/plain");
    }
    CalloutResponse { headers, body: body.as_bytes().to_vec(), trailers: HeaderMap::trailers() }
}
