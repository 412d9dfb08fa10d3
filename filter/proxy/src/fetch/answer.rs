//! One fetch: the request that goes out, and what can be made of the answer.

use super::shared;
use crate::active::Active;
use crate::host::{self, Buffer, Map, Refused};
use ipp_pipeline::source::{Answer, Condensed, Failed, Failure, Polled, Source};

/// The status of a call that names an unknown cluster. Envoy also gives it for missing pseudo-headers; there are none.
const BAD_ARGUMENT: Refused = Refused(2);
/// What is kept of an entity tag.
const LONGEST_TAG: usize = 256;
/// Enough to know Envoy's own answers by.
const FIRST_BYTES: usize = 64;

/// A usable answer.
pub(super) enum Received {
    /// The source says that its document is the one that it gave before.
    Unchanged,
    /// A document, with what the source calls it.
    Document(Condensed, String),
}

/// Sends the request. With an entity tag the source may answer that nothing has changed.
pub(super) fn send(source: &Source, etag: Option<&str>) -> Result<u32, Failed> {
    let mut values = Vec::new();
    for (name, template) in &source.headers {
        let value = template.resolve(|name| std::env::var(name).ok()).map_err(|name| {
            Failed::new(
                Failure::Environment,
                format!("the VM's environment has no usable variable {name}, which a header needs"),
            )
        })?;
        values.push((name, value));
    }
    let mut headers = vec![(":method", "GET"), (":path", &source.path), (":authority", &source.authority)];
    headers.extend(values.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    headers.extend(etag.map(|etag| ("if-none-match", etag)));
    host::call(&source.cluster, headers, source.timeout).map_err(|refused| match refused {
        BAD_ARGUMENT => Failed::new(Failure::Cluster, format!("Envoy has no cluster {:?}", source.cluster)),
        // Envoy gives this where it sees at once that no endpoint can be had.
        Refused(10) => Failed::new(Failure::Connect, "no endpoint of the cluster could be reached"),
        Refused(status) => {
            Failed::new(Failure::Host, format!("Envoy did not send the request (status {status})"))
        }
    })
}

/// Takes the answer that the host has ready. `conditional` says that the request had an entity tag.
pub(super) fn receive(
    active: &Active,
    polled: &Polled,
    document_key: &str,
    conditional: bool,
    headers: usize,
    size: usize,
) -> Result<Received, Failed> {
    if headers == 0 {
        return Err(Failed::new(Failure::Reset, "the answer broke off, or is larger than Envoy keeps"));
    }
    let refused = |_| Failed::new(Failure::Host, "Envoy does not hand over the answer");
    let headers = host::headers(Map::CalloutResponse).map_err(refused)?;
    let header = |name: &[u8]| {
        let found = headers.iter().find(|(known, _)| *known == name);
        found.and_then(|(_, value)| std::str::from_utf8(value).ok()).unwrap_or_default()
    };
    let status: u16 = header(b":status").parse().unwrap_or(0);
    if status == 304 && conditional {
        return Ok(Received::Unchanged);
    }
    let read = |most: usize| match size {
        // The host refuses to read nothing.
        0 => Ok(Vec::new()),
        _ => host::read(Buffer::CalloutResponseBody, 0, size.min(most)).map_err(refused),
    };
    Failed::by_status(status, &read(FIRST_BYTES)?)?;
    let most = polled.source().max_bytes;
    if u64::try_from(size).is_ok_and(|size| size > most) {
        return Err(Failed::new(Failure::TooLarge, format!("{size} bytes, `maxBytes` is {most}")));
    }
    let body = read(size)?;
    let previous = shared::document(document_key).map(|(_, bytes)| bytes);
    let content_type = header(b"content-type");
    let answer = Answer { status, content_type, body: &body, previous: previous.as_deref() };
    let began = host::now_ns();
    let condensed = polled.condense(&answer);
    let took = host::now_ns().saturating_sub(began);
    active.record(polled.metrics().reading, took.checked_div(1000).unwrap_or(0));
    let condensed = condensed.map_err(|why| Failed::new(Failure::Invalid, why))?;
    let etag = header(b"etag");
    let etag = if etag.len() <= LONGEST_TAG { etag.to_owned() } else { String::new() };
    Ok(Received::Document(condensed, etag))
}
