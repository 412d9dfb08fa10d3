//! The fast lane of a document: token by token, as long as whole tokens are at hand.
//!
//! It does what the state machine does, and leaves to it whatever is not plainly right: a token that the chunk's end
//! cuts, a key with an escape in it, a number that is no plain count where a count is looked for, every error. So a
//! string is read twice at most. The steps stand in the order in which they follow each other, so that one leads to
//! the next without looking the state up.

use super::{Document, Node, State};
use crate::payload::scalars::{blank, scalar};
use crate::payload::strings;

/// What may come next between two tokens.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    FirstKey,
    Key,
    Colon,
    FirstElement,
    Value,
    AfterValue,
}

/// A count with more digits is left to the state machine.
const MAX_DIGITS: usize = 9;

impl Document {
    /// Reads whole tokens from `at` on. Says where it stopped.
    pub(super) fn lane<const LINE: bool>(&mut self, chunk: &[u8], mut at: usize) -> usize {
        let mut next = match self.state {
            State::FirstKey => Next::FirstKey,
            State::Key => Next::Key,
            State::Colon => Next::Colon,
            State::FirstElement => Next::FirstElement,
            State::Value => Next::Value,
            State::AfterValue => Next::AfterValue,
            _ => return at,
        };
        let mut level = self.level();
        let mut in_object = self.in_object();
        'lane: loop {
            if matches!(next, Next::FirstKey | Next::Key) {
                at = blank::<LINE>(chunk, at);
                match chunk.get(at) {
                    Some(b'"') => {
                        let Some((node, behind)) = key(chunk, at.wrapping_add(1), level) else { break 'lane };
                        (self.node, at) = (node, behind);
                        next = Next::Colon;
                    }
                    Some(b'}') if next == Next::FirstKey => next = Next::AfterValue,
                    _ => break 'lane,
                }
            }
            if next == Next::Colon {
                at = blank::<LINE>(chunk, at);
                if chunk.get(at) != Some(&b':') {
                    break 'lane;
                }
                at = at.wrapping_add(1);
                next = Next::Value;
            }
            if matches!(next, Next::Value | Next::FirstElement) {
                at = blank::<LINE>(chunk, at);
                match chunk.get(at) {
                    Some(b'"') => {
                        let start = at.wrapping_add(1);
                        let Some(end) = string_end(chunk, start) else { break 'lane };
                        if self.node != Node::Other {
                            self.text(chunk.get(start..end).unwrap_or_default());
                        }
                        at = end.wrapping_add(1);
                    }
                    Some(bracket @ (b'{' | b'[')) => {
                        let object = *bracket == b'{';
                        if !self.begin(object) {
                            break 'lane;
                        }
                        at = at.wrapping_add(1);
                        (level, in_object) = (self.node, object);
                        next = if object { Next::FirstKey } else { Next::FirstElement };
                        continue 'lane;
                    }
                    Some(b']') if next == Next::FirstElement => {}
                    Some(first) => {
                        let behind = match self.node {
                            Node::Count(count) => plain_count(chunk, at).map(|(value, behind)| {
                                self.count(count, value);
                                behind
                            }),
                            _ => scalar(chunk, at, *first),
                        };
                        let Some(behind) = behind else { break 'lane };
                        at = behind;
                    }
                    None => break 'lane,
                }
                next = Next::AfterValue;
            }
            while next == Next::AfterValue {
                at = blank::<LINE>(chunk, at);
                match (chunk.get(at), in_object) {
                    (Some(b','), true) => next = Next::Key,
                    (Some(b','), false) => {
                        self.node = level;
                        next = Next::Value;
                    }
                    (Some(b'}'), true) | (Some(b']'), false) => {
                        self.close();
                        if self.depth == 0 {
                            // It is complete, as the state says.
                            return at.wrapping_add(1);
                        }
                        (level, in_object) = (self.level(), self.in_object());
                    }
                    _ => break 'lane,
                }
                at = at.wrapping_add(1);
            }
        }
        self.state = match next {
            Next::FirstKey => State::FirstKey,
            Next::Key => State::Key,
            Next::Colon => State::Colon,
            Next::FirstElement => State::FirstElement,
            Next::Value => State::Value,
            Next::AfterValue => State::AfterValue,
        };
        at
    }
}

/// The place of the value of the key that is read from `start` on, and what is behind its quote.
#[inline]
fn key(chunk: &[u8], start: usize, level: Node) -> Option<(Node, usize)> {
    if level == Node::Other {
        return Some((Node::Other, string_end(chunk, start)?.wrapping_add(1)));
    }
    let rest = chunk.get(start..)?;
    let length = strings::plain_run(rest).len;
    // No place that is looked for is as long as what is too long to be kept.
    let node = rest.get(..length).map(|name| level.child(name))?;
    (rest.get(length) == Some(&b'"')).then_some((node, start.wrapping_add(length).wrapping_add(1)))
}

/// Where the closing quote of the string stands that is read from `start` on.
#[inline]
fn string_end(chunk: &[u8], start: usize) -> Option<usize> {
    let clean = strings::clean(chunk, start);
    let end = clean.wrapping_add(strings::plain_run(chunk.get(clean..)?).len);
    (chunk.get(end) == Some(&b'"')).then_some(end)
}

/// The whole number at `at` and what is behind it, if it is one and the chunk does not end with it.
#[inline]
fn plain_count(chunk: &[u8], at: usize) -> Option<(u32, usize)> {
    let (mut value, mut length) = (0_u32, 0_usize);
    loop {
        let byte = *chunk.get(at.wrapping_add(length))?;
        match byte {
            b'0'..=b'9' if length < MAX_DIGITS && (length == 0 || value > 0) => {
                value = value.wrapping_mul(10).wrapping_add(u32::from(byte.wrapping_sub(b'0')));
                length = length.wrapping_add(1);
            }
            b',' | b'}' | b']' | b' ' if length > 0 => return Some((value, at.wrapping_add(length))),
            _ => return None,
        }
    }
}
