//! Takes secrets out of what was captured: known names first, then the same values wherever else they stand.

use std::collections::BTreeSet;

use crate::message::Headers;

use super::captured::{Captured, media_type};
use super::members::members;
use super::{query, secret};

/// What stands in place of a secret.
pub(crate) const REDACTED: &str = "<redacted>";

/// A secret that is shorter is not looked for elsewhere: it could be a word.
const SHORTEST: usize = 8;

/// Takes secrets out.
#[derive(Debug)]
pub(crate) struct Redactor {
    /// Names of headers whose values stay, in lower case.
    keep: Vec<String>,
    /// Secrets that were seen.
    known: BTreeSet<Vec<u8>>,
}

impl Redactor {
    /// One that leaves these headers as they are.
    pub(crate) fn new(keep: &[String]) -> Self {
        Self { keep: keep.iter().map(|name| name.to_ascii_lowercase()).collect(), known: BTreeSet::new() }
    }

    /// Keeps the secrets of an exchange in mind. An exchange may repeat what another one has as a secret.
    pub(crate) fn learn(&mut self, captured: &Captured) {
        for headers in [&captured.headers, &captured.trailers, &captured.response_headers] {
            for (name, value) in headers.iter() {
                if !self.is_secret(name, value) {
                    continue;
                }
                match name.to_ascii_lowercase().ends_with(b"cookie") {
                    // A list of values, and most of them are no secrets.
                    true => cookies(value).into_iter().for_each(|secret| self.know(secret)),
                    // Behind the scheme, if there is one.
                    false => self.know(value.rsplit(|byte| *byte == b' ').next().unwrap_or_default()),
                }
            }
        }
        let spans = query::secrets(&captured.path);
        spans.into_iter().for_each(|span| self.know(&captured.path.as_bytes()[span]));
        for body in [&captured.body, &captured.response] {
            members(body).into_iter().for_each(|span| self.know(&body[span]));
        }
    }

    /// Takes all that is known as a secret, by its name or by its value, out of an exchange.
    pub(crate) fn redact(&self, captured: &mut Captured) {
        for headers in [&mut captured.headers, &mut captured.trailers, &mut captured.response_headers] {
            *headers = self.headers(headers);
        }
        captured.path = self.text(&query::redacted(&captured.path));
        let form =
            media_type(&captured.headers).is_some_and(|media| media == "application/x-www-form-urlencoded");
        if let (true, Ok(text)) = (form, std::str::from_utf8(&captured.body)) {
            captured.body = query::redacted_form(text).into();
        }
        for body in [&mut captured.body, &mut captured.response] {
            let spans = members(body);
            if !spans.is_empty() {
                let mut bytes = body.to_vec();
                spans.into_iter().rev().for_each(|span| drop(bytes.splice(span, REDACTED.bytes())));
                *body = bytes.into();
            }
            if let Some(bytes) = self.known_out(body) {
                *body = bytes.into();
            }
        }
    }

    fn headers(&self, headers: &Headers) -> Headers {
        let value = |name: &[u8], value: &[u8]| {
            if self.keeps(name) {
                return value.to_vec();
            }
            match (self.is_secret(name, value), std::str::from_utf8(value)) {
                (true, _) => REDACTED.as_bytes().to_vec(),
                (false, Ok(text)) => self.text(&query::redacted(text)).into_bytes(),
                (false, Err(_)) => self.known_out(value).unwrap_or_else(|| value.to_vec()),
            }
        };
        headers.iter().map(|(name, before)| (name.to_vec(), value(name, before))).collect()
    }

    fn is_secret(&self, name: &[u8], value: &[u8]) -> bool {
        let text = |bytes| String::from_utf8_lossy(bytes).to_lowercase();
        let challenge = text(name).ends_with("-authenticate");
        let value = String::from_utf8_lossy(value);
        !self.keeps(name) && (secret::is_field(&text(name)) || (!challenge && secret::is_value(&value)))
    }

    fn keeps(&self, name: &[u8]) -> bool {
        self.keep.iter().any(|keep| name.eq_ignore_ascii_case(keep.as_bytes()))
    }

    fn know(&mut self, value: &[u8]) {
        if value.len() >= SHORTEST && value != REDACTED.as_bytes() {
            self.known.insert(value.to_vec());
        }
    }

    fn text(&self, text: &str) -> String {
        let bytes = self.known_out(text.as_bytes());
        // A secret is a whole value, so that what is left of a text is one, too.
        bytes.map_or_else(|| text.to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The bytes without any known secret; none if there is none in them.
    fn known_out(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut changed = None;
        // Longer ones first: one may begin with another.
        let mut known: Vec<_> = self.known.iter().collect();
        known.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        for secret in known {
            let now: &[u8] = changed.as_deref().unwrap_or(bytes);
            if let Some(replaced) = replace(now, secret) {
                changed = Some(replaced);
            }
        }
        changed
    }
}

/// Values of cookies whose names are those of secrets.
fn cookies(list: &[u8]) -> Vec<&[u8]> {
    let pairs = list.split(|byte| *byte == b';').filter_map(|pair| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        Some((String::from_utf8_lossy(&pair[..equals]).trim().to_owned(), &pair[equals + 1..]))
    });
    pairs.filter(|(name, _)| name == "sid" || secret::is_field(name)).map(|(_, value)| value).collect()
}

fn replace(bytes: &[u8], secret: &[u8]) -> Option<Vec<u8>> {
    let mut replaced = Vec::new();
    let mut rest = bytes;
    while let Some(at) = find(rest, secret) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(REDACTED.as_bytes());
        rest = &rest[at + secret.len()..];
    }
    (rest.len() < bytes.len()).then(|| [replaced.as_slice(), rest].concat())
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    let first = *part.first()?;
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == first) {
        if bytes[from + at..].starts_with(part) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn captured() -> Captured {
        Captured {
            source: String::new(),
            time: None,
            method: "POST".to_owned(),
            path: "/v1/chat/completions?api_key=qk-1234567&n=1".to_owned(),
            headers: Headers::new()
                .with("Authorization", "Bearer abcdefgh12345")
                .with("X-Odd", "Bearer other-one-987")
                .with("Referer", "https://u:p@h/?key=short")
                .with("X-Copy", "see abcdefgh12345"),
            trailers: Headers::new().with("x-late-token", "t"),
            body: Bytes::from(
                r#"{"api_key" : "in-the-body","logprobs":[{"token":"Hi"}],"prompt":"abcdefgh12345 qk-1234567"}"#,
            ),
            status: 200,
            response_headers: Headers::new()
                .with("Set-Cookie", "session_id=cookie-secret; model=Qwen-2.5-Instruct"),
            response: Bytes::from(
                "data: {\"text\":\"Qwen-2.5-Instruct other-one-987 cookie-secret\",\"apiKey\":\"x\\\"y\"}\n\n",
            ),
        }
    }

    fn redacted(keep: &[&str]) -> Captured {
        let mut captured = captured();
        let keep: Vec<_> = keep.iter().map(|name| (*name).to_owned()).collect();
        let mut redactor = Redactor::new(&keep);
        redactor.learn(&captured);
        redactor.redact(&mut captured);
        captured
    }

    #[test]
    fn secrets_are_taken_out_wherever_they_stand() {
        let captured = redacted(&[]);
        assert_eq!(captured.path, "/v1/chat/completions?api_key=<redacted>&n=1");
        let headers = [("Authorization", REDACTED), ("X-Odd", REDACTED)];
        let headers = headers
            .into_iter()
            .chain([("Referer", "https://<redacted>@h/?key=<redacted>"), ("X-Copy", "see <redacted>")]);
        assert_eq!(captured.headers, headers.collect());
        assert_eq!(captured.trailers.get("x-late-token").as_deref(), Some(REDACTED));
        assert_eq!(captured.response_headers.get("set-cookie").as_deref(), Some(REDACTED));
        let body =
            r#"{"api_key" : "<redacted>","logprobs":[{"token":"Hi"}],"prompt":"<redacted> <redacted>"}"#;
        assert_eq!(captured.body, body);
        assert_eq!(
            captured.response,
            "data: {\"text\":\"Qwen-2.5-Instruct <redacted> <redacted>\",\"apiKey\":\"<redacted>\"}\n\n"
        );
    }

    #[test]
    fn what_is_kept_is_no_secret_anywhere() {
        let captured = redacted(&["authorization", "X-ODD"]);
        assert_eq!(captured.headers.get("authorization").as_deref(), Some("Bearer abcdefgh12345"));
        assert_eq!(captured.headers.get("x-copy").as_deref(), Some("see abcdefgh12345"));
        assert!(String::from_utf8_lossy(&captured.response).contains("other-one-987"));
    }
}
