//! Progress for a person: a line that counts seconds on a terminal, plain lines everywhere else.

use std::io::{IsTerminal, Write, stderr};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A long step whose own output is kept back. It ends with [`Step::done`] or, after an error, when dropped.
pub struct Step {
    label: String,
    started: Instant,
    ticker: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Step {
    pub fn start(label: impl Into<String>) -> Self {
        let label = label.into();
        let started = Instant::now();
        if !stderr().is_terminal() {
            eprintln!("{label} ...");
            return Self { label, started, ticker: None };
        }
        let (stop, stopped) = channel::<()>();
        let shown = label.clone();
        let thread = std::thread::spawn(move || {
            loop {
                eprint!("\r\x1b[2K{shown} ... {} s", started.elapsed().as_secs());
                let _ = stderr().flush();
                if stopped.recv_timeout(Duration::from_secs(1)) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        });
        Self { label, started, ticker: Some((stop, thread)) }
    }

    pub fn done(mut self, outcome: &str) {
        self.stop_ticking();
        eprintln!("{}: {outcome} ({})", self.label, seconds(self.started.elapsed()));
    }

    fn stop_ticking(&mut self) {
        if let Some((stop, thread)) = self.ticker.take() {
            drop(stop);
            let _ = thread.join();
            eprint!("\r\x1b[2K");
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.stop_ticking();
    }
}

pub fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// Digits in groups, for byte counts.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_counts_are_grouped_from_the_right() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1 000");
        assert_eq!(grouped(1_234_567), "1 234 567");
    }
}
