//! Clients: what they send and when they go away, and what reaches them.

use std::time::Instant;

use super::live::{Got, Place, Stage};
use super::wire::{client_headers, request_headers, sends_end};
use super::{Event, Proxy};
use crate::emulate::guest::Side;
use crate::emulate::host::{Facts, HeaderMap, Reply, Stream, lock};
use crate::recording::{Abort, Framing};

impl Proxy {
    /// A client sends the headers of a request.
    pub(super) fn start_request(&mut self, index: usize) {
        self.revive();
        let now = self.now();
        let generation = |vm: usize| self.machines[vm].generation;
        let stages: Vec<Stage> = self
            .filters
            .iter()
            .map(|filter| Stage { vm: filter.vm, generation: generation(filter.vm), ..Stage::default() })
            .collect();
        let live = &mut self.streams[index];
        live.started = true;
        live.began = Some((Instant::now(), now));
        live.active = now;
        live.stages = stages;
        let request = &live.request;
        let (headers, upgrades) = request_headers(&request.method, &request.path, &request.wire_headers());
        let framing = request.framing();
        // Envoy's HTTP/1 codec: a body is there if it is chunked or has a length above 0, whatever the method.
        let length = headers.text("content-length").and_then(|length| length.parse::<u64>().ok());
        let end = framing != Framing::Chunked && length.unwrap_or_default() == 0;
        live.complete[0] = end;
        let route = self.settings.routing.cluster(headers.get(self.settings.routing.header.as_bytes()));
        let mut host = lock(&self.host);
        let facts = Facts { connection: index as u64, began_ns: host.now_ns(), ..Facts::default() };
        let (route, request_headers) = (Some(route.to_owned()), headers);
        // The route is looked for before any filter runs (section 2.2).
        host.streams.insert(index, Stream { request_headers, route, facts, ..Stream::default() });
        drop(host);
        if upgrades {
            // No listener of the harness allows an upgrade, and no filter is asked.
            return self.reply(index, &Reply::of_envoy(403, "upgrade_failed", ""));
        }
        if !end {
            self.plan_now(Event::Piece(index, 0));
        }
        self.headers(Place::first(index, Side::Request), end);
    }

    /// A client sends a piece of its body, or after the last one what ends the request. Over HTTP/1 the end is an empty
    /// callback of its own (section 8).
    pub(super) fn send_piece(&mut self, index: usize, number: usize) {
        let now = self.now();
        let live = &mut self.streams[index];
        if !live.open() {
            return;
        }
        live.active = now;
        let place = Place::first(index, Side::Request);
        if let Some(piece) = live.pieces.get(number) {
            let bytes = piece.to_vec();
            self.plan_now(Event::Piece(index, number + 1));
            if let Some(stream) = lock(&self.host).streams.get_mut(&index) {
                stream.facts.request_size += bytes.len() as u64;
            }
            return self.data(place, bytes, false);
        }
        let gone = matches!(live.request.abort, Some(Abort::AfterBytes(_)));
        let trailers = HeaderMap::trailers().with(live.request.trailers.iter());
        if sends_end(&live.request, &live.pieces) {
            live.complete[0] = true;
            live.in_last_callback = true;
            if trailers.is_empty() {
                self.data(place, Vec::new(), true);
            } else {
                if let Some(stream) = lock(&self.host).streams.get_mut(&index) {
                    stream.request_trailers = Some(trailers);
                }
                self.trailers(place);
            }
            self.streams[index].in_last_callback = false;
        }
        if gone {
            self.client_gone(index);
        }
    }

    /// The client is gone (section 6.3: DC).
    pub(super) fn client_gone(&mut self, index: usize) {
        self.cut(index, "downstream_remote_disconnect", 16_384);
    }

    /// A response's headers reach the client.
    pub(super) fn headers_out(&mut self, place: Place, end: bool) {
        if place.of == Side::Request {
            return self.request_out(place.stream, end);
        }
        let now = self.now();
        let headers =
            lock(&self.host).streams.get(&place.stream).and_then(|own| own.response_headers.clone());
        let live = &mut self.streams[place.stream];
        live.active = now;
        let mut headers = client_headers(headers.unwrap_or_default(), end, live.is_head(), now);
        if !live.complete[0] || live.in_last_callback || live.request.headers.has_token("connection", "close")
        {
            // Section 6.2: a reply to a request that is not all there is the last one on its connection. One that is
            // given in the callback of the end counts as such, too.
            headers.set(b"connection", b"close");
        }
        live.got = Some(Got { headers, ..Got::default() });
        self.got_more(place.stream, end);
    }

    /// A piece of a body comes out of the chain.
    pub(super) fn data_out(&mut self, place: Place, bytes: Vec<u8>, end: bool) {
        let now = self.now();
        let live = &mut self.streams[place.stream];
        live.active = now;
        match place.of {
            Side::Request => self.request_data_out(place.stream, &bytes, end),
            Side::Response => {
                if let Some(got) = &mut live.got {
                    got.body.extend_from_slice(&bytes);
                }
                self.got_more(place.stream, end);
            }
        }
    }

    /// Trailers come out of the chain.
    pub(super) fn trailers_out(&mut self, place: Place) {
        match place.of {
            Side::Request => self.request_trailers_out(place.stream),
            Side::Response => self.got_more(place.stream, true),
        }
    }

    /// The client looks at what it has: it may go away now, and with the end of the response the stream ends.
    fn got_more(&mut self, index: usize, end: bool) {
        let live = &mut self.streams[index];
        let Some(got) = &mut live.got else { return };
        if let Some(Abort::AfterResponseBytes(bytes)) = live.request.abort
            && got.body.len() >= bytes
        {
            got.body.truncate(bytes);
            return self.client_gone(index);
        }
        if !end {
            return;
        }
        got.complete = true;
        let length = got.headers.text("content-length").and_then(|length| length.parse::<usize>().ok());
        let wrong = length.filter(|length| !live.request.method.eq("HEAD") && *length != got.body.len());
        if let Some(length) = wrong {
            // Section 2.4: "shortening a response body without fixing content-length hung the client".
            let told = format!("a response says content-length {length} and has {} bytes", got.body.len());
            live.faults.errors.push(told);
            got.complete = false;
            got.body.truncate(length);
        }
        self.finish(index);
    }
}
