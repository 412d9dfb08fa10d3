//! Lengths of time as Kubernetes and Go write them: `30s`, `1m30s`, `250ms`.

use super::view::{Invalid, View};
use std::time::Duration;

const UNITS: [(&str, u64); 4] = [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];

/// Whole numbers with a unit each, at least one; nothing where it is something else.
fn parse(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut sum: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, behind) = rest.split_at_checked(digits)?;
        let (unit, millis) = UNITS.iter().find(|(unit, _)| behind.starts_with(unit))?;
        sum = sum.checked_add(number.parse::<u64>().ok()?.checked_mul(*millis)?)?;
        rest = behind.get(unit.len()..)?;
    }
    (!text.is_empty()).then(|| Duration::from_millis(sum))
}

/// As [`parse`] reads it, with one unit.
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
    /// A length of time from `low` to `high`.
    ///
    /// # Errors
    /// It is something else.
    pub fn duration(&self, low: Duration, high: Duration) -> Result<Duration, Invalid> {
        self.string_or_none().and_then(parse).filter(|found| (low..=high).contains(found)).ok_or_else(|| {
            self.expected(&format!(
                "a length of time from {} to {}, as in 30s or 250ms",
                write(low),
                write(high)
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        let millis = |text| parse(text).map(|found| found.as_millis());
        assert_eq!(millis("30s"), Some(30_000));
        assert_eq!(millis("1m30s"), Some(90_000));
        assert_eq!(millis("250ms"), Some(250));
        assert_eq!(millis("1h"), Some(3_600_000));
        for wrong in
            ["", "s", "5", "-1s", "1.5s", "5 s", "5sec", "99999999999999999999s", "18446744073709551615h"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        for text in ["30s", "2m", "250ms", "1h", "0ms"] {
            assert_eq!(parse(text).map(write).as_deref(), Some(text));
        }
    }
}
