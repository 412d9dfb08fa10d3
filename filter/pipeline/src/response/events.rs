//! Server-sent events, whole: a stream that is cut anywhere becomes pieces that plugins can act on.
//!
//! The pieces are the stream: put one behind the other they are what came, byte for byte. Only the event that is
//! not complete yet is kept, and it is bounded.

use memchr::memchr2;
use std::borrow::Cow;

/// A longer event is handed on in parts, unseen by plugins. OpenAI's `response.completed` holds the whole answer.
pub const MAX_EVENT_BYTES: usize = 1 << 20;

/// A piece of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A whole event with the blank line that ends it; also a comment, or a blank line that ends nothing.
    Event(Event<'a>),
    /// The line feed that belongs to the carriage return at the end of the event before, and came in the next
    /// chunk: the event was not held for it.
    LineFeed,
    /// A part of an event that is too long.
    Part(&'a [u8]),
    /// What stands behind the last blank line when the stream ends. Clients ignore it (HTML, 9.2.6).
    Rest(&'a [u8]),
}

/// A server-sent event as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a>(&'a [u8]);

impl<'a> Event<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Its bytes, line ends and all.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// Its data: the `data` lines joined with line feeds. Nothing if it has none.
    pub fn data(self) -> Option<Cow<'a, [u8]>> {
        let mut data: Option<Cow<'a, [u8]>> = None;
        for value in self.values(b"data") {
            match &mut data {
                None => data = Some(Cow::Borrowed(value)),
                Some(lines) => {
                    let lines = lines.to_mut();
                    lines.push(b'\n');
                    lines.extend_from_slice(value);
                }
            }
        }
        data
    }

    /// Its type: the last `event` line.
    pub fn name(self) -> Option<&'a [u8]> {
        self.values(b"event").last()
    }

    fn values(self, field: &'static [u8]) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.0.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(self.0);
        let lines = std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let end = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            let line = rest.get(..end);
            rest = rest.get(end.wrapping_add(1)..).unwrap_or_default();
            line
        });
        lines.filter_map(move |line| {
            let value = line.strip_prefix(field)?;
            match value.split_first() {
                None => Some(value),
                Some((b':', value)) => Some(value.strip_prefix(b" ").unwrap_or(value)),
                Some(_) => None,
            }
        })
    }
}

/// Cuts a stream into pieces.
#[derive(Debug)]
pub struct Events {
    held: Vec<u8>,
    /// The current line has no byte yet.
    line_is_empty: bool,
    /// The byte before was a carriage return.
    after_return: bool,
    /// That carriage return ended an event.
    event_ended: bool,
    /// The event at hand is too long: its parts are handed on as they come.
    too_long: bool,
    limit: usize,
}

impl Default for Events {
    fn default() -> Self {
        Self::with_limit(MAX_EVENT_BYTES)
    }
}

impl Events {
    /// With another bound than [`MAX_EVENT_BYTES`].
    pub fn with_limit(limit: usize) -> Self {
        Self {
            held: Vec::new(),
            line_is_empty: true,
            after_return: false,
            event_ended: false,
            too_long: false,
            limit,
        }
    }

    /// Hands on what is complete with the next bytes.
    pub fn feed(&mut self, chunk: &[u8], mut sink: impl FnMut(Piece<'_>)) {
        let mut from = 0;
        let mut at = 0_usize;
        if let Some(b'\n') = chunk.first()
            && std::mem::take(&mut self.event_ended)
        {
            sink(Piece::LineFeed);
            self.after_return = false;
            (from, at) = (1, 1);
        }
        while let Some(rest) = chunk.get(at..).filter(|rest| !rest.is_empty()) {
            let text = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            if text > 0 {
                (self.line_is_empty, self.after_return) = (false, false);
            }
            at = at.wrapping_add(text);
            let Some(&byte) = chunk.get(at) else { break };
            at = at.wrapping_add(1);
            match byte {
                b'\n' if std::mem::take(&mut self.after_return) => {}
                _ => {
                    self.after_return = byte == b'\r';
                    if !std::mem::replace(&mut self.line_is_empty, true) {
                        continue;
                    }
                    if byte == b'\r' && chunk.get(at) == Some(&b'\n') {
                        at = at.wrapping_add(1);
                        self.after_return = false;
                    }
                    self.event(chunk.get(from..at).unwrap_or_default(), &mut sink);
                    from = at;
                    self.event_ended = self.after_return && at == chunk.len();
                }
            }
        }
        if !chunk.is_empty() && from < chunk.len() {
            self.event_ended = false;
        }
        self.keep(chunk.get(from..).unwrap_or_default(), &mut sink);
    }

    /// Hands on what is left when the stream is over.
    pub fn finish(&mut self, mut sink: impl FnMut(Piece<'_>)) {
        if !self.held.is_empty() {
            sink(Piece::Rest(&std::mem::take(&mut self.held)));
        }
    }

    /// How many bytes are kept.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// An event ends with `tail`.
    fn event(&mut self, tail: &[u8], sink: &mut impl FnMut(Piece<'_>)) {
        let too_long = std::mem::take(&mut self.too_long);
        if too_long || self.held.len().saturating_add(tail.len()) > self.limit {
            self.hand_on(tail, sink);
        } else if self.held.is_empty() {
            sink(Piece::Event(Event(tail)));
        } else {
            self.held.extend_from_slice(tail);
            sink(Piece::Event(Event(&self.held)));
            self.held.clear();
        }
    }

    fn keep(&mut self, bytes: &[u8], sink: &mut impl FnMut(Piece<'_>)) {
        if bytes.is_empty() {
            return;
        }
        if self.too_long || self.held.len().saturating_add(bytes.len()) > self.limit {
            self.too_long = true;
            self.hand_on(bytes, sink);
        } else {
            self.held.extend_from_slice(bytes);
        }
    }

    /// Parts of an event that is too long.
    fn hand_on(&mut self, bytes: &[u8], sink: &mut impl FnMut(Piece<'_>)) {
        if !self.held.is_empty() {
            sink(Piece::Part(&std::mem::take(&mut self.held)));
        }
        if !bytes.is_empty() {
            sink(Piece::Part(bytes));
        }
    }
}
