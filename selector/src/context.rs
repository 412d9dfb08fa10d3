//! What a plugin sees of the request and of the world.

use crate::random::Rng;

/// What the request says in one top-level field of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requested<'a> {
    /// Missing, `null` or the empty string: the client leaves the choice open.
    Absent,
    /// A string that is not empty.
    Name(&'a str),
    /// Anything but a string: a number, a boolean, an array, an object.
    Malformed,
}

impl<'a> Requested<'a> {
    /// What a string in the body means: the empty one is [`Absent`](Requested::Absent).
    pub fn text(text: &'a str) -> Self {
        if text.is_empty() { Self::Absent } else { Self::Name(text) }
    }
}

/// Which model the request's session is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session<'a> {
    /// The request names no session.
    None,
    /// It names one that is not known, or not any more.
    Unknown,
    /// The model that served the session before.
    Bound(&'a str),
}

/// The request, as far as plugins may ask about it.
pub trait Query {
    /// A top-level string field of the body, unescaped. Only what plugins declared
    /// ([`Filter::body_fields`](crate::Filter::body_fields)) has to be known.
    fn field(&self, name: &str) -> Requested<'_>;

    /// The model that the client asks for.
    fn model(&self) -> Requested<'_> {
        self.field("model")
    }

    /// A top-level number of the body; `None` where it is absent or something else.
    fn number(&self, name: &str) -> Option<f64> {
        let _ = name;
        None
    }

    /// The session that the request header `key` names.
    fn session(&self, key: &str) -> Session<'_> {
        let _ = key;
        Session::None
    }
}

/// The world at the time of one selection: its clock and its chance.
pub struct Env<'a> {
    /// Nanoseconds since the Unix epoch. One reading for the whole selection.
    pub now_ns: u64,
    /// Where random choices come from.
    pub rng: &'a mut dyn Rng,
}
