//! What is wrong with a configuration: every error at once, each with its place.

use super::document::{Position, Spot, Step, locate};
use std::cell::RefCell;
use std::fmt;

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The place as a path: `profiles[0].plugins.request[2].pluginRef`. Empty for the whole document.
    pub path: String,
    /// Line in the text, from 1, where it is known.
    pub line: Option<usize>,
    /// Column in the line, from 1.
    pub column: Option<usize>,
    /// What was found and what was expected.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "document" } else { &self.path };
        match (self.line, self.column) {
            (Some(line), Some(column)) => {
                write!(out, "{path} (line {line}, column {column}): {}", self.message)
            }
            _ => write!(out, "{path}: {}", self.message),
        }
    }
}

/// All that is wrong with a configuration, in the order of the document. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(out, "the PayloadProcessorConfig has {count} error{}", if count == 1 { "" } else { "s" })?;
        for (at, error) in self.0.iter().enumerate() {
            write!(out, "\n  {}. {error}", at.saturating_add(1))?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Where errors go while a document is read.
#[derive(Debug)]
pub(crate) struct Sink<'a> {
    text: &'a str,
    errors: RefCell<Vec<ConfigError>>,
}

impl<'a> Sink<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, errors: RefCell::default() }
    }

    pub(crate) fn report(&self, path: &[Step], spot: Spot, message: String) {
        self.push(path, locate(self.text, path, spot), message);
    }

    pub(crate) fn push(&self, path: &[Step], position: Option<Position>, message: String) {
        self.errors.borrow_mut().push(ConfigError {
            path: path_text(path),
            line: position.map(|position| position.line),
            column: position.map(|position| position.column),
            message,
        });
    }

    /// The value, unless anything was reported.
    pub(crate) fn finish<T>(self, value: T) -> Result<T, ConfigErrors> {
        if self.errors.borrow().is_empty() { Ok(value) } else { Err(self.into_errors()) }
    }

    /// What was reported.
    pub(crate) fn into_errors(self) -> ConfigErrors {
        let mut errors = self.errors.into_inner();
        // Plugins are built before profiles are resolved; a reader goes from top to bottom.
        errors.sort_by_key(|error| (error.line, error.column));
        ConfigErrors(errors)
    }
}

pub(crate) fn path_text(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(name, _) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(name);
            }
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}
