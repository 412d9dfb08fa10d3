//! The headers of a response as a plugin sees them.

use super::request::HeaderEdit;
use crate::head::{Head, HeaderId};
use crate::state::State;

/// The headers of a response, and what the plugins want done with them.
pub struct Response<'a> {
    head: &'a Head,
    state: &'a State,
    edits: Vec<HeaderEdit>,
}

impl<'a> Response<'a> {
    pub(crate) fn new(head: &'a Head, state: &'a State) -> Self {
        Self { head, state, edits: Vec::new() }
    }

    /// The HTTP status.
    pub fn status(&self) -> Option<u16> {
        self.head.status()
    }

    /// The first value of a header, as the model server sent it.
    pub fn header(&self, header: HeaderId) -> Option<&[u8]> {
        self.head.values(header).next()
    }

    /// What the request's plugins left.
    pub fn state(&self) -> &'a State {
        self.state
    }

    /// Sets a header, whatever it was. A value that no header can have is not set.
    pub fn set_header(&mut self, header: HeaderId, value: impl Into<Vec<u8>>) {
        let value = value.into();
        if !value.iter().any(u8::is_ascii_control) {
            self.edit(header, Some(value));
        }
    }

    /// Removes a header.
    pub fn remove_header(&mut self, header: HeaderId) {
        self.edit(header, None);
    }

    fn edit(&mut self, header: HeaderId, value: Option<Vec<u8>>) {
        self.edits.retain(|edit| edit.header != header);
        self.edits.push(HeaderEdit { header, value });
    }

    pub(crate) fn finish(self) -> Vec<HeaderEdit> {
        self.edits
    }
}
