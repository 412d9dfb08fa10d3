//! The top-level members of a JSON object, found while its bytes arrive.
//!
//! Every byte is looked at once and checked against RFC 8259; the state between two chunks is a few words and
//! the text of the token being read if it is a wanted one. Depth, members and key length are bounded, so a
//! hostile body cannot make it keep more than that.

mod keeping;
mod kept;
mod nested;
pub(crate) mod number;
mod path;
mod seen;
mod stack;
mod structure;
mod utf8;

use super::value::Captured;
use super::{BodyError, DuplicateKeys, FieldId, MAX_MEMBERS, Value, Wanted};
use super::{strings, text};
use kept::Kept;
use number::Number;
pub use path::Inside;
use path::Path;
use seen::Seen;
use stack::Stack;
use std::borrow::Cow;
use utf8::Utf8;

/// What may come next.
#[derive(Clone, Copy, Debug)]
enum State {
    Start,
    FirstKey,
    Key,
    Colon,
    FirstElement,
    Value,
    AfterValue,
    String,
    Escape,
    Hex(u8),
    Number(Number),
    Literal(&'static [u8]),
    Done,
}

/// What the token being read is, where that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// A top-level key: its text is kept.
    TopKey,
    /// A key further down.
    Key,
    /// A key on the way to what is looked for further down: its text is kept.
    PathKey,
    /// What is looked for there: its text is kept.
    Type,
    /// A wanted top-level value: its text is kept.
    Wanted(FieldId),
    /// Any other value.
    Value,
}

/// A position in the chunk at hand.
struct Cursor<'a> {
    chunk: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    #[inline]
    fn peek(&self) -> Option<u8> {
        self.chunk.get(self.at).copied()
    }

    #[inline]
    fn skip(&mut self, count: usize) {
        self.at = self.at.wrapping_add(count);
    }

    #[inline]
    fn rest(&self) -> &'a [u8] {
        self.chunk.get(self.at..).unwrap_or_default()
    }
}

/// An incremental reader of one JSON object. Feed it the body in pieces of any size, then finish it.
#[derive(Debug)]
pub struct Members {
    state: State,
    role: Role,
    stack: Stack,
    utf8: Utf8,
    seen: Seen,
    /// Length of the chunks before the one at hand.
    base: usize,
    /// Offset behind the object's opening brace.
    first_member_at: usize,
    /// The field whose value comes after the colon.
    next: Option<FieldId>,
    /// Offset of the top-level value being read.
    value_start: usize,
    /// The field whose object or array is being kept.
    whole: Option<FieldId>,
    path: Path,
    kept: Kept,
    fields: Vec<Captured>,
    failed: Option<BodyError>,
}

impl Members {
    /// A reader for the fields of `wanted`, which has to be given again with every chunk.
    pub fn new(wanted: &Wanted) -> Self {
        Self {
            state: State::Start,
            role: Role::Value,
            stack: Stack::default(),
            utf8: Utf8::default(),
            seen: Seen::default(),
            base: 0,
            first_member_at: 0,
            next: None,
            value_start: 0,
            whole: None,
            path: Path::default(),
            kept: Kept::default(),
            fields: vec![Captured::default(); wanted.names.len()],
            failed: None,
        }
    }

    /// How many bytes were fed.
    pub fn len(&self) -> usize {
        self.base
    }

    /// Whether no byte was fed.
    pub fn is_empty(&self) -> bool {
        self.base == 0
    }

    /// The value of a wanted field, as far as the body is known.
    pub fn value(&self, field: FieldId) -> Value<'_> {
        self.fields.get(field.0).map_or(Value::Absent, Captured::value)
    }

    /// A wanted object or array as it is written, if [`Wanted::add_whole`] asked for it and it is not too long.
    pub fn whole(&self, field: FieldId) -> Option<&[u8]> {
        let captured = self.fields.get(field.0).filter(|captured| !captured.too_long)?;
        (!captured.whole.is_empty()).then_some(captured.whole.as_slice())
    }

    /// The `type` that was found inside of a wanted field, if [`Wanted::add_inside`] asked for it.
    pub fn told(&self, field: FieldId) -> Option<&str> {
        self.fields.get(field.0)?.told.as_deref()
    }

    /// The byte ranges in the body where the field's value stands: more than one only for allowed duplicates.
    pub fn spans(&self, field: FieldId) -> &[std::ops::Range<usize>] {
        self.fields.get(field.0).map_or(&[], |captured| &captured.spans)
    }

    /// Where a member can be inserted before all others.
    pub(crate) fn first_member_at(&self) -> usize {
        self.first_member_at
    }

    /// Whether the object has no member.
    pub(crate) fn is_empty_object(&self) -> bool {
        self.seen.len() == 0
    }

    /// Reads the next bytes of the body.
    ///
    /// # Errors
    /// The first thing that is wrong with the body; from then on every call returns the same.
    pub fn feed(&mut self, wanted: &Wanted, chunk: &[u8]) -> Result<(), BodyError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = self.scan(wanted, chunk);
        if let Some(field) = self.whole {
            self.keep_whole(field, chunk, chunk.len());
        }
        self.failed = result.err();
        self.base = self.base.wrapping_add(chunk.len());
        result
    }

    /// Says that the body is complete.
    ///
    /// # Errors
    /// What was wrong before, or that the object is not complete.
    pub fn finish(&mut self) -> Result<(), BodyError> {
        match (self.failed, self.state) {
            (Some(error), _) => Err(error),
            (None, State::Done) => Ok(()),
            (None, State::Start) => Err(BodyError::Empty),
            (None, _) => Err(BodyError::Truncated { offset: self.base }),
        }
    }

    fn scan(&mut self, wanted: &Wanted, chunk: &[u8]) -> Result<(), BodyError> {
        let mut cursor = Cursor { chunk, at: 0 };
        while let Some(byte) = cursor.peek() {
            match self.state {
                State::String => self.string(wanted, &mut cursor)?,
                State::Escape => {
                    cursor.skip(1);
                    self.state = match byte {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => State::String,
                        b'u' => State::Hex(4),
                        _ => return Err(self.unexpected(&cursor, 1, "an escape sequence")),
                    };
                }
                State::Hex(left) => {
                    cursor.skip(1);
                    if !byte.is_ascii_hexdigit() {
                        return Err(self.unexpected(&cursor, 1, "four hexadecimal digits"));
                    }
                    self.state = if left > 1 { State::Hex(left.wrapping_sub(1)) } else { State::String };
                }
                State::Number(number) => self.number(number, &mut cursor)?,
                State::Literal(rest) => match rest.split_first() {
                    Some((&expected, rest)) if expected == byte => {
                        cursor.skip(1);
                        self.state = State::Literal(rest);
                        if rest.is_empty() {
                            self.value_ends(&cursor)?;
                        }
                    }
                    _ => return Err(self.unexpected(&cursor, 0, "true, false or null")),
                },
                _ => {
                    if self.stack.depth() > self.path.on() && self.nested(&mut cursor) {
                        continue;
                    }
                    cursor.skip(1);
                    if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                        self.structure(wanted, byte, &cursor)?;
                    }
                }
            }
        }
        self.keep_tail(chunk)
    }

    /// Inside a string, key or value, up to its end or the chunk's.
    #[inline]
    fn string(&mut self, wanted: &Wanted, cursor: &mut Cursor<'_>) -> Result<(), BodyError> {
        let rest = if self.utf8.is_complete() {
            cursor.at = strings::clean(cursor.chunk, cursor.at);
            cursor.rest()
        } else {
            // The chunk before ended inside of a character; behind it the fast way goes on.
            let rest = cursor.rest();
            rest.get(..self.utf8.missing()).unwrap_or(rest)
        };
        let run = strings::plain_run(rest);
        if !run.ascii || !self.utf8.is_complete() {
            let plain = rest.get(..run.len).unwrap_or_default();
            if !self.utf8.check(plain, run.len == cursor.rest().len()) {
                return Err(BodyError::InvalidUtf8 { offset: self.behind(cursor) });
            }
        }
        cursor.skip(run.len);
        match cursor.peek() {
            None => Ok(()),
            Some(b'\\') => {
                cursor.skip(1);
                self.state = State::Escape;
                Ok(())
            }
            Some(b'"') => {
                let end = cursor.at;
                cursor.skip(1);
                match self.role {
                    Role::Value => self.value_ends(cursor),
                    Role::Key => {
                        self.state = State::Colon;
                        Ok(())
                    }
                    Role::TopKey => {
                        self.state = State::Colon;
                        self.key_ends(wanted, cursor.chunk, end)
                    }
                    Role::PathKey => {
                        self.state = State::Colon;
                        self.path.key(self.kept.value(self.base, cursor.chunk, end));
                        Ok(())
                    }
                    Role::Type => {
                        let told = self.path.tells(self.kept.value(self.base, cursor.chunk, end));
                        if let Some(captured) = self.next.and_then(|field| self.fields.get_mut(field.0)) {
                            captured.told = told.or(captured.told.take());
                        }
                        self.value_ends(cursor)
                    }
                    Role::Wanted(field) => {
                        let offset = self.base.wrapping_add(end);
                        self.keep(field, cursor.chunk, end, |raw| {
                            text::decode(raw)
                                .map(Cow::into_owned)
                                .map_err(|_| BodyError::LoneSurrogate { offset })
                        })?;
                        self.value_ends(cursor)
                    }
                }
            }
            Some(0x20..) => Ok(()),
            Some(_) => Err(self.unexpected(cursor, 0, "an escaped control character")),
        }
    }

    #[inline]
    fn number(&mut self, mut number: Number, cursor: &mut Cursor<'_>) -> Result<(), BodyError> {
        while let Some(byte) = cursor.peek() {
            let Some(longer) = number.next(byte) else {
                if !number.is_complete() {
                    return Err(self.unexpected(cursor, 0, "a digit"));
                }
                if let Role::Wanted(field) = self.role {
                    self.keep(field, cursor.chunk, cursor.at, |raw| {
                        Ok(String::from_utf8_lossy(raw).into_owned())
                    })?;
                }
                return self.value_ends(cursor);
            };
            number = longer;
            cursor.skip(1);
        }
        self.state = State::Number(number);
        Ok(())
    }

    /// A value is complete; the cursor stands behind it.
    #[inline]
    fn value_ends(&mut self, cursor: &Cursor<'_>) -> Result<(), BodyError> {
        self.state = State::AfterValue;
        if self.stack.depth() == 1 {
            let span = self.value_start..self.behind(cursor);
            if let Some(field) = self.whole.take() {
                self.keep_whole(field, cursor.chunk, cursor.at);
            }
            if let Some(captured) = self.next.take().and_then(|field| self.fields.get_mut(field.0)) {
                captured.spans.push(span);
            }
        }
        Ok(())
    }

    /// A top-level key is complete: `chunk[..end]` holds its last bytes.
    fn key_ends(&mut self, wanted: &Wanted, chunk: &[u8], end: usize) -> Result<(), BodyError> {
        let offset = self.base.wrapping_add(end);
        let raw = self.kept.key(self.base, chunk, end)?;
        let key = text::decode(raw).map_err(|_| BodyError::LoneSurrogate { offset })?;
        if self.seen.len() >= MAX_MEMBERS {
            return Err(BodyError::TooManyMembers { offset });
        }
        let first_time = self.seen.insert(&wanted.hasher, key.as_bytes());
        if !first_time && wanted.duplicates == DuplicateKeys::Reject {
            return Err(BodyError::DuplicateKey { offset });
        }
        self.next = wanted.find(key.as_bytes());
        Ok(())
    }

    #[inline]
    fn behind(&self, cursor: &Cursor<'_>) -> usize {
        self.base.wrapping_add(cursor.at)
    }

    #[cold]
    fn unexpected(&self, cursor: &Cursor<'_>, back: usize, expected: &'static str) -> BodyError {
        BodyError::Syntax { offset: self.behind(cursor).wrapping_sub(back), expected }
    }
}

#[cfg(test)]
mod tests;
