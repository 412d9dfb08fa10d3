//! JSON to a tree with only those keys that are asked for: a document may have megabytes that nobody needs, and they
//! are skipped without being kept.

use super::document::Node;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Reads JSON. Of maps, at whatever depth, only the entries with these keys are kept.
pub(crate) fn picked(text: &str, keys: &[&str]) -> Result<Node, String> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let node = Picked(keys).deserialize(&mut reader);
    node.and_then(|node| reader.end().map(|()| node)).map_err(|error| error.to_string())
}

#[derive(Clone, Copy)]
struct Picked<'k>(&'k [&'k str]);

impl<'de> DeserializeSeed<'de> for Picked<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Picked<'_> {
    type Value = Node;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
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

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element_seed(self)? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key_seed(Key(self.0))? {
            match key {
                Some(key) => entries.push((key.to_owned(), map.next_value_seed(self)?)),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Node::Map(entries))
    }
}

/// Which of the keys it is.
struct Key<'k>(&'k [&'k str]);

impl<'de, 'k> DeserializeSeed<'de> for Key<'k> {
    type Value = Option<&'k str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'k> Visitor<'_> for Key<'k> {
    type Value = Option<&'k str>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().copied().find(|known| *known == key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_keys_that_are_asked_for_are_kept() {
        let text = r#"{"a": [{"b": 1, "x": {"a": [2]}, "a": null}], "x": "\ud83d", "b": "c"}"#;
        // What is skipped is checked less: half a surrogate pair is none of our business there.
        let map = |entries: &[(&str, Node)]| {
            Node::Map(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
        };
        let inner = map(&[("b", Node::Integer(1)), ("a", Node::Null)]);
        let expected = map(&[("a", Node::List(vec![inner])), ("b", Node::String("c".to_owned()))]);
        assert_eq!(picked(text, &["a", "b"]), Ok(expected));
        for wrong in ["", "{", "{} x", r#"{"x": }"#, r#"{"x": [1,]}"#] {
            assert!(picked(wrong, &["a"]).is_err(), "{wrong}");
        }
        assert!(picked(&"[".repeat(100_000), &["a"]).is_err(), "too deep for the stack");
    }
}
