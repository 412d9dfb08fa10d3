//! Durations as Go and Kubernetes write them: `30s`, `1m30s`, `1.5h`, `250ms`.

use super::view::{Invalid, View};
use std::time::Duration;

/// The units of Go's `time.ParseDuration` with their nanoseconds. Of two that a text may begin with, the longer is first.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// The duration that a text stands for; nothing for one that stands for none, or for a negative one.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let (part, behind) = part(rest)?;
        total = total.checked_add(part)?;
        rest = behind;
    }
    (!text.is_empty()).then_some(Duration::from_nanos(total))
}

/// A number with its unit in nanoseconds, and what stands behind it.
fn part(text: &str) -> Option<(u64, &str)> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => digits(rest),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let (unit, rest) = UNITS.iter().find_map(|(name, unit)| Some((*unit, rest.strip_prefix(name)?)))?;
    let number = |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<u64>().ok() };
    let whole = number(whole)?.checked_mul(unit)?;
    // Digit by digit, each worth a tenth of the one before; what is less than a nanosecond is dropped.
    let mut worth = unit;
    let mut part = 0_u64;
    for digit in fraction.bytes() {
        worth = worth.checked_div(10)?;
        part = part.checked_add(worth.checked_mul(u64::from(digit.checked_sub(b'0')?))?)?;
    }
    Some((whole.checked_add(part)?, rest))
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// As [`parse`] reads it, with one unit, to the millisecond.
fn write(duration: Duration) -> String {
    let millis = duration.as_millis();
    match [(3_600_000, "h"), (60_000, "m"), (1000, "s")]
        .iter()
        .find(|(unit, _)| millis > 0 && millis.checked_rem(*unit) == Some(0))
    {
        Some((unit, name)) => format!("{}{name}", millis.checked_div(*unit).unwrap_or_default()),
        None => format!("{millis}ms"),
    }
}

impl View<'_> {
    /// A duration from `low` to `high`.
    ///
    /// # Errors
    /// It is something else.
    pub fn duration(&self, low: Duration, high: Duration) -> Result<Duration, Invalid> {
        self.string_or_none().and_then(parse).filter(|found| (low..=high).contains(found)).ok_or_else(|| {
            self.expected(&format!("a duration such as 30s, from {} to {}", write(low), write(high)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_reads_them() {
        for (text, nanoseconds) in [
            ("0", 0),
            ("0s", 0),
            ("30s", 30_000_000_000),
            ("1m30s", 90_000_000_000),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("5.s", 5_000_000_000),
            ("250ms", 250_000_000),
            ("3us", 3_000),
            ("3\u{b5}s", 3_000),
            ("1h0m0.25s7ns", 3_600_250_000_007),
            ("0.1234567891234567s", 123_456_789),
        ] {
            assert_eq!(parse(text), Some(Duration::from_nanos(nanoseconds)), "{text}");
        }
        for text in [
            "",
            "30",
            "s",
            ".s",
            "-1s",
            "+1s",
            "1 s",
            "1d",
            "1s ",
            "1s2",
            "99999999999h",
            "\u{661}s",
            "1\u{b5}",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for text in ["30s", "2m", "250ms", "1h", "0ms"] {
            assert_eq!(parse(text).map(write).as_deref(), Some(text));
        }
    }
}
