//! `--update`: what came becomes what is expected. Only the blocks in question are written anew; the rest of a file stays.

mod snapshot;
mod write;
mod yaml;

use std::ops::Range;
use std::path::Path;

use crate::recording::document::{Node, offset, parse};
use crate::recording::snapshot::Snapshot;
use crate::recording::{EngineKind, Plan, Recording};

use super::engine::{Observed, Ran};
use super::outcome::{Finished, Verdict};
use yaml::Style;

/// Writes what the first engine saw, unless engines differ, and marks as passed what now is expected. Returns what to
/// tell about it.
pub(super) fn apply(finished: &mut Finished<'_>) -> Vec<String> {
    let differ = finished.rows.iter().any(|row| row.engine == "all" && row.verdict == Verdict::Failed);
    let Some((engine, ran)) = finished.ran.first().filter(|_| !differ) else { return Vec::new() };
    match write_all(finished.recording, ran) {
        Ok(files) if files.is_empty() => Vec::new(),
        Ok(files) => {
            let notes = files.iter().map(|file| format!("UPDATED {file}")).collect();
            let engine = *engine;
            again(finished, engine);
            notes
        }
        Err(why) => vec![format!("NOT UPDATED {}: {why}", finished.file().display())],
    }
}

/// Judges what came by what is written now.
fn again(finished: &mut Finished<'_>, engine: EngineKind) {
    let Ok(updated) = Recording::load(finished.file()) else { return };
    let mut judged = Finished::new(&updated);
    for (kind, ran) in &finished.ran {
        judged.judge(*kind, Ok(ran.clone()), std::time::Duration::ZERO);
    }
    for row in finished.rows.iter_mut().filter(|row| row.verdict == Verdict::Failed) {
        let now = judged.rows.iter().find(|now| now.exchange == row.exchange && now.engine == row.engine);
        if let Some(now) = now {
            (row.verdict, row.why) = match now.verdict {
                Verdict::Passed => (Verdict::Passed, format!("updated to what came on {engine}")),
                _ => (now.verdict, now.why.clone()),
            };
        }
    }
}

/// Writes what has changed, and says which files have.
fn write_all(recording: &Recording, ran: &Ran) -> Result<Vec<String>, String> {
    let text = read(&recording.file)?;
    let root = parse(&text).map_err(|error| error.message)?;
    let mut edits = Edits { text: &text, json: text.trim_start().starts_with('{'), all: Vec::new() };
    match (&recording.plan, ran) {
        (Plan::ConfigError(expected), Ran::Refused(message)) => {
            let node = root.get("expectConfigError").ok_or("expectConfigError is not there any more")?;
            if !message.contains(expected) {
                edits.replace(node, &yaml::Out::text(write::essence(message)))?;
            }
        }
        (Plan::Exchanges(_), Ran::Exchanges(seen)) => edit(recording, &root, seen, &mut edits)?,
        (Plan::ConfigError(_), Ran::Exchanges(_)) => return Err("the configuration was accepted".to_owned()),
        (Plan::Exchanges(_), Ran::Refused(_)) => return Err("the configuration was refused".to_owned()),
    }
    let mut files = Vec::new();
    if let Some(updated) = edits.apply() {
        save(&recording.file, &updated)?;
        files.push(recording.file.display().to_string());
    }
    if let Ran::Exchanges(seen) = ran {
        let file = Snapshot::file(&recording.file);
        let text = snapshot::text(recording, &root, seen)?;
        if let Some(text) = text
            && std::fs::read_to_string(&file).ok().as_ref() != Some(&text)
        {
            save(&file, &text)?;
            files.push(file.display().to_string());
        }
    }
    Ok(files)
}

/// Edits the `expect` and `metrics` of every exchange that did not come out as expected.
fn edit(recording: &Recording, root: &Node, seen: &[Observed], edits: &mut Edits<'_>) -> Result<(), String> {
    let nodes = root.get("exchanges").map_or(&[][..], Node::elements);
    for ((exchange, observed), node) in recording.exchanges().iter().zip(seen).zip(nodes) {
        if super::compare::compare(exchange, observed).is_empty() {
            continue;
        }
        if let Some(expect) = node.get("expect") {
            edits.replace(expect, &write::expectation(expect, exchange, observed)?)?;
        }
        if let Some(metrics) = node.get("metrics") {
            edits.replace(metrics, &write::metrics(metrics, observed))?;
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| error.to_string())
}

fn save(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}

/// Replacements in a text.
struct Edits<'a> {
    text: &'a str,
    json: bool,
    all: Vec<(Range<usize>, String)>,
}

impl Edits<'_> {
    fn replace(&mut self, node: &Node, new: &yaml::Out) -> Result<(), String> {
        if self.json && new.has_bytes() {
            return Err("JSON cannot hold the bytes that came".to_owned());
        }
        let (start, end) = (offset(self.text, node.start.index), offset(self.text, node.end.index));
        let old = &self.text[start..end];
        let style = match (self.json, old.starts_with(['{', '"', '\''])) {
            (true, _) => Style::Json,
            (false, true) => Style::Flow,
            (false, false) => Style::Block,
        };
        // What is in block style ends with what follows it.
        let end = start + old.trim_end().len();
        self.all.push((start..end, new.write(style, node.start.column - 1)));
        Ok(())
    }

    /// The new text, if it is another one.
    fn apply(mut self) -> Option<String> {
        self.all.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
        let mut text = self.text.to_owned();
        for (range, new) in self.all {
            text.replace_range(range, &new);
        }
        (text != self.text).then_some(text)
    }
}
