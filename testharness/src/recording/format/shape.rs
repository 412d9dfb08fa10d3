//! The words in which the format is described.

/// What a value has to be like.
#[derive(Clone, Copy)]
pub(in crate::recording) enum Shape {
    /// Anything, `null` too.
    Any,
    /// A string.
    Text,
    /// A string, or `!!binary`.
    Bytes,
    /// `true` or `false`.
    Bool,
    /// `true`, which alone says something.
    True,
    /// A whole number from the first to the second.
    Integer(u64, u64),
    /// Any number.
    Number,
    /// A span of time: `20ms`.
    Duration,
    /// A point in time: `2026-11-22T10:00:00Z`.
    Timestamp,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// The name of a header field.
    HeaderName,
    /// A list of pairs of a header's name and its value.
    Pairs,
    /// A map from headers' names to their value or values.
    HeaderMap,
    /// A path, or a document.
    Config,
    /// A list of these.
    List(&'static Shape),
    /// A map from any names to these.
    Map(&'static Shape),
    /// A map with these fields.
    Object(&'static Object),
}

/// A map whose fields are known.
pub(in crate::recording) struct Object {
    /// How the schema calls it.
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) fields: &'static [Field],
    /// Of each of these groups, at most one field may be there.
    pub(super) at_most_one: &'static [&'static [&'static str]],
    /// Of these fields, unless there are none, one has to be there.
    pub(super) exactly_one: &'static [&'static str],
}

/// A field of an object.
#[derive(Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) shape: Shape,
    pub(super) required: bool,
}

impl Shape {
    /// A number of bytes.
    pub(super) const SIZE: Self = Self::Integer(0, 1 << 30);
    /// The status of a response that ends an exchange.
    pub(super) const STATUS: Self = Self::Integer(200, 599);
}

pub(super) const fn required(name: &'static str, shape: Shape, about: &'static str) -> Field {
    Field { name, about, shape, required: true }
}

pub(super) const fn optional(name: &'static str, shape: Shape, about: &'static str) -> Field {
    Field { name, about, shape, required: false }
}
