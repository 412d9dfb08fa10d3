//! What all filters of a chain share of one stream.

use std::collections::BTreeMap;

use super::HeaderMap;
use crate::emulate::guest::Side;

/// One request and its response, as far as they are there.
#[derive(Debug, Default)]
pub struct Stream {
    /// The request's headers; there from the beginning.
    pub request_headers: HeaderMap,
    /// The request's trailers.
    pub request_trailers: Option<HeaderMap>,
    /// The response's headers.
    pub response_headers: Option<HeaderMap>,
    /// The response's trailers.
    pub response_trailers: Option<HeaderMap>,
    /// The cluster of the route, as long as it need not be looked for again.
    pub route: Option<String>,
    /// What filters left under `wasm.NAME` (section 4.4). No VM is part of the name: all filters share it.
    pub filter_state: BTreeMap<Vec<u8>, Vec<u8>>,
    /// What properties tell.
    pub facts: Facts,
}

/// What properties tell of a stream, beside its headers.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The connection's number.
    pub connection: u64,
    /// Nanoseconds since the Unix epoch at which the request came.
    pub began_ns: u64,
    /// Bytes of the request's body so far.
    pub request_size: u64,
    /// Bytes of the response's body so far.
    pub response_size: u64,
    /// The cluster that the router sent the request to; none before.
    pub cluster: Option<String>,
    /// `%RESPONSE_CODE_DETAILS%`; empty before there is one.
    pub details: String,
    /// `%RESPONSE_FLAGS%` as bits (section 6.3).
    pub flags: u64,
    /// How long it took; none before its end (section 6.4: "request.duration only once complete").
    pub duration_ns: Option<u64>,
}

impl Stream {
    /// The trailers of a side.
    pub fn trailers(&mut self, of: Side) -> &mut Option<HeaderMap> {
        match of {
            Side::Request => &mut self.request_trailers,
            Side::Response => &mut self.response_trailers,
        }
    }
}
