//! A reply that a filter, or Envoy in its place, gives to a request.

use super::{Field, HeaderMap};

/// A local reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u32,
    /// What the access log shows as `%RESPONSE_CODE_DETAILS%`.
    pub details: String,
    /// More fields.
    pub headers: Vec<Field>,
    /// The body.
    pub body: Vec<u8>,
    /// The gRPC status of a reply to a gRPC request.
    pub grpc_status: Option<u32>,
}

impl Reply {
    /// One that a filter gives. White space in `details` becomes `_` (`StringUtil::replaceAllEmptySpace`); a
    /// `grpc_status` that is none, as the SDK's -1, counts as none (section 6.2).
    pub fn new(status: u32, details: &[u8], headers: Vec<Field>, body: Vec<u8>, grpc_status: i32) -> Self {
        let details = String::from_utf8_lossy(details);
        let details = details.chars().map(|own| if own.is_ascii_whitespace() { '_' } else { own }).collect();
        let grpc_status = u32::try_from(grpc_status).ok().filter(|status| *status <= 16);
        Self { status, details, headers, body, grpc_status }
    }

    /// One that Envoy gives.
    pub fn of_envoy(status: u32, details: &str, body: &str) -> Self {
        let (details, body) = (details.to_owned(), body.as_bytes().to_vec());
        Self { status, details, headers: Vec::new(), body, grpc_status: None }
    }

    /// Its headers, and the body that goes with them (Envoy: `Utility::prepareLocalReply`).
    pub fn message(&self, to_grpc: bool) -> (HeaderMap, Vec<u8>) {
        let mut headers = HeaderMap::of_response();
        headers.add(b":status", self.status.to_string().as_bytes());
        for (name, value) in &self.headers {
            headers.add(name, value);
        }
        if to_grpc {
            // A gRPC client gets a trailers-only response whose status is always 200.
            headers.set(b":status", b"200");
            headers.set(b"content-type", b"application/grpc");
            headers.set(b"grpc-status", self.grpc().to_string().as_bytes());
            if !self.body.is_empty() {
                headers.set(b"grpc-message", &self.body);
            }
            headers.remove(b"content-length");
            return (headers, Vec::new());
        }
        if self.body.is_empty() {
            // An empty body has neither a length nor a type, even if the filter gave one.
            headers.remove(b"content-length");
            headers.remove(b"content-type");
        } else {
            headers.set(b"content-length", self.body.len().to_string().as_bytes());
            if headers.get(b"content-type").is_none() {
                headers.add(b"content-type", b"text/plain");
            }
        }
        (headers, self.body.clone())
    }

    /// Envoy: `Grpc::Utility::httpToGrpcStatus`.
    fn grpc(&self) -> u32 {
        self.grpc_status.unwrap_or(match self.status {
            400 => 13,
            401 => 16,
            403 => 7,
            404 => 12,
            429 | 502..=504 => 14,
            _ => 2,
        })
    }
}
