//! Checks a document against the description of its format, and goes on after every problem.

use crate::recording::document::{Kind, Node};
use crate::recording::problem::{Problems, hint, join};
use crate::recording::time;

use super::shape::{Object, Shape};

/// Reports everything in which `node` is not an `object`.
pub(in crate::recording) fn check(node: &Node, object: &'static Object, problems: &Problems) {
    Check { problems }.object(node, object, "");
}

struct Check<'a> {
    problems: &'a Problems,
}

impl Check<'_> {
    fn object(&self, node: &Node, object: &'static Object, field: &str) {
        let Kind::Map(entries) = &node.kind else {
            return self.problems.expected(node, field, "a map");
        };
        self.repeated(node, field);
        let known = || object.fields.iter().map(|known| known.name);
        for (key, value) in entries {
            let at = join(field, &key.text);
            match object.fields.iter().find(|known| known.name == key.text) {
                Some(known) => self.value(value, known.shape, &at),
                None => {
                    let (names, near) = (known().collect::<Vec<_>>().join(", "), hint(&key.text, known()));
                    let message = format!("unknown field {:?}, expected one of {names}{near}", key.text);
                    self.problems.add(key.start, &at, message);
                }
            }
        }
        let there = |name: &str| entries.iter().find(|(key, _)| key.text == name);
        for missing in object.fields.iter().filter(|known| known.required && there(known.name).is_none()) {
            self.problems.add(node.start, field, format!("{:?} is missing", missing.name));
        }
        for group in object.at_most_one.iter().copied().chain([object.exactly_one]) {
            let found: Vec<_> = group.iter().filter_map(|name| there(name)).collect();
            if let [first, second, ..] = found.as_slice() {
                let message = format!("{:?} stands here already, and only one of the two can", first.0.text);
                self.problems.add(second.0.start, &join(field, &second.0.text), message);
            }
        }
        if !object.exactly_one.is_empty() && !object.exactly_one.iter().any(|name| there(name).is_some()) {
            let names: Vec<_> = object.exactly_one.iter().map(|name| format!("{name:?}")).collect();
            self.problems.add(node.start, field, format!("{} is missing", names.join(" or ")));
        }
    }

    fn repeated(&self, node: &Node, field: &str) {
        let entries = node.entries();
        for (at, (key, _)) in entries.iter().enumerate() {
            if entries[..at].iter().any(|(before, _)| before.text == key.text) {
                let message = format!("the key {:?} stands here a second time", key.text);
                self.problems.add(key.start, &join(field, &key.text), message);
            }
        }
    }

    fn value(&self, node: &Node, shape: Shape, field: &str) {
        // What stands for nothing is as good as absent.
        if node.is_null() && !matches!(shape, Shape::Any) {
            return self.problems.expected(node, field, &shape.describe());
        }
        match shape {
            Shape::Object(object) => self.object(node, object, field),
            Shape::List(element) => {
                let Kind::List(nodes) = &node.kind else {
                    return self.problems.expected(node, field, &shape.describe());
                };
                for (index, node) in nodes.iter().enumerate() {
                    self.value(node, *element, &format!("{field}[{index}]"));
                }
            }
            Shape::Map(element) => {
                let Kind::Map(entries) = &node.kind else {
                    return self.problems.expected(node, field, &shape.describe());
                };
                self.repeated(node, field);
                for (key, node) in entries {
                    self.value(node, *element, &join(field, &key.text));
                }
            }
            Shape::Pairs => self.pairs(node, field),
            Shape::HeaderMap => self.header_map(node, field),
            Shape::Any => self.json(node, field),
            _ if shape.fits(node) => {}
            Shape::Choice(words) => {
                let near = node.as_str().map(|text| hint(text, words.iter().copied())).unwrap_or_default();
                self.problems.expected(node, field, &format!("{}{near}", shape.describe()));
            }
            _ => self.problems.expected(node, field, &shape.describe()),
        }
    }

    fn json(&self, node: &Node, field: &str) {
        if let Err(part) = node.to_json() {
            self.problems.expected(part, field, "what JSON has a form for");
        }
    }

    fn pairs(&self, node: &Node, field: &str) {
        let Kind::List(pairs) = &node.kind else {
            return self.problems.expected(node, field, &Shape::Pairs.describe());
        };
        for (index, pair) in pairs.iter().enumerate() {
            let at = format!("{field}[{index}]");
            match pair.elements() {
                [name, value] => {
                    self.value(name, Shape::HeaderName, &format!("{at}[0]"));
                    self.header_value(value, &format!("{at}[1]"));
                }
                _ => self.problems.expected(pair, &at, "a pair of a name and a value"),
            }
        }
    }

    fn header_map(&self, node: &Node, field: &str) {
        let Kind::Map(entries) = &node.kind else {
            return self.problems.expected(node, field, &Shape::HeaderMap.describe());
        };
        for (at, (key, value)) in entries.iter().enumerate() {
            let here = join(field, &key.text);
            if !is_header_name(&key.text) {
                self.problems.add(key.start, &here, format!("{:?} cannot be the name of a header", key.text));
            }
            if entries[..at].iter().any(|(before, _)| before.text.eq_ignore_ascii_case(&key.text)) {
                self.problems.add(
                    key.start,
                    &here,
                    format!("the header {:?} stands here a second time", key.text),
                );
            }
            match &value.kind {
                Kind::List(values) if !values.is_empty() => {
                    for (index, value) in values.iter().enumerate() {
                        self.header_value(value, &format!("{here}[{index}]"));
                    }
                }
                _ => self.header_value(value, &here),
            }
        }
    }

    fn header_value(&self, node: &Node, field: &str) {
        match node.as_written() {
            Some(bytes) if !bytes.iter().any(|byte| b"\r\n\0".contains(byte)) => {}
            Some(_) => self.problems.add(node.start, field, "a header cannot hold line breaks or NUL"),
            None => self.problems.expected(node, field, "the value of a header"),
        }
    }
}

impl Shape {
    fn fits(self, node: &Node) -> bool {
        match self {
            Self::Text => node.as_str().is_some_and(|text| !text.is_empty()),
            Self::Bytes => node.as_bytes().is_some(),
            Self::Bool => node.as_bool().is_some(),
            Self::True => node.as_bool() == Some(true),
            Self::Integer(low, high) => node.as_integer().is_some_and(|value| (low..=high).contains(&value)),
            Self::Number => node.as_number().is_some(),
            Self::Duration => node.as_str().is_some_and(|text| time::duration(text).is_some()),
            Self::Timestamp => node.as_str().is_some_and(|text| time::timestamp(text).is_some()),
            Self::Choice(words) => node.as_str().is_some_and(|text| words.contains(&text)),
            Self::HeaderName => node.as_str().is_some_and(is_header_name),
            Self::Config => node.as_str().is_some() || matches!(node.kind, Kind::Map(_)),
            // These are looked into one by one.
            Self::Any | Self::Pairs | Self::HeaderMap | Self::List(_) | Self::Map(_) | Self::Object(_) => {
                true
            }
        }
    }

    /// What is expected where it is not there.
    fn describe(self) -> String {
        match self {
            Self::Any => "anything".to_owned(),
            Self::Text => "a string that is not empty".to_owned(),
            Self::Bytes => "a string, or base64 with the tag !!binary".to_owned(),
            Self::Bool => "true or false".to_owned(),
            Self::True => "true".to_owned(),
            Self::Integer(low, u64::MAX) => format!("a whole number from {low}"),
            Self::Integer(low, high) => format!("a whole number from {low} to {high}"),
            Self::Number => "a number".to_owned(),
            Self::Duration => "a time such as 20ms or 1s".to_owned(),
            Self::Timestamp => "a point in time such as 2026-11-22T10:00:00Z".to_owned(),
            Self::Choice(words) => words.join(" or "),
            Self::HeaderName => "the name of a header".to_owned(),
            Self::Pairs => "a list of pairs of a name and a value".to_owned(),
            Self::HeaderMap => "a map of headers".to_owned(),
            Self::Config => "a path or a map".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) | Self::Object(_) => "a map".to_owned(),
        }
    }
}

/// A token of HTTP. Pseudo headers are not: the method and the path have fields of their own.
fn is_header_name(text: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(token)
}
