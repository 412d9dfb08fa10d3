//! The refusal of a plugin's parameter.

use std::error::Error;
use std::fmt;

/// A parameter that a plugin cannot work with, for the configuration's author to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParameterError {
    /// The parameter as the configuration spells it.
    pub parameter: &'static str,
    /// What would have been right, to stand behind "must be".
    pub expected: &'static str,
}

impl fmt::Display for ParameterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: must be {}", self.parameter, self.expected)
    }
}

impl Error for ParameterError {}
