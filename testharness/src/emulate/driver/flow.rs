//! How headers, bodies and trailers go through the chain: when callbacks run, and what Pause means.
//!
//! This is Envoy's `FilterManager` with the Wasm filter's `Context` (`decodeHeaders`, `decodeData`, `decodeTrailers`
//! and their `encode` twins, which are the same code here).

use super::Proxy;
use super::live::{Hold, Place, Stage, Stopped};
use super::vms::Called;
use crate::emulate::guest::{Callback, Side};
use crate::emulate::host::{After, Plugin, Reply, Seen, Shown, Stream, lock};

/// What a callback wants, in Envoy's terms (section 1.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Continue,
    Pause,
    /// Body only: keep it, and show only new bytes.
    Watermark,
    /// Body only: drop the bytes.
    Drop,
    /// Headers only: no more callbacks.
    StopAll,
}

impl Action {
    /// `convertVmCallResultToFilterHeadersStatus`. Without the flag Pause stops everything (section 1.1); after a local
    /// reply the answer does not count.
    fn of_headers(called: &Called, hold_headers: bool) -> Self {
        match called.answer {
            _ if called.stopped => Self::StopAll,
            0 => Self::Continue,
            1 if hold_headers => Self::Pause,
            _ => Self::StopAll,
        }
    }

    fn of_body(called: &Called) -> Self {
        match called.answer {
            _ if called.stopped => Self::Drop,
            0 => Self::Continue,
            1 => Self::Pause,
            2 => Self::Watermark,
            _ => Self::Drop,
        }
    }
}

impl Proxy {
    pub(super) fn stage(&mut self, place: Place) -> Option<&mut Stage> {
        let filter = place.filter(self.filters.len())?;
        self.streams[place.stream].stages.get_mut(filter)
    }

    fn hold(&mut self, place: Place) -> &mut Hold {
        let filter = place.filter(self.filters.len()).unwrap_or_default();
        self.streams[place.stream].stages[filter].hold(place.of)
    }

    /// The stream as the filter at that place sees it.
    fn seen<T>(&mut self, place: Place, work: impl FnOnce(&mut Seen, &mut Stream) -> T) -> Option<T> {
        let stage = self.stage(place)?;
        let (vm, context) = (stage.vm, stage.context);
        let host = &mut *lock(&self.host);
        let context = host.vms[vm].contexts.get_mut(&context)?;
        Some(work(&mut context.sees, host.streams.get_mut(&place.stream)?))
    }

    /// Whether the stream's trailers of that side are there.
    fn has_trailers(&self, place: Place) -> bool {
        lock(&self.host)
            .streams
            .get_mut(&place.stream)
            .is_some_and(|stream| stream.trailers(place.of).is_some())
    }

    /// Whether the end of that side was seen.
    fn complete(&self, place: Place) -> bool {
        self.streams[place.stream].complete[place.of as usize]
    }

    /// A filter whose VM is gone answers the request with 503 (section 7.1); a response that comes later passes it.
    /// What it answers says whether callbacks are to run.
    fn can_call(&mut self, place: Place) -> bool {
        let Some(filter) = place.filter(self.filters.len()) else { return false };
        if self.reaches(&self.streams[place.stream].stages[filter]) {
            return true;
        }
        self.fail(place.stream, filter);
        false
    }

    /// Responses pass filters that do not know the stream, and those that answered in the place of a VM that trapped.
    fn passes(&mut self, place: Place) -> bool {
        let of_response = place.of == Side::Response;
        self.stage(place).is_some_and(|stage| !stage.created || of_response && stage.failed)
    }

    /// Headers come to a place.
    pub(super) fn headers(&mut self, place: Place, end: bool) {
        if !self.streams[place.stream].flows(place.of) {
            return;
        }
        let Some(filter) = place.filter(self.filters.len()) else { return self.headers_out(place, end) };
        if place.of == Side::Request && !self.create(place.stream, filter) {
            return;
        }
        if self.passes(place) {
            self.hold(place).passed = true;
            return self.headers(place.next(), end);
        }
        if !self.can_call(place) {
            return;
        }
        let of = place.of;
        let count = self.seen(place, |sees, stream| {
            *sees.headers(of) = true;
            sees.end = end;
            match of {
                Side::Request => Some(&stream.request_headers),
                Side::Response => stream.response_headers.as_ref(),
            }
            .map_or(0, |headers| headers.len())
        });
        let Stage { vm, context, .. } = self.streams[place.stream].stages[filter];
        let count = u32::try_from(count.unwrap_or_default()).unwrap_or(u32::MAX);
        let Some(called) = self.call(vm, Callback::Headers { context, of, count, end }, Some(place.stream))
        else {
            return self.fail(place.stream, filter);
        };
        let action = Action::of_headers(&called, self.settings.hold_headers);
        let hold = self.hold(place);
        match action {
            Action::Continue => hold.passed = true,
            Action::Pause => hold.stopped = Stopped::Here,
            _ => hold.stopped = Stopped::Entirely,
        }
        if action == Action::Continue {
            // Section 2.1: "After Continue from headers they are not [writable]: request_headers_ = nullptr".
            self.seen(place, |sees, _| *sees.headers(of) = false);
        }
        self.settle(vm, called.after);
        if action == Action::Continue {
            self.headers(place.next(), end);
        }
    }

    /// A filter gets a context with the request's headers (`onCreate`). False if its VM did not survive that.
    pub(super) fn create(&mut self, stream: usize, filter: usize) -> bool {
        let stage = &self.streams[stream].stages[filter];
        if stage.created {
            return true;
        }
        if !self.reaches(stage) {
            // `onCreate` counts it as done, and the callback that follows finds out.
            self.streams[stream].stages[filter].created = true;
            return true;
        }
        let (vm, root) = (stage.vm, self.filters[filter].root);
        let context = lock(&self.host).vms[vm].add(Some(root), Some(stream), Plugin::default());
        let stage = &mut self.streams[stream].stages[filter];
        (stage.context, stage.created) = (context, true);
        let called = self.call(vm, Callback::Create { context, root }, Some(stream));
        let survived = called.is_some();
        self.settle(vm, called.map(|called| called.after).unwrap_or_default());
        if !survived {
            self.fail(stream, filter);
        }
        survived
    }

    /// A piece of a body comes to a place.
    pub(super) fn data(&mut self, place: Place, bytes: Vec<u8>, end: bool) {
        if !self.streams[place.stream].flows(place.of) {
            return;
        }
        let Some(filter) = place.filter(self.filters.len()) else { return self.data_out(place, bytes, end) };
        let of = place.of;
        if self.hold(place).stopped == Stopped::Entirely {
            // No callback; it waits (`handleDataIfStopAll`). Reading would stop at the limit, and nothing is refused.
            self.seen(place, |sees, _| {
                sees.body(of).chunk = bytes;
                sees.body(of).hold_chunk();
            });
            return;
        }
        if self.passes(place) {
            return self.data(place.next(), bytes, end);
        }
        if !self.can_call(place) {
            return;
        }
        let (keeps, limit, had_trailers) = (self.hold(place).keeps, self.limit(of), self.has_trailers(place));
        let size = self.seen(place, |sees, _| {
            sees.end = end;
            let body = sees.body(of);
            body.chunk = bytes;
            body.shown = if keeps { Shown::Held } else { Shown::Chunk };
            if keeps {
                // Section 1.4: "Envoy appends the new chunk to the buffer *before* it calls you".
                body.hold_chunk();
            }
            body.size()
        });
        let size = size.unwrap_or_default();
        let Stage { vm, context, .. } = self.streams[place.stream].stages[filter];
        let callback = Callback::Body { context, of, size: u32::try_from(size).unwrap_or(u32::MAX), end };
        let Some(called) = self.call(vm, callback, Some(place.stream)) else {
            return self.fail(place.stream, filter);
        };
        let action = Action::of_body(&called);
        let no_more = self.complete(place) && !self.has_trailers(place);
        let held = self.seen(place, |sees, _| {
            let body = sees.body(of);
            match action {
                Action::Continue => body.shown = Shown::Nothing,
                Action::Pause => {
                    body.hold_chunk();
                    body.shown = Shown::Held;
                }
                Action::Watermark => body.hold_chunk(),
                _ => {
                    body.chunk.clear();
                    if no_more {
                        // So that the end is not lost when the stream goes on.
                        body.held.get_or_insert_default();
                    }
                }
            }
            body.held.as_ref().map_or(0, Vec::len)
        });
        let hold = self.hold(place);
        hold.keeps = action == Action::Pause;
        let waited = hold.stopped != Stopped::No;
        if action != Action::Continue {
            hold.stopped = Stopped::Here;
        }
        // Section 1.4: what crosses the limit while it is kept, by coming or by an edit, is refused, "and your Continue
        // is ignored". A first piece that is not to be kept may be of any size.
        let too_large = (keeps || action == Action::Pause) && held.unwrap_or_default().max(size) > limit;
        let replies = called.after.iter().any(|(_, after)| matches!(after, After::Reply(_)));
        self.settle(vm, called.after);
        if too_large && !replies {
            return self.too_large(place);
        }
        if action == Action::Continue {
            self.pass_data(place, waited, end, had_trailers);
        }
    }

    /// After a body callback that continued: what was held goes with it, or only this piece.
    fn pass_data(&mut self, place: Place, waited: bool, end: bool, had_trailers: bool) {
        let of = place.of;
        if waited {
            self.seen(place, |sees, _| sees.body(of).hold_chunk());
            return self.resume(place);
        }
        let bytes = self.seen(place, |sees, _| std::mem::take(&mut sees.body(of).chunk)).unwrap_or_default();
        // A filter that asks for trailers in the last body callback makes some, and they are the end.
        let new_trailers = !had_trailers && self.has_trailers(place);
        self.data(place.next(), bytes, end && !new_trailers);
        if new_trailers {
            self.trailers(place.next());
        }
    }

    /// Trailers come to a place.
    pub(super) fn trailers(&mut self, place: Place) {
        if !self.streams[place.stream].flows(place.of) {
            return;
        }
        let Some(filter) = place.filter(self.filters.len()) else { return self.trailers_out(place) };
        if self.hold(place).stopped == Stopped::Entirely {
            return;
        }
        if self.passes(place) {
            return self.trailers(place.next());
        }
        if !self.can_call(place) {
            return;
        }
        let of = place.of;
        let count = self.seen(place, |sees, stream| {
            *sees.trailers(of) = true;
            stream.trailers(of).as_ref().map_or(0, |trailers| trailers.len())
        });
        let Stage { vm, context, .. } = self.streams[place.stream].stages[filter];
        let count = u32::try_from(count.unwrap_or_default()).unwrap_or(u32::MAX);
        let Some(called) = self.call(vm, Callback::Trailers { context, of, count }, Some(place.stream))
        else {
            return self.fail(place.stream, filter);
        };
        let goes_on = called.answer == 0 && !called.stopped;
        let waited = self.hold(place).stopped != Stopped::No;
        if goes_on {
            self.seen(place, |sees, _| *sees.trailers(of) = false);
        } else {
            self.hold(place).stopped = Stopped::Here;
        }
        self.settle(vm, called.after);
        match (goes_on, waited) {
            (true, true) => self.resume(place),
            (true, false) => self.trailers(place.next()),
            (false, _) => {}
        }
    }

    /// Lets what waits at a filter go on (`commonContinue`). After a stop of everything the filter itself still has to
    /// see the body; after a Pause it has.
    pub(super) fn resume(&mut self, place: Place) {
        if !self.streams[place.stream].flows(place.of) {
            return;
        }
        let entirely = self.hold(place).stopped == Stopped::Entirely;
        let to = if entirely { place } else { place.next() };
        let of = place.of;
        let held = self.seen(place, |sees, _| sees.body(of).held.take()).flatten();
        let (complete, has_trailers) = (self.complete(place), self.has_trailers(place));
        let hold = self.hold(place);
        hold.stopped = Stopped::No;
        hold.keeps = false;
        let passed = std::mem::replace(&mut hold.passed, true);
        if !passed {
            self.headers(place.next(), complete && held.is_none() && !has_trailers);
        }
        if let Some(held) = held {
            self.data(to, held, complete && !has_trailers);
        }
        if has_trailers {
            self.trailers(to);
        }
    }

    fn limit(&self, of: Side) -> usize {
        match of {
            Side::Request => self.settings.request_limit,
            Side::Response => self.settings.response_limit,
        }
    }

    /// More is held than may be. A request is answered; a response is replaced or cut off (sections 1.3, 6.1).
    fn too_large(&mut self, place: Place) {
        let reply = match place.of {
            Side::Request => Reply::of_envoy(413, "request_payload_too_large", "Payload Too Large"),
            Side::Response => Reply::of_envoy(500, "response_payload_too_large", "Internal Server Error"),
        };
        self.reply(place.stream, &reply);
    }
}
