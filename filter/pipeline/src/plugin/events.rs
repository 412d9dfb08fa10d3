//! One event of a streamed response as a plugin sees it.

use crate::response::Event;
use crate::state::State;
use std::borrow::Cow;

/// A server-sent event on its way to the client.
pub struct StreamEvent<'a> {
    event: Event<'a>,
    state: &'a State,
    fate: Fate,
}

/// What is to become of an event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Kept,
    Removed,
    Replaced(Vec<u8>),
}

impl<'a> StreamEvent<'a> {
    pub(crate) fn new(event: Event<'a>, state: &'a State) -> Self {
        Self { event, state, fate: Fate::Kept }
    }

    /// The event's bytes, line ends and all.
    pub fn bytes(&self) -> &'a [u8] {
        self.event.bytes()
    }

    /// Its data, the `data` lines joined.
    pub fn data(&self) -> Option<Cow<'a, [u8]>> {
        self.event.data()
    }

    /// Its type, the `event` line.
    pub fn name(&self) -> Option<&'a [u8]> {
        self.event.name()
    }

    /// What the request's plugins left.
    pub fn state(&self) -> &'a State {
        self.state
    }

    /// Keeps it from the client.
    pub fn remove(&mut self) {
        self.fate = Fate::Removed;
    }

    /// Sends these bytes in its place: whole events, each with the blank line that ends it.
    pub fn replace(&mut self, bytes: Vec<u8>) {
        self.fate = Fate::Replaced(bytes);
    }

    pub(crate) fn fate(self) -> Fate {
        self.fate
    }
}
