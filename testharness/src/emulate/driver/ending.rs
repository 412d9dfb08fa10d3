//! Replies that are not an upstream's, and how streams end: in every case with `on_log`, `on_done` and `on_delete`.

use std::time::SystemTime;

use super::live::{Live, Place};
use super::{Ended, Event, Proxy};
use crate::emulate::guest::{Callback, Side};
use crate::emulate::host::{Facts, Reply, lock};
use crate::emulate::prometheus;
use crate::recording::Outcome;
use crate::replay::engine::{Message, Observed, Response};

impl Proxy {
    /// A filter, or Envoy, answers (section 6.2). Before a response the reply goes through the response callbacks; while
    /// one is held by a filter it takes its place, and callbacks are not run again; afterwards the stream is cut.
    pub(super) fn reply(&mut self, index: usize, reply: &Reply) {
        let live = &mut self.streams[index];
        if !live.open() {
            return;
        }
        if live.got.is_some() {
            return self.cut(index, &reply.details, 0);
        }
        let through_filters = !live.response_started;
        live.request_dead = true;
        live.replied = true;
        live.response_started = true;
        live.complete[1] = true;
        let is_head = live.is_head();
        let mut host = lock(&self.host);
        let Some(stream) = host.streams.get_mut(&index) else { return };
        let to_grpc = stream.request_headers.text("content-type").is_some_and(|value| is_grpc(&value));
        let (headers, body) = reply.message(to_grpc);
        stream.response_headers = Some(headers);
        stream.response_trailers = None;
        stream.facts.details.clone_from(&reply.details);
        stream.facts.response_size = body.len() as u64;
        drop(host);
        let first = Place::first(index, Side::Response);
        let place = if through_filters { first } else { Place { number: self.filters.len(), ..first } };
        let end = body.is_empty() || is_head;
        self.headers(place, end);
        if !end {
            self.data(place, body, true);
        }
        if !through_filters {
            self.streams[index].response_dead = true;
        }
    }

    /// A filter's VM is gone. It answers once in its place (section 7.1: 503 `wasm_fail_stream`, with an empty body).
    pub(super) fn fail(&mut self, index: usize, filter: usize) {
        let stage = &mut self.streams[index].stages[filter];
        if std::mem::replace(&mut stage.failed, true) {
            return;
        }
        self.reply(index, &Reply::of_envoy(503, "wasm_fail_stream", ""));
    }

    /// The stream is reset: nobody gets an end of anything.
    pub(super) fn cut(&mut self, index: usize, details: &str, flags: u64) {
        if !self.streams[index].open() {
            return;
        }
        self.flag(index, flags);
        self.streams[index].cut = true;
        let started = self.streams[index].response_started;
        if let Some(stream) = lock(&self.host).streams.get_mut(&index) {
            details.clone_into(&mut stream.facts.details);
            if !started {
                stream.response_headers = None;
            }
        }
        self.finish(index);
    }

    pub(super) fn flag(&self, index: usize, flags: u64) {
        if let Some(stream) = lock(&self.host).streams.get_mut(&index) {
            stream.facts.flags |= flags;
        }
    }

    /// Whose time runs out next, and when.
    pub(super) fn next_deadline(&self) -> Option<(SystemTime, usize)> {
        let idle = |live: &Live| live.active + self.settings.idle_timeout;
        let open = self.streams.iter().enumerate().filter(|(_, live)| live.open());
        open.map(|(index, live)| (live.deadline.map_or(idle(live), |own| own.min(idle(live))), index)).min()
    }

    /// The time of a stream has run out: the route's, or that in which nothing of it went on (section 1.5).
    pub(super) fn time_out(&mut self, index: usize) {
        let live = &mut self.streams[index];
        let of_route = live.deadline.is_some_and(|deadline| deadline <= lock(&self.host).now);
        let (flags, details, status, text) = match (of_route, live.complete[0]) {
            (true, _) => (4, "response_timeout", 504, "upstream request timeout"),
            (false, true) => (65_536, "stream_idle_timeout", 504, "stream timeout"),
            (false, false) => (65_536, "stream_idle_timeout", 408, "stream timeout"),
        };
        if live.sent.is_none() && !live.replied {
            live.faults
                .errors
                .push(format!("nothing went on for {:?}: the filter holds it", self.settings.idle_timeout));
        }
        self.flag(index, flags);
        self.reply(index, &Reply::of_envoy(status, details, text));
    }

    /// The stream has ended, however: each filter logs, then is done and gone, once (section 6.3).
    pub(super) fn finish(&mut self, index: usize) {
        let live = &mut self.streams[index];
        if !live.open() || live.finishing {
            return;
        }
        live.finishing = true;
        live.request_dead = true;
        live.response_dead = true;
        let mut host = lock(&self.host);
        let now = host.now_ns();
        if let Some(stream) = host.streams.get_mut(&index) {
            stream.facts.duration_ns = Some(now.saturating_sub(stream.facts.began_ns));
        }
        drop(host);
        for filter in 0..self.filters.len() {
            // A filter that saw nothing of the stream is told of it now ("context is created just for on_log").
            self.create(index, filter);
            self.logging(index, filter, true);
            self.last_call(index, filter, |context| Callback::Log { context });
            self.logging(index, filter, false);
        }
        for filter in 0..self.filters.len() {
            self.last_call(index, filter, |context| Callback::Done { context });
            self.last_call(index, filter, |context| Callback::Delete { context });
            self.forget(index, filter);
        }
        let facts = lock(&self.host).streams.remove(&index).map(|stream| stream.facts);
        self.tell(index, facts.unwrap_or_default());
        for waiting in 0..self.streams.len() {
            let live = &mut self.streams[waiting];
            if live.held_back && live.until == Some(index) {
                live.held_back = false;
                self.begin_answer(waiting);
            }
        }
        self.begin_next();
    }
    /// A callback of a stage that knows the stream. Nothing comes of what it asks for: there is no stream any more.
    fn last_call(&mut self, index: usize, filter: usize, callback: impl FnOnce(u32) -> Callback) {
        let stage = &self.streams[index].stages[filter];
        if stage.created && stage.context != 0 && self.reaches(stage) {
            let (vm, context) = (stage.vm, stage.context);
            self.call(vm, callback(context), Some(index));
        }
    }

    fn logging(&self, index: usize, filter: usize, yes: bool) {
        let stage = &self.streams[index].stages[filter];
        if self.reaches(stage)
            && let Some(context) = lock(&self.host).vms[stage.vm].contexts.get_mut(&stage.context)
        {
            context.sees.logging = yes;
        }
    }

    fn forget(&self, index: usize, filter: usize) {
        let stage = &self.streams[index].stages[filter];
        if self.machines[stage.vm].generation == stage.generation {
            lock(&self.host).vms[stage.vm].contexts.remove(&stage.context);
        }
    }

    /// Puts down what became of a stream.
    fn tell(&mut self, index: usize, facts: Facts) {
        let metrics = prometheus::text(&lock(&self.host).metrics);
        let live = &mut self.streams[index];
        let mut faults = std::mem::take(&mut live.faults);
        faults.append(&mut self.stray);
        let whole = !live.cut && live.got.as_ref().is_some_and(|got| got.complete);
        // A reply that Envoy gives in the place of an upstream is still the outcome of a forwarded request.
        let outcome = match (whole, &live.sent) {
            (false, _) => Outcome::Aborted,
            (true, Some(_)) => Outcome::Forwarded,
            (true, None) => Outcome::Replied,
        };
        let request = live.sent.take().map(|sent| Message {
            headers: sent.headers.fields(),
            body: sent.body.into(),
            trailers: sent.trailers.fields(),
        });
        let response = live.got.take().map(|got| Response {
            status: got.headers.text(":status").and_then(|status| status.parse().ok()).unwrap_or_default(),
            headers: got.headers.fields(),
            body: got.body.into(),
        });
        let took = live.began.map(|(began, _)| began.elapsed()).unwrap_or_default();
        let (traps, errors) = (faults.traps, faults.errors);
        let Facts { cluster, details, flags, .. } = facts;
        let observed = Observed { outcome, cluster, request, response, metrics, traps, errors, took };
        let callbacks = std::mem::take(&mut live.callbacks);
        live.ended = Some(Ended { observed, callbacks, details, flags });
    }

    /// Begins the exchanges that have no time of their own and whose turn it is: when the one before has ended, and with
    /// it those that waited for it, or when its answer is held back.
    pub(super) fn begin_next(&mut self) {
        for next in 1..self.streams.len() {
            let before = &self.streams[next - 1];
            if !self.streams[next].started && (before.held_back || self.over(next - 1)) {
                self.streams[next].started = true;
                self.plan_now(Event::Start(next));
            }
        }
    }

    fn over(&self, index: usize) -> bool {
        let waits = |(_, live): &(usize, &Live)| live.until == Some(index);
        self.streams[index].ended.is_some()
            && self.streams.iter().enumerate().filter(waits).all(|(waiting, _)| self.over(waiting))
    }
}

/// Envoy: `Grpc::Common::hasGrpcContentType`.
fn is_grpc(content_type: &str) -> bool {
    content_type.strip_prefix("application/grpc").is_some_and(|rest| rest.is_empty() || rest.starts_with('+'))
}
