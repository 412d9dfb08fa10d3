//! Names of metrics with their labels, in one form for all engines.

use std::collections::BTreeMap;

/// Names of metrics in Prometheus text, `ipp_inflight{model="a"}` with the labels in the order of their names, and
/// their values.
pub type Metrics = BTreeMap<String, f64>;

/// The name in that form, of a name in Prometheus text.
///
/// # Errors
/// It is not one; says why.
pub fn from_prometheus(text: &str) -> Result<String, String> {
    let (name, rest) = text.split_at(text.find('{').unwrap_or(text.len()));
    if !is_name(name) {
        return Err(format!("{name:?} cannot be the name of a metric"));
    }
    let Some(inside) = rest.strip_prefix('{') else {
        return Ok(name.to_owned());
    };
    let mut labels = BTreeMap::new();
    let mut rest = inside.trim_start();
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return match after.trim().is_empty() {
                true => Ok(format(name, &labels)),
                false => Err(format!("{:?} stands behind the labels", after.trim())),
            };
        }
        let (label, after) = rest.split_once('=').ok_or("a label needs a value, as in {model=\"a\"}")?;
        if !is_name(label.trim()) {
            return Err(format!("{:?} cannot be the name of a label", label.trim()));
        }
        let quoted =
            after.trim_start().strip_prefix('"').ok_or("the value of a label stands in double quotes")?;
        let (value, after) = unescape(quoted).ok_or("the value of a label has no end")?;
        labels.insert(label.trim().to_owned(), value);
        rest = after.trim_start();
        rest = rest.strip_prefix(',').map_or(rest, str::trim_start);
    }
}

/// The name in that form, of the filter's own form `model=.=a;.;ipp_inflight`.
pub fn from_stat(text: &str) -> String {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    while let Some((label, after)) = rest.split_once(";.;") {
        let (name, value) = label.split_once("=.=").unwrap_or((label, ""));
        labels.insert(name.to_owned(), value.to_owned());
        rest = after;
    }
    format(rest, &labels)
}

fn format(name: &str, labels: &BTreeMap<String, String>) -> String {
    if labels.is_empty() {
        return name.to_owned();
    }
    let escape = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
    format!("{name}{{{}}}", labels.join(","))
}

fn is_name(text: &str) -> bool {
    let letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    text.starts_with(|first: char| letter(first) && !first.is_ascii_digit()) && text.chars().all(letter)
}

/// The text up to the closing quote, and what follows it.
fn unescape(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => match letters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted() {
        for (text, expected) in [
            ("ipp_success_total", "ipp_success_total"),
            (r#"a{}"#, "a"),
            (r#"a{z="1", b="2",}"#, r#"a{b="2",z="1"}"#),
            (r#"a{b="x\"y\\,}"}"#, r#"a{b="x\"y\\,}"}"#),
        ] {
            assert_eq!(from_prometheus(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for (text, expected) in [
            ("", "\"\" cannot be the name of a metric"),
            ("1a", "\"1a\" cannot be the name of a metric"),
            ("a{b}", "a label needs a value, as in {model=\"a\"}"),
            ("a{b=c}", "the value of a label stands in double quotes"),
            ("a{b=\"c}", "the value of a label has no end"),
            ("a{b=\"c\"} 1", "\"1\" stands behind the labels"),
        ] {
            assert_eq!(from_prometheus(text), Err(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn the_filters_own_form() {
        assert_eq!(from_stat("ipp_success_total"), "ipp_success_total");
        assert_eq!(from_stat("z=.=a\"b;.;field=.=model;.;ipp_x"), r#"ipp_x{field="model",z="a\"b"}"#);
    }
}
