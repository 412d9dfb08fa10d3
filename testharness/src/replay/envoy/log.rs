//! Envoy's log, entry by entry: what trapped, and what was logged as an error or worse.

use anyhow::Result;

use crate::envoy::{Envoy, TRAPS};

/// What went wrong, in the order in which it was logged.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Faults {
    pub(super) traps: Vec<String>,
    pub(super) errors: Vec<String>,
}

/// How far the log was read.
#[derive(Debug)]
pub(super) struct Position(usize);

/// One entry: all lines from one that begins with a time to the next such line.
struct Entry<'a> {
    severe: bool,
    message: &'a str,
}

/// What stands before the filter's own words.
const OWN: &str = "wasm log ";

/// What follows a trap: the functions that were called, one a line.
const BACKTRACE: &str = "\nProxy-Wasm plugin in-VM backtrace";

impl Position {
    /// The end of the log as it is now.
    pub(super) fn end(envoy: &Envoy) -> Result<Self> {
        Ok(Self(envoy.log_behind(0)?.1))
    }

    /// What went wrong since it was read last.
    pub(super) fn faults(&mut self, envoy: &Envoy) -> Result<Faults> {
        let (text, end) = envoy.log_behind(self.0)?;
        self.0 = end;
        Ok(faults(&text))
    }
}

impl Faults {
    /// Why a configuration was refused: what the filter said about it, else all there is.
    pub(super) fn refusal(self) -> String {
        let all: Vec<String> = self.traps.into_iter().chain(self.errors).collect();
        let said: Vec<_> =
            all.iter().filter(|text| text.starts_with("configuration refused")).cloned().collect();
        if said.is_empty() { all } else { said }.join("\n")
    }
}

fn faults(log: &str) -> Faults {
    let mut faults = Faults::default();
    for entry in entries(log) {
        // A trap's first line says all that fits into a report.
        let message = entry.message.split(BACKTRACE).next().unwrap_or_default();
        let message = message
            .split_once(": ")
            .filter(|(before, _)| before.starts_with(OWN))
            .map_or(message, |own| own.1);
        if TRAPS.iter().any(|trap| entry.message.contains(trap)) {
            faults.traps.push(message.to_owned());
        } else if entry.severe {
            faults.errors.push(message.to_owned());
        }
    }
    faults
}

/// `[2026-11-22 10:00:00.000][123][error][wasm] [source/file.cc:38] message`, and lines that continue it.
fn entries(log: &str) -> impl Iterator<Item = Entry<'_>> {
    let starts = log.match_indices("[20").filter(|(at, _)| is_time(log, *at)).map(|(at, _)| at);
    let starts: Vec<usize> = starts.collect();
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([log.len()]).collect();
    starts.into_iter().zip(ends).map(|(start, end)| {
        let text = &log[start..end];
        let mut parts = text.splitn(5, ']');
        let level = parts.nth(2).unwrap_or_default().trim_start_matches('[');
        let rest = parts.nth(1).unwrap_or(text).trim_start();
        let message =
            rest.strip_prefix('[').and_then(|rest| rest.split_once("] ")).map_or(rest, |(_, rest)| rest);
        Entry { severe: matches!(level, "error" | "critical"), message: message.trim_end() }
    })
}

/// Whether a line begins there with a time.
fn is_time(log: &str, at: usize) -> bool {
    let first = at == 0 || log.as_bytes()[at - 1] == b'\n';
    let time = log.as_bytes().get(at + 1..at + 24).unwrap_or_default();
    first && time.iter().all(|byte| byte.is_ascii_digit() || b"- :.".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
[2026-11-22 19:22:49.479][1][warning][main] [source/server/server.cc:1059] There is no configured limit.
[2026-11-22 19:22:51.699][2][critical][wasm] [source/extensions/common/wasm/context.cc:1160] wasm log ipp ipp ipp1: panicked at src/lib.rs:16:13:
told to crash
[2026-11-22 19:22:51.699][2][error][wasm] [source/extensions/common/wasm/wasm_vm.cc:38] Function: proxy_on_request_body failed: Uncaught RuntimeError: unreachable
Proxy-Wasm plugin in-VM backtrace:
  0:  0x6a12a - abort
[2026-11-22 19:22:54.843][1][error][wasm] [source/extensions/common/wasm/context.cc:1157] wasm log ipp ipp: configuration refused: it has 2 errors
  1. plugins[0].parameters (line 5, column 15): \"fieldName\" is missing here
[2026-11-22 19:22:54.843][1][error][wasm] [source/extensions/common/wasm/wasm.cc:104] Wasm VM failed Failed to configure base Wasm plugin
";

    #[test]
    fn entries_are_taken_apart() {
        let faults = faults(LOG);
        assert_eq!(
            faults.traps,
            [
                "panicked at src/lib.rs:16:13:\ntold to crash",
                "Function: proxy_on_request_body failed: Uncaught RuntimeError: unreachable",
                "Wasm VM failed Failed to configure base Wasm plugin",
            ]
        );
        let refusal = "configuration refused: it has 2 errors\n  1. plugins[0].parameters (line 5, column 15): \
                       \"fieldName\" is missing here";
        assert_eq!(faults.errors, [refusal]);
        assert_eq!(faults.refusal(), refusal);
    }

    #[test]
    fn nothing_is_no_fault() {
        assert_eq!(faults(""), Faults::default());
        assert_eq!(faults("a line without a time\n"), Faults::default());
    }
}
