//! The PayloadProcessorConfig that is rendered: loaded as the filter does it, with ConfigMaps put in.

use std::path::Path;

use anyhow::{Context, Error, Result, anyhow, bail, ensure};
use ipp_pipeline::config::{BuildInfo, ConfigErrors, DEFAULT_CONFIG, load};
use ipp_pipeline::{DEFAULT_MAX_BYTES, stock};
use serde_yaml::{Mapping, Value};

use super::config_maps::ConfigMap;
use super::models::Models;
use super::yaml;

pub(super) const INFO: BuildInfo = BuildInfo { commit: "none", build_ref: "render" };
const MAPPER: &str = "base-model-to-header";
const SETTER: &str = "body-field-to-header";
/// What Envoy may read at once, by default: what its buffer has to hold beside the body.
const ONE_READ: u64 = 1 << 20;

/// A configuration that the filter accepts.
pub(super) struct Document {
    /// For messages.
    place: String,
    value: Value,
}

impl Document {
    /// Reads a file, or takes the built-in configuration, and puts models into it.
    pub(super) fn load(
        file: Option<&Path>,
        models: Option<&Models>,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let (place, text) = match file {
            Some(file) => {
                let place = file.display().to_string();
                let text = std::fs::read_to_string(file).with_context(|| format!("reading {place}"))?;
                (place, text)
            }
            None => ("the built-in configuration".to_owned(), DEFAULT_CONFIG.to_owned()),
        };
        let text = if text.trim().is_empty() { DEFAULT_CONFIG.to_owned() } else { text };
        let refused = load(&text, &stock(), INFO).err();
        if let Some(errors) = &refused
            && (models.is_none() || is_no_document(errors))
        {
            return Err(in_its_words(errors)).context(place);
        }
        let mut documents = match (yaml::documents(&text), &refused) {
            (Ok(documents), _) => documents,
            (Err(_), Some(errors)) => return Err(in_its_words(errors)).context(place),
            (Err(error), None) => return Err(error).context(place),
        };
        ensure!(documents.len() == 1, "{place}: found {} documents, expected one", documents.len());
        let mut document = Self { place, value: documents.remove(0) };
        if let Some(models) = models {
            models.put_into(&mut document.value, &document.place, notes)?;
            if let Err(errors) = load(&yaml::block(&document.value, 0), &stock(), INFO) {
                return Err(Error::new(with_lines_of(errors, refused.as_ref()))).context(document.place);
            }
        }
        ensure!(
            document.value["proxyWasm"].get("role").is_none(),
            "{}: proxyWasm.role is not for you to set here: it follows from what is rendered",
            document.place
        );
        Ok(document)
    }

    /// Appends ConfigMaps to every `base-model-to-header`, as each of them sees all ConfigMaps in the Go service.
    pub(super) fn add_config_maps(&mut self, maps: &[ConfigMap]) -> Result<()> {
        let mut first = None;
        for plugin in self.value["plugins"].as_sequence_mut().into_iter().flatten() {
            if plugin["type"].as_str() != Some(MAPPER) {
                continue;
            }
            let parameters = entry(plugin, "parameters");
            if !parameters["configMaps"].is_sequence() {
                parameters["configMaps"] = Value::Sequence(Vec::new());
            }
            let list = parameters["configMaps"].as_sequence_mut().context("configMaps is no list")?;
            first.get_or_insert(list.len());
            list.extend(maps.iter().map(|map| map.value.clone()));
        }
        let Some(first) = first else {
            bail!("{}: no plugin of the type {MAPPER}, which the ConfigMaps are for", self.place)
        };
        match load(&yaml::block(&self.value, 0), &stock(), INFO) {
            Ok(_) => Ok(()),
            Err(errors) => bail!("{}", in_config_maps(&errors, first, maps)),
        }
    }

    /// As it is, for one filter that does all.
    pub(super) fn direct(&self) -> &Value {
        &self.value
    }

    /// For one of the two filters of gate mode.
    pub(super) fn with_role(&self, role: &str) -> Value {
        let mut value = self.value.clone();
        entry(&mut value, "proxyWasm")["role"] = role.into();
        value
    }

    /// What Envoy's buffer has to hold, in bytes.
    pub(super) fn buffer_limit(&self) -> u64 {
        let own = self.value["proxyWasm"]["requestBody"]["maxBytes"].as_u64();
        own.unwrap_or(DEFAULT_MAX_BYTES).saturating_add(ONE_READ)
    }

    /// The header to route by: of the base model if there is a mapping, else the first that a field is copied to.
    pub(super) fn routing_header(&self) -> Result<String> {
        if self.plugins(MAPPER).next().is_some() {
            return Ok("x-gateway-base-model-name".to_owned());
        }
        let header = self.plugins(SETTER).find_map(|plugin| plugin["parameters"]["headerName"].as_str());
        header
            .map(str::to_ascii_lowercase)
            .with_context(|| format!("{}: no plugin sets a header that Envoy could route by", self.place))
    }

    /// The base models of all mappings; nothing where there is no mapping to look a name up in.
    pub(super) fn base_models(&self) -> Option<Vec<&str>> {
        self.plugins(MAPPER).next()?;
        let models = self.plugins(MAPPER).flat_map(|plugin| {
            let parameters = &plugin["parameters"];
            let short = parameters["mappings"].as_sequence().into_iter().flatten();
            let maps = parameters["configMaps"].as_sequence().into_iter().flatten();
            short.map(|it| &it["baseModel"]).chain(maps.map(|it| &it["data"]["baseModel"]))
        });
        Some(models.filter_map(Value::as_str).map(str::trim).collect())
    }

    fn plugins<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        let all = self.value["plugins"].as_sequence().into_iter().flatten();
        all.filter(move |plugin| plugin["type"].as_str() == Some(kind))
    }
}

/// The map behind a key, made where it is missing or has no value.
fn entry<'a>(value: &'a mut Value, key: &str) -> &'a mut Value {
    if !value[key].is_mapping() {
        value[key] = Mapping::new().into();
    }
    &mut value[key]
}

/// What cannot be read has one error, and its place is the document.
fn is_no_document(errors: &ConfigErrors) -> bool {
    matches!(&errors.0[..], [only] if only.path.is_empty())
}

/// As the filter says it, and what helps against it here.
fn in_its_words(errors: &ConfigErrors) -> Error {
    if errors.0.iter().any(|error| error.path.ends_with(".modelsPath")) {
        return anyhow!("{errors}\n  With `--models FILE` the file's content stands in place of modelsPath.");
    }
    Error::new(errors.clone())
}

/// Errors of a text that nobody has seen, with the lines of the same errors in the text that was given.
fn with_lines_of(mut errors: ConfigErrors, given: Option<&ConfigErrors>) -> ConfigErrors {
    for error in &mut errors.0 {
        let same = given.into_iter().flat_map(|given| &given.0);
        let same = same.into_iter().find(|it| it.path == error.path && it.message == error.message);
        (error.line, error.column) = same.map_or((None, None), |same| (same.line, same.column));
    }
    errors
}

/// The errors with the file and the name of a ConfigMap in place of its number: the lines are those of a text that
/// nobody has seen.
fn in_config_maps(errors: &ConfigErrors, first: usize, maps: &[ConfigMap]) -> String {
    let lines: Vec<String> = errors
        .0
        .iter()
        .map(|error| {
            let rest = error.path.split_once(".configMaps[").and_then(|(_, rest)| rest.split_once(']'));
            let number = rest.and_then(|(number, _)| number.parse::<usize>().ok());
            match number.and_then(|number| maps.get(number.checked_sub(first)?)) {
                Some(map) => {
                    let inner = rest.map_or("", |(_, inner)| inner.trim_start_matches('.'));
                    let colon = if inner.is_empty() { "" } else { ": " };
                    format!("{}{colon}{inner}: {}", map.origin, error.message)
                }
                None => format!("{}: {}", error.path, error.message),
            }
        })
        .collect();
    lines.join("\n")
}
