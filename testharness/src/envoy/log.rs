//! What Envoy logged.

use anyhow::Result;

use super::{Envoy, LOG};

/// The levels of Envoy's log, least severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `[trace]`
    Trace,
    /// `[debug]`
    Debug,
    /// `[info]`
    Info,
    /// `[warning]`
    Warning,
    /// `[error]`
    Error,
    /// `[critical]`
    Critical,
}

impl Level {
    const ALL: [(&str, Self); 6] = [
        ("[trace]", Self::Trace),
        ("[debug]", Self::Debug),
        ("[info]", Self::Info),
        ("[warning]", Self::Warning),
        ("[error]", Self::Error),
        ("[critical]", Self::Critical),
    ];

    fn of(line: &str) -> Option<Self> {
        let head = line.get(..80).unwrap_or(line);
        Self::ALL.iter().find(|(mark, _)| head.contains(mark)).map(|(_, level)| *level)
    }
}

impl Envoy {
    /// The whole log.
    pub fn log(&self) -> Result<String> {
        self.folder.read(LOG)
    }

    /// The lines of that level or a more severe one.
    pub fn log_lines(&self, least: Level) -> Result<Vec<String>> {
        let log = self.log()?;
        let severe = |line: &&str| Level::of(line).is_some_and(|level| level >= least);
        Ok(log.lines().filter(severe).map(str::to_owned).collect())
    }

    /// The whole lines of the log behind its first `start` bytes, and where they end.
    pub(crate) fn log_behind(&self, start: usize) -> Result<(String, usize)> {
        let log = self.folder.read_bytes(LOG)?;
        let rest = log.get(start..).unwrap_or_default();
        let whole = &rest[..rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)];
        Ok((String::from_utf8_lossy(whole).into_owned(), start + whole.len()))
    }

    pub(super) fn log_tail(&self, lines: usize) -> String {
        let log = self.log().unwrap_or_default();
        let all: Vec<_> = log.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}
