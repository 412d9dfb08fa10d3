//! What is kept beside a recording for exchanges that leave their expectation to it.

use std::path::{Path, PathBuf};

use super::Expectation;
use super::document::Node;
use super::format::{SNAPSHOT, check};
use super::problem::{Problems, Unreadable};
use super::read::{Reader, document, read_text};

/// The ending of a snapshot's name in place of the recording's.
const ENDING: &str = "snap.yaml";

/// Expectations by the ids of their exchanges.
pub(crate) struct Snapshot(Vec<(String, Expectation)>);

impl Snapshot {
    /// The file that holds the snapshot of a recording: `a.snap.yaml` beside `a.yaml`.
    pub(crate) fn file(recording: &Path) -> PathBuf {
        recording.with_extension(ENDING)
    }

    /// Whether a file is a snapshot and no recording.
    pub(crate) fn is_one(file: &Path) -> bool {
        file.file_name().is_some_and(|name| name.to_string_lossy().ends_with(&format!(".{ENDING}")))
    }

    /// The snapshot of a recording with these clusters, if there is one.
    pub(super) fn load(recording: &Path, clusters: &[String]) -> Result<Option<Self>, Unreadable> {
        let file = Self::file(recording);
        if !file.is_file() {
            return Ok(None);
        }
        let text = read_text(&file)?;
        let problems = Problems::default();
        let Some(root) = document(&text, &problems) else { return problems.finish(&file, None) };
        check(&root, &SNAPSHOT, &problems);
        let reader =
            Reader { folder: file.parent().unwrap_or(Path::new("")), text: &text, problems: &problems };
        let read = |(index, node): (usize, &Node)| {
            let field = format!("exchanges[{index}].expect");
            let id = node.get("id").and_then(Node::as_str)?.to_owned();
            Some((id, reader.expectation(node.get("expect")?, &field, clusters)))
        };
        let exchanges = root.get("exchanges").map_or(&[][..], Node::elements);
        let snapshot = Self(exchanges.iter().enumerate().filter_map(read).collect());
        problems.finish(&file, Some(Some(snapshot)))
    }

    /// What is expected of the exchange with this id.
    pub(super) fn of(&self, id: &str) -> Option<&Expectation> {
        self.0.iter().find(|(known, _)| known == id).map(|(_, expectation)| expectation)
    }
}
