//! The router and the upstreams behind it: where requests go, what arrives, and what is answered.

use std::time::Duration;

use super::live::{Place, Sent};
use super::wire::{response_headers, upstream_headers};
use super::{Event, Proxy};
use crate::emulate::guest::Side;
use crate::emulate::host::{Reply, lock};
use crate::recording::Reset;

/// What the client reads when an upstream breaks off before it has answered.
const BROKEN_OFF: &str =
    "upstream connect error or disconnect/reset before headers. reset reason: connection termination";

impl Proxy {
    /// A request's headers reach the router: it looks for the route now, unless nothing has changed since the last
    /// time (section 2.2), and sends them.
    pub(super) fn request_out(&mut self, index: usize, end: bool) {
        let routing = &self.settings.routing;
        let mut host = lock(&self.host);
        let Some(stream) = host.streams.get_mut(&index) else { return };
        if stream.request_headers.get(b"x-forwarded-proto").is_none_or(<[u8]>::is_empty) {
            // Envoy finds no route then (`VirtualHostImpl::getRouteFromEntries`).
            drop(host);
            // It is the router that answers, and for it the request is all there.
            self.streams[index].in_last_callback = false;
            return self.reply(index, &Reply::of_envoy(404, "route_not_found", ""));
        }
        let value = stream.request_headers.get(routing.header.as_bytes());
        let route = stream.route.take().unwrap_or_else(|| routing.cluster(value).to_owned());
        stream.facts.cluster = Some(route.clone());
        stream.route = Some(route);
        let headers = upstream_headers(&stream.request_headers, end);
        drop(host);
        self.streams[index].sent = Some(Sent { headers, ..Sent::default() });
        if end {
            self.request_ended(index);
        }
    }

    pub(super) fn request_data_out(&mut self, index: usize, bytes: &[u8], end: bool) {
        if let Some(sent) = &mut self.streams[index].sent {
            sent.body.extend_from_slice(bytes);
        }
        if end {
            self.request_ended(index);
        }
    }

    pub(super) fn request_trailers_out(&mut self, index: usize) {
        let trailers =
            lock(&self.host).streams.get(&index).and_then(|stream| stream.request_trailers.clone());
        if let Some(sent) = &mut self.streams[index].sent {
            // Only a chunked message has a place for them.
            let chunked = sent.headers.get(b"content-length").is_none();
            sent.trailers = trailers.filter(|_| chunked).unwrap_or_default();
        }
        self.request_ended(index);
    }

    /// The whole request is at the upstream, which answers, now or when another exchange has ended.
    fn request_ended(&mut self, index: usize) {
        let now = self.now();
        let live = &mut self.streams[index];
        live.deadline = Some(now + self.settings.route_timeout);
        let Some(sent) = &mut live.sent else { return };
        sent.complete = true;
        let length = sent.headers.text("content-length").and_then(|length| length.parse::<usize>().ok());
        if let Some(length) = length.filter(|length| *length != sent.body.len()) {
            // Section 2.4: with a stale length "the surplus bytes became the next request's method", or the upstream
            // waits for ever.
            let told = format!("a request says content-length {length} and has {} bytes", sent.body.len());
            live.faults.errors.push(told);
            sent.complete = sent.body.len() >= length;
            sent.body.truncate(length);
            if !sent.complete {
                return;
            }
        }
        let until = live.until.filter(|until| self.streams[*until].ended.is_none());
        if until.is_some() {
            self.streams[index].held_back = true;
            self.begin_next();
        } else {
            self.begin_answer(index);
        }
    }

    pub(super) fn begin_answer(&mut self, index: usize) {
        let at = self.now() + self.streams[index].upstream.delay;
        self.plan(at, Event::Answer(index, 0));
    }

    /// An upstream takes a step: its headers, a piece of its body, or what comes after the last piece.
    pub(super) fn answer(&mut self, index: usize, step: usize) {
        let live = &mut self.streams[index];
        if !live.open() || live.replied {
            return;
        }
        let place = Place::first(index, Side::Response);
        if step == 0 {
            return self.answer_headers(index);
        }
        let upstream = &live.upstream;
        if let Some(piece) = upstream.pieces.get(step - 1) {
            let bytes = piece.bytes.to_vec();
            let wait = upstream.pieces.get(step).map_or(Duration::ZERO, |piece| piece.after);
            let at = self.now() + wait;
            self.plan(at, Event::Answer(index, step + 1));
            if let Some(stream) = lock(&self.host).streams.get_mut(&index) {
                stream.facts.response_size += bytes.len() as u64;
            }
            return self.data(place, bytes, false);
        }
        if upstream.reset == Some(Reset::Body) {
            // Section 6.3: UPE, and no end of the body.
            return self.cut(
                index,
                "upstream_reset_after_response_started{connection_termination}",
                8_388_608,
            );
        }
        live.complete[1] = true;
        self.data(place, Vec::new(), true);
    }

    fn answer_headers(&mut self, index: usize) {
        let live = &mut self.streams[index];
        if live.upstream.reset == Some(Reset::Headers) {
            let details = "upstream_reset_before_response_started{connection_termination}";
            self.flag(index, 64);
            return self.reply(index, &Reply::of_envoy(503, details, BROKEN_OFF));
        }
        let (headers, end) = response_headers(&live.upstream, live.is_head());
        live.response_started = true;
        live.complete[1] = end;
        let wait = live.upstream.pieces.first().map_or(Duration::ZERO, |piece| piece.after);
        if let Some(stream) = lock(&self.host).streams.get_mut(&index) {
            stream.response_headers = Some(headers);
            "via_upstream".clone_into(&mut stream.facts.details);
        }
        if !end {
            let at = self.now() + wait;
            self.plan(at, Event::Answer(index, 1));
        }
        self.headers(Place::first(index, Side::Response), end);
    }
}
