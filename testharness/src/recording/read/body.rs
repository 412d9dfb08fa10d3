//! Bodies of requests and answers in all the forms in which a recording can have them.

use std::time::Duration;

use bytes::Bytes;

use crate::recording::document::Node;
use crate::recording::problem::join;
use crate::recording::{Piece, Reset, Upstream, generate, time, value};

use super::Reader;

/// What a model server answers unless a recording says something else.
const COMPLETION: &str = concat!(
    r#"{"id":"chatcmpl-1","object":"chat.completion","created":1767225600,"model":"simulated","#,
    r#""choices":[{"index":0,"message":{"role":"assistant","content":"Hello!"},"finish_reason":"stop"}],"#,
    r#""usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#
);

const JSON: &str = "application/json";
const SSE: &str = "text/event-stream";

impl Reader<'_> {
    /// The body of a request or answer, except for events.
    pub(super) fn body(&self, node: &Node, field: &str) -> Option<Bytes> {
        if let Some(json) = node.entries().iter().find(|(key, _)| key.text == "json") {
            return json.1.to_json().ok().map(Bytes::from);
        }
        if let Some(file) = node.get("bodyFile") {
            return self.file(file, &join(field, "bodyFile"), file.as_str()?).1.map(Bytes::from);
        }
        if let Some(base64) = node.get("bodyBase64") {
            let decoded = value::decode(base64.as_str()?);
            if let Err(error) = &decoded {
                self.problems.add(
                    base64.start,
                    &join(field, "bodyBase64"),
                    format!("this is not base64: {error}"),
                );
            }
            return decoded.ok().map(Bytes::from);
        }
        if let Some(generate) = node.get("generate") {
            return self.generated(generate, &join(field, "generate"));
        }
        self.bytes(node, "body")
    }

    fn generated(&self, node: &Node, field: &str) -> Option<Bytes> {
        let size = node.get("bytes")?;
        let bytes = usize::try_from(size.as_integer()?).ok()?;
        let first = node.get("modelFirst").and_then(Node::as_bool).unwrap_or(true);
        match generate::chat(bytes, first, node.get("model")?.as_str()?) {
            Ok(body) => Some(body.into()),
            Err(smallest) => {
                let what = format!("{smallest} or more, for that is what the smallest such body takes");
                self.problems.expected(size, &join(field, "bytes"), &what);
                None
            }
        }
    }

    /// What a model server, or a cluster that is polled, answers.
    pub(super) fn upstream(&self, node: Option<&Node>, field: &str) -> Upstream {
        let status = node.and_then(|node| node.get("status")).and_then(Node::as_integer);
        let given = node.is_some_and(|node| {
            ["body", "json", "bodyFile", "bodyBase64", "sse", "status"]
                .iter()
                .any(|name| node.get(name).is_some())
        });
        let events = node.and_then(|node| node.get("sse"));
        let mut pieces = match (events, node) {
            (Some(events), _) => self.events(events),
            (None, Some(node)) if given => whole(self.body(node, field).unwrap_or_default()),
            (None, _) => whole(COMPLETION.into()),
        };
        let cuts = node.and_then(|node| node.get("splitAt"));
        if let Some(cuts) = cuts {
            pieces = self.split(pieces, cuts, &join(field, "splitAt"));
        }
        let headers = self.headers(node.and_then(|node| node.get("headers")));
        let framing = |name: &[u8]| {
            [&b"content-length"[..], b"transfer-encoding"]
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name))
        };
        let mut headers: crate::message::Headers =
            headers.iter().filter(|(name, _)| !framing(name)).collect();
        let json = node.is_none_or(|node| !given || node.get("json").is_some());
        if let Some(fitting) = events.map(|_| SSE).or(json.then_some(JSON))
            && !headers.contains("content-type")
        {
            headers.push("content-type", fitting);
        }
        let reset = node.and_then(|node| node.get("reset")).and_then(Node::as_str);
        let reset = reset.map(|word| if word == "headers" { Reset::Headers } else { Reset::Body });
        let status = status.and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
        Upstream { delay: duration(node, "delay").unwrap_or_default(), status, headers, pieces, reset }
    }

    fn events(&self, events: &Node) -> Vec<Piece> {
        let piece = |event: &Node| {
            let data = &event.entries().iter().find(|(key, _)| key.text == "data")?.1;
            let text = data.as_str().map(str::to_owned).or_else(|| data.to_json().ok())?;
            let lines: String = text.split('\n').map(|line| format!("data: {line}\n")).collect();
            let after = duration(Some(event), "after").unwrap_or_default();
            Some(Piece { after, bytes: format!("{lines}\n").into() })
        };
        events.elements().iter().filter_map(piece).collect()
    }

    /// Cuts pieces at offsets of the whole. What is cut off comes right after what was before it.
    fn split(&self, pieces: Vec<Piece>, cuts: &Node, field: &str) -> Vec<Piece> {
        let length: usize = pieces.iter().map(|piece| piece.bytes.len()).sum();
        let mut offsets = Vec::new();
        for (index, node) in cuts.elements().iter().enumerate() {
            let Some(offset) = node.as_integer().and_then(|offset| usize::try_from(offset).ok()) else {
                continue;
            };
            let lowest = offsets.last().map_or(1, |last| last + 1);
            if !(lowest..length).contains(&offset) {
                let what = format!("an offset from {lowest} to {}", length.saturating_sub(1));
                self.problems.expected(node, &format!("{field}[{index}]"), &what);
                continue;
            }
            offsets.push(offset);
        }
        let mut split = Vec::new();
        let mut start = 0;
        for Piece { mut after, bytes: mut rest } in pieces {
            let end = start + rest.len();
            for offset in offsets.iter().filter(|offset| (start + 1..end).contains(*offset)) {
                let bytes = rest.split_to(offset - (end - rest.len()));
                split.push(Piece { after: std::mem::take(&mut after), bytes });
            }
            split.push(Piece { after, bytes: rest });
            start = end;
        }
        split
    }
}

/// A span of time at `name`, if it is there.
pub(super) fn duration(node: Option<&Node>, name: &str) -> Option<Duration> {
    node?.get(name)?.as_str().and_then(time::duration)
}

fn whole(bytes: Bytes) -> Vec<Piece> {
    match bytes.is_empty() {
        true => Vec::new(),
        false => vec![Piece { after: Duration::ZERO, bytes }],
    }
}
