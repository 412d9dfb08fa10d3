//! YAML in and out. What is written is written for every reader: Kubernetes takes `on` and `1_000` for something else
//! than a string, so that all strings but the plainest are quoted.

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_yaml::Value;

/// Words that YAML 1.1 or 1.2 takes for a truth value or for nothing, in small letters.
const WORDS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"];

/// The documents of a text, empty ones left out. JSON is tried first, as the filter does, since YAML refuses some of
/// its escapes.
pub(super) fn documents(text: &str) -> Result<Vec<Value>> {
    if text.trim_start().starts_with('{')
        && let Ok(value) = serde_json::from_str(text)
    {
        return Ok(vec![value]);
    }
    let mut found = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        let value = Value::deserialize(document).context("neither YAML nor JSON")?;
        if !value.is_null() {
            found.push(value);
        }
    }
    Ok(found)
}

/// A string on one line: plain where no reader can mistake it, in JSON's quotes elsewhere.
pub(super) fn scalar(text: &str) -> String {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./@:".contains(&byte);
    // What begins with a letter is no number, no date and no sign of YAML.
    let plain = text.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '/')
        && text.bytes().all(inner)
        && !text.ends_with(':')
        && !text.contains("::")
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { quoted(text) }
}

/// In JSON's quotes; what YAML takes for the end of a line, or for nothing, is escaped as well.
fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let letter = |letter: char| match letter {
        letter if is_printable(letter) => letter.to_string(),
        letter => format!("\\u{:04x}", u32::from(letter)),
    };
    json.chars().map(letter).collect()
}

fn is_printable(letter: char) -> bool {
    !letter.is_control() && !['\u{2028}', '\u{2029}', '\u{feff}'].contains(&letter)
}

/// A map or list as lines, each behind `indent` spaces.
pub(super) fn block(value: &Value, indent: usize) -> String {
    let mut text = String::new();
    match value {
        Value::Mapping(map) if !map.is_empty() => {
            for (key, value) in map {
                text.push_str(&" ".repeat(indent));
                text.push_str(&inline(key));
                text.push(':');
                // A list may stand as deep as its key, which is how the shipped files have it.
                text.push_str(&after(value, indent, usize::from(!value.is_sequence()) * 2));
            }
        }
        Value::Sequence(list) if !list.is_empty() => {
            for value in list {
                text.push_str(&" ".repeat(indent));
                text.push('-');
                match value {
                    // The first key stands behind the dash.
                    Value::Mapping(map) if !map.is_empty() => {
                        let inner = block(value, indent + 2);
                        text.push(' ');
                        text.push_str(inner.trim_start());
                    }
                    _ => text.push_str(&after(value, indent, 2)),
                }
            }
        }
        value => text.push_str(&format!("{}{}\n", " ".repeat(indent), inline(value))),
    }
    text
}

/// What follows a key or a dash, to the end of the line and on the lines below.
fn after(value: &Value, indent: usize, deeper: usize) -> String {
    match value {
        Value::Mapping(map) if !map.is_empty() => format!("\n{}", block(value, indent + deeper)),
        Value::Sequence(list) if !list.is_empty() => format!("\n{}", block(value, indent + deeper)),
        Value::String(text) if is_paragraph(text) => format!(" |\n{}", indented(text, indent + 2)),
        value => format!(" {}\n", inline(value)),
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Mapping(_) => "{}".to_owned(),
        Value::Sequence(_) => "[]".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        // The filter refuses tags before anything is written.
        Value::Null | Value::Tagged(_) => "null".to_owned(),
    }
}

/// Whether a text can stand as it is in a block: several lines, none of which a reader would change.
fn is_paragraph(text: &str) -> bool {
    let line = |line: &str| !line.is_empty() && !line.ends_with(' ') && line.chars().all(is_printable);
    let Some(lines) = text.strip_suffix('\n') else { return false };
    !text.starts_with(' ') && lines.split('\n').all(line)
}

/// A text's lines behind `spaces` spaces.
pub(super) fn indented(text: &str, spaces: usize) -> String {
    text.lines().map(|line| format!("{}{line}\n", " ".repeat(spaces))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted_where_some_reader_would_see_something_else() {
        for text in ["inference-gateway", "oci://r.example:5000/ipp@sha256:00", "/v1/", "X-Model"] {
            assert_eq!(scalar(text), text);
        }
        for text in
            ["true", "On", "1.0", "1_000", "1:20", "a b", "a:", "@x", "", "fd00::7", "2026-01-01", "~", "é"]
        {
            assert_eq!(scalar(text), serde_json::to_string(text).unwrap());
        }
    }

    #[test]
    fn what_is_written_is_read_back_the_same() {
        let awkward = [
            "",
            "no",
            "a: b",
            "- x\n- y\n",
            "two\n\nthree\n",
            " lead\n",
            "tail \n",
            "x\ny",
            "\u{85}\n",
            "\u{2028}",
            "\u{7f}",
            "#",
            "1e3",
        ];
        let mut map = serde_yaml::Mapping::new();
        for text in awkward {
            map.insert(text.into(), text.into());
        }
        let list: Value =
            vec![Value::from(map.clone()), Value::Sequence(vec![]), Value::Null, 1.5.into()].into();
        map.insert("list".into(), list.clone());
        map.insert("lists".into(), vec![list.clone(), list].into());
        map.insert("empty".into(), serde_yaml::Mapping::new().into());
        map.insert("large".into(), u64::MAX.into());
        let value = Value::from(map);
        let read: Value = serde_yaml::from_str(&block(&value, 0)).unwrap();
        assert_eq!(read, value, "{}", block(&value, 0));
    }
}
