//! The fast lane: what stands below the top level, token by token, as long as whole tokens are at hand.
//!
//! Nothing down there is wanted, so all that matters is that it is JSON. Whatever is not plainly right, and a
//! token that the chunk's end cuts, is left to the state machine, which alone knows errors. The steps stand in
//! the order in which they follow each other, so that one leads to the next without looking the state up.

use super::{Cursor, Members, Role, State};
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

impl Next {
    #[inline]
    const fn of(state: State) -> Option<Self> {
        match state {
            State::FirstKey => Some(Self::FirstKey),
            State::Key => Some(Self::Key),
            State::Colon => Some(Self::Colon),
            State::FirstElement => Some(Self::FirstElement),
            State::Value => Some(Self::Value),
            State::AfterValue => Some(Self::AfterValue),
            _ => None,
        }
    }

    #[inline]
    const fn state(self) -> State {
        match self {
            Self::FirstKey => State::FirstKey,
            Self::Key => State::Key,
            Self::Colon => State::Colon,
            Self::FirstElement => State::FirstElement,
            Self::Value => State::Value,
            Self::AfterValue => State::AfterValue,
        }
    }
}

impl Members {
    /// Reads tokens up to the one that closes the second level, or the one below what [`Path`](super::Path) is on. False
    /// if it read nothing.
    pub(super) fn nested(&mut self, cursor: &mut Cursor<'_>) -> bool {
        let Some(mut next) = Next::of(self.state) else { return false };
        let chunk = cursor.chunk;
        let mut at = cursor.at;
        let floor = self.path.on().wrapping_add(1);
        // A string that the lane cannot read to its end: which kind, and how far it is read.
        let mut open = None;
        'lane: loop {
            if matches!(next, Next::FirstKey | Next::Key) {
                at = blank::<false>(chunk, at);
                match chunk.get(at) {
                    Some(b'"') => match strings::closed(chunk, at.wrapping_add(1)) {
                        Ok(behind) => {
                            at = behind;
                            next = Next::Colon;
                        }
                        Err(stop) => {
                            open = Some((Role::Key, stop));
                            break 'lane;
                        }
                    },
                    Some(b'}') if next == Next::FirstKey && self.stack.depth() > floor => {
                        self.stack.pop();
                        at = at.wrapping_add(1);
                        next = Next::AfterValue;
                    }
                    _ => break 'lane,
                }
            }
            if next == Next::Colon {
                at = blank::<false>(chunk, at);
                if chunk.get(at) != Some(&b':') {
                    break 'lane;
                }
                at = at.wrapping_add(1);
                next = Next::Value;
            }
            if matches!(next, Next::Value | Next::FirstElement) {
                at = blank::<false>(chunk, at);
                match chunk.get(at) {
                    Some(b'"') => match strings::closed(chunk, at.wrapping_add(1)) {
                        Ok(behind) => at = behind,
                        Err(stop) => {
                            open = Some((Role::Value, stop));
                            break 'lane;
                        }
                    },
                    Some(bracket @ (b'{' | b'[')) => {
                        let object = *bracket == b'{';
                        if !self.stack.push(object) {
                            break 'lane;
                        }
                        at = at.wrapping_add(1);
                        next = if object { Next::FirstKey } else { Next::FirstElement };
                        continue 'lane;
                    }
                    Some(b']') if next == Next::FirstElement && self.stack.depth() > floor => {
                        self.stack.pop();
                        at = at.wrapping_add(1);
                    }
                    Some(first) => match scalar(chunk, at, *first) {
                        Some(behind) => at = behind,
                        None => break 'lane,
                    },
                    None => break 'lane,
                }
                next = Next::AfterValue;
            }
            while next == Next::AfterValue {
                at = blank::<false>(chunk, at);
                match (chunk.get(at), self.stack.in_object()) {
                    (Some(b','), true) => next = Next::Key,
                    (Some(b','), false) => next = Next::Value,
                    (Some(b'}'), true) | (Some(b']'), false) if self.stack.depth() > floor => {
                        self.stack.pop()
                    }
                    _ => break 'lane,
                }
                at = at.wrapping_add(1);
            }
        }
        (self.role, self.state) = (Role::Value, next.state());
        if let Some((role, stop)) = open {
            (self.role, self.state) = (role, State::String);
            at = stop;
        }
        let advanced = at != cursor.at;
        cursor.at = at;
        advanced
    }
}
