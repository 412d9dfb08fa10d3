//! ConfigMaps as the Kubernetes API hands them out: which of them count, what they say, and in which order.

use super::adapters::names;
use super::document::{Object, objects};
use crate::source::{Answer, Condensed, Format};
use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

/// How the answers of a source are read.
pub(super) struct ConfigMaps;

impl Format for ConfigMaps {
    type Document = Models;

    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed("config-maps/1")
    }

    fn condense(&self, answer: &Answer<'_>) -> Result<Condensed, String> {
        condense(answer)
    }

    fn read(&self, condensed: &[u8]) -> Result<Models, String> {
        Models::read(condensed)
    }
}

/// What is kept of an object: when it was created, its namespace and name, its base model, its adapters. The oldest
/// come first, and of objects of one age the first by name.
type Entry = (String, String, String, Vec<String>);

/// Names and the base models that serve them.
#[derive(Debug, Default)]
pub(super) struct Models(HashMap<String, Rc<str>>);

impl Models {
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let entries = decode(bytes)?;
        let mut base_of: HashMap<String, Rc<str>> = HashMap::new();
        for (_, _, base, adapters) in &entries {
            let shared: Rc<str> = Rc::from(base.as_str());
            for adapter in adapters {
                base_of.entry(adapter.clone()).or_insert_with(|| Rc::clone(&shared));
            }
        }
        // A name is an adapter before it is a base model, as in the Go service.
        for (_, _, base, _) in &entries {
            base_of.entry(base.clone()).or_insert_with(|| Rc::from(base.as_str()));
        }
        Ok(Self(base_of))
    }

    /// The base model of a name.
    pub(super) fn base_of(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|base| &**base)
    }
}

fn condense(answer: &Answer<'_>) -> Result<Condensed, String> {
    let text = std::str::from_utf8(answer.body).map_err(|_| "the document is not UTF-8".to_owned())?;
    let mut problems = Vec::new();
    let mut entries = Vec::new();
    // Only an object that is broken needs what was there before.
    let mut previous = None;
    for object in objects(text)? {
        if !object.counts() {
            continue;
        }
        match entry(&object) {
            Ok(entry) => entries.push(entry),
            Err(why) => {
                let name = object.name();
                let before = take(previous.get_or_insert_with(|| kept(answer.previous)), &name);
                let rest =
                    if before.is_some() { "what it said before stays in force" } else { "it is left out" };
                problems.push(format!("ConfigMap {name}: {why}; {rest}"));
                entries.extend(before);
            }
        }
    }
    entries.sort_unstable();
    problems.extend(conflicts(&entries));
    Ok(Condensed { bytes: encode(&entries), problems })
}

fn entry(object: &Object) -> Result<Entry, String> {
    let base = object.base_model().map(str::trim).filter(|base| !base.is_empty());
    let base = base.ok_or("data.baseModel is missing or empty")?;
    let adapters = names(object.adapters().unwrap_or_default())
        .map_err(|why| format!("data.adapters is not a YAML list of names: {why}"))?;
    // The base model becomes a header; and the condensed form keeps names apart by control characters.
    if base.len() > crate::payload::MAX_VALUE_BYTES {
        return Err("data.baseModel has more than 8192 bytes".to_owned());
    }
    if adapters
        .iter()
        .map(String::as_str)
        .chain([base, object.created()])
        .any(|name| name.contains(char::is_control))
    {
        return Err("a name has control characters".to_owned());
    }
    Ok((object.created().to_owned(), object.name(), base.to_owned(), adapters))
}

/// A line for each entry, its parts with tabs between them.
fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut text = String::new();
    for (created, object, base, adapters) in entries {
        for (at, part) in [created, object, base].into_iter().chain(adapters).enumerate() {
            if at > 0 {
                text.push('\t');
            }
            text.push_str(part);
        }
        text.push('\n');
    }
    text.into_bytes()
}

fn decode(bytes: &[u8]) -> Result<Vec<Entry>, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let entry = |line: &str| {
        let mut parts = line.split('\t').map(str::to_owned);
        Some((parts.next()?, parts.next()?, parts.next()?, parts.collect()))
    };
    text.lines().map(|line| entry(line).ok_or_else(|| "a line is cut off".to_owned())).collect()
}

fn kept(previous: Option<&[u8]>) -> Vec<Entry> {
    previous.and_then(|bytes| decode(bytes).ok()).unwrap_or_default()
}

/// What an object said before, and no longer, so that it counts once.
fn take(entries: &mut Vec<Entry>, object: &str) -> Option<Entry> {
    let index = entries.iter().position(|(_, known, _, _)| known == object)?;
    Some(entries.swap_remove(index))
}

/// Names that two objects lead to different base models, and which of them has it.
fn conflicts(entries: &[Entry]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut adapters: HashMap<&str, (&str, &str)> = HashMap::new();
    for (_, object, base, names) in entries {
        for name in names {
            match adapters.get(name.as_str()) {
                Some((first, other)) if other != base => problems.push(format!(
                    "the adapter {name:?} stands in the ConfigMaps {first} and {object}; {first} has it, being older or \
                     first by name"
                )),
                Some(_) => {}
                None => drop(adapters.insert(name, (object, base))),
            }
        }
    }
    for (_, object, base, _) in entries {
        if let Some((first, other)) = adapters.get(base.as_str()).filter(|(_, other)| other != base) {
            problems.push(format!(
                "{base:?} is a base model in the ConfigMap {object} and an adapter of {other:?} in {first}; the adapter \
                 goes first"
            ));
        }
    }
    problems
}

#[cfg(test)]
#[path = "config_maps/tests.rs"]
mod tests;
