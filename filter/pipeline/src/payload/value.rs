//! What a wanted member turned out to be.

use crate::reject::Rejection;
use std::ops::Range;

/// The value of a top-level member, as far as anybody asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// The object has no such member.
    Absent,
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number exactly as it is written: `1000000` stays `1000000`, `1.50` stays `1.50`.
    Number(&'a str),
    /// A string, decoded.
    String(&'a str),
    /// An array. Its content is not kept.
    Array,
    /// An object. Its content is not kept.
    Object,
    /// A string or number whose text is longer than [`MAX_VALUE_BYTES`](super::MAX_VALUE_BYTES), or that nobody wants to
    /// know.
    TooLong,
}

/// The JSON type of a value, known from its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    True,
    False,
    Number,
    String,
    Array,
    Object,
}

/// A wanted member's value: its text and the places in the body where it stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Captured {
    pub(crate) kind: Option<Kind>,
    /// Decoded string, or number as written; empty for the others.
    pub(crate) text: String,
    pub(crate) too_long: bool,
    /// An object or array as it is written, where that was asked for.
    pub(crate) whole: Vec<u8>,
    /// The `type` that was found inside of it, where that was asked for.
    pub(crate) told: Option<String>,
    /// Byte ranges of the value in the body; more than one only where duplicate keys are allowed.
    pub(crate) spans: Vec<Range<usize>>,
}

impl Captured {
    pub(crate) fn value(&self) -> Value<'_> {
        match self.kind {
            None => Value::Absent,
            Some(Kind::Null) => Value::Null,
            Some(Kind::True) => Value::Bool(true),
            Some(Kind::False) => Value::Bool(false),
            Some(Kind::Array) => Value::Array,
            Some(Kind::Object) => Value::Object,
            Some(Kind::Number | Kind::String) if self.too_long => Value::TooLong,
            Some(Kind::Number) => Value::Number(&self.text),
            Some(Kind::String) => Value::String(&self.text),
        }
    }
}

impl<'a> Value<'a> {
    /// The value as the text of a header: strings as they are, numbers as written, `true` and `false`. Nothing
    /// for `null`, arrays, objects and what is absent.
    ///
    /// # Errors
    /// The text is too long for a header.
    pub fn text(self) -> Result<Option<&'a str>, Rejection> {
        match self {
            Self::String(text) | Self::Number(text) => Ok(Some(text)),
            Self::Bool(true) => Ok(Some("true")),
            Self::Bool(false) => Ok(Some("false")),
            Self::Absent | Self::Null | Self::Array | Self::Object => Ok(None),
            Self::TooLong => Err(Rejection::invalid_header_value()),
        }
    }
}
