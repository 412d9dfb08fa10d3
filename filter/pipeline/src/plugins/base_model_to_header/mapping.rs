//! Which base model serves which name, from the short form or from ConfigMaps.

use super::adapters::names;
use crate::config::{Invalid, Object, View};
use std::collections::HashMap;
use std::rc::Rc;

pub(super) const LABEL: &str = "inference.llm-d.ai/ipp-managed";

/// Names and the base models that serve them.
#[derive(Default)]
pub(super) struct Mapping {
    base_of: HashMap<String, Rc<str>>,
    /// The place that first spoke of a name, and as what. Only needed while reading.
    places: HashMap<String, Place>,
}

struct Place {
    object: String,
    is_base: bool,
}

impl Mapping {
    /// Reads both forms; every mistake is reported.
    pub(super) fn read(parameters: &Object<'_>) -> Result<Self, Invalid> {
        let mut mapping = Self::default();
        let mut result = Ok(());
        for view in parameters.elements("mappings")? {
            result = result.and(mapping.read_short(&view));
        }
        for view in parameters.elements("configMaps")? {
            result = result.and(mapping.read_config_map(&view));
        }
        mapping.places = HashMap::new();
        result.map(|()| mapping)
    }

    /// The base model of a name, or nothing if no mapping has it.
    pub(super) fn base_of(&self, name: &str) -> Option<&str> {
        self.base_of.get(name).map(|base| &**base)
    }

    fn read_short(&mut self, view: &View<'_>) -> Result<(), Invalid> {
        let object = view.object(&["baseModel", "adapters"])?;
        let mut adapters = Vec::new();
        for adapter in object.elements("adapters")? {
            adapters.push(adapter.scalar()?);
        }
        self.add(view, &object.require("baseModel")?, adapters, view.path())
    }

    fn read_config_map(&mut self, view: &View<'_>) -> Result<(), Invalid> {
        let object = view.any_object()?;
        if let Some(kind) = object.get("kind")
            && kind.string()? != "ConfigMap"
        {
            return Err(kind.expected("\"ConfigMap\""));
        }
        let metadata = object.get("metadata").map(|metadata| metadata.any_object()).transpose()?;
        let metadata = metadata.as_ref();
        let labels = metadata.and_then(|metadata| metadata.get("labels"));
        let managed =
            labels.map(|labels| labels.any_object()).transpose()?.and_then(|labels| labels.get(LABEL));
        if managed.is_none_or(|label| label.string_or_none() != Some("true")) {
            return Ok(());
        }
        let part =
            |key| metadata.and_then(|metadata| metadata.get(key)).and_then(|part| part.string_or_none());
        let name = match (part("namespace"), part("name")) {
            (Some(namespace), Some(name)) => format!("ConfigMap {namespace}/{name}"),
            (None, Some(name)) => format!("ConfigMap {name}"),
            (_, None) => view.path(),
        };
        let data = object.require("data")?.any_object()?;
        let adapters = match data.get("adapters") {
            Some(text) => names(text.string()?)
                .map_err(|why| text.invalid(format!("expected a YAML list of adapter names: {why}")))?,
            None => Vec::new(),
        };
        self.add(view, &data.require("baseModel")?, adapters, name)
    }

    fn add(
        &mut self,
        view: &View<'_>,
        base: &View<'_>,
        adapters: Vec<String>,
        object: String,
    ) -> Result<(), Invalid> {
        let base_name = base.string()?.trim();
        if base_name.is_empty() {
            return Err(base.expected("the name of a base model"));
        }
        if base_name.chars().any(char::is_control) {
            return Err(base.invalid("a name with control characters cannot become a header"));
        }
        let shared: Rc<str> = Rc::from(base_name);
        self.claim(view, base_name, &object, true)?;
        self.base_of.entry(base_name.to_owned()).or_insert_with(|| Rc::clone(&shared));
        for adapter in adapters.iter().map(|adapter| adapter.trim()).filter(|adapter| !adapter.is_empty()) {
            self.claim(view, adapter, &object, false)?;
            self.base_of.insert(adapter.to_owned(), Rc::clone(&shared));
        }
        Ok(())
    }

    /// A name belongs to one object. Only a base model may stand in several, as such.
    fn claim(&mut self, view: &View<'_>, name: &str, object: &str, is_base: bool) -> Result<(), Invalid> {
        match self.places.get(name) {
            Some(first) if first.object != object && !(first.is_base && is_base) => {
                Err(view.invalid(format!(
                    "the name {name:?} stands in two objects, {} and {object}; which base model serves it?",
                    first.object
                )))
            }
            Some(_) => Ok(()),
            None => {
                self.places.insert(name.to_owned(), Place { object: object.to_owned(), is_base });
                Ok(())
            }
        }
    }
}
