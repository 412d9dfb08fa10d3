//! What a client sends.

use bytes::Bytes;

use crate::message::Headers;

use super::HOST;

/// What the client sends.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The fields as the recording has them; [`Request::wire_headers`] is what goes out.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
    /// Sizes in which the body arrives; the rest comes as one more.
    pub chunks: Vec<usize>,
    /// Sent after the body.
    pub trailers: Headers,
    /// When the client goes away.
    pub abort: Option<Abort>,
}

/// When a client goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abort {
    /// After so many bytes of its body.
    AfterBytes(usize),
    /// After so many bytes of the response's body.
    AfterResponseBytes(usize),
}

/// How a request says where its body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// With content-length.
    Length,
    /// In chunks, as with `transfer-encoding: chunked` or trailers.
    Chunked,
}

impl Request {
    /// Where the body ends.
    pub fn framing(&self) -> Framing {
        if !self.trailers.is_empty() || self.headers.has_token("transfer-encoding", "chunked") {
            return Framing::Chunked;
        }
        let bodiless =
            matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "DELETE" | "CONNECT" | "TRACE");
        match self.body.is_empty() && bodiless && !self.headers.contains("content-length") {
            true => Framing::None,
            false => Framing::Length,
        }
    }

    /// The fields that go out: `host` and `content-length` are added where they are not there, and `transfer-encoding`,
    /// which belongs to one hop and no filter sees, is left to the connection.
    pub fn wire_headers(&self) -> Headers {
        let own = |(name, _): &(&[u8], &[u8])| !name.eq_ignore_ascii_case(b"transfer-encoding");
        let mut headers: Headers = self.headers.iter().filter(own).collect();
        if !headers.contains("host") {
            headers.push("host", HOST);
        }
        if self.framing() == Framing::Length && !headers.contains("content-length") {
            headers.push("content-length", self.body.len().to_string());
        }
        headers
    }

    /// The body in the pieces in which it arrives, cut off where the client goes away. None is empty.
    pub fn pieces(&self) -> Vec<Bytes> {
        let mut rest = self.body.clone();
        if let Some(Abort::AfterBytes(bytes)) = self.abort {
            rest.truncate(bytes);
        }
        let mut pieces = Vec::new();
        for size in &self.chunks {
            pieces.push(rest.split_to((*size).min(rest.len())));
        }
        pieces.push(rest);
        pieces.retain(|piece| !piece.is_empty());
        pieces
    }
}
