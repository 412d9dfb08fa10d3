//! One JSON document of a response, read while its bytes arrive: values at known places, in constant memory.
//!
//! All of it is checked against the grammar of RFC 8259, apart from the encoding of what stands in strings: a
//! document that is not JSON, not complete, or nested deeper than [`MAX_DEPTH`] says nothing.

mod lane;
mod tokens;

use super::paths::Node;
use super::reading::Reading;
use crate::payload::members::number::Number;
use memchr::memchr2;

/// How deep arrays and objects may nest: as serde_json has it.
pub(super) const MAX_DEPTH: usize = 127;
/// Below this many levels nothing is looked for.
const KNOWN_LEVELS: usize = 8;

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
    Failed,
}

/// What the string being read is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// A key that may lead somewhere: its text is kept.
    Key,
    /// A key in an object where nothing is looked for.
    OtherKey,
    /// A value whose text is kept: the model's name, the kind of the document.
    Text,
    /// A value that matters if there is any text in it.
    AnyText,
    Value,
}

#[derive(Debug)]
pub(super) struct Document {
    state: State,
    role: Role,
    depth: usize,
    /// Bit i says that level i is an object.
    objects: u128,
    /// The places of the outer open levels.
    levels: [Node; KNOWN_LEVELS],
    /// The place of the value that is read or comes next.
    node: Node,
    /// The text of the key or model being read, as written; of bounded length.
    token: Vec<u8>,
    token_too_long: bool,
    /// The digits of the number being read; nothing if it is no token count.
    digits: Option<u32>,
    /// The name of the model that answered, as written, and whether there is one: the memory stays for the next
    /// document.
    model: Vec<u8>,
    has_model: bool,
    /// Whether `reading` says anything.
    found: bool,
    reading: Reading,
}

impl Default for Document {
    fn default() -> Self {
        Self {
            state: State::Start,
            role: Role::Value,
            depth: 0,
            objects: 0,
            levels: [Node::Other; KNOWN_LEVELS],
            node: Node::Root,
            token: Vec::new(),
            token_too_long: false,
            digits: None,
            model: Vec::new(),
            has_model: false,
            found: false,
            reading: Reading::default(),
        }
    }
}

impl Document {
    /// Begins anew, for the next document of a stream.
    pub(super) fn restart(&mut self) {
        self.state = State::Start;
        (self.depth, self.objects, self.node) = (0, 0, Node::Root);
        self.has_model = false;
        if std::mem::take(&mut self.found) {
            self.reading = Reading::default();
        }
    }

    /// What was read, apart from the model; nothing if that is nothing.
    pub(super) fn reading(&self) -> Option<&Reading> {
        self.found.then_some(&self.reading)
    }

    /// The name of the model that answered, as written between its quotes.
    pub(super) fn model(&self) -> Option<&[u8]> {
        self.has_model.then_some(&self.model)
    }

    /// All that was read.
    pub(super) fn into_reading(mut self) -> Reading {
        if let Some(model) = self.has_model.then_some(&self.model) {
            self.reading.set_model(model);
        }
        self.reading
    }

    /// Whether the document is complete and JSON.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Whether it cannot be JSON any more.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self.state, State::Failed)
    }

    /// Reads the next bytes.
    pub(super) fn feed(&mut self, chunk: &[u8]) {
        self.read::<false>(chunk, 0);
    }

    /// Reads from `at` on up to the end of the line, and says where that is.
    pub(super) fn feed_line(&mut self, chunk: &[u8], at: usize) -> usize {
        self.read::<true>(chunk, at)
    }

    /// Reads from `at` on up to the end, with `LINE` that of the line.
    fn read<const LINE: bool>(&mut self, chunk: &[u8], mut at: usize) -> usize {
        loop {
            at = self.lane::<LINE>(chunk, at);
            let Some(&byte) = chunk.get(at) else { return at };
            if LINE && matches!(byte, b'\n' | b'\r') {
                return at;
            }
            let mut next = at.wrapping_add(1);
            match self.state {
                State::String => next = self.string::<LINE>(chunk, at),
                State::Escape => {
                    self.keep(&[byte]);
                    self.state = match byte {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => State::String,
                        b'u' => State::Hex(4),
                        _ => State::Failed,
                    };
                }
                State::Hex(left) => {
                    self.keep(&[byte]);
                    self.state = match (byte.is_ascii_hexdigit(), left) {
                        (false, _) => State::Failed,
                        (true, 1) => State::String,
                        (true, _) => State::Hex(left.wrapping_sub(1)),
                    };
                }
                State::Number(number) => match number.next(byte) {
                    Some(longer) => {
                        self.state = State::Number(longer);
                        self.digit(byte);
                    }
                    None => {
                        self.number_ends(number);
                        // The byte belongs to what follows.
                        next = at;
                    }
                },
                State::Literal(rest) => {
                    self.state = match rest.split_first() {
                        Some((&expected, [])) if expected == byte => State::AfterValue,
                        Some((&expected, rest)) if expected == byte => State::Literal(rest),
                        _ => State::Failed,
                    };
                }
                State::Failed => {
                    let rest = chunk.get(at..).unwrap_or_default();
                    let end = if LINE { memchr2(b'\n', b'\r', rest) } else { None };
                    return at.wrapping_add(end.unwrap_or(rest.len()));
                }
                _ if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') => {}
                _ => self.structure(byte),
            }
            at = next;
        }
    }

    /// A byte between tokens.
    #[inline]
    fn structure(&mut self, byte: u8) {
        let in_object = self.in_object();
        match (self.state, byte) {
            (State::AfterValue, b',') if in_object => self.state = State::Key,
            (State::AfterValue, b',') => {
                self.state = State::Value;
                self.node = self.level();
            }
            (State::Key | State::FirstKey, b'"') => {
                self.role = if self.level() == Node::Other { Role::OtherKey } else { Role::Key };
                self.string_begins();
            }
            (State::Colon, b':') => self.state = State::Value,
            (State::FirstElement, b']') | (State::FirstKey, b'}') => self.close(),
            (State::AfterValue, b'}') if in_object => self.close(),
            (State::AfterValue, b']') if !in_object => self.close(),
            (State::Start, b'{' | b'[') | (State::Value | State::FirstElement, _) => self.value_begins(byte),
            _ => self.state = State::Failed,
        }
    }

    #[inline]
    fn value_begins(&mut self, first: u8) {
        match first {
            b'"' => {
                self.role = match self.node {
                    Node::Model | Node::Kind => Role::Text,
                    node if node.takes_text() => Role::AnyText,
                    _ => Role::Value,
                };
                self.string_begins();
            }
            b'{' | b'[' => {
                let object = first == b'{';
                self.state = match (self.begin(object), object) {
                    (false, _) => State::Failed,
                    (true, true) => State::FirstKey,
                    (true, false) => State::FirstElement,
                };
            }
            b't' => self.state = State::Literal(b"rue"),
            b'f' => self.state = State::Literal(b"alse"),
            b'n' => self.state = State::Literal(b"ull"),
            _ => match Number::begin(first) {
                Some(number) => {
                    self.state = State::Number(number);
                    self.digits = matches!(self.node, Node::Count(_)).then_some(0);
                    self.digit(first);
                }
                None => self.state = State::Failed,
            },
        }
    }

    /// An array or object begins. False if it is nested too deep.
    #[inline]
    fn begin(&mut self, object: bool) -> bool {
        if self.depth >= MAX_DEPTH {
            return false;
        }
        if object && self.node.takes_object() {
            self.something();
        }
        if self.depth >= KNOWN_LEVELS {
            self.node = Node::Other;
        }
        // An element stands where its array does; a key will say where its value stands.
        if let Some(level) = self.levels.get_mut(self.depth) {
            *level = self.node;
        }
        let bit = 1_u128.wrapping_shl(self.depth as u32);
        self.objects = if object { self.objects | bit } else { self.objects & !bit };
        self.depth = self.depth.wrapping_add(1);
        true
    }

    #[inline]
    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.state = if self.depth == 0 { State::Done } else { State::AfterValue };
    }

    #[inline]
    fn in_object(&self) -> bool {
        let level = self.depth.saturating_sub(1);
        self.objects.wrapping_shr(level as u32) & 1 == 1
    }

    /// The place of the innermost open array or object.
    #[inline]
    fn level(&self) -> Node {
        self.levels.get(self.depth.saturating_sub(1)).copied().unwrap_or(Node::Other)
    }
}
