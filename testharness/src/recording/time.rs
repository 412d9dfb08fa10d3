//! Times as recordings write them.

use std::time::{Duration, SystemTime};

/// `20ms`, `1s`, `1m 30s`; a number needs its unit, and 0 as well.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let unit = text.ends_with(|last: char| last.is_ascii_alphabetic());
    humantime::parse_duration(text).ok().filter(|_| unit)
}

/// `2026-11-22T10:00:00Z`.
pub(super) fn timestamp(text: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339(text).ok()
}
