//! Texts as YAML that a person can read and a reader reads back exactly.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A longer text is easier to read in a block.
const LINE: usize = 100;

/// Deeper than this, JSON is left as text. Readers have a limit.
const DEEPEST: usize = 60;

/// The longest key that a reader of YAML has to know as one.
const KEY: usize = 900;

/// A text on one line.
pub(super) fn scalar(text: &str) -> String {
    one_line(text, "")
}

/// A text on one line as an element of `[a, b]`.
pub(super) fn element(text: &str) -> String {
    one_line(text, ",[]{}")
}

/// Bytes as an element of `[a, b]`.
pub(super) fn bytes(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => element(text),
        Err(_) => format!("!!binary {}", double(&base64(bytes))),
    }
}

/// Base64 with its padding.
pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// `name: text` at an indent, with its line break: a block where that reads better than a line.
pub(super) fn field(name: &str, text: &str, indent: usize) -> String {
    let pad = " ".repeat(indent);
    let long = text.len() > LINE || text.contains(['\n', '\'']);
    if !long
        || text.starts_with(['\n', ' ', '\t'])
        || text.chars().any(|letter| letter != '\n' && is_hidden(letter))
    {
        return format!("{pad}{name}: {}\n", scalar(text));
    }
    let content = text.trim_end_matches('\n');
    let breaks = text.len() - content.len();
    let mut field = format!("{pad}{name}: {}\n", ["|-", "|", "|+"][breaks.min(2)]);
    for line in content.split('\n') {
        // Writing to a String cannot fail.
        let _ = match line.is_empty() {
            true => writeln!(field),
            false => writeln!(field, "{pad}  {line}"),
        };
    }
    (1..breaks).for_each(|_| field.push('\n'));
    field
}

/// The text is JSON that a reader of YAML takes as a value, and that is written back as it stands here.
pub(super) fn is_exact_json(text: &str) -> bool {
    if !text.starts_with(['{', '[']) || text.chars().any(is_hidden) {
        return false;
    }
    if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
        return false;
    }
    let (mut rest, mut depth) = (text, 0usize);
    while let Some(first) = rest.chars().next() {
        match first {
            '"' => {
                let mut strings = serde_json::Deserializer::from_str(rest).into_iter::<String>();
                let Some(Ok(string)) = strings.next() else { return false };
                let written = serde_json::Value::from(string).to_string();
                if !rest.starts_with(&written)
                    || written.len() > KEY && rest[written.len()..].starts_with(':')
                {
                    return false;
                }
                rest = &rest[written.len()..];
                continue;
            }
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            _ if first.is_ascii_whitespace() => return false,
            _ => {}
        }
        if depth > DEEPEST {
            return false;
        }
        rest = &rest[first.len_utf8()..];
    }
    true
}

fn one_line(text: &str, special: &str) -> String {
    match text {
        _ if text.chars().any(is_hidden) => double(text),
        _ if is_plain(text) && !text.contains(|letter| special.contains(letter)) => text.to_owned(),
        _ => format!("'{}'", text.replace('\'', "''")),
    }
}

/// It means itself without quotes.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let safe = |letter: char| letter.is_ascii_alphanumeric() || "-_./+=~@%()<>*:;,&?!$^ ".contains(letter);
    text.starts_with(|first: char| first.is_ascii_alphabetic() || "/<".contains(first))
        && text.chars().all(safe)
        && !text.ends_with([':', ' '])
        && !text.contains(": ")
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

fn double(text: &str) -> String {
    let mut quoted = String::new();
    for letter in serde_json::Value::from(text).to_string().chars() {
        // Writing to a String cannot fail.
        let _ = match u32::from(letter) {
            code if !is_hidden(letter) => {
                char::from_u32(code).map_or(Ok(()), |letter| quoted.write_char(letter))
            }
            code @ ..=0xffff => write!(quoted, "\\u{code:04x}"),
            code => write!(quoted, "\\U{code:08x}"),
        };
    }
    quoted
}

/// Nobody sees it, or YAML does not allow it: control characters, marks of direction, other line ends, the BOM.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{200b}' | '\u{200c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
                | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_itself_has_no_quotes() {
        for text in [
            "/v1/chat/completions",
            "application/json; charset=utf-8",
            "<redacted>",
            "a:b",
            "*/*",
            "yes",
            "12",
        ] {
            let expected = match text {
                "*/*" | "yes" | "12" => format!("'{text}'"),
                _ => text.to_owned(),
            };
            assert_eq!(scalar(text), expected);
        }
        assert_eq!(scalar("gzip, br"), "gzip, br");
        assert_eq!(element("gzip, br"), "'gzip, br'");
        assert_eq!(scalar("it's: \"so\""), "'it''s: \"so\"'");
        assert_eq!(scalar("a\r\n\u{feff}\u{85}"), "\"a\\r\\n\\ufeff\\u0085\"");
        assert_eq!(scalar(""), "''");
        assert_eq!(bytes(b"a\xff"), "!!binary \"Yf8=\"");
    }

    #[test]
    fn long_texts_are_blocks() {
        assert_eq!(field("body", "{\"a\":1}", 2), "  body: '{\"a\":1}'\n");
        assert_eq!(field("body", "a\n\n b", 2), "  body: |-\n    a\n\n     b\n");
        assert_eq!(field("body", "a\n", 0), "body: |\n  a\n");
        assert_eq!(field("body", "a\n\n\n", 0), "body: |+\n  a\n\n\n");
        assert_eq!(field("body", " a\nb", 0), "body: \" a\\nb\"\n");
    }

    #[test]
    fn json_that_comes_back_as_it_is() {
        for text in ["{}", r#"{"a":[1,-0.50e3,"é\n\"",null,true],"b":{"c":[]}}"#, "[]"] {
            assert!(is_exact_json(text), "{text}");
        }
        for text in
            [r#"{"a": 1}"#, r#"{"a":"\u00e9"}"#, r#"{"a":"\/"}"#, "{\"a\":\"\u{feff}\"}", "[DONE]", "1", "{"]
        {
            assert!(!is_exact_json(text), "{text}");
        }
        assert!(!is_exact_json(&format!("{}{}", "[".repeat(80), "]".repeat(80))));
    }
}
