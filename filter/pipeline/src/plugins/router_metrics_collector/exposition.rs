//! Prometheus' text format, as far as single gauges are looked for in it.

/// How several series of one name become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fold {
    /// The greatest: of ratios.
    Max,
    /// All together: of counts.
    Sum,
}

/// One number for each name: of the gauges of that name, or of series without a type, as `/federate` gives them.
/// Nothing where there is none. What is no number is left out.
pub(super) fn gauges(text: &str, wanted: &[(&str, Fold)]) -> Vec<Option<f64>> {
    let mut found: Vec<Option<f64>> = vec![None; wanted.len()];
    let mut refused = vec![false; wanted.len()];
    for line in text.lines().map(str::trim_start) {
        if let Some(comment) = line.strip_prefix('#') {
            let mut words = comment.split_ascii_whitespace();
            if let (Some("TYPE"), Some(name), Some(kind)) = (words.next(), words.next(), words.next())
                && let Some(at) = wanted.iter().position(|(known, _)| *known == name)
                && let Some(refused) = refused.get_mut(at)
            {
                *refused = !["gauge", "untyped", "unknown"].contains(&kind);
            }
            continue;
        }
        let end = line.find(['{', ' ', '\t']).unwrap_or(line.len());
        let Some((name, rest)) = line.split_at_checked(end) else { continue };
        let Some(at) = wanted.iter().position(|(known, _)| *known == name) else { continue };
        if refused.get(at) == Some(&true) {
            continue;
        }
        let value = match rest.strip_prefix('{') {
            Some(labels) => after_labels(labels),
            None => Some(rest),
        };
        let number = value.and_then(|value| value.split_ascii_whitespace().next()?.parse::<f64>().ok());
        let Some(number) = number.filter(|number| number.is_finite()) else { continue };
        if let (Some(slot), Some((_, fold))) = (found.get_mut(at), wanted.get(at)) {
            *slot = Some(match (*slot, fold) {
                // As in the Go service a ratio is never below 0.
                (None, Fold::Max) => number.max(0.0),
                (None, Fold::Sum) => number,
                (Some(before), Fold::Max) => before.max(number),
                (Some(before), Fold::Sum) => before + number,
            });
        }
    }
    found
}

/// What stands behind the closing brace; one inside of a label's value closes nothing.
fn after_labels(labels: &str) -> Option<&str> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in labels.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'}' if !quoted => return labels.get(at.saturating_add(1)..),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str, fold: Fold) -> Option<f64> {
        gauges(text, &[("x", fold)])[0]
    }

    #[test]
    fn series() {
        for (text, max, sum) in [
            ("x 3", Some(3.0), Some(3.0)),
            (
                "# HELP x what\n# TYPE x gauge\nx{a=\"1\"} 0.25\nx{a=\"2\"} 0.5 1700000000000\n",
                Some(0.5),
                Some(0.75),
            ),
            ("# TYPE x untyped\nx 1e2\n", Some(100.0), Some(100.0)),
            ("#TYPE x unknown\nx 1\n", Some(1.0), Some(1.0)),
            ("# TYPE x counter\nx 7\n", None, None),
            ("# TYPE x histogram\nx_bucket{le=\"1\"} 7\nx_sum 3\n", None, None),
            ("x{a=\"}\\\"} 9\"} 4\n", Some(4.0), Some(4.0)),
            ("x NaN\nx +Inf\nx 2\n", Some(2.0), Some(2.0)),
            ("x\nx{\nx{a=\"1\"\nx{} \nx seven\nxx 5\n", None, None),
            ("  x\t8\r\n", Some(8.0), Some(8.0)),
            ("x -1\nx -3", Some(0.0), Some(-4.0)),
            ("", None, None),
        ] {
            assert_eq!((one(text, Fold::Max), one(text, Fold::Sum)), (max, sum), "{text}");
        }
    }
}
