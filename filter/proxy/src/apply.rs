//! From a decision to the host: header edits, the change of the body, the reply. The one place that does it.

use crate::host::{self, Buffer, Map, Refused};
use ipp_pipeline::plugin::{HeaderEdit, Splice};
use ipp_pipeline::{Forward, HeaderTable, Pipeline, Reply};

/// Edits a held request. Each header edit makes Envoy choose the route again (ABI 0.2.1), so that nothing
/// more is needed for it to see the new headers.
pub(crate) fn forward(pipeline: &Pipeline, forward: &Forward) -> Result<(), Refused> {
    headers(Map::Request, pipeline.request_headers(), &forward.headers)?;
    if let Some(length) = forward.content_length {
        // A stale one is request smuggling: the surplus bytes would begin the connection's next request.
        host::set_header(Map::Request, "content-length", length.to_string().as_bytes())?;
    }
    body(&forward.body)
}

/// Sets and removes headers.
pub(crate) fn headers(map: Map, names: &HeaderTable, edits: &[HeaderEdit]) -> Result<(), Refused> {
    for edit in edits {
        let name = names.name(edit.header);
        match &edit.value {
            Some(value) => host::set_header(map, name, value)?,
            None => host::remove_header(map, name)?,
        }
    }
    Ok(())
}

/// Removes every header that this filter decides on. A server may merge trailers into the headers.
pub(crate) fn strip(map: Map, names: &HeaderTable) -> Result<(), Refused> {
    names.owned().try_for_each(|name| host::remove_header(map, name))
}

/// Envoy replaces the start of a body and nothing further in: everything up to the last change is read,
/// changed, and put back.
fn body(splices: &[Splice]) -> Result<(), Refused> {
    let Some(last) = splices.last() else { return Ok(()) };
    let start = host::read(Buffer::RequestBody, 0, last.range.end)?;
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
