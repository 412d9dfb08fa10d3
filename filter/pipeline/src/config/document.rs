//! Text to a tree, and a place in the tree back to its line. The one file that knows which crate reads YAML.

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A YAML or JSON value. Maps keep their order and their duplicates, so that both can be reported.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    String(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// One step on the way from the root of a document to a place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The value of a key; of its second or later occurrence where the number is above 0.
    Key(String, usize),
    /// An element of a list.
    Index(usize),
}

/// Which end of the last step is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    Key,
    Value,
}

/// A line and a column, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// The text is neither YAML nor JSON.
#[derive(Debug)]
pub(crate) struct SyntaxError {
    pub(crate) message: String,
    pub(crate) position: Option<Position>,
}

/// Reads a document. JSON is tried first where the text begins like it, since YAML refuses some of its escapes.
pub(crate) fn parse(text: &str) -> Result<Node, SyntaxError> {
    if text.trim_start().starts_with('{')
        && let Ok(node) = serde_json::from_str(text)
    {
        return Ok(node);
    }
    serde_yaml::from_str(text).map_err(|error| SyntaxError {
        position: position(&error),
        // The crate appends the place to its message; it is given apart.
        message: error.to_string().split(" at line ").next().unwrap_or_default().to_owned(),
    })
}

/// Reads a YAML list of scalars that stands in a string, as ConfigMaps hold them. No text is an empty list.
pub(crate) fn scalars(text: &str) -> Result<Vec<String>, String> {
    match parse(text) {
        Ok(Node::Null) => Ok(Vec::new()),
        Ok(Node::List(nodes)) => nodes
            .iter()
            .filter(|node| **node != Node::Null)
            .map(|node| node.scalar_text().ok_or_else(|| format!("found {}", node.describe())))
            .collect(),
        Ok(other) => Err(format!("found {}", other.describe())),
        Err(_) if text.trim().is_empty() => Ok(Vec::new()),
        Err(error) => Err(error.message),
    }
}

/// Finds the line of a place. Only errors need it, so the document is read again instead of keeping every
/// value's position: a probe walks to the place and fails there, and the reader says where that was.
pub(crate) fn locate(text: &str, path: &[Step], spot: Spot) -> Option<Position> {
    let probe = Probe { path, spot };
    probe.deserialize(serde_yaml::Deserializer::from_str(text)).err().as_ref().and_then(position)
}

fn position(error: &serde_yaml::Error) -> Option<Position> {
    error.location().map(|at| Position { line: at.line(), column: at.column() })
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Node;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a YAML or JSON value without tags")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    // A document of comments only.
    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Integer(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
        Ok(Node::Integer(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Node>()? {
            let Some(key) = key.scalar_text() else {
                return Err(A::Error::custom("a list or map cannot be a key"));
            };
            entries.push((key, map.next_value()?));
        }
        Ok(Node::Map(entries))
    }
}

impl Node {
    /// The text that Kubernetes would make of a scalar where a string is expected: `1` becomes "1".
    pub(crate) fn scalar_text(&self) -> Option<String> {
        match self {
            Self::String(text) => Some(text.clone()),
            Self::Bool(value) => Some(value.to_string()),
            Self::Integer(value) => Some(value.to_string()),
            Self::Float(value) => Some(value.to_string()),
            Self::Null | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// What this is, for an error message.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Bool(value) => format!("{value}"),
            Self::Integer(value) => format!("{value}"),
            Self::Float(value) => format!("{value}"),
            Self::String(text) if text.chars().count() > 60 => "a long string".to_owned(),
            Self::String(text) => format!("{text:?}"),
            Self::List(list) if list.is_empty() => "an empty list".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Map(map) if map.is_empty() => "an empty map".to_owned(),
            Self::Map(_) => "a map".to_owned(),
        }
    }
}

/// Walks to a place and fails there.
#[derive(Clone, Copy)]
struct Probe<'a> {
    path: &'a [Step],
    spot: Spot,
}

impl<'de> DeserializeSeed<'de> for Probe<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Probe<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the place that is looked for")
    }

    // A scalar is either the place itself or something that the path does not fit; both end the walk.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((Step::Key(name, occurrence), rest)) = self.path.split_first() else {
            return Err(A::Error::custom("here"));
        };
        let mut occurrence = *occurrence;
        let on_key = rest.is_empty() && self.spot == Spot::Key;
        while let Some(found) = map.next_key_seed(Key { name, fail: on_key && occurrence == 0 })? {
            if found && occurrence == 0 {
                return map.next_value_seed(Probe { path: rest, ..self });
            }
            occurrence = occurrence.saturating_sub(usize::from(found));
            map.next_value::<Node>()?;
        }
        Err(A::Error::custom("here"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Some((Step::Index(index), rest)) = self.path.split_first() else {
            return Err(A::Error::custom("here"));
        };
        for _ in 0..*index {
            list.next_element::<Node>()?;
        }
        list.next_element_seed(Probe { path: rest, ..self })?;
        Err(A::Error::custom("here"))
    }
}

/// A key that is compared, and fails where it is the one that is looked for.
struct Key<'a> {
    name: &'a str,
    fail: bool,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Key<'_> {
    type Value = bool;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<bool, E> {
        match (key == self.name, self.fail) {
            (true, true) => Err(E::custom("here")),
            (same, _) => Ok(same),
        }
    }

    fn visit_i64<E>(self, key: i64) -> Result<bool, E> {
        Ok(key.to_string() == self.name)
    }

    fn visit_u64<E>(self, key: u64) -> Result<bool, E> {
        Ok(key.to_string() == self.name)
    }

    fn visit_f64<E>(self, key: f64) -> Result<bool, E> {
        Ok(key.to_string() == self.name)
    }

    fn visit_bool<E>(self, key: bool) -> Result<bool, E> {
        Ok(key.to_string() == self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a:\n- x: 1\n  y: two\n- x:\n    z: {q: 5}\na: again\n";

    fn at(path: &[Step], spot: Spot) -> (usize, usize) {
        let position = locate(TEXT, path, spot).unwrap();
        (position.line, position.column)
    }

    #[test]
    fn places_have_lines() {
        let key = |name: &str| Step::Key(name.to_owned(), 0);
        assert_eq!(at(&[key("a"), Step::Index(0), key("y")], Spot::Value), (3, 6));
        assert_eq!(at(&[key("a"), Step::Index(0), key("y")], Spot::Key), (3, 3));
        assert_eq!(at(&[key("a"), Step::Index(1), key("x"), key("z"), key("q")], Spot::Value), (5, 12));
        assert_eq!(at(&[key("a"), Step::Index(1)], Spot::Value), (4, 3));
        assert_eq!(at(&[Step::Key("a".to_owned(), 1)], Spot::Key), (6, 1));
        assert_eq!(at(&[], Spot::Value), (1, 1));
    }

    #[test]
    fn json_with_escapes_that_yaml_lacks() {
        let node = parse(r#"{"a": "\ud83d\ude00"}"#).unwrap();
        assert_eq!(node, Node::Map(vec![("a".to_owned(), Node::String("\u{1f600}".to_owned()))]));
    }

    #[test]
    fn syntax_errors_have_a_place() {
        let error = parse("a: [1,\nb: 2").unwrap_err();
        assert!(error.position.is_some(), "{error:?}");
        assert!(!error.message.contains(" at line "), "{error:?}");
    }
}
