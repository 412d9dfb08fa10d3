//! A ConfigMapList or a ConfigMap, with only those of its fields that are of interest.
//!
//! JSON is read straight into these types: a list may have megabytes of fields that nobody here asks for, and they are
//! skipped without being kept. YAML, for one object written by hand, takes the way of the configuration.

use super::mapping::LABEL;
use crate::config::{Node, parse};
use serde::Deserialize;
use std::borrow::Cow;

/// What a document is, on its outermost level.
#[derive(Default, Deserialize)]
pub(super) struct Document<'a> {
    #[serde(borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    items: Option<Vec<Object<'a>>>,
    #[serde(borrow, default)]
    metadata: Option<Metadata<'a>>,
    #[serde(borrow, default)]
    data: Option<Data<'a>>,
}

/// One ConfigMap.
#[derive(Default, Deserialize)]
pub(super) struct Object<'a> {
    #[serde(borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    metadata: Option<Metadata<'a>>,
    #[serde(borrow, default)]
    data: Option<Data<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(borrow, default)]
    namespace: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    creation_timestamp: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    deletion_timestamp: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    labels: Option<Labels<'a>>,
    /// Of a list: where its next page begins.
    #[serde(borrow, default, rename = "continue")]
    next: Option<Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
struct Labels<'a> {
    #[serde(borrow, default, rename = "inference.llm-d.ai/ipp-managed")]
    managed: Option<Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    #[serde(borrow, default)]
    base_model: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    adapters: Option<Cow<'a, str>>,
}

impl<'a> Document<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, String> {
        if text.trim_start().starts_with('{') {
            return serde_json::from_str(text)
                .map_err(|error| format!("the document is not what was expected: {error}"));
        }
        match parse(text) {
            Ok(node @ Node::Map(_)) => Ok(Self::of_node(&node)),
            Ok(other) => {
                Err(format!("the document is {}, expected a ConfigMapList or a ConfigMap", other.describe()))
            }
            Err(error) => Err(format!("the document is neither JSON nor YAML: {}", error.message)),
        }
    }

    /// The objects of the list, or the one that it is.
    pub(super) fn objects(self) -> Result<Vec<Object<'a>>, String> {
        let more = self.metadata.as_ref().and_then(|metadata| metadata.next.as_deref()).unwrap_or_default();
        if !more.is_empty() {
            return Err("the list is one page of a longer one; take `limit` out of the path".to_owned());
        }
        match (self.kind.as_deref(), self.items) {
            (Some("ConfigMapList" | "List") | None, Some(items)) => Ok(items),
            // An empty list may have no items at all.
            (Some("ConfigMapList"), None) => Ok(Vec::new()),
            (Some("ConfigMap"), None) => {
                Ok(vec![Object { kind: None, metadata: self.metadata, data: self.data }])
            }
            (Some(kind), _) => {
                let kind: String = kind.chars().take(64).collect();
                Err(format!("the document is of kind {kind:?}, expected ConfigMapList or ConfigMap"))
            }
            (None, None) => Err("the document has no kind, expected ConfigMapList or ConfigMap".to_owned()),
        }
    }

    fn of_node(node: &Node) -> Self {
        let items = member(node, "items").and_then(|items| match items {
            Node::List(items) => Some(items.iter().map(Object::of_node).collect()),
            _ => None,
        });
        let Object { kind, metadata, data } = Object::of_node(node);
        Self { kind, items, metadata, data }
    }
}

impl Object<'_> {
    /// Whether it has the label, is a ConfigMap and is not being deleted.
    pub(super) fn counts(&self) -> bool {
        let metadata = self.metadata.as_ref();
        let label = metadata.and_then(|metadata| metadata.labels.as_ref()?.managed.as_deref());
        let deleted = metadata.is_some_and(|metadata| metadata.deletion_timestamp.is_some());
        label == Some("true") && !deleted && self.kind.as_deref().is_none_or(|kind| kind == "ConfigMap")
    }

    /// Namespace and name.
    pub(super) fn name(&self) -> String {
        let part = |part: Option<&Cow<'_, str>>| part.map(|part| part.to_string()).unwrap_or_default();
        let metadata = self.metadata.as_ref();
        let namespace = part(metadata.and_then(|metadata| metadata.namespace.as_ref()));
        let name = part(metadata.and_then(|metadata| metadata.name.as_ref()));
        // Kubernetes allows nothing else; the log gets it as it is.
        format!("{namespace}/{name}").chars().filter(|letter| letter.is_ascii_graphic()).take(320).collect()
    }

    /// When it was created, in a form that sorts by time. Kubernetes always writes UTC, in whole seconds.
    pub(super) fn created(&self) -> &str {
        self.metadata.as_ref().and_then(|metadata| metadata.creation_timestamp.as_deref()).unwrap_or_default()
    }

    pub(super) fn base_model(&self) -> Option<&str> {
        self.data.as_ref()?.base_model.as_deref()
    }

    pub(super) fn adapters(&self) -> Option<&str> {
        self.data.as_ref()?.adapters.as_deref()
    }

    fn of_node(node: &Node) -> Self {
        let text = |node: Option<&Node>, name: &str| {
            node.and_then(|node| member(node, name)).and_then(Node::scalar_text).map(Cow::Owned)
        };
        let metadata = member(node, "metadata");
        let data = member(node, "data");
        Self {
            kind: text(Some(node), "kind"),
            metadata: Some(Metadata {
                namespace: text(metadata, "namespace"),
                name: text(metadata, "name"),
                creation_timestamp: text(metadata, "creationTimestamp"),
                deletion_timestamp: text(metadata, "deletionTimestamp"),
                labels: Some(Labels {
                    managed: text(metadata.and_then(|metadata| member(metadata, "labels")), LABEL),
                }),
                next: text(metadata, "continue"),
            }),
            data: Some(Data { base_model: text(data, "baseModel"), adapters: text(data, "adapters") }),
        }
    }
}

fn member<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    match node {
        Node::Map(entries) => entries.iter().find(|(key, _)| key == name).map(|(_, value)| value),
        _ => None,
    }
}
