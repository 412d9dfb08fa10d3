//! A list of models that is fetched: a document of the same form as the parameters, or a ConfigMap that holds one.

use super::{Candidates, models};
use crate::config::{Invalid, Node, Sink, View, parse};
use crate::source::{Answer, Condensed, Format};
use std::borrow::Cow;

/// A list that is longer is no list of models.
const MOST_BYTES: usize = 1 << 20;
/// Each model has metrics, and those are never given back.
const MOST_MODELS: usize = 1000;

/// How a list of models is read.
pub(super) struct ModelList {
    /// The key of a ConfigMap's `data`.
    pub(super) key: String,
}

impl Format for ModelList {
    type Document = Candidates;

    fn name(&self) -> Cow<'_, str> {
        Cow::Owned(format!("models/1/{}", self.key))
    }

    /// The document stays as it is; whatever is wrong with it makes all of it useless, so that the one before stays.
    fn condense(&self, answer: &Answer<'_>) -> Result<Condensed, String> {
        let text = std::str::from_utf8(answer.body).map_err(|_| "the document is not UTF-8".to_owned())?;
        if text.len() > MOST_BYTES {
            return Err(format!("the document is longer than {MOST_BYTES} bytes"));
        }
        let text = match config_map(text, &self.key)? {
            Some(inner) => inner,
            None => text.to_owned(),
        };
        Ok(Condensed { bytes: text.into_bytes(), problems: Vec::new() })
    }

    fn read(&self, condensed: &[u8]) -> Result<Candidates, String> {
        let text = std::str::from_utf8(condensed).map_err(|_| "the document is not UTF-8".to_owned())?;
        let node = parse(text)
            .map_err(|error| format!("the document is neither JSON nor YAML: {}", error.message))?;
        let sink = Sink::new(text);
        let found = View::root(&node, &sink)
            .object(&["models", "groups"])
            .and_then(|document| models(&document))
            .map_err(|Invalid| ());
        let errors = sink.into_errors();
        if let Some(first) = errors.0.first() {
            return Err(first.to_string());
        }
        let found = found.map_err(|()| "the document is no list of models".to_owned())?;
        if found.len() > MOST_MODELS {
            return Err(format!("the document has more than {MOST_MODELS} models"));
        }
        Ok(found)
    }
}

/// What a ConfigMap has under a key of its data; nothing if the document is none.
fn config_map(text: &str, key: &str) -> Result<Option<String>, String> {
    let get = |node: &Node, name: &str| match node {
        Node::Map(entries) => entries.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()),
        _ => None,
    };
    let node =
        parse(text).map_err(|error| format!("the document is neither JSON nor YAML: {}", error.message))?;
    match get(&node, "kind") {
        Some(Node::String(kind)) if kind == "ConfigMap" => {
            match get(&node, "data").and_then(|data| get(&data, key)) {
                Some(Node::String(inner)) => Ok(Some(inner)),
                _ => Err(format!("the ConfigMap has no data[{key:?}]")),
            }
        }
        _ => Ok(None),
    }
}
