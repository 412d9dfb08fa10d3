//! Between the tokens: what opens, what closes, what has to come next.

use super::number::Number;
use super::{Cursor, Members, Role, State};
use crate::payload::value::{Captured, Kind};
use crate::payload::{BodyError, Wanted};

impl Members {
    /// A byte between tokens; the cursor stands behind it.
    #[inline]
    pub(super) fn structure(
        &mut self,
        wanted: &Wanted,
        byte: u8,
        cursor: &Cursor<'_>,
    ) -> Result<(), BodyError> {
        match (self.state, byte) {
            (State::AfterValue, b',') => {
                self.state = if self.stack.in_object() { State::Key } else { State::Value };
                Ok(())
            }
            (State::Key | State::FirstKey, b'"') => {
                self.role = match self.stack.depth() {
                    1 => Role::TopKey,
                    depth if depth == self.path.on() => Role::PathKey,
                    _ => Role::Key,
                };
                self.kept.begin(self.behind(cursor));
                self.state = State::String;
                Ok(())
            }
            (State::Colon, b':') => {
                self.state = State::Value;
                Ok(())
            }
            (State::Value | State::FirstElement, first) if first != b']' => {
                self.value_begins(wanted, first, cursor)
            }
            (State::FirstKey, b'}') => self.close(cursor),
            (State::FirstElement, b']') => self.close(cursor),
            (State::AfterValue, b'}') if self.stack.in_object() => self.close(cursor),
            (State::AfterValue, b']') if !self.stack.in_object() => self.close(cursor),
            (State::Start, b'{') => {
                self.first_member_at = self.behind(cursor);
                self.open(true, cursor)
            }
            (State::Start, b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                Err(BodyError::NotAnObject)
            }
            (State::Done, _) => Err(BodyError::TrailingData { offset: self.behind(cursor).wrapping_sub(1) }),
            (state, _) => Err(self.unexpected(
                cursor,
                1,
                match state {
                    State::Start => "a JSON object",
                    State::FirstKey => "a key or '}'",
                    State::Key => "a key",
                    State::Colon => "':'",
                    State::AfterValue if self.stack.in_object() => "',' or '}'",
                    State::AfterValue => "',' or ']'",
                    _ => "a value",
                },
            )),
        }
    }

    #[inline]
    fn value_begins(&mut self, wanted: &Wanted, first: u8, cursor: &Cursor<'_>) -> Result<(), BodyError> {
        let here = self.behind(cursor).wrapping_sub(1);
        self.role = Role::Value;
        let (kind, state) = match first {
            b'"' => (Kind::String, State::String),
            b'{' => (Kind::Object, State::FirstKey),
            b'[' => (Kind::Array, State::FirstElement),
            b't' => (Kind::True, State::Literal(b"rue")),
            b'f' => (Kind::False, State::Literal(b"alse")),
            b'n' => (Kind::Null, State::Literal(b"ull")),
            _ => match Number::begin(first) {
                Some(number) => (Kind::Number, State::Number(number)),
                None => return Err(self.unexpected(cursor, 1, "a value")),
            },
        };
        let depth = self.stack.depth();
        if depth == 1 {
            self.value_start = here;
            if let Some(field) = self.next {
                if let Some(captured) = self.fields.get_mut(field.0) {
                    let spans = std::mem::take(&mut captured.spans);
                    // A text counts as too long until it was kept.
                    let is_text = matches!(kind, Kind::String | Kind::Number);
                    *captured =
                        Captured { kind: Some(kind), spans, too_long: is_text, ..Captured::default() };
                }
                if matches!(kind, Kind::Object | Kind::Array) {
                    self.path.begin(wanted.inside(field));
                }
                if matches!(kind, Kind::Object | Kind::Array) && wanted.whole.contains(&field) {
                    self.whole = Some(field);
                }
                if matches!(kind, Kind::String | Kind::Number) && wanted.texts.contains(&field) {
                    self.role = Role::Wanted(field);
                    // A number begins with the byte that was read, a string behind its quote.
                    self.kept.begin(if kind == Kind::String { here.wrapping_add(1) } else { here });
                }
            }
        } else if kind == Kind::String && self.path.is_type(depth) {
            self.role = Role::Type;
            self.kept.begin(here.wrapping_add(1));
        }
        match kind {
            Kind::Object => self.open(true, cursor),
            Kind::Array => self.open(false, cursor),
            _ => {
                self.state = state;
                Ok(())
            }
        }
    }

    #[inline]
    fn open(&mut self, object: bool, cursor: &Cursor<'_>) -> Result<(), BodyError> {
        if !self.stack.push(object) {
            return Err(BodyError::TooDeep { offset: self.behind(cursor).wrapping_sub(1) });
        }
        self.path.open(self.stack.depth(), object);
        self.state = if object { State::FirstKey } else { State::FirstElement };
        Ok(())
    }

    #[inline]
    fn close(&mut self, cursor: &Cursor<'_>) -> Result<(), BodyError> {
        self.stack.pop();
        self.path.close(self.stack.depth().max(1));
        if self.stack.depth() == 0 {
            self.state = State::Done;
            return Ok(());
        }
        self.role = Role::Value;
        self.value_ends(cursor)
    }
}
