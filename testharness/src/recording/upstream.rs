//! What a model server answers.

use std::time::Duration;

use bytes::Bytes;

use crate::message::Headers;

/// What a model server, or a cluster that is polled, answers.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Passes before anything is sent.
    pub delay: Duration,
    /// The status.
    pub status: u16,
    /// The fields, with a content-type that fits the body where the recording has none and without the framing's.
    pub headers: Headers,
    /// The body in the pieces in which it is sent.
    pub pieces: Vec<Piece>,
    /// Where it breaks off.
    pub reset: Option<Reset>,
}

/// A piece of an answer's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Passes before it is sent.
    pub after: Duration,
    /// The bytes; never none.
    pub bytes: Bytes,
}

/// Where an upstream breaks off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// Before its headers.
    Headers,
    /// After the body that is given, without an end.
    Body,
}

impl Upstream {
    /// The whole body.
    pub fn body(&self) -> Bytes {
        match self.pieces.as_slice() {
            [only] => only.bytes.clone(),
            pieces => pieces.iter().flat_map(|piece| piece.bytes.iter().copied()).collect(),
        }
    }
}
