//! Counts tests by reading the result lines that `cargo test` and `ipp-replay` print.

use std::fmt;
use std::ops::AddAssign;

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
}

impl Counts {
    /// A check that is one yes or no.
    pub fn one(passed: bool) -> Self {
        Self { passed: u64::from(passed), failed: u64::from(!passed), skipped: 0 }
    }

    /// The counts of a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; ...`, or
    /// `3 passed, 0 failed, 1 skipped` alone on a line.
    pub fn in_line(line: &str) -> Option<Self> {
        let line = line.trim();
        let figures: Vec<&str> = match line.strip_prefix("test result: ") {
            Some(result) => result.split_once(". ")?.1.split("; ").collect(),
            None => {
                let figures: Vec<&str> = line.split(", ").collect();
                let is = |figure: &str, what: &str| {
                    figure
                        .split_once(' ')
                        .is_some_and(|(number, it)| it == what && number.parse::<u64>().is_ok())
                };
                let [passed, failed, skipped] = figures[..] else { return None };
                (is(passed, "passed") && is(failed, "failed") && is(skipped, "skipped")).then_some(figures)?
            }
        };
        let mut counts = Self::default();
        for figure in figures {
            let Some((number, what)) = figure.split_once(' ') else { continue };
            let field = match what {
                "passed" => &mut counts.passed,
                "failed" => &mut counts.failed,
                "ignored" | "skipped" => &mut counts.skipped,
                _ => continue,
            };
            *field = number.parse().ok()?;
        }
        Some(counts)
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        match self.skipped {
            0 => Ok(()),
            skipped => write!(f, ", {skipped} skipped"),
        }
    }
}

/// Puts bytes together to lines and adds up the result lines among them.
#[derive(Default)]
pub struct Counter {
    pub counts: Counts,
    rest: Vec<u8>,
}

impl Counter {
    pub fn feed(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            if let Some(counts) = Counts::in_line(&String::from_utf8_lossy(&line)) {
                self.counts += counts;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_line_is_read() {
        let line = "test result: FAILED. 12 passed; 1 failed; 2 ignored; 0 measured; 7 filtered out; finished in 0.01s";
        assert_eq!(Counts::in_line(line), Some(Counts { passed: 12, failed: 1, skipped: 2 }));
    }

    #[test]
    fn so_is_that_of_a_replay() {
        let counts = Counts { passed: 3, failed: 1, skipped: 2 };
        assert_eq!(Counts::in_line("3 passed, 1 failed, 2 skipped"), Some(counts));
        assert_eq!(Counts::in_line("it has 3 passed, 1 failed, 2 skipped"), None);
        assert_eq!(Counts::in_line("3 passed, 1 failed"), None);
    }

    #[test]
    fn other_lines_count_nothing() {
        for line in
            ["", "running 3 tests", "test result::ok ... ok", "note: test result: ok. 1 passed; 0 failed"]
        {
            assert_eq!(Counts::in_line(line), None, "{line}");
        }
    }

    #[test]
    fn lines_are_counted_however_the_bytes_arrive() {
        let text = "test a ... ok\n\u{fffd}\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured\n\n\
                    test result: ok. 2 passed; 1 failed; 3 ignored; 0 measured\n";
        let mut counter = Counter::default();
        for byte in text.as_bytes() {
            counter.feed(&[*byte]);
        }
        assert_eq!(counter.counts, Counts { passed: 3, failed: 1, skipped: 3 });
    }

    #[test]
    fn the_closing_line_names_skipped_tests_only_if_there_are_any() {
        assert_eq!(Counts { passed: 123, failed: 0, skipped: 0 }.to_string(), "123 passed, 0 failed");
        assert_eq!(Counts { passed: 1, failed: 2, skipped: 3 }.to_string(), "1 passed, 2 failed, 3 skipped");
    }
}
