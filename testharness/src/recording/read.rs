//! A file to a [`Recording`]: checked against the format first, then resolved, with all that is wrong in one error.

mod body;
mod exchange;
mod expectation;

use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::message::Headers;

use super::document::{Node, parse};
use super::format::{RECORDING, check};
use super::problem::{Problems, Unreadable, hint, join};
use super::snapshot::Snapshot;
use super::{Callout, Config, DEFAULT_CLUSTER, EngineKind, Plan, ROUTE, Recording, Routing, time};

impl Recording {
    /// Reads a recording with everything that it refers to, and the snapshot beside it where it needs one.
    ///
    /// # Errors
    /// All that is wrong with the file.
    pub fn load(file: &Path) -> Result<Self, Unreadable> {
        let text = read_text(file)?;
        let mut recording = Self::read(file, &text)?;
        let Plan::Exchanges(exchanges) = &mut recording.plan else { return Ok(recording) };
        if exchanges.iter().all(|exchange| exchange.expect.is_some()) {
            return Ok(recording);
        }
        if let Some(snapshot) = Snapshot::load(&recording.file, &recording.routing.clusters)? {
            for exchange in exchanges.iter_mut().filter(|exchange| exchange.expect.is_none()) {
                exchange.expect = snapshot.of(&exchange.id).cloned();
            }
        }
        Ok(recording)
    }

    /// Reads the text of a recording. Paths in it are relative to `file`; no snapshot is looked for.
    ///
    /// # Errors
    /// All that is wrong with the text.
    pub fn read(file: &Path, text: &str) -> Result<Self, Unreadable> {
        let problems = Problems::default();
        let Some(root) = document(text, &problems) else { return problems.finish(file, None) };
        check(&root, &RECORDING, &problems);
        let reader = Reader { folder: file.parent().unwrap_or(Path::new("")), text, problems: &problems };
        let recording = reader.recording(file, &root);
        problems.finish(file, recording)
    }
}

/// What only recordings have.
const MARKS: [&str; 2] = ["exchanges", "expectConfigError"];

/// Whether a file that was found in a folder is meant to be a recording: YAML or JSON with something in it that only
/// recordings have, or that looks so and cannot be parsed.
pub(crate) fn looks_like_one(file: &Path) -> bool {
    let extension = file.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    if !matches!(extension.as_deref(), Some("yaml" | "yml" | "json")) || Snapshot::is_one(file) {
        return false;
    }
    // What cannot be read as text is a body.
    let Ok(text) = std::fs::read_to_string(file) else { return false };
    match parse(&text) {
        Ok(root) => MARKS.iter().chain(&["name"]).any(|name| root.get(name).is_some()),
        Err(_) => MARKS.iter().any(|name| text.contains(name)),
    }
}

/// The text of a file.
pub(super) fn read_text(file: &Path) -> Result<String, Unreadable> {
    std::fs::read_to_string(file).map_err(|error| Unreadable::whole(file, format!("cannot be read: {error}")))
}

/// The document in a text; reports where it is none.
pub(super) fn document(text: &str, problems: &Problems) -> Option<Node> {
    match parse(text) {
        Ok(root) => Some(root),
        Err(error) => {
            problems.add(error.place, "", format!("neither YAML nor JSON: {}", error.message));
            None
        }
    }
}

/// Resolves what was checked. What the check has reported is passed over here.
pub(super) struct Reader<'a> {
    /// That of the recording.
    pub(super) folder: &'a Path,
    /// The recording.
    pub(super) text: &'a str,
    pub(super) problems: &'a Problems,
}

impl Reader<'_> {
    fn recording(&self, file: &Path, root: &Node) -> Option<Recording> {
        let seed = root.get("seed").and_then(Node::as_integer);
        let config = self.config(root);
        let routing = self.routing(root);
        let callouts = root.get("callouts").map_or(&[][..], Node::entries).iter();
        let callout = |(key, answers): &(super::document::Key, Node)| {
            let field = join("callouts", &key.text);
            if answers.elements().is_empty() {
                self.problems.expected(answers, &field, "one answer or more");
            }
            let answer = |(at, node)| self.upstream(Some(node), &format!("{field}[{at}]"));
            let answers = answers.elements().iter().enumerate().map(answer).collect();
            Callout { cluster: key.text.clone(), answers }
        };
        let callouts = callouts.map(callout).collect();
        let error = root.get("expectConfigError").and_then(Node::as_str);
        let plan = match error {
            Some(error) => Plan::ConfigError(error.to_owned()),
            None => Plan::Exchanges(self.exchanges(root.get("exchanges")?, &routing.clusters)),
        };
        Some(Recording {
            file: file.to_owned(),
            name: root.get("name").and_then(Node::as_str)?.to_owned(),
            config: seed.map_or(config.clone(), |seed| config.with_seed(seed)),
            now: root.get("now").and_then(Node::as_str).and_then(time::timestamp),
            seed,
            engines: self.engines(root),
            routing,
            callouts,
            plan,
        })
    }

    fn config(&self, root: &Node) -> Config {
        let Some(node) = root.get("config") else { return Config::built_in() };
        let Some(path) = node.as_str() else { return Config::inline(self.text, node) };
        let (file, text) = self.file(node, "config", path);
        match text.map(String::from_utf8) {
            Some(Ok(text)) => return Config { text, file: Some(file) },
            Some(Err(_)) => {
                self.problems.add(node.start, "config", format!("{path:?} is not text (UTF-8)"));
            }
            None => {}
        }
        Config::built_in()
    }

    fn engines(&self, root: &Node) -> Vec<EngineKind> {
        let Some(list) = root.get("engines") else { return EngineKind::ALL.to_vec() };
        if list.elements().is_empty() {
            self.problems.expected(list, "engines", "one engine or more");
        }
        let named = |kind: &EngineKind| list.elements().iter().any(|node| node.as_str() == Some(kind.name()));
        EngineKind::ALL.into_iter().filter(named).collect()
    }

    fn routing(&self, root: &Node) -> Routing {
        let listed = root.get("clusters").map(Node::elements);
        let mut clusters = vec![DEFAULT_CLUSTER.to_owned()];
        let mut add = |name: &str| {
            if !clusters.iter().any(|known| known == name) {
                clusters.push(name.to_owned());
            }
        };
        listed.into_iter().flatten().filter_map(Node::as_str).for_each(&mut add);
        let routes = root.get("routes").map_or(&[][..], Node::entries);
        if listed.is_none() {
            routes.iter().filter_map(|(_, node)| node.as_str()).for_each(&mut add);
        }
        let mut values = Vec::new();
        for (key, node) in routes {
            self.known_cluster(node, &join("routes", &key.text), &clusters);
            values.extend(node.as_str().map(|cluster| (key.text.clone(), cluster.to_owned())));
        }
        let header = root.get("route").and_then(Node::as_str).unwrap_or(ROUTE).to_ascii_lowercase();
        Routing { clusters, header, values }
    }

    /// Reports a cluster that is not among those of the recording.
    fn known_cluster(&self, node: &Node, field: &str, clusters: &[String]) {
        let Some(name) = node.as_str() else { return };
        if !clusters.iter().any(|known| known == name) {
            let near = hint(name, clusters.iter().map(String::as_str));
            let message = format!("there is no cluster {name:?}, only {}{near}", clusters.join(", "));
            self.problems.add(node.start, field, message);
        }
    }

    /// The file of that name and what it holds; reports where it cannot be read.
    fn file(&self, node: &Node, field: &str, name: &str) -> (PathBuf, Option<Vec<u8>>) {
        let file = self.folder.join(name);
        let read = std::fs::read(&file);
        if let Err(error) = &read {
            self.problems.add(node.start, field, format!("{} cannot be read: {error}", file.display()));
        }
        (file, read.ok())
    }

    fn headers(&self, node: Option<&Node>) -> Headers {
        let pairs = node.map_or(&[][..], Node::elements).iter();
        let pair = |pair: &Node| match pair.elements() {
            [name, value] => Some((name.as_str()?.to_owned(), value.as_written()?)),
            _ => None,
        };
        pairs.filter_map(pair).collect()
    }

    /// The bytes of a string at `name`, if it is there.
    fn bytes(&self, node: &Node, name: &str) -> Option<Bytes> {
        node.get(name).and_then(Node::as_bytes).map(Bytes::from)
    }
}
