//! Why a body is refused. Offsets are named, payload text never is.

use std::fmt;

/// Why a body is not the one JSON object that it has to be. Offsets are bytes from the body's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// The body has no bytes, or only white space.
    Empty,
    /// The body is valid so far but is another JSON value than an object.
    NotAnObject,
    /// A byte that cannot stand where it stands.
    Syntax {
        /// Where.
        offset: usize,
        /// What could have stood there.
        expected: &'static str,
    },
    /// The body ended inside a value.
    Truncated {
        /// Its length.
        offset: usize,
    },
    /// Something other than white space follows the object.
    TrailingData {
        /// Where it begins.
        offset: usize,
    },
    /// A string holds bytes that are not UTF-8.
    InvalidUtf8 {
        /// Where the text that holds them begins.
        offset: usize,
    },
    /// A `\u` escape of half a character (an unpaired surrogate) in a top-level key or a wanted value.
    LoneSurrogate {
        /// Where the string ends.
        offset: usize,
    },
    /// A top-level key stands twice.
    DuplicateKey {
        /// Where the second one ends.
        offset: usize,
    },
    /// More than [`MAX_DEPTH`](super::MAX_DEPTH) levels.
    TooDeep {
        /// Where the first level too many opens.
        offset: usize,
    },
    /// More than [`MAX_MEMBERS`](super::MAX_MEMBERS) members.
    TooManyMembers {
        /// Where the first one too many ends.
        offset: usize,
    },
    /// A top-level key longer than [`MAX_KEY_BYTES`](super::MAX_KEY_BYTES).
    KeyTooLong {
        /// Where the key begins.
        offset: usize,
    },
}

impl fmt::Display for BodyError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(out, "the body is empty; a JSON object was expected"),
            Self::NotAnObject => write!(out, "the body is not a JSON object"),
            Self::Syntax { offset, expected } => {
                write!(out, "the body is not valid JSON: expected {expected} at byte {offset}")
            }
            Self::Truncated { offset } => {
                write!(out, "the body is not valid JSON: it ends at byte {offset}, inside a value")
            }
            Self::TrailingData { offset } => {
                write!(out, "the body is not valid JSON: data after the object at byte {offset}")
            }
            Self::InvalidUtf8 { offset } => {
                write!(out, "the body is not valid UTF-8 in the text at byte {offset}")
            }
            Self::LoneSurrogate { offset } => {
                write!(
                    out,
                    "the body is not valid JSON: unpaired surrogate in the string that ends at byte {offset}"
                )
            }
            Self::DuplicateKey { offset } => {
                write!(out, "the body names a top-level key twice, the second time at byte {offset}")
            }
            Self::TooDeep { offset } => {
                write!(out, "the body nests deeper than {} levels at byte {offset}", super::MAX_DEPTH)
            }
            Self::TooManyMembers { offset } => {
                write!(out, "the body has more than {} members at byte {offset}", super::MAX_MEMBERS)
            }
            Self::KeyTooLong { offset } => {
                write!(out, "the key at byte {offset} is longer than {} bytes", super::MAX_KEY_BYTES)
            }
        }
    }
}
