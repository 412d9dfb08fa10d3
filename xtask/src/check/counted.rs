//! Runs programs that print counts of tests, and passes on or keeps what they say.

use std::fmt::Display;
use std::io::{Read, Write, stdout};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use super::counts::{Counter, Counts};
use crate::stop::{Result, Stop};

/// Where the words of a program go.
pub enum Sink {
    /// On, as they come.
    Terminal,
    /// Here, until the program has ended, because others speak at the same time.
    Kept(Mutex<Vec<u8>>),
}

impl Sink {
    pub fn kept() -> Self {
        Self::Kept(Mutex::default())
    }

    pub fn write(&self, bytes: &[u8]) {
        match self {
            Self::Terminal => {
                let mut out = stdout();
                // A closed terminal is no reason to lose the verdict.
                let _ = out.write_all(bytes).and_then(|()| out.flush());
            }
            Self::Kept(kept) => {
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            }
        }
    }

    pub fn line(&self, line: impl Display) {
        self.write(format!("{line}\n").as_bytes());
    }

    /// What was kept.
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Terminal => Vec::new(),
            Self::Kept(kept) => kept.into_inner().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

/// Runs a `cargo test`, and counts along on its standard output. Failed tests are in the counts; an error is
/// anything else that went wrong.
pub fn run_counted(mut command: Command, counts: &mut Counts, sink: &Sink) -> Result<()> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    if matches!(sink, Sink::Kept(_)) {
        command.stderr(Stdio::piped());
    }
    let mut child = command.spawn().map_err(|error| cannot_start(&command, &error))?;
    let mut counter = Counter::default();
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        if let Some(errors) = errors {
            scope.spawn(move || pass_on(errors, |bytes| sink.write(bytes)));
        }
        if let Some(output) = output {
            pass_on(output, |bytes| {
                sink.write(bytes);
                counter.feed(bytes);
            });
        }
    });
    let status = child.wait().map_err(|error| cannot_start(&command, &error))?;
    *counts += counter.counts;
    if status.success() || counter.counts.failed > 0 {
        return Ok(());
    }
    Err(Stop::new("the tests did not build, or ended without a result; cargo's words are above"))
}

fn pass_on(mut from: impl Read, mut to: impl FnMut(&[u8])) {
    let mut buffer = [0_u8; 8192];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        to(&buffer[..count]);
    }
}

pub fn cannot_start(command: &Command, error: &std::io::Error) -> Stop {
    Stop::new(format!("cannot start {}: {error}", command.get_program().to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(script: &str) -> (Counts, Result<()>, String) {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let mut counts = Counts::default();
        // Not to our own standard output: the run that counts these tests would count that line as well.
        let sink = Sink::kept();
        let ended = run_counted(command, &mut counts, &sink);
        (counts, ended, String::from_utf8_lossy(&sink.into_bytes()).into_owned())
    }

    #[test]
    fn failed_tests_are_counted_and_are_no_other_trouble() {
        let (counts, ended, _) =
            counted("echo 'test result: FAILED. 2 passed; 1 failed; 0 ignored'; exit 101");
        assert_eq!(counts, Counts { passed: 2, failed: 1, skipped: 0 });
        assert!(ended.is_ok());
    }

    #[test]
    fn a_build_that_fails_is_trouble() {
        let (counts, ended, _) = counted("exit 101");
        assert_eq!(counts, Counts::default());
        assert!(ended.is_err());
    }

    #[test]
    fn both_streams_are_kept_and_the_first_is_counted() {
        let (counts, ended, said) =
            counted("echo 'test result: ok. 2 passed' >&2; echo 1 passed, 0 failed, 0 skipped");
        assert_eq!(counts, Counts { passed: 1, failed: 0, skipped: 0 });
        assert!(ended.is_ok() && said.contains("2 passed") && said.contains("1 passed"), "{said}");
    }
}
