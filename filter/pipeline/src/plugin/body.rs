//! A whole response as a plugin sees it.

use super::request::HeaderEdit;
use super::response::Response;
use crate::head::HeaderId;
use crate::payload::{FieldId, Members, Value};
use crate::state::State;

/// A response whose body was held and read: its head, its top-level fields, its bytes.
pub struct FullResponse<'a> {
    head: Response<'a>,
    members: &'a Members,
    body: &'a [u8],
    changed: Option<Vec<u8>>,
}

impl<'a> FullResponse<'a> {
    pub(crate) fn new(head: Response<'a>, members: &'a Members, body: &'a [u8]) -> Self {
        Self { head, members, body, changed: None }
    }

    /// The HTTP status.
    pub fn status(&self) -> Option<u16> {
        self.head.status()
    }

    /// The first value of a header, as the model server sent it.
    pub fn header(&self, header: HeaderId) -> Option<&[u8]> {
        self.head.header(header)
    }

    /// What the request's plugins left.
    pub fn state(&self) -> &'a State {
        self.head.state()
    }

    /// The value of a top-level field, as the model server sent it.
    pub fn field(&self, field: FieldId) -> Value<'_> {
        self.members.value(field)
    }

    /// The body, with what plugins before this one made of it.
    pub fn body(&self) -> &[u8] {
        self.changed.as_deref().unwrap_or(self.body)
    }

    /// Puts another body in its place. Plugins that come after see its bytes, but the fields of the first.
    pub fn set_body(&mut self, body: Vec<u8>) {
        self.changed = Some(body);
    }

    /// Sets a header, whatever it was. A value that no header can have is not set.
    pub fn set_header(&mut self, header: HeaderId, value: impl Into<Vec<u8>>) {
        self.head.set_header(header, value);
    }

    /// Removes a header.
    pub fn remove_header(&mut self, header: HeaderId) {
        self.head.remove_header(header);
    }

    pub(crate) fn finish(self) -> (Vec<HeaderEdit>, Option<Vec<u8>>) {
        (self.head.finish(), self.changed)
    }
}
