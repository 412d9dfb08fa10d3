//! ConfigMaps from files, as `kubectl` prints them, cut down to what the filter reads.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use serde_yaml::{Mapping, Value};

use super::yaml;

const LABEL: &str = "inference.llm-d.ai/ipp-managed";

/// A ConfigMap that maps a model, and where it comes from.
pub(super) struct ConfigMap {
    /// For messages.
    pub(super) origin: String,
    /// What goes into the configuration.
    pub(super) value: Value,
}

/// Reads all files. A note says which ConfigMaps have no label, since the filter would ignore them.
pub(super) fn read(files: &[PathBuf], notes: &mut Vec<String>) -> Result<Vec<ConfigMap>> {
    let mut maps = Vec::new();
    for file in files {
        let place = file.display().to_string();
        let text = std::fs::read_to_string(file).with_context(|| format!("reading {place}"))?;
        for document in yaml::documents(&text).with_context(|| place.clone())? {
            collect(&document, &place, &mut maps, notes)?;
        }
    }
    ensure!(!maps.is_empty(), "no ConfigMap with the label {LABEL}: \"true\" in the files of --config-map");
    Ok(maps)
}

fn collect(document: &Value, place: &str, maps: &mut Vec<ConfigMap>, notes: &mut Vec<String>) -> Result<()> {
    match document["kind"].as_str() {
        Some("List" | "ConfigMapList") => {
            for item in document["items"].as_sequence().into_iter().flatten() {
                // The items of a ConfigMapList do not say what they are.
                if item.get("kind").is_none() {
                    add(item, place, maps, notes);
                } else {
                    collect(item, place, maps, notes)?;
                }
            }
        }
        Some("ConfigMap") => add(document, place, maps, notes),
        Some(kind) => bail!("{place}: found a {kind}, expected ConfigMaps or a list of them"),
        None => bail!("{place}: `kind` is missing, expected ConfigMaps or a list of them"),
    }
    Ok(())
}

fn add(map: &Value, place: &str, maps: &mut Vec<ConfigMap>, notes: &mut Vec<String>) {
    let metadata = &map["metadata"];
    let names = [&metadata["namespace"], &metadata["name"]];
    let name: Vec<&str> = names.into_iter().filter_map(Value::as_str).collect();
    let origin = format!("{place}: ConfigMap {}", name.join("/"));
    if metadata["labels"][LABEL].as_str() == Some("true") {
        maps.push(ConfigMap { origin, value: essence(map) });
    } else {
        notes.push(format!("{origin} is passed over: it has no label {LABEL}: \"true\""));
    }
}

/// Without what the cluster adds (`uid`, `managedFields` and so on): all of it would be a part of the configuration.
fn essence(map: &Value) -> Value {
    let metadata = kept(&map["metadata"], &["name", "namespace"]);
    let labels = kept(&map["metadata"]["labels"], &[LABEL]);
    let mut value = Mapping::new();
    value.insert("apiVersion".into(), "v1".into());
    value.insert("kind".into(), "ConfigMap".into());
    let mut metadata = metadata;
    metadata.insert("labels".into(), labels.into());
    value.insert("metadata".into(), metadata.into());
    value.insert("data".into(), kept(&map["data"], &["baseModel", "adapters"]).into());
    value.into()
}

fn kept(from: &Value, keys: &[&str]) -> Mapping {
    let found = keys.iter().filter_map(|key| from.get(*key).map(|value| ((*key).into(), value.clone())));
    found.collect()
}
