//! What has to come out.

use bytes::Bytes;

use crate::recording::document::Node;
use crate::recording::problem::join;
use crate::recording::{BodyExpectation, Expectation, HeaderExpectation, MessageExpectation, Outcome};

use super::Reader;

impl Reader<'_> {
    /// An expectation that names only these clusters.
    pub(in crate::recording) fn expectation(
        &self,
        node: &Node,
        field: &str,
        clusters: &[String],
    ) -> Expectation {
        if let Some(cluster) = node.get("cluster") {
            self.known_cluster(cluster, &join(field, "cluster"), clusters);
        }
        let alternatives = node.get("oneOf");
        if let Some(empty) = alternatives.filter(|list| list.elements().is_empty()) {
            self.problems.expected(empty, &join(field, "oneOf"), "one expectation or more");
        }
        let alternative = |(index, node)| {
            let field = format!("{}[{index}]", join(field, "oneOf"));
            self.expectation(node, &field, clusters)
        };
        let outcome = node.get("outcome").and_then(Node::as_str);
        Expectation {
            outcome: outcome.and_then(Outcome::from_name),
            cluster: node.get("cluster").and_then(Node::as_str).map(str::to_owned),
            request: self.message(node.get("request"), &join(field, "request")),
            response: self.message(node.get("response"), &join(field, "response")),
            one_of: alternatives
                .map_or(&[][..], Node::elements)
                .iter()
                .enumerate()
                .map(alternative)
                .collect(),
        }
    }

    fn message(&self, node: Option<&Node>, field: &str) -> MessageExpectation {
        let Some(node) = node else { return MessageExpectation::default() };
        let status = node.get("status").and_then(Node::as_integer);
        let headers = node.get("headers").map_or(&[][..], Node::entries).iter().map(|(key, value)| {
            let single = [value.clone()];
            let values = if value.elements().is_empty() { &single } else { value.elements() };
            let values = values.iter().filter_map(Node::as_written).map(Bytes::from).collect();
            HeaderExpectation { name: key.text.to_ascii_lowercase(), values }
        });
        let headers: Vec<_> = headers.collect();
        let mut absent = Vec::new();
        for (index, node) in node.get("absent").map_or(&[][..], Node::elements).iter().enumerate() {
            let Some(name) = node.as_str().map(str::to_ascii_lowercase) else { continue };
            if headers.iter().any(|header| header.name == name) {
                let field = format!("{}[{index}]", join(field, "absent"));
                self.problems.add(node.start, &field, format!("{name:?} is among \"headers\", too"));
            }
            absent.push(name);
        }
        MessageExpectation {
            status: status.and_then(|status| u16::try_from(status).ok()),
            headers,
            absent,
            body: self.expected_body(node, field),
        }
    }

    fn expected_body(&self, node: &Node, field: &str) -> Option<BodyExpectation> {
        if let Some((_, json)) = node.entries().iter().find(|(key, _)| key.text == "json") {
            // Numbers that no JSON value of this process can hold are the one thing that is refused here.
            let value = json.to_json().ok().map(|text| serde_json::from_str(&text));
            if let Some(Err(error)) = &value {
                self.problems.add(json.start, &join(field, "json"), format!("cannot be compared: {error}"));
            }
            return value?.ok().map(BodyExpectation::Json);
        }
        if let Some(digest) = node.get("bodySha256") {
            let text = digest.as_str()?.to_ascii_lowercase();
            if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                self.problems.expected(digest, &join(field, "bodySha256"), "64 hexadecimal digits");
            }
            return Some(BodyExpectation::Sha256(text));
        }
        if node.get("bodyUnchanged").is_some() {
            return Some(BodyExpectation::Unchanged);
        }
        let contains = || self.bytes(node, "bodyContains").map(BodyExpectation::Contains);
        self.bytes(node, "body").map(BodyExpectation::Exact).or_else(contains)
    }
}
