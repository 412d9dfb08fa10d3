//! What HTTP/1 and Envoy's connection manager make of messages, on the way in and on the way out.

use std::time::SystemTime;

use bytes::Bytes;

use crate::emulate::host::HeaderMap;
use crate::message::Headers;
use crate::recording::{Abort, Framing, Request, Upstream};

/// What Envoy reads at most at once: `per_connection_buffer_limit_bytes` (section 1.4).
const ONE_READ: usize = 1 << 20;

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
pub(super) fn request_headers(method: &str, path: &str, wire: &Headers) -> (HeaderMap, bool) {
    let host = wire.all("host").map(|value| (b":authority".as_slice(), value));
    let pseudo = [(":path", path), (":method", method), (":scheme", "http")];
    let rest = wire.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(b"host"));
    let mut headers = HeaderMap::of_request().with_read(host).with(pseudo).with_read(rest);
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
    if headers.get(b"expect").is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue")) {
        headers.remove(b"expect");
    }
    // What is no address is taken off.
    if headers.get(b"referer").is_some_and(|value| value.contains(&b' ')) {
        headers.remove(b"referer");
    }
    match token(&headers, "te", "trailers") {
        true => headers.set(b"te", b"trailers"),
        false => headers.remove(b"te"),
    }
    if headers.get(b"x-forwarded-proto").is_none() {
        headers.add(b"x-forwarded-proto", b"http");
    }
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
pub(super) fn sends_end(request: &Request, pieces: &[Bytes]) -> bool {
    let sent: usize = pieces.iter().map(Bytes::len).sum();
    match request.framing() {
        Framing::Chunked => !matches!(request.abort, Some(Abort::AfterBytes(_))),
        Framing::None | Framing::Length => sent >= length(request).unwrap_or(request.body.len()),
    }
}

/// What goes over the wire to an HTTP/1 upstream.
pub(super) fn upstream_headers(headers: &HeaderMap, end: bool) -> HeaderMap {
    let mut sent = HeaderMap::of_request();
    let authority = headers.get(b":authority").unwrap_or_default();
    sent.add(b"host", authority);
    for (name, value) in headers.iter().filter(|(name, _)| name.first() != Some(&b':')) {
        sent.add(name, value);
    }
    sent.trim();
    let bodiless = matches!(headers.get(b":method"), Some(b"GET" | b"HEAD" | b"CONNECT" | b"DELETE"));
    if sent.get(b"content-length").is_none() {
        // Section 2.4: without a length the body goes in chunks.
        match end {
            true if bodiless => {}
            true => sent.add(b"content-length", b"0"),
            false => sent.add(b"transfer-encoding", b"chunked"),
        }
    }
    sent
}

/// What filters see of an upstream's headers, and whether nothing follows them. An upstream that sends its body at once
/// gives the length, any other one sends chunks.
pub(super) fn response_headers(upstream: &Upstream, is_head: bool) -> (HeaderMap, bool) {
    let mut headers = HeaderMap::of_response();
    headers.add(b":status", upstream.status.to_string().as_bytes());
    let mut headers = headers.with_read(upstream.headers.iter());
    let length = match upstream.pieces.as_slice() {
        [] if upstream.reset.is_none() => Some(0),
        [piece] if piece.after.is_zero() && upstream.reset.is_none() => Some(piece.bytes.len()),
        _ => None,
    };
    let bodiless = matches!(upstream.status, 100..=199 | 204 | 304);
    match length {
        _ if bodiless || is_head => {}
        Some(length) => headers.set(b"content-length", length.to_string().as_bytes()),
        None => headers.set(b"transfer-encoding", b"chunked"),
    }
    (headers, bodiless || is_head || length == Some(0))
}

/// What Envoy makes of a response's headers for an HTTP/1 client (`ConnectionManagerUtility::mutateResponseHeaders`,
/// `StreamEncoderImpl::encodeHeadersBase`).
pub(super) fn client_headers(mut headers: HeaderMap, end: bool, is_head: bool, now: SystemTime) -> HeaderMap {
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
