//! In what two bodies differ, said briefly.

use serde_json::Value;

use crate::message::sha256_hex;
use crate::recording::BodyExpectation;

/// What is shown of a body or a value at most.
const SHOWN: usize = 120;
/// What is shown around the place where two bodies begin to differ.
const AROUND: usize = 20;

/// In what a body is not what was expected; none if it is.
pub(super) fn differs(expected: &BodyExpectation, got: &[u8], sent: &[u8]) -> Option<String> {
    match expected {
        BodyExpectation::Exact(exact) if exact == got => None,
        BodyExpectation::Exact(exact) => Some(format!("body: {}", bytes(exact, got))),
        BodyExpectation::Unchanged if sent == got => None,
        BodyExpectation::Unchanged => Some(format!("body: not what was sent: {}", bytes(sent, got))),
        BodyExpectation::Sha256(digest) => {
            let found = sha256_hex(got);
            (found != *digest).then(|| {
                format!(
                    "body: expected the SHA-256 {digest}, got {found} of {} bytes: {}",
                    got.len(),
                    show(got)
                )
            })
        }
        BodyExpectation::Contains(part) if part.is_empty() => None,
        BodyExpectation::Contains(part) => {
            let there = got.windows(part.len()).any(|window| window == part);
            (!there).then(|| format!("body: expected {} to be in it, got {}", show(part), show(got)))
        }
        BodyExpectation::Json(expected) => match serde_json::from_slice(got) {
            Ok(got) => json(expected, &got, "").map(|reason| format!("json: {reason}")),
            Err(_) => Some(format!("body: expected JSON, got {}", show(got))),
        },
    }
}

/// In what two bodies differ that are not the same.
pub(super) fn bytes(expected: &[u8], got: &[u8]) -> String {
    if expected.len() <= SHOWN && got.len() <= SHOWN {
        return format!("expected {}, got {}", show(expected), show(got));
    }
    let at = expected.iter().zip(got).take_while(|(expected, got)| expected == got).count();
    let part = |body: &[u8]| {
        let part = &body[at.saturating_sub(AROUND).min(body.len())..(at + AROUND).min(body.len())];
        show(part)
    };
    let (expected, got) = ((expected.len(), part(expected)), (got.len(), part(got)));
    format!(
        "expected {} bytes, got {}; from byte {at} on they differ: expected {}, got {}",
        expected.0, got.0, expected.1, got.1
    )
}

/// The first difference of two values.
fn json(expected: &Value, got: &Value, path: &str) -> Option<String> {
    let at = |inner: &str| if path.is_empty() { inner.to_owned() } else { format!("{path}.{inner}") };
    match (expected, got) {
        (Value::Object(expected), Value::Object(got)) => {
            if let Some(extra) = got.keys().find(|key| !expected.contains_key(*key)) {
                return Some(format!("{}: expected none, got {}", at(extra), shown(&got[extra])));
            }
            expected.iter().find_map(|(key, expected)| match got.get(key) {
                Some(got) => json(expected, got, &at(key)),
                None => Some(format!("{}: expected {}, got none", at(key), shown(expected))),
            })
        }
        (Value::Array(expected), Value::Array(got)) if expected.len() == got.len() => {
            let mut pairs = expected.iter().zip(got).enumerate();
            pairs.find_map(|(index, (expected, got))| json(expected, got, &format!("{path}[{index}]")))
        }
        _ if expected == got => None,
        _ => {
            let colon = if path.is_empty() { "" } else { ": " };
            Some(format!("{path}{colon}expected {}, got {}", shown(expected), shown(got)))
        }
    }
}

fn shown(value: &Value) -> String {
    shorten(&value.to_string())
}

/// Bytes in quotes, on one line and not too many.
pub(in crate::replay) fn show(bytes: &[u8]) -> String {
    let text = match std::str::from_utf8(bytes) {
        // As a debug string, but with the quotes inside of it readable.
        Ok(text) => {
            text.chars().map(|letter| if letter == '"' { "\"".to_owned() } else { escape(letter) }).collect()
        }
        Err(_) => bytes.escape_ascii().to_string(),
    };
    format!("\"{}\"", shorten(&text))
}

fn escape(letter: char) -> String {
    match letter.is_control() {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_difference_of_json_is_named() {
        for (expected, got, reason) in [
            (json!({"a": 1}), json!({"a": 1}), None),
            (json!({"a": 1}), json!({"a": 2}), Some("a: expected 1, got 2")),
            (
                json!({"a": [1, {"b": "x"}]}),
                json!({"a": [1, {"b": "y"}]}),
                Some(r#"a[1].b: expected "x", got "y""#),
            ),
            (json!({"a": [1]}), json!({"a": [1, 2]}), Some("a: expected [1], got [1,2]")),
            (json!({"a": 1}), json!({}), Some("a: expected 1, got none")),
            (json!({}), json!({"a": 1}), Some("a: expected none, got 1")),
            (json!(1), json!([]), Some("expected 1, got []")),
        ] {
            assert_eq!(super::json(&expected, &got, "").as_deref(), reason);
        }
    }

    #[test]
    fn long_bodies_are_shown_where_they_differ() {
        let (mut left, mut right) = (vec![b'a'; 500], vec![b'a'; 501]);
        (left[300], right[300]) = (b'x', b'y');
        assert_eq!(
            bytes(&left, &right),
            "expected 500 bytes, got 501; from byte 300 on they differ: expected \
             \"aaaaaaaaaaaaaaaaaaaaxaaaaaaaaaaaaaaaaaaa\", got \"aaaaaaaaaaaaaaaaaaaayaaaaaaaaaaaaaaaaaaa\""
        );
    }

    #[test]
    fn bytes_are_readable() {
        assert_eq!(show(b"{\"a\": \"\n\"}"), r#""{"a": "\n"}""#);
        assert_eq!(show(b"\xff\x00a"), r#""\xff\x00a""#);
        assert_eq!(show(&[b'x'; 200]).len(), SHOWN + 5);
    }
}
