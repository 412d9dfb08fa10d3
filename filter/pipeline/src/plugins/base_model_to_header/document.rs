//! A ConfigMapList or a ConfigMap: its kind, its objects, and what they say.

use super::mapping::LABEL;
use crate::config::{Node, parse, picked};

/// The keys that are of interest, wherever they stand.
const KEYS: [&str; 13] = [
    "kind",
    "items",
    "metadata",
    "continue",
    "namespace",
    "name",
    "creationTimestamp",
    "deletionTimestamp",
    "labels",
    LABEL,
    "data",
    "baseModel",
    "adapters",
];

/// One object of a document.
pub(super) struct Object(Node);

/// The objects of a list, or the one object that a document is.
pub(super) fn objects(text: &str) -> Result<Vec<Object>, String> {
    let mut document = match text.trim_start().starts_with('{') {
        true => picked(text, &KEYS).map_err(|error| format!("the document is not JSON: {error}"))?,
        // For one object written by hand.
        false => parse(text)
            .map_err(|error| format!("the document is neither JSON nor YAML: {}", error.message))?,
    };
    if !matches!(document, Node::Map(_)) {
        return Err(format!(
            "the document is {}, expected a ConfigMapList or a ConfigMap",
            document.describe()
        ));
    }
    if at(&document, &["metadata", "continue"]).is_some_and(|next| !next.is_empty()) {
        return Err("the list is one page of a longer one; take `limit` out of the path".to_owned());
    }
    let kind = at(&document, &["kind"]).map(str::to_owned);
    match (kind.as_deref(), take(&mut document, "items")) {
        (Some("ConfigMapList" | "List") | None, Some(Node::List(items))) => {
            Ok(items.into_iter().map(Object).collect())
        }
        // An empty list may have no items at all.
        (Some("ConfigMapList"), None | Some(Node::Null)) => Ok(Vec::new()),
        (Some("ConfigMap"), None) => Ok(vec![Object(document)]),
        (Some(kind), _) => {
            let kind: String = kind.chars().take(64).collect();
            Err(format!("the document is of kind {kind:?}, expected a ConfigMapList or a ConfigMap"))
        }
        (None, _) => Err("the document has no kind, expected a ConfigMapList or a ConfigMap".to_owned()),
    }
}

impl Object {
    /// Whether it has the label, is a ConfigMap and is not being deleted.
    pub(super) fn counts(&self) -> bool {
        at(&self.0, &["metadata", "labels", LABEL]) == Some("true")
            && at(&self.0, &["metadata", "deletionTimestamp"]).is_none()
            && at(&self.0, &["kind"]).is_none_or(|kind| kind == "ConfigMap")
    }

    /// Namespace and name. Kubernetes allows nothing in them that a log could not show.
    pub(super) fn name(&self) -> String {
        let part = |name| at(&self.0, &["metadata", name]).unwrap_or_default();
        let whole = format!("{}/{}", part("namespace"), part("name"));
        whole.chars().filter(char::is_ascii_graphic).take(320).collect()
    }

    /// When it was created, in a form that sorts by time: Kubernetes always writes UTC, in whole seconds.
    pub(super) fn created(&self) -> &str {
        at(&self.0, &["metadata", "creationTimestamp"]).unwrap_or_default()
    }

    pub(super) fn base_model(&self) -> Option<&str> {
        at(&self.0, &["data", "baseModel"])
    }

    pub(super) fn adapters(&self) -> Option<&str> {
        at(&self.0, &["data", "adapters"])
    }
}

/// The text that stands there; a ConfigMap has nothing else.
fn at<'n>(mut node: &'n Node, path: &[&str]) -> Option<&'n str> {
    for name in path {
        let Node::Map(entries) = node else { return None };
        node = entries.iter().find(|(key, _)| key == name).map(|(_, value)| value)?;
    }
    match node {
        Node::String(text) => Some(text),
        _ => None,
    }
}

fn take(node: &mut Node, name: &str) -> Option<Node> {
    let Node::Map(entries) = node else { return None };
    let index = entries.iter().position(|(key, _)| key == name)?;
    Some(entries.swap_remove(index).1)
}
