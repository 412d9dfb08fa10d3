//! JSON strings: from their escaped form to text and back.

use std::borrow::Cow;

/// An unpaired surrogate: an escape that stands for no character.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LoneSurrogate;

/// Decodes what stands between the quotes of a JSON string. The scanner has checked syntax and UTF-8 before.
pub(crate) fn decode(raw: &[u8]) -> Result<Cow<'_, str>, LoneSurrogate> {
    let raw = String::from_utf8_lossy(raw);
    if !raw.contains('\\') {
        return Ok(raw);
    }
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw.as_ref();
    while let Some((plain, escaped)) = rest.split_once('\\') {
        text.push_str(plain);
        let mut chars = escaped.chars();
        match chars.next() {
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some('u') => {
                let (character, tail) = decode_unicode(chars.as_str())?;
                text.push(character);
                rest = tail;
                continue;
            }
            Some(itself) => text.push(itself),
            None => {}
        }
        rest = chars.as_str();
    }
    text.push_str(rest);
    Ok(Cow::Owned(text))
}

/// The character of `XXXX`, or of `XXXX\uXXXX` where the first is the upper half of a pair, and what follows.
fn decode_unicode(after_u: &str) -> Result<(char, &str), LoneSurrogate> {
    let (first, rest) = hex4(after_u).ok_or(LoneSurrogate)?;
    if let Some(character) = char::from_u32(first) {
        return Ok((character, rest));
    }
    let (second, rest) = rest.strip_prefix("\\u").and_then(hex4).ok_or(LoneSurrogate)?;
    let pair = [u16::try_from(first).unwrap_or(0), u16::try_from(second).unwrap_or(0)];
    match char::decode_utf16(pair).next() {
        Some(Ok(character)) => Ok((character, rest)),
        _ => Err(LoneSurrogate),
    }
}

fn hex4(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}

/// `text` as a JSON string, quotes included. Only what has to be escaped is.
pub fn encode_string(text: &str) -> String {
    let mut json = String::with_capacity(text.len().saturating_add(2));
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            control if control < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => json.push(other),
        }
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_escape_decodes() {
        let raw = br#"a\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00z"#;
        assert_eq!(decode(raw).unwrap(), "a\"\\/\u{8}\u{c}\n\r\tA\u{e9}\u{1f600}z");
    }

    #[test]
    fn half_a_pair_is_no_character() {
        for raw in [r"\ud83d", r"\ude00", r"\ud83dx", r"\ud83d\n", r"\ud83d\ud83d", r"\ud83d\u0041"] {
            assert_eq!(decode(raw.as_bytes()), Err(LoneSurrogate), "{raw}");
        }
    }

    #[test]
    fn what_is_encoded_reads_back_the_same() {
        for text in ["", "plain", "a\"b\\c/d", "\u{0}\u{1f}\n\r\t", "é\u{1f600}", "<&>"] {
            let json = encode_string(text);
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
            let inner = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap();
            assert_eq!(decode(inner.as_bytes()).unwrap(), text);
        }
    }
}
