//! Secrets in URLs and in forms: values of parameters, and a user with a password before the host.

use super::redact::REDACTED;
use super::secret;

/// The text with `<redacted>` in place of the secrets of every URL in it.
pub(crate) fn redacted(text: &str) -> String {
    let mut text = text.to_owned();
    for range in secrets(&text).into_iter().rev() {
        text.replace_range(range, REDACTED);
    }
    text
}

/// The same for a form, which is a query without its `?`.
pub(super) fn redacted_form(text: &str) -> String {
    redacted(&format!("?{text}"))[1..].to_owned()
}

/// Where secrets stand, in order.
pub(super) fn secrets(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut found: Vec<_> =
        text.match_indices("://").filter_map(|(at, mark)| user(text, at + mark.len())).collect();
    for (at, _) in text.match_indices(['?', '&', '#', ';']) {
        let Some((name, rest)) = text[at + 1..].split_once('=') else { continue };
        let (name, start) = (name.trim_start(), text.len() - rest.len());
        let value = rest.split(['&', '#', '"', '<', '>', ' ']).next().unwrap_or_default();
        if !name.contains(NEVER) && !value.is_empty() && secret::is_parameter(&decoded(name)) {
            found.push(start..start + value.len());
        }
    }
    found.sort_by_key(|range| range.start);
    found.dedup_by(|next, before| next.start < before.end);
    found
}

/// What the name of a parameter does not have.
const NEVER: [char; 11] = ['&', '#', ';', '"', '\'', '<', '>', ' ', ',', '?', '/'];

/// `user:password` in front of a host.
fn user(text: &str, start: usize) -> Option<std::ops::Range<usize>> {
    let authority = text[start..].split(['/', '?', '#', ' ', '"', '>']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    Some(start..start + user.len())
}

/// With `%XX` as the characters that they stand for.
fn decoded(name: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes();
    while let [first, tail @ ..] = rest {
        let escape = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = escape.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte.filter(|_| *first == b'%') {
            Some(byte) => (bytes.push(byte), rest = &tail[2..]).1,
            None => (bytes.push(*first), rest = tail).1,
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_urls_are_found() {
        for (text, expected) in [
            ("/v1/models?key=abc&alt=sse", "/v1/models?key=<redacted>&alt=sse"),
            ("/v1?alt=sse&api%5Fkey=a%26b#x", "/v1?alt=sse&api%5Fkey=<redacted>#x"),
            ("/v1?key=&model=m", "/v1?key=&model=m"),
            ("/v1?max_tokens=5", "/v1?max_tokens=5"),
            ("https://me:pass@host/a?sig=1", "https://<redacted>@host/a?sig=<redacted>"),
            ("<https://h/?access_token=abc>; rel=next", "<https://h/?access_token=<redacted>>; rel=next"),
            ("https://h/cb#access_token=abc&state=x", "https://h/cb#access_token=<redacted>&state=x"),
            ("/a?next=/b?token=abc", "/a?next=/b?token=<redacted>"),
            ("/a?sig=a/b+c;d,e&x=1", "/a?sig=<redacted>&x=1"),
            ("nothing", "nothing"),
            ("?1", "?1"),
        ] {
            assert_eq!(redacted(text), expected);
        }
        assert_eq!(redacted_form("password=a&user=b"), "password=<redacted>&user=b");
    }
}
