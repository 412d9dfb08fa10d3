//! Server-sent events, watched while they pass: the JSON in their `data` lines goes to the document reader as it
//! comes, so that an event of any size is read in constant memory.
//!
//! Lines and fields are those of the HTML standard, section 9.2.6. What stands in an event that is never
//! finished by a blank line counts too if it is whole: some servers leave the last one out.

use super::document::Document;
use super::reading::Reading;

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
            reading: Reading::default(),
            broken: 0,
            done: false,
        }
    }
}

impl Stream {
    /// Reads the next bytes.
    pub(super) fn feed(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        while let Some((&byte, tail)) = rest.split_first() {
            if let Some(matched) = self.mark {
                let more = matched.wrapping_add(1);
                if BYTE_ORDER_MARK.get(matched) == Some(&byte) {
                    self.mark = (more < BYTE_ORDER_MARK.len()).then_some(more);
                    rest = tail;
                    continue;
                }
                self.mark = None;
                if matched > 0 {
                    // Half a mark begins a line that is no field of ours.
                    self.line = Line::Other;
                }
            }
            let after_return = std::mem::take(&mut self.after_return);
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => {
                    self.after_return = byte == b'\r';
                    self.line_ends();
                }
                _ if self.line == Line::Data || self.line == Line::Other => {
                    let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
                    let (run, behind) =
                        rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or((rest, &[]));
                    if self.line == Line::Data {
                        self.data(run);
                    }
                    rest = behind;
                    continue;
                }
                b' ' if self.line == Line::Colon => self.line = Line::Data,
                _ if self.line == Line::Colon => {
                    self.line = Line::Data;
                    continue;
                }
                _ => self.name(byte),
            }
            rest = tail;
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
            self.data(b"\n");
        }
    }

    fn data(&mut self, bytes: &[u8]) {
        if self.end_matched <= END.len() {
            let left = END.get(self.end_matched..).unwrap_or_default();
            self.end_matched =
                if left.starts_with(bytes) { self.end_matched.wrapping_add(bytes.len()) } else { usize::MAX };
        }
        self.document.feed(bytes);
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
            self.reading.take(&mut self.document.reading);
        } else if self.end_matched == END.len() {
            self.done = true;
        } else {
            self.broken = self.broken.saturating_add(1);
        }
        self.end_matched = 0;
        self.document.restart();
    }
}
