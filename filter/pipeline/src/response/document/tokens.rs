//! What keys, strings and numbers of a document mean where they stand.

use super::super::paths::Node;
use super::super::reading::{Count, MAX_MODEL_BYTES};
use super::{Document, Role, State};
use crate::payload::members::number::Number;
use crate::payload::{strings, text};

impl Document {
    pub(super) fn string_begins(&mut self) {
        self.state = State::String;
        self.token.clear();
        self.token_too_long = false;
    }

    /// Inside a string, up to its end, an escape that the chunk cuts, or the chunk's end. Says where it stopped.
    #[inline]
    pub(super) fn string<const LINE: bool>(&mut self, chunk: &[u8], from: usize) -> usize {
        let clean = strings::clean(chunk, from);
        let rest = chunk.get(clean..).unwrap_or_default();
        let end = clean.wrapping_add(strings::plain_run(rest).len);
        if self.role != Role::Value && self.role != Role::OtherKey {
            self.keep(chunk.get(from..end).unwrap_or_default());
        }
        match chunk.get(end) {
            None => return end,
            Some(b'"') => self.string_ends(),
            Some(b'\\') => {
                self.keep(b"\\");
                self.state = State::Escape;
            }
            Some(b'\n' | b'\r') if LINE => return end,
            Some(_) => self.state = State::Failed,
        }
        end.wrapping_add(1)
    }

    pub(super) fn keep(&mut self, bytes: &[u8]) {
        match self.role {
            Role::Key | Role::Text => {
                if self.token.len().saturating_add(bytes.len()) > MAX_MODEL_BYTES {
                    self.token_too_long = true;
                } else {
                    self.token.extend_from_slice(bytes);
                }
            }
            Role::AnyText if !bytes.is_empty() => self.something(),
            _ => {}
        }
    }

    pub(super) fn string_ends(&mut self) {
        self.state = State::AfterValue;
        match self.role {
            Role::Key => {
                let key = text::decode(&self.token).ok().filter(|_| !self.token_too_long);
                self.node = key.map_or(Node::Other, |key| self.level().child(key.as_bytes()));
                self.state = State::Colon;
            }
            Role::OtherKey => {
                self.node = Node::Other;
                self.state = State::Colon;
            }
            Role::Text if !self.token_too_long => {
                let text = std::mem::take(&mut self.token);
                self.text(&text);
                self.token = text;
            }
            Role::Text | Role::AnyText | Role::Value => {}
        }
    }

    /// A whole string, as written between its quotes, where it may matter.
    #[inline]
    pub(super) fn text(&mut self, text: &[u8]) {
        match self.node {
            Node::Model if text.len() <= MAX_MODEL_BYTES && is_name(text) => {
                self.has_model = true;
                self.model.clear();
                self.model.extend_from_slice(text);
            }
            Node::Kind if is_failure(text) => self.failed(),
            node if node.takes_text() && !text.is_empty() => self.something(),
            _ => {}
        }
    }

    #[inline]
    pub(super) fn digit(&mut self, byte: u8) {
        self.digits = match (self.digits, byte) {
            (Some(count), b'0'..=b'9') => {
                count.checked_mul(10).and_then(|count| count.checked_add(u32::from(byte.wrapping_sub(b'0'))))
            }
            _ => None,
        };
    }

    pub(super) fn number_ends(&mut self, number: Number) {
        self.state = if number.is_complete() { State::AfterValue } else { State::Failed };
        if let (Node::Count(count), Some(value)) = (self.node, self.digits) {
            self.count(count, value);
        }
    }

    #[inline]
    pub(super) fn count(&mut self, count: Count, value: u32) {
        self.found = true;
        self.reading.set(count, value);
    }

    /// There is something where it matters that there is something.
    #[inline]
    pub(super) fn something(&mut self) {
        if self.node == Node::Error {
            self.failed();
        } else {
            self.found = true;
            self.reading.content = true;
        }
    }

    pub(super) fn failed(&mut self) {
        self.found = true;
        self.reading.error = true;
    }
}

/// Whether a string, as written, is a name: not empty, and one that can be decoded.
#[inline]
fn is_name(text: &[u8]) -> bool {
    !text.is_empty() && (!text.contains(&b'\\') || text::decode(text).is_ok())
}

/// Whether a document's `type`, as written, tells of a failure.
#[inline]
fn is_failure(text: &[u8]) -> bool {
    if !text.contains(&b'\\') {
        return Node::FAILURES.contains(&text);
    }
    text::decode(text).is_ok_and(|text| Node::FAILURES.contains(&text.as_bytes()))
}
