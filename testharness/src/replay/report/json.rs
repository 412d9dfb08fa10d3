//! The report for programs.

use serde::Serialize;

use crate::replay::outcome::{Finished, Summary};

#[derive(Serialize)]
struct Report<'a> {
    summary: Counts,
    results: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Counts {
    passed: usize,
    failed: usize,
    skipped: usize,
}

#[derive(Serialize)]
struct Entry<'a> {
    recording: String,
    exchange: Option<&'a str>,
    engine: &'static str,
    outcome: &'static str,
    why: Option<&'a str>,
    micros: u64,
}

/// The results as JSON.
///
/// # Errors
/// None that is known: all of it is text and numbers.
pub fn json(summary: &Summary, finished: &[Finished<'_>]) -> serde_json::Result<String> {
    let entries = finished.iter().flat_map(|finished| {
        finished.rows.iter().map(|row| Entry {
            recording: finished.file().display().to_string(),
            exchange: row.exchange.as_deref(),
            engine: row.engine,
            outcome: row.verdict.name(),
            why: Some(row.why.as_str()).filter(|why| !why.is_empty()),
            micros: u64::try_from(row.took.as_micros()).unwrap_or(u64::MAX),
        })
    });
    let summary = Counts { passed: summary.passed, failed: summary.failed, skipped: summary.skipped };
    let mut text = serde_json::to_string_pretty(&Report { summary, results: entries.collect() })?;
    text.push('\n');
    Ok(text)
}
