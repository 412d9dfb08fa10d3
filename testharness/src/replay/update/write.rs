//! A new expectation in place of one that does not hold: it names what the old one named, with what came.

use bytes::Bytes;

use crate::message::{Headers, sha256_hex};
use crate::recording::document::Node;
use crate::recording::{Exchange, Outcome};
use crate::replay::compare::{request_changed, response_changed};
use crate::replay::engine::Observed;

use super::yaml::Out;

/// A body is written out up to this size, else its digest.
const LONGEST: usize = 4096;

/// An expectation that holds, as like the one at `node` as can be.
///
/// # Errors
/// Why there is none.
pub(super) fn expectation(node: &Node, exchange: &Exchange, seen: &Observed) -> Result<Out, String> {
    let mut entries = Vec::new();
    for (key, value) in node.entries() {
        let new = match key.text.as_str() {
            "outcome" => Some(Out::text(seen.outcome.name())),
            "cluster" => seen.cluster.as_ref().map(Out::text),
            "request" => {
                let sides = seen.request.as_ref().map(|it| (&it.headers, &it.body));
                sides.map(|(headers, body)| message(value, headers, body, None))
            }
            "response" => {
                seen.response.as_ref().map(|it| message(value, &it.headers, &it.body, Some(it.status)))
            }
            "oneOf" => return Err("an expectation with alternatives is not written anew".to_owned()),
            _ => None,
        };
        entries.extend(new.map(|new| (key.text.clone(), new)));
    }
    if seen.outcome == Outcome::Forwarded {
        let request = seen.request.as_ref().filter(|_| request_changed(exchange, seen).is_some());
        add_body(&mut entries, "request", request.map(|it| &it.body));
        let response = seen.response.as_ref().filter(|_| response_changed(exchange, seen).is_some());
        add_body(&mut entries, "response", response.map(|it| &it.body));
    }
    Ok(Out::Map(entries))
}

/// The same names with the values that came.
pub(super) fn metrics(node: &Node, seen: &Observed) -> Out {
    let value = |name: &str| {
        let name = crate::recording::metrics::from_prometheus(name).unwrap_or_default();
        Out::Raw(seen.metrics.get(&name).copied().unwrap_or_default().to_string())
    };
    Out::Map(node.entries().iter().map(|(key, _)| (key.text.clone(), value(&key.text))).collect())
}

/// What a message says about a configuration that is not a place in it: the end of its first error.
pub(super) fn essence(message: &str) -> &str {
    let lines = || message.lines().map(str::trim);
    let first = lines().find(|line| line.starts_with("1. ")).or_else(|| lines().next()).unwrap_or_default();
    first.split_once("): ").map_or(first, |(_, rest)| rest)
}

/// The body as an expectation names it.
pub(super) fn body(bytes: &Bytes) -> (String, Out) {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.len() <= LONGEST => ("body".to_owned(), Out::text(text)),
        _ => ("bodySha256".to_owned(), Out::text(sha256_hex(bytes))),
    }
}

/// The fields of these names that are there, and the names of those that are not.
pub(super) fn headers<'a>(names: impl IntoIterator<Item = &'a str>, from: &Headers) -> Vec<(String, Out)> {
    let (mut present, mut absent) = (Vec::new(), Vec::new());
    for name in names {
        let mut values: Vec<_> = from.all(name).map(Out::bytes).collect();
        match values.len() {
            0 => absent.push(Out::text(name)),
            1 => present.extend(values.pop().map(|value| (name.to_owned(), value))),
            _ => present.push((name.to_owned(), Out::List(values))),
        }
    }
    let mut entries = Vec::new();
    if !present.is_empty() {
        entries.push(("headers".to_owned(), Out::Map(present)));
    }
    if !absent.is_empty() {
        entries.push(("absent".to_owned(), Out::List(absent)));
    }
    entries
}

fn message(node: &Node, from: &Headers, bytes: &Bytes, status: Option<u16>) -> Out {
    let listed = node.get("headers").map_or(&[][..], Node::entries).iter().map(|(key, _)| key.text.as_str());
    let absent = node.get("absent").map_or(&[][..], Node::elements).iter().filter_map(Node::as_str);
    let mut entries = Vec::new();
    if let Some(status) = status.filter(|_| node.get("status").is_some()) {
        entries.push(("status".to_owned(), Out::Raw(status.to_string())));
    }
    entries.extend(headers(listed.chain(absent), from));
    let forms = ["body", "bodySha256", "json", "bodyUnchanged", "bodyContains"];
    let form = node.entries().iter().map(|(key, _)| key.text.as_str()).find(|name| forms.contains(name));
    entries.extend(form.map(|form| match form {
        "bodySha256" => (form.to_owned(), Out::text(sha256_hex(bytes))),
        "json" => match one_line_json(bytes) {
            Some(json) => (form.to_owned(), Out::Raw(json)),
            None => body(bytes),
        },
        _ => body(bytes),
    }));
    Out::Map(entries)
}

/// A body that is JSON, on one line; a YAML reader takes it as it is.
pub(super) fn one_line_json(bytes: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    Some(value.to_string())
}

fn add_body(entries: &mut Vec<(String, Out)>, side: &str, bytes: Option<&Bytes>) {
    let Some(bytes) = bytes else { return };
    match entries.iter_mut().find(|(name, _)| name == side) {
        Some((_, Out::Map(message)))
            if message.iter().all(|(name, _)| !name.starts_with("body") && name != "json") =>
        {
            message.push(body(bytes));
        }
        Some(_) => {}
        None => entries.push((side.to_owned(), Out::Map(vec![body(bytes)]))),
    }
}
