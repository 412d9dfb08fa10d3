//! A number of a candidate by a name that a configuration says.

use crate::candidate::Candidate;
use crate::figure::MaxAge;

/// Reads `name` or, where an attribute is several numbers, `name.part`.
pub(crate) struct NumberOf {
    name: Box<str>,
    part: Option<Box<str>>,
    max_age: MaxAge,
}

impl NumberOf {
    /// Only the parts of the attributes that have some are split off: other names may have dots.
    pub(crate) fn new(name: &str, max_age: MaxAge) -> Self {
        let of_parts = ["token_prices", "health", "ttft-percentile"];
        let (name, part) = match name.split_once('.') {
            Some((attribute, part)) if of_parts.contains(&attribute) => (attribute, Some(part)),
            _ => (name, None),
        };
        Self { name: name.into(), part: part.map(Into::into), max_age }
    }

    /// The attribute that is read.
    pub(crate) fn attribute(&self) -> &str {
        &self.name
    }

    /// The number, unless it is absent, no finite number, or too old.
    pub(crate) fn read(&self, candidate: &Candidate, now_ns: u64) -> Option<f64> {
        let number = candidate.attribute(&self.name)?.number(self.part.as_deref())?;
        let fresh = number.at_ns.is_none_or(|at| self.max_age.admits(at, now_ns));
        Some(number.value).filter(|value| fresh && value.is_finite())
    }
}
