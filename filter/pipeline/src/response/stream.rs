//! Server-sent events, watched while they pass: the JSON in their `data` lines goes to the document reader as it
//! comes, so that an event of any size is read in constant memory.
//!
//! Lines and fields are those of the HTML standard, section 9.2.6. What stands in an event that is never
//! finished by a blank line counts too if it is whole: some servers leave the last one out.

use super::document::Document;
use super::reading::Reading;
use memchr::memchr2;

/// Where in a line the reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// At its first byte.
    Start,
    /// So many bytes of `data` matched.
    Name(u8),
    /// Behind `data:`, where one space does not count.
    Colon,
    Data,
    /// In a comment or another field.
    Other,
}

const NAME: &[u8] = b"data";
/// How the line begins that nearly all are.
const DATA: &[u8] = b"data: ";
const END: &[u8] = b"[DONE]";
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

#[derive(Debug)]
pub(super) struct Stream {
    line: Line,
    /// The byte before was a carriage return: a line feed belongs to it.
    after_return: bool,
    /// So many bytes of the stream's byte order mark were seen; none is expected any more if nothing.
    mark: Option<usize>,
    document: Document,
    /// The event has a `data` line.
    has_data: bool,
    /// So many bytes of `[DONE]` matched; more than it has if the data is something else.
    end_matched: usize,
    /// The name of the model that answered, as written: it stands in every event, and is decoded once.
    model: Vec<u8>,
    /// Of all events so far.
    pub(super) reading: Reading,
    /// Events whose data is no JSON document.
    pub(super) broken: u64,
    /// `[DONE]` came.
    pub(super) done: bool,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            line: Line::Start,
            after_return: false,
            mark: Some(0),
            document: Document::default(),
            has_data: false,
            end_matched: 0,
            model: Vec::new(),
            reading: Reading::default(),
            broken: 0,
            done: false,
        }
    }
}

impl Stream {
    /// Reads the next bytes.
    pub(super) fn feed(&mut self, chunk: &[u8]) {
        let mut at = 0_usize;
        while let Some(&byte) = chunk.get(at) {
            let next = at.wrapping_add(1);
            if let Some(matched) = self.mark {
                let more = matched.wrapping_add(1);
                if BYTE_ORDER_MARK.get(matched) == Some(&byte) {
                    self.mark = (more < BYTE_ORDER_MARK.len()).then_some(more);
                    at = next;
                    continue;
                }
                self.mark = None;
                if matched > 0 {
                    // Half a mark begins a line that is no field of ours.
                    self.line = Line::Other;
                }
            }
            let after_return = std::mem::take(&mut self.after_return);
            at = match (self.line, byte) {
                (_, b'\n') if after_return => next,
                (_, b'\n' | b'\r') => {
                    self.after_return = byte == b'\r';
                    self.line_ends();
                    next
                }
                (Line::Data, _) => self.data(chunk, at),
                (Line::Other, _) => line_end(chunk, at),
                (Line::Start, _) if chunk.get(at..).is_some_and(|rest| rest.starts_with(DATA)) => {
                    self.data_begins();
                    self.line = Line::Data;
                    at.wrapping_add(DATA.len())
                }
                (Line::Colon, _) => {
                    self.line = Line::Data;
                    if byte == b' ' { next } else { at }
                }
                (Line::Start | Line::Name(_), _) => {
                    self.name(byte);
                    next
                }
            };
        }
    }

    /// The stream is over.
    pub(super) fn finish(&mut self) {
        if self.line == Line::Name(4) {
            self.data_begins();
        }
        if self.has_data && (self.document.is_complete() || self.end_matched == END.len()) {
            self.dispatch();
        }
    }

    fn name(&mut self, byte: u8) {
        let matched = if let Line::Name(matched) = self.line { usize::from(matched) } else { 0 };
        self.line = match (NAME.get(matched), byte) {
            (Some(expected), byte) if *expected == byte => {
                Line::Name(u8::try_from(matched.wrapping_add(1)).unwrap_or(u8::MAX))
            }
            (None, b':') => {
                self.data_begins();
                Line::Colon
            }
            _ => Line::Other,
        };
    }

    fn data_begins(&mut self) {
        if std::mem::replace(&mut self.has_data, true) {
            self.end_matched = usize::MAX;
            self.document.feed(b"\n");
        }
    }

    /// Reads data from `at` on, and says where the line ends.
    fn data(&mut self, chunk: &[u8], at: usize) -> usize {
        let end = self.document.feed_line(chunk, at);
        if self.end_matched <= END.len() {
            let bytes = chunk.get(at..end).unwrap_or_default();
            let left = END.get(self.end_matched..).unwrap_or_default();
            self.end_matched =
                if left.starts_with(bytes) { self.end_matched.wrapping_add(bytes.len()) } else { usize::MAX };
        }
        end
    }

    fn line_ends(&mut self) {
        match std::mem::replace(&mut self.line, Line::Start) {
            Line::Start => self.dispatch(),
            Line::Name(4) => self.data_begins(),
            _ => {}
        }
    }

    fn dispatch(&mut self) {
        if !std::mem::take(&mut self.has_data) {
            return;
        }
        if self.document.is_complete() {
            if let Some(reading) = self.document.reading() {
                self.reading.add(reading);
            }
            if let Some(model) = self.document.model()
                && model != self.model
            {
                self.reading.set_model(model);
                self.model.clear();
                self.model.extend_from_slice(model);
            }
        } else if self.end_matched == END.len() {
            self.done = true;
        } else {
            self.broken = self.broken.saturating_add(1);
        }
        self.end_matched = 0;
        self.document.restart();
    }
}

fn line_end(chunk: &[u8], at: usize) -> usize {
    let rest = chunk.get(at..).unwrap_or_default();
    at.wrapping_add(memchr2(b'\n', b'\r', rest).unwrap_or(rest.len()))
}
