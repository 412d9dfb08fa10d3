//! A request to be sent, and how its body is to be cut.

use bytes::Bytes;

use crate::message::Headers;

/// How an HTTP/1 request says where its body ends. HTTP/2 needs none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// No body and no field about it.
    None,
    /// With content-length.
    Length,
    /// In chunks.
    Chunked,
}

/// A request to be sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The request target.
    pub path: String,
    /// The HTTP/1 version, `HTTP/1.1` unless changed.
    pub version: &'static str,
    /// The fields; `host` and those of the framing are added when they are not there.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
    /// Sizes of the pieces in which the body is sent; the rest is one more piece.
    pub pieces: Vec<usize>,
    /// Sent after the body; need chunks in HTTP/1.
    pub trailers: Headers,
    /// Where the body ends.
    pub framing: Framing,
}

impl Request {
    /// A request without a body.
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            version: "HTTP/1.1",
            headers: Headers::new(),
            body: Bytes::new(),
            pieces: Vec::new(),
            trailers: Headers::new(),
            framing: Framing::None,
        }
    }

    /// GET.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// POST of a JSON body with its content-length.
    pub fn post(path: &str, body: impl Into<Bytes>) -> Self {
        let request = Self::new("POST", path).header("content-type", "application/json");
        Self { body: body.into(), framing: Framing::Length, ..request }
    }

    /// With one more field.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// With other fields in place of all.
    #[must_use]
    pub fn headers(mut self, headers: Headers) -> Self {
        self.headers = headers;
        self
    }

    /// In chunks (HTTP/1) or DATA frames (HTTP/2) of these sizes.
    #[must_use]
    pub fn chunked(mut self, sizes: &[usize]) -> Self {
        self.framing = Framing::Chunked;
        self.pieces = sizes.to_vec();
        self
    }

    /// With the body sent in pieces of these sizes, each flushed.
    #[must_use]
    pub fn pieces(mut self, sizes: &[usize]) -> Self {
        self.pieces = sizes.to_vec();
        self
    }

    /// With one more trailer, which makes the body chunked.
    #[must_use]
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        self.framing = Framing::Chunked;
        self.trailers.push(name, value);
        self
    }

    /// The body as it is cut.
    pub fn body_pieces(&self) -> Vec<Bytes> {
        let mut rest = self.body.clone();
        let mut pieces = Vec::new();
        for size in &self.pieces {
            pieces.push(rest.split_to((*size).min(rest.len())));
        }
        pieces.push(rest);
        pieces.retain(|piece| !piece.is_empty());
        pieces
    }

    /// The HTTP/1 head.
    pub fn head(&self) -> Vec<u8> {
        let mut head = format!("{} {} {}\r\n", self.method, self.path, self.version).into_bytes();
        if !self.headers.contains("host") {
            head.extend_from_slice(b"host: ipp.test\r\n");
        }
        for (name, value) in self.headers.iter() {
            head.extend_from_slice(&[name, b": ", value, b"\r\n"].concat());
        }
        match self.framing {
            Framing::Length if !self.headers.contains("content-length") => {
                head.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
            }
            Framing::Chunked if !self.headers.contains("transfer-encoding") => {
                head.extend_from_slice(b"transfer-encoding: chunked\r\n");
            }
            _ => {}
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    /// The HTTP/1 body as it goes over the wire, piece by piece.
    pub fn wire_body(&self) -> Vec<Bytes> {
        if self.framing != Framing::Chunked {
            return self.body_pieces();
        }
        let framed =
            |piece: &Bytes| [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat().into();
        let mut pieces: Vec<Bytes> = self.body_pieces().iter().map(framed).collect();
        let mut end = b"0\r\n".to_vec();
        for (name, value) in self.trailers.iter() {
            end.extend_from_slice(&[name, b": ", value, b"\r\n"].concat());
        }
        end.extend_from_slice(b"\r\n");
        pieces.push(end.into());
        pieces
    }

    /// The whole HTTP/1 request in one piece.
    pub fn wire(&self) -> Vec<u8> {
        let mut bytes = self.head();
        for piece in self.wire_body() {
            bytes.extend_from_slice(&piece);
        }
        bytes
    }
}
