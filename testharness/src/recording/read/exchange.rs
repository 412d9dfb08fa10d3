//! Exchanges: requests, when they start, and how long their answers are held back.

use bytes::Bytes;

use crate::recording::document::Node;
use crate::recording::problem::{hint, join};
use crate::recording::{Abort, Exchange, Metrics, Request, metrics};

use super::Reader;
use super::body::duration;

impl Reader<'_> {
    pub(super) fn exchanges(&self, list: &Node, clusters: &[String]) -> Vec<Exchange> {
        let nodes = list.elements();
        if nodes.is_empty() {
            self.problems.expected(list, "exchanges", "one exchange or more");
        }
        let ids: Vec<String> = nodes
            .iter()
            .enumerate()
            .map(|(index, node)| {
                node.get("id").and_then(Node::as_str).map_or_else(|| (index + 1).to_string(), str::to_owned)
            })
            .collect();
        let mut latest = std::time::Duration::ZERO;
        let mut exchanges = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            let field = format!("exchanges[{index}]");
            if let Some(id) = node.get("id")
                && ids[..index].contains(&ids[index])
            {
                self.problems.add(
                    id.start,
                    &join(&field, "id"),
                    format!("{:?} is the id of two exchanges", ids[index]),
                );
            }
            let at = duration(Some(node), "at");
            if let (Some(at), Some(place)) = (at, node.get("at")) {
                if at < latest {
                    self.problems.add(
                        place.start,
                        &join(&field, "at"),
                        "this is before the exchange above starts",
                    );
                }
                latest = at;
            }
            let expect = node.get("expect");
            exchanges.push(Exchange {
                id: ids[index].clone(),
                at,
                request: self.request(node.get("request"), &join(&field, "request")),
                upstream: self.upstream(node.get("upstream"), &join(&field, "upstream")),
                until: self.until(node, &field, index, &ids),
                expect: expect.map(|node| self.expectation(node, &join(&field, "expect"), clusters)),
                metrics: self.metrics(node, &field),
            });
        }
        exchanges
    }

    fn until(&self, node: &Node, field: &str, index: usize, ids: &[String]) -> Option<usize> {
        let node = node.get("until")?;
        let id = node.as_str()?;
        let message = match ids.iter().position(|known| known == id) {
            Some(other) if other > index => return Some(other),
            Some(_) => format!("{id:?} is not a later exchange"),
            None => {
                let near = hint(id, ids.iter().map(String::as_str));
                format!("there is no exchange {id:?}{near}")
            }
        };
        self.problems.add(node.start, &join(field, "until"), message);
        None
    }

    fn metrics(&self, node: &Node, field: &str) -> Metrics {
        let field = join(field, "metrics");
        let mut values = Metrics::new();
        for (key, value) in node.get("metrics").map_or(&[][..], Node::entries) {
            match metrics::from_prometheus(&key.text) {
                Ok(name) => values.extend(value.as_number().map(|value| (name, value))),
                Err(why) => self.problems.add(key.start, &join(&field, &key.text), why),
            }
        }
        values
    }

    fn request(&self, node: Option<&Node>, field: &str) -> Request {
        let get = |name: &str| node.and_then(|node| node.get(name));
        let text = |name: &str, default: &str| get(name).and_then(Node::as_str).unwrap_or(default).to_owned();
        let body = node.and_then(|node| self.body(node, field)).unwrap_or_default();
        let (method, path) = (text("method", "POST"), text("path", "/v1/chat/completions"));
        if let Some(node) = get("method")
            && !method.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-')
        {
            self.problems.expected(node, &join(field, "method"), "a method such as POST");
        }
        if let Some(node) = get("path")
            && (!(path.starts_with('/') || path == "*")
                || path.bytes().any(|byte| byte <= b' ' || byte == 0x7f))
        {
            self.problems.expected(
                node,
                &join(field, "path"),
                "a path that begins with \"/\" and has no spaces",
            );
        }
        Request {
            method,
            path,
            headers: self.headers(get("headers")),
            chunks: self.chunks(get("chunks"), &join(field, "chunks"), &body),
            trailers: self.headers(get("trailers")),
            abort: self.abort(node, field, &body),
            body,
        }
    }

    fn chunks(&self, node: Option<&Node>, field: &str, body: &Bytes) -> Vec<usize> {
        let mut left = body.len();
        let mut sizes = Vec::new();
        for (index, node) in node.map_or(&[][..], Node::elements).iter().enumerate() {
            let Some(size) = node.as_integer().and_then(|size| usize::try_from(size).ok()) else { continue };
            let Some(rest) = left.checked_sub(size) else {
                let what = format!("at most {left}, which is what is left of the body");
                self.problems.expected(node, &format!("{field}[{index}]"), &what);
                break;
            };
            left = rest;
            sizes.push(size);
        }
        sizes
    }

    fn abort(&self, node: Option<&Node>, field: &str, body: &Bytes) -> Option<Abort> {
        let get = |name: &str| {
            let node = node.and_then(|node| node.get(name))?;
            Some((node, node.as_integer().and_then(|bytes| usize::try_from(bytes).ok())?))
        };
        if let Some((node, bytes)) = get("abortAfter") {
            if bytes > body.len() {
                let what = format!("at most {}, the length of the body", body.len());
                self.problems.expected(node, &join(field, "abortAfter"), &what);
            }
            return Some(Abort::AfterBytes(bytes));
        }
        get("abortAfterResponseBytes").map(|(_, bytes)| Abort::AfterResponseBytes(bytes))
    }
}
