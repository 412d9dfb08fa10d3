//! A response from its headers to its end: what kind it is, what was observed of it, or why nothing was.

use super::document::Document;
use super::reading::Reading;
use super::stream::Stream;

/// What a response's headers say about its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// One JSON document.
    Json,
    /// Server-sent events.
    Events,
    /// Nothing that can be read.
    Unread(Unobserved),
}

/// Why nothing was observed of a response's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unobserved {
    /// It is compressed.
    Encoded,
    /// It is neither JSON nor a stream of events.
    OtherType,
    /// It is not the JSON that it says it is, or it broke off.
    Broken,
    /// It was read, and said nothing of tokens.
    NoUsage,
}

impl Unobserved {
    /// All reasons with the label that metrics have for them.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Encoded, "encoded"),
        (Self::OtherType, "other_type"),
        (Self::Broken, "broken"),
        (Self::NoUsage, "no_usage"),
    ];
}

impl Body {
    /// By `content-type` and `content-encoding`.
    pub fn of(content_type: Option<&[u8]>, content_encoding: Option<&[u8]>) -> Self {
        if is_encoded(content_encoding) {
            return Self::Unread(Unobserved::Encoded);
        }
        let media = content_type.unwrap_or_default().split(|byte| *byte == b';').next().unwrap_or_default();
        let media = media.trim_ascii();
        let ends = |suffix: &[u8]| {
            media
                .len()
                .checked_sub(suffix.len())
                .and_then(|at| media.get(at..))
                .is_some_and(|end| end.eq_ignore_ascii_case(suffix))
        };
        if media.eq_ignore_ascii_case(b"text/event-stream") {
            Self::Events
        } else if ends(b"/json")
            || ends(b"+json") && !media.to_ascii_lowercase().starts_with(b"application/grpc")
        {
            Self::Json
        } else {
            Self::Unread(Unobserved::OtherType)
        }
    }
}

/// Whether a `content-encoding` says that the body is other bytes than what was encoded.
pub(super) fn is_encoded(content_encoding: Option<&[u8]>) -> bool {
    let mut codings = content_encoding.unwrap_or_default().split(|byte| *byte == b',');
    !codings.all(|coding| {
        let coding = coding.trim_ascii();
        coding.is_empty() || coding.eq_ignore_ascii_case(b"identity")
    })
}

#[derive(Debug)]
enum Reader {
    Json(Box<Document>),
    Events(Box<Stream>),
    Unread(Unobserved),
}

/// How much of a response is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    /// All of it, for what it tells of tokens, its model and errors.
    Whole,
    /// A stream up to its first content, for the time; a document not at all.
    FirstContent,
}

/// Watches one response.
#[derive(Debug)]
pub struct Watch {
    reader: Reader,
    depth: Depth,
}

/// What was observed of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Counts, model, content, error.
    pub reading: Reading,
    /// Why there are no token counts; nothing if there are.
    pub unobserved: Option<Unobserved>,
}

impl Watch {
    /// A watch for a body of that kind.
    pub fn new(body: Body) -> Self {
        Self::of(body, Depth::Whole)
    }

    /// One that wants to know when content comes, and nothing else: of a stream it reads no more than that takes, of a
    /// document nothing.
    pub fn for_time(body: Body) -> Self {
        Self::of(body, Depth::FirstContent)
    }

    fn of(body: Body, depth: Depth) -> Self {
        let reader = match body {
            Body::Json => Reader::Json(Box::default()),
            Body::Events => Reader::Events(Box::default()),
            Body::Unread(why) => Reader::Unread(why),
        };
        Self { reader, depth }
    }

    /// Whether it needs to see bytes.
    pub fn reads(&self) -> bool {
        match (&self.reader, self.depth) {
            (Reader::Json(document), Depth::Whole) => !document.is_broken(),
            (Reader::Events(_), Depth::Whole) => true,
            (Reader::Events(stream), Depth::FirstContent) => !stream.reading.content,
            (Reader::Json(_), Depth::FirstContent) | (Reader::Unread(_), _) => false,
        }
    }

    /// Whether content has come by. A document is content from its first byte; of a stream it is the first event
    /// that brings something that was generated, and where the events are not read, the first byte again.
    pub fn content(&self) -> bool {
        match &self.reader {
            Reader::Events(stream) => stream.reading.content,
            Reader::Json(_) | Reader::Unread(_) => true,
        }
    }

    /// Shows it the next bytes.
    pub fn feed(&mut self, chunk: &[u8]) {
        match &mut self.reader {
            Reader::Json(document) => document.feed(chunk),
            Reader::Events(stream) => stream.feed(chunk),
            Reader::Unread(_) => {}
        }
    }

    /// What was observed, once the response is over.
    pub fn finish(self) -> Seen {
        if self.depth == Depth::FirstContent {
            return self.seen_in_passing();
        }
        let (reading, broken) = match self.reader {
            Reader::Json(document) if document.is_complete() => (document.into_reading(), false),
            Reader::Json(_) => (Reading::default(), true),
            Reader::Events(mut stream) => {
                stream.finish();
                (stream.reading, stream.broken > 0)
            }
            Reader::Unread(why) => return Seen { reading: Reading::default(), unobserved: Some(why) },
        };
        let unobserved = match reading.usage() {
            Some(_) => None,
            None if broken => Some(Unobserved::Broken),
            None => Some(Unobserved::NoUsage),
        };
        Seen { reading, unobserved }
    }

    /// What stood before the first content, without the tokens: there may have been more of them.
    fn seen_in_passing(self) -> Seen {
        let reading = match self.reader {
            Reader::Events(stream) => stream.reading.without_counts(),
            Reader::Json(_) | Reader::Unread(_) => Reading::default(),
        };
        Seen { reading, unobserved: None }
    }
}
