//! The report for a person: a bar while it runs on a terminal, else a line a recording; one line a failure, and the sum.

use std::io::{self, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::replay::outcome::{Finished, Row, Summary, Verdict};

/// Where the report goes.
pub struct Human<W> {
    out: W,
    bar: ProgressBar,
}

impl<W: Write> Human<W> {
    /// A report on so many recordings, with a bar on standard error if that is a terminal.
    pub fn new(out: W, recordings: usize) -> Self {
        let bar = ProgressBar::with_draw_target(Some(recordings as u64), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { out, bar }
    }

    /// A recording is done.
    ///
    /// # Errors
    /// The report cannot be written.
    pub fn finished(&mut self, finished: &Finished<'_>) -> io::Result<()> {
        let mut lines = failures(finished);
        if self.bar.is_hidden() && lines.is_empty() {
            lines.push(done(finished));
        }
        let (out, bar) = (&mut self.out, &self.bar);
        bar.suspend(|| lines.iter().try_for_each(|line| writeln!(out, "{line}")))?;
        bar.set_message(finished.recording.name.clone());
        bar.inc(1);
        Ok(())
    }

    /// Anything else, on a line of its own.
    ///
    /// # Errors
    /// The report cannot be written.
    pub fn note(&mut self, line: &str) -> io::Result<()> {
        let out = &mut self.out;
        self.bar.suspend(|| writeln!(out, "{line}"))
    }

    /// All are done.
    ///
    /// # Errors
    /// The report cannot be written.
    pub fn end(mut self, summary: &Summary) -> io::Result<()> {
        self.bar.finish_and_clear();
        writeln!(self.out, "{summary}")?;
        self.out.flush()
    }
}

fn failures(finished: &Finished<'_>) -> Vec<String> {
    let failed = finished.rows.iter().filter(|row| row.verdict == Verdict::Failed);
    let line = |row: &Row| {
        let exchange = row.exchange.as_deref().map(|id| format!(" {id}")).unwrap_or_default();
        format!(
            "FAILED {}{exchange} [{}]: {}",
            finished.file().display(),
            row.engine,
            row.why.replace('\n', " ")
        )
    };
    failed.map(line).collect()
}

/// What there is to tell of a recording in which nothing failed.
fn done(finished: &Finished<'_>) -> String {
    let passed = finished.rows.iter().any(|row| row.verdict == Verdict::Passed);
    let why = finished.rows.iter().find(|row| row.verdict == Verdict::Skipped).map_or("", |row| &row.why);
    match passed {
        true => format!("passed {}", finished.file().display()),
        false => format!("skipped {}: {why}", finished.file().display()),
    }
}
