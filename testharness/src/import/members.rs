//! Secrets in JSON: strings whose keys say so.

use std::ops::Range;

use super::secret;

/// Where the values of secret members stand in a body of JSON or of events with JSON, without their quotes.
pub(super) fn members(body: &[u8]) -> Vec<Range<usize>> {
    if body.trim_ascii_start().starts_with(b"{") || body.trim_ascii_start().starts_with(b"[") {
        return members_of(body, 0);
    }
    let mut spans = Vec::new();
    let mut start = 0;
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b"data:") {
            spans.extend(members_of(line, start));
        }
        start += line.len();
    }
    spans
}

/// The same for one document that begins at `offset` of the body.
fn members_of(json: &[u8], offset: usize) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut key: Option<Range<usize>> = None;
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        at += 1;
        match byte {
            b'"' => {
                let string = at..end_of_string(json, at);
                at = string.end + 1;
                match key.take() {
                    Some(key) => {
                        let span = string.start + offset..string.end + offset;
                        spans.extend(is_secret_member(&json[key]).then_some(span));
                    }
                    None if json[at.min(json.len())..].trim_ascii_start().starts_with(b":") => {
                        key = Some(string)
                    }
                    None => {}
                }
            }
            b':' | b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => key = None,
        }
    }
    spans.retain(|span| !span.is_empty());
    spans
}

/// The place of the quote that closes a string; the end of the text if none does.
fn end_of_string(json: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    json.len()
}

fn is_secret_member(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(secret::is_member)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::single_range_in_vec_init, reason = "a list of ranges with one in it")]
    fn members_are_found_in_what_is_no_whole_json() {
        for (body, expected) in [
            (r#"{"password":"abc"#, vec![13..16]),
            (r#"{"password":{"a":"b"},"x":"password","y":"z"}"#, vec![]),
            (r#"{"properties":{"password":{"type":"string"}},"required":["password"]}"#, vec![]),
            ("{\"password\":\"a\\", vec![13..15]),
            (r#"{"password":null,"user":"x"}"#, vec![]),
            (r#"{"password":"#, vec![]),
            (r#"password: "abc""#, vec![]),
        ] {
            assert_eq!(members(body.as_bytes()), expected, "{body}");
        }
    }
}
