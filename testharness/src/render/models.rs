//! The models file of the Go service, `models.json`: checked, and put where the filter has it, into the parameters of
//! `model-config-datasource`.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use ipp_pipeline::config::{ConfigError, load};
use ipp_pipeline::stock;
use serde_yaml::{Mapping, Value};

use super::document::INFO;

const SOURCE: &str = "model-config-datasource";
const SELECTOR: &str = "model-selector";
/// What else the plugin takes under these names would stand in two places.
const KEYS: [&str; 2] = ["models", "groups"];

/// A configuration around the file, whose lines are one further down in it, and their columns the same.
const BEFORE: &str = r#"{"apiVersion":"llm-d.ai/v1alpha1","kind":"PayloadProcessorConfig","plugins":[{"type":"model-config-datasource","parameters":"#;
const BEHIND: &str = r#"},{"type":"body-field-to-header","parameters":{"fieldName":"model","headerName":"x-model"}}],"profiles":[{"name":"default","plugins":{"request":[{"pluginRef":"body-field-to-header"}]}}]}"#;
const LINES_BEFORE: usize = 1;

/// The content of a models file that the filter accepts.
pub(super) struct Models {
    place: String,
    parameters: Mapping,
}

impl Models {
    /// Reads a file.
    pub(super) fn read(file: &Path) -> Result<Self> {
        let place = file.display().to_string();
        let text = std::fs::read_to_string(file).with_context(|| format!("reading {place}"))?;
        // It has to be whole before it can stand inside of something.
        serde_json::from_str::<serde::de::IgnoredAny>(&text)
            .map_err(|error| anyhow!("{place}: not JSON: {error}"))?;
        let around = format!("{BEFORE}\n{text}\n{BEHIND}");
        let errors = load(&around, &stock(), INFO).err().map(|errors| errors.0).unwrap_or_default();
        let errors: Vec<ConfigError> = errors.into_iter().map(in_the_file).collect();
        if !errors.is_empty() {
            let plural = if errors.len() == 1 { "" } else { "s" };
            let lines = errors.iter().enumerate().map(|(at, error)| format!("\n  {}. {error}", at + 1));
            bail!("{place}: the models file has {} error{plural}{}", errors.len(), lines.collect::<String>());
        }
        let parameters: Mapping = serde_json::from_str(&text).with_context(|| place.clone())?;
        Ok(Self { place, parameters })
    }

    /// Puts them into the data source of a configuration, or into a new one where there is none. What is no
    /// configuration is left as it is, for the filter to refuse.
    pub(super) fn put_into(&self, document: &mut Value, place: &str, notes: &mut Vec<String>) -> Result<()> {
        let Some(plugins) = document.get_mut("plugins").and_then(Value::as_sequence_mut) else {
            return Ok(());
        };
        let is_of = |plugin: &Value, kind: &str| plugin["type"].as_str() == Some(kind);
        let sources: Vec<usize> =
            (0..plugins.len()).filter(|at| plugins.get(*at).is_some_and(|it| is_of(it, SOURCE))).collect();
        let (full, empty): (Vec<usize>, Vec<usize>) = sources.into_iter().partition(|at| {
            plugins.get(*at).is_some_and(|it| KEYS.iter().any(|key| !it["parameters"][*key].is_null()))
        });
        if !plugins.iter().any(|plugin| is_of(plugin, SELECTOR)) {
            notes.push(format!(
                "{place}: no plugin of the type {SELECTOR}: nothing chooses among the models yet"
            ));
        }
        match (&full[..], &empty[..]) {
            ([], []) => {
                let mut plugin = Mapping::new();
                plugin.insert("type".into(), SOURCE.into());
                plugin.insert("parameters".into(), self.parameters.clone().into());
                plugins.push(plugin.into());
                refer(document);
                notes.push(format!(
                    "{place}: no plugin of the type {SOURCE}: one is added, and named under datalayer.datasources"
                ));
            }
            (_, [at]) => {
                let Some(plugin) = plugins.get_mut(*at).and_then(Value::as_mapping_mut) else {
                    return Ok(());
                };
                let parameters = plugin.entry("parameters".into()).or_insert(Value::Null);
                if parameters.is_null() {
                    *parameters = Mapping::new().into();
                }
                let Some(parameters) = parameters.as_mapping_mut() else { return Ok(()) };
                if let Some(path) = parameters.shift_remove("modelsPath") {
                    let path = path.as_str().map(|path| format!(" ({path:?})")).unwrap_or_default();
                    notes.push(format!(
                        "{place}: plugins[{at}].parameters.modelsPath{path} is replaced by the content of {}",
                        self.place
                    ));
                }
                parameters.extend(self.parameters.clone());
            }
            ([at, ..], []) => bail!(
                "{place}: plugins[{at}].parameters has models already, and {} has others: leave one of them out",
                self.place
            ),
            (_, several) => {
                let list: Vec<String> = several.iter().map(|at| format!("plugins[{at}]")).collect();
                bail!(
                    "{place}: {} plugins of the type {SOURCE} ({}), expected one to put {} into",
                    several.len(),
                    list.join(", "),
                    self.place
                )
            }
        }
        Ok(())
    }
}

/// Names the new data source, without which nothing reads it. What is wrong there is left to be refused.
fn refer(document: &mut Value) {
    let Some(document) = document.as_mapping_mut() else { return };
    let layer = filled(document, "datalayer", Value::Mapping(Mapping::new()));
    let Some(layer) = layer.as_mapping_mut() else { return };
    let sources = filled(layer, "datasources", Value::Sequence(Vec::new()));
    let Some(sources) = sources.as_sequence_mut() else { return };
    let mut reference = Mapping::new();
    reference.insert("pluginRef".into(), SOURCE.into());
    sources.push(reference.into());
}

/// The value of a key, which is this one where there is none.
fn filled<'a>(map: &'a mut Mapping, key: &str, empty: Value) -> &'a mut Value {
    let value = map.entry(key.into()).or_insert(Value::Null);
    if value.is_null() {
        *value = empty;
    }
    value
}

/// With the place in the file, in place of the one in the configuration around it.
fn in_the_file(mut error: ConfigError) -> ConfigError {
    let path = error.path.trim_start_matches("plugins[0]").trim_start_matches(".parameters");
    error.path = path.trim_start_matches('.').to_owned();
    error.line = error.line.and_then(|line| line.checked_sub(LINES_BEFORE)).filter(|line| *line > 0);
    error
}
