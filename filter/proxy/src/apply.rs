//! From a decision to the host: header edits, the change of the body, the reply. The one place that does it, in every
//! role: a request that is held here gets all of it at once ([`forward`]); between a reader and a gate the reader changes
//! the body ([`body`]), and the gate does the rest ([`decision`]).

use crate::host::{self, Buffer, Map, Refused};
use crate::message::{Decision, Length};
use ipp_pipeline::plugin::{HeaderEdit, Splice};
use ipp_pipeline::{Forward, HeaderTable, Pipeline, Reply};
use std::borrow::Cow;

/// Edits a held request. Each header edit makes Envoy choose the route again (ABI 0.2.1), so that nothing
/// more is needed for it to see the new headers.
pub(crate) fn forward(pipeline: &Pipeline, forward: &Forward, start: &[u8]) -> Result<(), Refused> {
    headers(Map::Request, pipeline.request_headers(), &forward.headers)?;
    content_length(length(forward))?;
    body(&forward.body, start)
}

/// Edits the headers of a request that a gate holds.
pub(crate) fn decision(decision: &Decision) -> Result<(), Refused> {
    for (name, value) in &decision.headers {
        header(Map::Request, name, value.as_deref())?;
    }
    content_length(decision.length)
}

/// The part of a decision that is a gate's to apply.
pub(crate) fn for_a_gate(pipeline: &Pipeline, forward: &Forward) -> Decision {
    let names = pipeline.request_headers();
    let edit = |edit: &HeaderEdit| (names.name(edit.header).to_owned(), edit.value.clone());
    Decision { length: length(forward), headers: forward.headers.iter().map(edit).collect() }
}

fn length(forward: &Forward) -> Length {
    match forward.content_length {
        // A length that does not fit is none that a body could have.
        Some(length) => u64::try_from(length).map_or(Length::Unknown, Length::Exact),
        None => Length::Kept,
    }
}

/// A stale length is request smuggling: the surplus bytes would begin the connection's next request.
fn content_length(length: Length) -> Result<(), Refused> {
    const NAME: &str = "content-length";
    match length {
        Length::Kept => Ok(()),
        Length::Exact(length) => host::set_header(Map::Request, NAME, length.to_string().as_bytes()),
        Length::Unknown => host::remove_header(Map::Request, NAME),
    }
}

/// Sets and removes headers.
pub(crate) fn headers(map: Map, names: &HeaderTable, edits: &[HeaderEdit]) -> Result<(), Refused> {
    edits.iter().try_for_each(|edit| header(map, names.name(edit.header), edit.value.as_deref()))
}

fn header(map: Map, name: &str, value: Option<&[u8]>) -> Result<(), Refused> {
    match value {
        Some(value) => host::set_header(map, name, value),
        None => host::remove_header(map, name),
    }
}

/// Removes every header that this filter decides on. A server may merge trailers into the headers.
pub(crate) fn strip(map: Map, names: &HeaderTable) -> Result<(), Refused> {
    names.owned().try_for_each(|name| host::remove_header(map, name))
}

/// Envoy replaces the start of a body and nothing further in: everything up to the last change is read,
/// changed, and put back. `start` is as much of the body's start as is at hand, so that small bodies are read once.
pub(crate) fn body(splices: &[Splice], start: &[u8]) -> Result<(), Refused> {
    let Some(last) = splices.last() else { return Ok(()) };
    let start = match start.get(..last.range.end) {
        Some(start) => Cow::Borrowed(start),
        None => Cow::Owned(host::read(Buffer::RequestBody, 0, last.range.end)?),
    };
    let mut changed = Vec::with_capacity(start.len());
    let mut copied = 0;
    for splice in splices {
        changed.extend_from_slice(start.get(copied..splice.range.start).unwrap_or_default());
        changed.extend_from_slice(&splice.bytes);
        copied = splice.range.end;
    }
    host::replace_start(Buffer::RequestBody, last.range.end, &changed)
}

/// Sends a reply. `code` becomes the response code details of the access log.
pub(crate) fn reply(code: &str, reply: &Reply) {
    let details = format!("ipp_{code}");
    let seconds = reply.retry_after_seconds.map(|seconds| seconds.to_string());
    let mut headers = reply.headers.clone();
    headers.extend(seconds.as_deref().map(|seconds| ("retry-after", seconds)));
    if let Err(refused) = host::reply(reply.status, &details, &headers, reply.body.as_bytes()) {
        log::warn!("the host refused a local reply (status {})", refused.0);
    }
}
