//! The one error type: why a command stopped, and what the reader can do about it.

use std::fmt;
use std::path::Path;

/// The command line was wrong; nothing has been done.
pub const USAGE: u8 = 2;

#[derive(Debug)]
pub struct Stop {
    pub code: u8,
    pub what: String,
    pub help: Option<String>,
}

pub type Result<T> = std::result::Result<T, Stop>;

impl Stop {
    pub fn new(what: impl Into<String>) -> Self {
        Self { code: 1, what: what.into(), help: None }
    }

    pub fn usage(what: impl Into<String>) -> Self {
        Self { code: USAGE, ..Self::new(what) }
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// A file or folder could not be read, written or made.
    pub fn file(doing: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::new(format!("cannot {doing} {}: {error}", path.display()))
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        if let Some(help) = &self.help {
            for (index, line) in help.lines().enumerate() {
                let lead = if index == 0 { "help: " } else { "      " };
                write!(f, "\n{}", format!("{lead}{line}").trim_end())?;
            }
        }
        Ok(())
    }
}

impl From<lexopt::Error> for Stop {
    fn from(error: lexopt::Error) -> Self {
        Self::usage(error.to_string()).help("`cargo xtask` lists the commands and their options")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_stands_under_the_error_line_by_line() {
        let stop = Stop::new("no Envoy").help("set it:\n  export ENVOY=/path");
        assert_eq!(stop.to_string(), "error: no Envoy\nhelp: set it:\n        export ENVOY=/path");
    }
}
