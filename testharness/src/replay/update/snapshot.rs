//! The snapshot beside a recording: what came of the exchanges that name no expectation of their own.

use crate::message::Headers;
use crate::recording::document::Node;
use crate::recording::{Exchange, Outcome, Recording};
use crate::replay::compare::{request_changed, response_changed};
use crate::replay::engine::Observed;

use super::write::{body, headers, one_line_json};
use super::yaml::{Out, Style};

/// Fields that Envoy or a connection adds, changes or removes for reasons of its own.
const NOT_OURS: &[&str] = &[
    "connection",
    "content-length",
    "date",
    "host",
    "keep-alive",
    "server",
    "te",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-request-id",
];

/// The text of the snapshot; none if every exchange has its own expectation.
///
/// # Errors
/// It would hold what it cannot.
pub(super) fn text(recording: &Recording, root: &Node, seen: &[Observed]) -> Result<Option<String>, String> {
    let nodes = root.get("exchanges").map_or(&[][..], Node::elements);
    let mut entries = Vec::new();
    for ((exchange, observed), node) in recording.exchanges().iter().zip(seen).zip(nodes) {
        if node.get("expect").is_none() {
            let id = ("id".to_owned(), Out::text(exchange.id.clone()));
            entries.push(Out::Map(vec![id, ("expect".to_owned(), expectation(exchange, observed))]));
        }
    }
    if entries.is_empty() {
        return Ok(None);
    }
    let what = Out::Map(vec![("exchanges".to_owned(), Out::List(entries))]).write(Style::Block, 0);
    Ok(Some(format!("# What came out when this was last updated with `--update`.\n{what}\n")))
}

fn expectation(exchange: &Exchange, seen: &Observed) -> Out {
    let mut entries = vec![("outcome".to_owned(), Out::text(seen.outcome.name()))];
    entries.extend(seen.cluster.as_ref().map(|cluster| ("cluster".to_owned(), Out::text(cluster))));
    // How far things came before somebody broke off is a matter of time.
    if seen.outcome == Outcome::Aborted {
        return Out::Map(entries);
    }
    if let Some(request) = &seen.request {
        let names = changed(&exchange.request.wire_headers(), &request.headers);
        let mut message = headers(names.iter().map(String::as_str), &request.headers);
        message.push(match request_changed(exchange, seen) {
            None => unchanged(),
            Some(_) => body(&request.body),
        });
        entries.push(("request".to_owned(), Out::Map(message)));
    }
    if let Some(response) = &seen.response {
        let mut message = vec![("status".to_owned(), Out::Raw(response.status.to_string()))];
        let own = seen.outcome == Outcome::Forwarded;
        let sent = if own { &exchange.upstream.headers } else { &Headers::new() };
        let names = changed(sent, &response.headers);
        message.extend(headers(names.iter().map(String::as_str), &response.headers));
        message.push(
            match (own && response_changed(exchange, seen).is_none(), one_line_json(&response.body)) {
                (true, _) if response.body == exchange.upstream.body() => unchanged(),
                (_, Some(json)) => ("json".to_owned(), Out::Raw(json)),
                (_, None) => body(&response.body),
            },
        );
        entries.push(("response".to_owned(), Out::Map(message)));
    }
    Out::Map(entries)
}

fn unchanged() -> (String, Out) {
    ("bodyUnchanged".to_owned(), Out::Raw("true".to_owned()))
}

/// The names of fields that differ between what was sent and what was received, those that are not ours left out.
fn changed(sent: &Headers, received: &Headers) -> Vec<String> {
    let name = |(name, _): (&[u8], &[u8])| String::from_utf8_lossy(name).to_ascii_lowercase();
    let mut names: Vec<String> = received.iter().map(name).chain(sent.iter().map(name)).collect();
    names.sort();
    names.dedup();
    names.retain(|name| {
        let ours = !NOT_OURS.contains(&name.as_str()) && !name.starts_with("x-envoy-");
        ours && !sent.all(name).eq(received.all(name))
    });
    names
}
