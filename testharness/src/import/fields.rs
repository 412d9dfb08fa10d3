//! Header fields that belong to one connection, to a proxy, or to an encoding that the capture has undone.

use crate::message::Headers;

/// Of the hop before the filter: the replay makes them anew.
const HOP: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Which host was asked, which encodings the client takes (bodies are recorded without), and what proxies add. The last
/// names clients by their addresses, too.
const REQUEST: [&str; 8] = [
    "accept-encoding",
    "forwarded",
    "host",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
];

/// The fields of a request that a recording keeps. `transfer-encoding: chunked` stays: that the length of the body is not
/// known in advance is something that the filter sees. A body that the capture has unpacked has no content-encoding.
pub(crate) fn request(headers: &Headers, unpacked: bool) -> Headers {
    let mut kept = without(headers, &[&HOP, &REQUEST, encoding(unpacked)]);
    if headers.has_token("transfer-encoding", "chunked") {
        kept.push("transfer-encoding", "chunked");
    }
    kept
}

/// The fields of an answer that a recording keeps. A body that the capture has unpacked has no content-encoding.
pub(crate) fn response(headers: &Headers, unpacked: bool) -> Headers {
    without(headers, &[&HOP, encoding(unpacked)])
}

fn encoding(unpacked: bool) -> &'static [&'static str] {
    if unpacked { &["content-encoding"] } else { &[] }
}

/// What Envoy adds to the messages that pass through it.
pub(crate) fn without_envoys(headers: &Headers) -> Headers {
    let own = |name: &[u8], value: &[u8]| {
        let name = name.to_ascii_lowercase();
        name.starts_with(b"x-envoy-") || (name == b"server" && value == b"envoy")
    };
    headers.iter().filter(|(name, value)| !own(name, value)).collect()
}

fn without(headers: &Headers, names: &[&[&str]]) -> Headers {
    let dropped = |name: &[u8]| {
        let listed = names.iter().copied().flatten().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        let of_hop = std::str::from_utf8(name).is_ok_and(|name| headers.has_token("connection", name));
        listed || of_hop || name.starts_with(b":")
    };
    headers.iter().filter(|(name, _)| !dropped(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(headers: &Headers) -> Vec<String> {
        headers.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect()
    }

    #[test]
    fn what_belongs_to_the_connection_is_left_out() {
        let headers = Headers::new()
            .with(":authority", "a")
            .with("Host", "a")
            .with("Connection", "close, X-Hop")
            .with("x-hop", "1")
            .with("Accept-Encoding", "gzip")
            .with("Content-Length", "3")
            .with("Transfer-Encoding", "chunked")
            .with("X-Forwarded-For", "10.0.0.1")
            .with("X-Stays", "1");
        assert_eq!(names(&request(&headers, false)), ["X-Stays", "transfer-encoding"]);
    }

    #[test]
    fn an_unpacked_body_has_no_encoding() {
        let headers =
            Headers::new().with("content-encoding", "gzip").with("content-length", "9").with("etag", "x");
        assert_eq!(names(&response(&headers, true)), ["etag"]);
        assert_eq!(names(&response(&headers, false)), ["content-encoding", "etag"]);
    }

    #[test]
    fn what_envoy_adds_is_left_out() {
        let headers = Headers::new()
            .with("server", "envoy")
            .with("X-Envoy-Upstream-Service-Time", "1")
            .with("server", "uvicorn");
        assert_eq!(without_envoys(&headers), Headers::new().with("server", "uvicorn"));
    }
}
