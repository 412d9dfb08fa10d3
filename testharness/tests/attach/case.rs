//! One case: the objects of a way to attach, as the real Helm, kubectl or the files themselves have them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use ipp_testharness::artifacts::workspace;
use serde_json::Value;

/// Objects of Kubernetes.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) objects: Vec<Value>,
}

/// Where the rendered objects are: `$IPP_RENDERED`, else where `cargo xtask test attach` leaves them.
fn folder() -> PathBuf {
    std::env::var_os("IPP_RENDERED")
        .map_or_else(|| workspace().join("target/ipp/attach/rendered"), Into::into)
}

impl Case {
    pub(crate) fn load(name: &str) -> Result<Self> {
        let path = folder().join(format!("{name}.json"));
        let text = std::fs::read(&path).with_context(|| {
            format!("{}: run `cargo xtask test attach`, which renders it", path.display())
        })?;
        Ok(Self { name: name.to_owned(), objects: serde_json::from_slice(&text)? })
    }

    /// The names of all cases that were rendered.
    pub(crate) fn all() -> Result<BTreeSet<String>> {
        let entries = folder().read_dir().context("no rendered objects: run `cargo xtask test attach`")?;
        let names = entries.flatten().filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            name.strip_suffix(".json").map(str::to_owned)
        });
        Ok(names.collect())
    }

    pub(crate) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.objects.iter().filter(move |object| object["kind"] == kind)
    }

    pub(crate) fn has(&self, kind: &str) -> bool {
        self.of_kind(kind).next().is_some()
    }

    /// Whether it is Istio that runs the gateway.
    pub(crate) fn is_for_istio(&self) -> bool {
        ["WasmPlugin", "TrafficExtension", "EnvoyFilter"].iter().any(|kind| self.has(kind))
    }

    /// Without the objects of this name.
    pub(crate) fn without(mut self, name: &str) -> Result<Self> {
        let before = self.objects.len();
        self.objects.retain(|object| object["metadata"]["name"] != name);
        ensure!(self.objects.len() < before, "{} has no object {name}", self.name);
        Ok(self)
    }
}

/// The text at a place that has to have one.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> Result<&'a str> {
    value.pointer(pointer).and_then(Value::as_str).with_context(|| format!("no text at {pointer} of {value}"))
}

/// NAMESPACE and NAME of an object.
pub(crate) fn name_of(object: &Value) -> Result<(&str, &str)> {
    Ok((text(object, "/metadata/namespace")?, text(object, "/metadata/name")?))
}
