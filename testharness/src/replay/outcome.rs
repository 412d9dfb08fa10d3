//! What became of each exchange on each engine, and the sum of it.

use std::path::Path;
use std::time::Duration;

use crate::recording::{EngineKind, Exchange, Plan, Recording};

use super::agree::differences;
use super::compare::{compare, show};
use super::engine::{EngineError, Observed, Ran};

/// How one exchange came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As expected.
    Passed,
    /// Otherwise than expected.
    Failed,
    /// It was not run.
    Skipped,
}

/// One exchange on one engine, or a recording as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The exchange; none if it is about the recording as a whole.
    pub exchange: Option<String>,
    /// The engine's name, or `all` where engines differ.
    pub engine: &'static str,
    /// How it came out.
    pub verdict: Verdict,
    /// Why it failed or was skipped; else empty.
    pub why: String,
    /// How long it took.
    pub took: Duration,
}

/// One recording that was run.
#[derive(Clone, Debug)]
pub struct Finished<'a> {
    /// The recording.
    pub recording: &'a Recording,
    /// In the order of engines and exchanges. Never empty.
    pub rows: Vec<Row>,
    /// What the engines saw that worked.
    pub ran: Vec<(EngineKind, Ran)>,
}

/// The number of rows by verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// As expected.
    pub passed: usize,
    /// Otherwise than expected.
    pub failed: usize,
    /// Not run.
    pub skipped: usize,
}

impl Verdict {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

impl Summary {
    /// Counts these rows, too.
    pub fn add(&mut self, rows: &[Row]) {
        for row in rows {
            match row.verdict {
                Verdict::Passed => self.passed += 1,
                Verdict::Failed => self.failed += 1,
                Verdict::Skipped => self.skipped += 1,
            }
        }
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

impl<'a> Finished<'a> {
    /// Nothing was run yet.
    pub(super) fn new(recording: &'a Recording) -> Self {
        Self { recording, rows: Vec::new(), ran: Vec::new() }
    }

    /// The file of the recording.
    pub fn file(&self) -> &Path {
        &self.recording.file
    }

    /// Whether anything failed.
    pub fn failed(&self) -> bool {
        self.rows.iter().any(|row| row.verdict == Verdict::Failed)
    }

    /// It was not run on this engine, or, without one, not at all.
    pub(super) fn skip(&mut self, engine: &'static str, why: &str) {
        let exchanges = self.recording.exchanges();
        let ids = exchanges.iter().map(|exchange| Some(exchange.id.clone()));
        let whole = exchanges.is_empty().then_some(None);
        for exchange in ids.chain(whole) {
            let (verdict, why) = (Verdict::Skipped, why.to_owned());
            self.rows.push(Row { exchange, engine, verdict, why, took: Duration::ZERO });
        }
    }

    /// What an engine saw, or why it did not work.
    pub(super) fn judge(&mut self, engine: EngineKind, ran: Result<Ran, EngineError>, took: Duration) {
        let reason = match (&self.recording.plan, &ran) {
            (_, Err(error)) => Some(format!("the engine did not work: {error}")),
            (Plan::ConfigError(expected), Ok(Ran::Exchanges(_))) => {
                let expected = show(expected.as_bytes());
                Some(format!("expected the configuration to be refused with {expected}, but it was accepted"))
            }
            (Plan::ConfigError(expected), Ok(Ran::Refused(message))) => (!message
                .contains(expected.as_str()))
            .then(|| {
                let expected = show(expected.as_bytes());
                format!("expected the configuration to be refused with {expected}, got {}", one_line(message))
            }),
            (Plan::Exchanges(_), Ok(Ran::Refused(message))) => {
                Some(format!("the configuration was refused: {}", one_line(message)))
            }
            (Plan::Exchanges(exchanges), Ok(Ran::Exchanges(seen))) if seen.len() != exchanges.len() => {
                Some(format!("the engine reported {} of {} exchanges", seen.len(), exchanges.len()))
            }
            (Plan::Exchanges(exchanges), Ok(Ran::Exchanges(seen))) => {
                let row = |(exchange, seen)| judge(engine, exchange, seen);
                self.rows.extend(exchanges.iter().zip(seen).map(row));
                self.ran.extend(ran.map(|ran| (engine, ran)));
                return;
            }
        };
        let verdict = if reason.is_some() { Verdict::Failed } else { Verdict::Passed };
        let why = reason.unwrap_or_default();
        self.rows.push(Row { exchange: None, engine: engine.name(), verdict, why, took });
        self.ran.extend(ran.map(|ran| (engine, ran)));
    }

    /// Adds a failure for each difference between the engines.
    pub(super) fn agree(&mut self) {
        for difference in differences(self.recording, &self.ran) {
            let (verdict, took) = (Verdict::Failed, Duration::ZERO);
            self.rows.push(Row {
                exchange: difference.exchange,
                engine: "all",
                verdict,
                why: difference.why,
                took,
            });
        }
    }
}

fn judge(engine: EngineKind, exchange: &Exchange, seen: &Observed) -> Row {
    let why = compare(exchange, seen).join("; ");
    let verdict = if why.is_empty() { Verdict::Passed } else { Verdict::Failed };
    Row { exchange: Some(exchange.id.clone()), engine: engine.name(), verdict, why, took: seen.took }
}

/// The lines of a message in one.
fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
