//! Text of a capture, back to the bytes that it was made of.
//!
//! JSON has no bytes. mitmproxy writes a byte that is not UTF-8 as half of a surrogate pair, U+DC80 to U+DCFF, and a body
//! of which it does not know the character set as one character for each byte. Both can be told apart from text.

/// Halves of pairs stand here while a document is read: no text uses the end of the last private plane.
const PLACE: u32 = 0x0010_ff00;

/// A document in which every half of a surrogate pair is a character, so that it is JSON that can be read.
pub(super) fn readable(json: &str) -> String {
    let mut readable = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        readable.push_str(before);
        let unit = |from: usize| {
            let digits = escape.get(from..from + 6)?.strip_prefix("\\u")?;
            u16::from_str_radix(digits, 16).ok()
        };
        let (length, half) = match (unit(0), unit(6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (12, None),
            (Some(half @ 0xd800..=0xdfff), _) => (6, Some(half)),
            (Some(_), _) => (6, None),
            // An escape of one character. JSON has no other.
            (None, _) => (escape.chars().take(2).map(char::len_utf8).sum(), None),
        };
        match half.map(|half| char::from_u32(PLACE + u32::from(half & 0xff))) {
            Some(place) => {
                readable.push(place.filter(|_| half >= Some(0xdc80)).unwrap_or(char::REPLACEMENT_CHARACTER))
            }
            None => readable.push_str(&escape[..length]),
        }
        rest = &escape[length..];
    }
    readable + rest
}

/// The bytes of a text. The size that they are said to have tells whether each character is a byte.
pub(super) fn bytes(text: &str, size: Option<usize>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for letter in text.chars() {
        match u32::from(letter).checked_sub(PLACE) {
            Some(byte @ 0x80..=0xff) => bytes.push(byte as u8),
            _ => bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    if size.is_none_or(|size| size == bytes.len()) {
        return bytes;
    }
    let single: Option<Vec<u8>> = text.chars().map(|letter| u8::try_from(letter).ok()).collect();
    // The size may be that of a packed body. What makes sense as UTF-8 is not there by chance.
    match single.filter(|single| size == Some(single.len()) || std::str::from_utf8(single).is_ok()) {
        Some(single) => single,
        None => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_pair_is_a_byte() {
        let json = r#"["a\udcffb\\udcff \n \" \u00e9 \ud83d\ude00 \ud800 é\udc00"]"#;
        let texts: Vec<String> = serde_json::from_str(&readable(json)).unwrap();
        let expected = [&b"a\xffb\\udcff \n \" "[..], "é 😀 \u{fffd} é\u{fffd}".as_bytes()].concat();
        assert_eq!(bytes(&texts[0], None), expected);
        assert_eq!(readable("{}"), "{}");
    }

    #[test]
    fn the_size_tells_characters_from_bytes() {
        assert_eq!(bytes("é", Some(1)), b"\xe9");
        assert_eq!(bytes("é", Some(2)), "é".as_bytes());
        assert_eq!(bytes("é", None), "é".as_bytes());
        assert_eq!(bytes("Ã©", Some(2)), "é".as_bytes());
        assert_eq!(bytes("Ã©", Some(46)), "é".as_bytes());
        assert_eq!(bytes("é", Some(46)), "é".as_bytes());
        assert_eq!(bytes("€", Some(1)), "€".as_bytes());
    }
}
