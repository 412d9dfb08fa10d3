//! Clients: what they send and when they go away, and what reaches them.

use std::time::{Instant, SystemTime};

use bytes::Bytes;

use super::live::{Got, Place, Stage};
use super::{Event, Proxy};
use crate::emulate::guest::Side;
use crate::emulate::host::{Facts, HeaderMap, Reply, Stream, lock};
use crate::message::Headers;
use crate::recording::{Abort, Framing, Request};

/// What Envoy reads at most at once: `per_connection_buffer_limit_bytes` (section 1.4).
pub(super) const ONE_READ: usize = 1 << 20;

/// Fields that belong to one connection. Envoy takes them off a request before any filter sees it, and off a response
/// when every filter has.
const HOP: [&str; 5] = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/// Fields by which Envoys talk to each other: those of a client are taken off. Seen with Envoy 1.40; it may be after
/// the filters for some of them.
const OF_ENVOY: [&str; 16] = [
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-force-trace",
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-internal",
    "x-envoy-ip-tags",
    "x-envoy-max-retries",
    "x-envoy-original-url",
    "x-envoy-retriable-header-names",
    "x-envoy-retriable-status-codes",
    "x-envoy-retry-grpc-on",
    "x-envoy-retry-on",
    "x-envoy-upstream-alt-stat-name",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-stream-duration-ms",
    "x-forwarded-client-cert",
];

/// What filters see of the fields that a client sent over HTTP/1, and whether it asks for another protocol
/// (`ConnectionManagerUtility::mutateRequestHeaders`).
fn request_headers(method: &str, path: &str, wire: &Headers) -> (HeaderMap, bool) {
    let host = wire.all("host").map(|value| (":authority", value));
    let pseudo = [(":path", path), (":method", method), (":scheme", "http")];
    let rest = wire.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(b"host"));
    let mut headers = HeaderMap::of_request().with(host).with(pseudo).with(rest);
    headers.trim();
    let token = |headers: &HeaderMap, name: &str, token: &str| {
        headers
            .text(name)
            .is_some_and(|value| value.split(',').any(|own| own.trim().eq_ignore_ascii_case(token)))
    };
    let upgrades = headers.get(b"upgrade").is_some() && token(&headers, "connection", "upgrade");
    // What `connection` names belongs to the connection, too.
    let named = headers.text("connection").unwrap_or_default();
    for name in named.split(',').map(str::trim).chain(HOP).chain(OF_ENVOY) {
        headers.remove(name.as_bytes());
    }
    // Envoy answers 100 itself (section 8).
    if token(&headers, "expect", "100-continue") {
        headers.remove(b"expect");
    }
    match token(&headers, "te", "trailers") {
        true => headers.set(b"te", b"trailers"),
        false => headers.remove(b"te"),
    }
    headers.set(b"x-forwarded-proto", b"http");
    (headers, upgrades)
}

/// The length that a request gives of its body.
fn length(request: &Request) -> Option<usize> {
    request.headers.get("content-length").and_then(|length| length.trim().parse().ok())
}

/// The body in the pieces in which Envoy reads it. None is larger than what it reads at once; and what goes beyond the
/// length that the client itself gave is no part of this request.
pub(super) fn pieces(request: &Request) -> Vec<Bytes> {
    let mut left = match request.framing() {
        Framing::Chunked => usize::MAX,
        Framing::None | Framing::Length => length(request).unwrap_or(usize::MAX),
    };
    let mut pieces = Vec::new();
    for mut piece in request.pieces() {
        piece.truncate(left);
        left -= piece.len();
        while piece.len() > ONE_READ {
            pieces.push(piece.split_to(ONE_READ));
        }
        pieces.push(piece);
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// Whether the end of the body comes after its pieces: what a client that goes away does not send is the last chunk, or
/// what is missing up to the length.
fn sends_end(request: &Request, pieces: &[Bytes]) -> bool {
    let sent: usize = pieces.iter().map(Bytes::len).sum();
    match request.framing() {
        Framing::Chunked => !matches!(request.abort, Some(Abort::AfterBytes(_))),
        Framing::None | Framing::Length => sent >= length(request).unwrap_or(request.body.len()),
    }
}

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
        if !live.complete[0] || live.in_last_callback {
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

/// What Envoy makes of a response's headers for an HTTP/1 client (`ConnectionManagerUtility::mutateResponseHeaders`,
/// `StreamEncoderImpl::encodeHeadersBase`).
fn client_headers(mut headers: HeaderMap, end: bool, is_head: bool, now: SystemTime) -> HeaderMap {
    for name in HOP {
        headers.remove(name.as_bytes());
    }
    if headers.get(b"date").is_none() {
        headers.add(b"date", http_date(now).as_bytes());
    }
    headers.set(b"server", b"envoy");
    headers.trim();
    let bodiless = matches!(headers.get(b":status"), Some(b"204" | b"304"));
    if headers.get(b"content-length").is_none() && !bodiless {
        // Of an answer to HEAD nobody knows whether it would have a body.
        match end && !is_head {
            true => headers.add(b"content-length", b"0"),
            false => headers.add(b"transfer-encoding", b"chunked"),
        }
    }
    headers
}

/// A time as HTTP writes it: `Thu, 01 Jan 1970 00:00:00 GMT`.
fn http_date(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][(days % 7) as usize];
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let (mut year, mut day) = (1970, days);
    while day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while day >= lengths[month] {
        day -= lengths[month];
        month += 1;
    }
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{weekday}, {:02} {} {year} {hour:02}:{minute:02}:{second:02} GMT", day + 1, names[month])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn dates() {
        let date = |seconds| http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(date(1_767_225_600), "Thu, 01 Jan 2026 00:00:00 GMT");
    }

    #[test]
    fn what_filters_see_of_a_request() {
        let wire: Headers = [
            ("Host", "ipp.test"),
            ("Content-Type", "text/plain"),
            ("Connection", "keep-alive, X-Named"),
            ("X-Named", "1"),
            ("X-A", "1"),
            ("content-type", "application/json"),
            ("x-a", "2"),
            ("Expect", "100-continue"),
            ("TE", "gzip, Trailers"),
            ("x-envoy-retry-on", "5xx"),
            ("upgrade", "h2c"),
        ]
        .into_iter()
        .collect();
        let (headers, upgrades) = request_headers("POST", "/v1?x=1", &wire);
        let shown: Vec<_> = headers.iter().map(|(name, value)| [name, b"=", value].concat()).collect();
        let shown: Vec<_> = shown.iter().map(|pair| std::str::from_utf8(pair).unwrap()).collect();
        assert!(!upgrades);
        assert_eq!(
            shown,
            [
                ":authority=ipp.test",
                ":path=/v1?x=1",
                ":method=POST",
                ":scheme=http",
                "content-type=text/plain,application/json",
                "x-a=1",
                "x-a=2",
                "te=trailers",
                "x-forwarded-proto=http",
            ]
        );
    }
}
