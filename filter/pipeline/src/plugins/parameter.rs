//! What parameters of selection plugins have in common: refusals at their place, durations as Go writes them.

use crate::config::{Invalid, View};
use crate::plugin::Params;
use ipp_selector::ParameterError;

/// Reports what the selector says of a parameter at the place where the parameter stands.
pub(super) fn refused(parameters: &Params<'_>, error: ParameterError) -> Invalid {
    match parameters.get(error.parameter) {
        Some(view) => view.invalid(format!("must be {}", error.expected)),
        None => parameters.invalid(error.to_string()),
    }
}

/// A number, or the default.
pub(super) fn number(parameters: &Params<'_>, name: &str, default: f64) -> Result<f64, Invalid> {
    parameters.get(name).map_or(Ok(default), |view| view.number())
}

/// A number, if there is one.
pub(super) fn optional_number(parameters: &Params<'_>, name: &str) -> Result<Option<f64>, Invalid> {
    parameters.get(name).map(|view| view.number()).transpose()
}

/// Nanoseconds of a duration, or the default.
pub(super) fn duration(parameters: &Params<'_>, name: &str, default_ns: u64) -> Result<u64, Invalid> {
    let Some(view) = parameters.get(name) else { return Ok(default_ns) };
    view.string_or_none().and_then(nanoseconds).ok_or_else(|| expected_duration(&view))
}

fn expected_duration(view: &View<'_>) -> Invalid {
    view.expected("a duration such as \"30s\", \"500ms\" or \"1h30m\"")
}

/// A duration as Go writes it: numbers with units, from the longest to the shortest or in any order. Not
/// negative.
fn nanoseconds(text: &str) -> Option<u64> {
    if text == "0" {
        return Some(0);
    }
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, more) = rest.split_at_checked(digits)?;
        let letters =
            more.find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(more.len());
        let (unit, after) = more.split_at_checked(letters)?;
        let unit = match unit {
            "ns" => 1.0,
            "us" | "µs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * unit;
        rest = after;
    }
    // A hundred years are more than anybody means, and fit.
    (!text.is_empty() && total <= 3.2e18).then_some(total.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::nanoseconds;

    #[test]
    fn durations() {
        for (text, want) in [
            ("30s", Some(30_000_000_000)),
            ("1m30s", Some(90_000_000_000)),
            ("1.5h", Some(5_400_000_000_000)),
            ("250ms", Some(250_000_000)),
            ("2us3ns", Some(2_003)),
            ("2µs", Some(2_000)),
            ("0", Some(0)),
            ("0s", Some(0)),
            ("", None),
            ("5", None),
            ("-5s", None),
            ("s", None),
            ("5 s", None),
            ("1.2.3s", None),
            ("5d", None),
            ("99999999999h", None),
        ] {
            assert_eq!(nanoseconds(text), want, "{text}");
        }
    }
}
