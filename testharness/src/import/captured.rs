//! One request and its answer, as a capture has them.

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::message::Headers;

/// One request and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Captured {
    /// Where it was found: `chat.har, entry 3`.
    pub(crate) source: String,
    /// When it was sent, as the capture says it.
    pub(crate) time: Option<String>,
    /// The method.
    pub(crate) method: String,
    /// The path with its query.
    pub(crate) path: String,
    /// The fields of the request without those of the connection.
    pub(crate) headers: Headers,
    /// What the client sent after the body.
    pub(crate) trailers: Headers,
    /// The body of the request.
    pub(crate) body: Bytes,
    /// The status.
    pub(crate) status: u16,
    /// The fields of the answer without those of the connection.
    pub(crate) response_headers: Headers,
    /// The body of the answer.
    pub(crate) response: Bytes,
}

/// Ends of paths that model servers have.
const ENDPOINTS: [&str; 12] = [
    "completions",
    "embeddings",
    "responses",
    "messages",
    "rerank",
    "score",
    "classify",
    "pooling",
    "moderations",
    "generate",
    "generatecontent",
    "tokenize",
];

/// Members that the bodies of model calls have.
const MEMBERS: [&str; 5] = ["model", "messages", "prompt", "input", "contents"];

/// The filter refuses what is longer unless it is configured otherwise.
const LONGEST: usize = 8 << 20;

impl Captured {
    /// A POST of JSON whose path or body is that of a model server.
    pub(crate) fn is_model_call(&self) -> bool {
        let members = self.members();
        let json =
            self.media_type().is_some_and(|media| media == "application/json" || media.ends_with("+json"));
        if self.method != "POST" || !(json || members.is_some()) {
            return false;
        }
        let path = self.route().to_ascii_lowercase();
        let last = path.rsplit(['/', ':']).next().unwrap_or_default();
        path.starts_with("/v1/")
            || ENDPOINTS.contains(&last)
            || members.is_some_and(|members| MEMBERS.iter().any(|name| members.contains_key(*name)))
    }

    /// The request may be one that the filter answers itself: what it would read is not what it can read.
    pub(crate) fn may_be_refused(&self) -> bool {
        let read = matches!(self.method.as_str(), "POST" | "PUT" | "PATCH")
            && self.media_type().is_none_or(|media| media.contains("json"));
        read && (self.members().is_none() || self.body.len() > LONGEST)
    }

    /// The model that the body names.
    pub(crate) fn model(&self) -> Option<String> {
        Some(self.members()?.get("model")?.as_str()?.to_owned())
    }

    /// The path without its query.
    pub(crate) fn route(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }

    /// A name for a file: method, path, model and number, in characters that are safe everywhere.
    pub(crate) fn stem(&self, number: usize) -> String {
        let model = self.model().unwrap_or_default();
        let mut stem = self.method.to_ascii_lowercase();
        for part in [self.route(), &model] {
            let part = safe(part, 40);
            if !part.is_empty() {
                stem.push('-');
                stem.push_str(&part);
            }
        }
        format!("{stem}-{number:04}")
    }

    fn members(&self) -> Option<Map<String, Value>> {
        serde_json::from_slice(&self.body).ok()
    }

    fn media_type(&self) -> Option<String> {
        media_type(&self.headers)
    }
}

/// The media type of a message without parameters, in lower case.
pub(super) fn media_type(headers: &Headers) -> Option<String> {
    let value = headers.get("content-type")?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// The text in lower case with `-` for whatever is no letter, digit or dot, cut off where it is too long.
pub(super) fn safe(text: &str, longest: usize) -> String {
    let mut safe = String::new();
    for letter in text.chars().map(|letter| letter.to_ascii_lowercase()) {
        match letter {
            'a'..='z' | '0'..='9' | '.' => safe.push(letter),
            _ if safe.ends_with('-') => {}
            _ => safe.push('-'),
        }
    }
    safe.truncate(longest);
    safe.trim_matches(['-', '.']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(method: &str, path: &str, content_type: &str, body: &'static str) -> Captured {
        Captured {
            source: String::new(),
            time: None,
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Headers::new().with("Content-Type", content_type),
            trailers: Headers::new(),
            body: body.into(),
            status: 200,
            response_headers: Headers::new(),
            response: Bytes::new(),
        }
    }

    #[test]
    fn calls_of_models_are_known() {
        for (method, path, content_type, body, expected) in [
            ("POST", "/v1/chat/completions", "application/json", "{\"model\":\"m\"}", true),
            ("POST", "/v1/chat/completions", "application/json", "no json", true),
            ("POST", "/openai/deployments/x/chat/completions?api-version=1", "text/plain", "{}", true),
            ("POST", "/v1beta/models/g:generateContent", "application/json; charset=utf-8", "{}", true),
            ("POST", "/anything", "application/json", "{\"model\":\"m\"}", true),
            ("POST", "/collect", "application/json", "{\"event\":\"click\"}", false),
            ("GET", "/v1/models", "application/json", "", false),
            ("POST", "/v1/audio/transcriptions", "multipart/form-data; boundary=x", "--x", false),
        ] {
            let call = captured(method, path, content_type, body);
            assert_eq!(call.is_model_call(), expected, "{method} {path}");
        }
    }

    #[test]
    fn what_the_filter_may_refuse_is_known() {
        assert!(captured("POST", "/", "application/json", "{").may_be_refused());
        assert!(captured("POST", "/", "application/json", "[]").may_be_refused());
        assert!(!captured("POST", "/", "application/json", "{}").may_be_refused());
        assert!(!captured("POST", "/", "multipart/form-data", "x").may_be_refused());
        assert!(!captured("GET", "/", "application/json", "").may_be_refused());
    }

    #[test]
    fn names_of_files_are_safe() {
        let body = "{\"model\":\"Qwen/Qwen2.5-1.5B Instruct: ../../etc\"}";
        let call = captured("POST", "/v1/Chat/../completions/?key=1", "application/json", body);
        assert_eq!(call.stem(7), "post-v1-chat-..-completions-qwen-qwen2.5-1.5b-instruct-..-..-etc-0007");
        assert_eq!(captured("GET", "/", "", "").stem(12), "get-0012");
        assert_eq!(safe("é/..", 40), "");
        assert_eq!(safe(&"ab/".repeat(30), 8), "ab-ab-ab");
    }
}
