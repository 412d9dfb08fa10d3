//! The text of a recording.

use bytes::Bytes;

use crate::message::Headers;

use super::captured::{Captured, media_type};
use super::{sse, yaml};

/// A longer body stands in a file of its own.
const LONG: usize = 16 << 10;

/// A recording that is to be written.
pub(super) struct Document<'a> {
    /// The name of its file without the ending.
    pub(super) stem: &'a str,
    /// What it shows.
    pub(super) name: &'a str,
    /// The path of the configuration.
    pub(super) config: Option<&'a str>,
    /// What happens in it.
    pub(super) exchanges: &'a [&'a Captured],
    /// Every body as base64 or as a file: not for people, but safe.
    pub(super) encoded: bool,
}

/// The text of a recording, and the bodies that stand beside it.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// What goes into the recording.
    pub(super) text: String,
    /// Names and contents of other files.
    pub(super) files: Vec<(String, Bytes)>,
}

impl Document<'_> {
    /// Its text.
    pub(super) fn write(&self) -> Written {
        let mut written = Written::default();
        written.text.push_str(&format!("name: {}\n", yaml::scalar(self.name)));
        if let Some(config) = self.config {
            written.text.push_str(&format!("config: {}\n", yaml::scalar(config)));
        }
        written.text.push_str("exchanges:\n");
        for (index, captured) in self.exchanges.iter().enumerate() {
            let number = if self.exchanges.len() > 1 { format!("-{}", index + 1) } else { String::new() };
            self.exchange(captured, &number, &mut written);
        }
        written
    }

    fn exchange(&self, captured: &Captured, number: &str, written: &mut Written) {
        let time = captured.time.as_ref().map_or_else(String::new, |time| format!(", {time}"));
        let source = format!("{}{time}", captured.source);
        written.text.push_str(&format!("# {}\n- request:\n", source.replace(char::is_control, " ")));
        if captured.method != "POST" {
            written.text.push_str(&format!("    method: {}\n", captured.method));
        }
        written.text.push_str(&format!("    path: {}\n", yaml::scalar(&captured.path)));
        headers("headers", &captured.headers, &mut written.text);
        if !captured.body.is_empty() {
            self.body(&captured.body, &format!("request{number}"), written);
        }
        headers("trailers", &captured.trailers, &mut written.text);
        written.text.push_str("  upstream:\n");
        if captured.status != 200 {
            written.text.push_str(&format!("    status: {}\n", captured.status));
        }
        headers("headers", &captured.response_headers, &mut written.text);
        self.answer(captured, &format!("response{number}"), written);
        if captured.may_be_refused() {
            written.text.push_str(
                "  # The filter may well answer this request itself: `--update` writes what comes of it.\n",
            );
            return;
        }
        written.text.push_str("  expect:\n    outcome: forwarded\n    request: {bodyUnchanged: true}\n");
        written
            .text
            .push_str(&format!("    response: {{status: {}, bodyUnchanged: true}}\n", captured.status));
    }

    fn answer(&self, captured: &Captured, file: &str, written: &mut Written) {
        let events = media_type(&captured.response_headers).is_some_and(|media| media == "text/event-stream");
        let Some(events) =
            events.then(|| sse::events(&captured.response)).flatten().filter(|_| !self.encoded)
        else {
            return self.body(&captured.response, file, written);
        };
        written.text.push_str("    sse:\n");
        for data in events {
            match yaml::is_exact_json(data) {
                true => written.text.push_str(&format!("    - data: {data}\n")),
                false => written.text.push_str(&format!("    - data: {}\n", yaml::scalar(data))),
            }
        }
    }

    fn body(&self, body: &Bytes, file: &str, written: &mut Written) {
        if body.len() > LONG {
            let name = format!("{}.{file}.body", self.stem);
            written.text.push_str(&format!("    bodyFile: {}\n", yaml::scalar(&name)));
            return written.files.push((name, body.clone()));
        }
        let text = std::str::from_utf8(body).ok().filter(|_| !self.encoded || body.is_empty());
        written.text.push_str(&match text {
            Some(text) => yaml::field("body", text, 4),
            None => yaml::field("bodyBase64", &yaml::base64(body), 4),
        });
    }
}

fn headers(name: &str, headers: &Headers, text: &mut String) {
    if headers.is_empty() {
        return;
    }
    text.push_str(&format!("    {name}:\n"));
    for (name, value) in headers.iter() {
        let name = yaml::element(&String::from_utf8_lossy(name));
        text.push_str(&format!("    - [{name}, {}]\n", yaml::bytes(value)));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::recording::Recording;

    use super::*;

    fn captured(body: &str, response: &str, media: &str) -> Captured {
        Captured {
            source: "chat.har, entry 1".to_owned(),
            time: Some("2026-11-22T10:00:00Z".to_owned()),
            method: "POST".to_owned(),
            path: "/v1/chat/completions".to_owned(),
            headers: Headers::new().with("content-type", "application/json"),
            trailers: Headers::new(),
            body: Bytes::from(body.to_owned()),
            status: 200,
            response_headers: Headers::new().with("content-type", media),
            response: Bytes::from(response.to_owned()),
        }
    }

    fn write(captured: &Captured) -> Written {
        let document =
            Document { stem: "x", name: "it's: x", config: None, exchanges: &[captured], encoded: false };
        document.write()
    }

    #[test]
    fn it_is_tidy() {
        let mut captured = captured(
            r#"{"model":"m","messages":[]}"#,
            "data: {\"id\":1}\n\ndata: {\"id\": 2}\n\ndata: [DONE]\n\n",
            "text/event-stream; charset=utf-8",
        );
        captured.headers.push("x-bytes", b"\xff");
        let expected = r#"name: 'it''s: x'
exchanges:
# chat.har, entry 1, 2026-11-22T10:00:00Z
- request:
    path: /v1/chat/completions
    headers:
    - [content-type, application/json]
    - [x-bytes, !!binary "/w=="]
    body: '{"model":"m","messages":[]}'
  upstream:
    headers:
    - [content-type, text/event-stream; charset=utf-8]
    sse:
    - data: {"id":1}
    - data: '{"id": 2}'
    - data: '[DONE]'
  expect:
    outcome: forwarded
    request: {bodyUnchanged: true}
    response: {status: 200, bodyUnchanged: true}
"#;
        assert_eq!(write(&captured).text, expected);
    }

    #[test]
    fn what_may_be_refused_expects_nothing() {
        let text = write(&captured("{", "", "text/plain")).text;
        assert!(text.contains("--update") && !text.contains("expect:"), "{text}");
        assert!(text.contains("    body: ''\n"), "{text}");
    }

    #[test]
    fn a_long_body_has_a_file_of_its_own() {
        let written = write(&captured(&" ".repeat(LONG + 1), "", "text/plain"));
        assert!(written.text.contains("bodyFile: x.request.body\n"), "{}", written.text);
        assert_eq!(written.files.len(), 1);
    }

    /// Texts of everything that YAML has a meaning for are read back as they are.
    #[test]
    fn any_text_is_read_back() {
        const PARTS: &[&str] = &[
            "a",
            "\"",
            "'",
            "\n",
            "\n\n",
            "\r",
            "\t",
            " ",
            ": ",
            " #",
            "-",
            "- ",
            "{",
            "}",
            "[",
            "]",
            ",",
            "\\",
            "é",
            "\u{feff}",
            "\u{2028}",
            "\u{85}",
            "\0",
            "\u{7f}",
            "😀",
            "%",
            "&",
            "*",
            "!",
            "|",
            ">",
            "@",
            "`",
            "<",
            "?",
            "~",
            "0",
            "1",
            "null",
            "---",
            "...",
            "data: ",
            "{\"a\":1}",
        ];
        let mut state = 7u64;
        let mut pick = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for round in 0..3000 {
            let mut text = || (0..pick(12)).map(|_| PARTS[pick(PARTS.len())]).collect::<String>();
            let (body, response, events) = (text(), text(), text());
            let headers: String = text().replace(['\r', '\n', '\0'], "");
            let response =
                if round % 2 == 0 { format!("data: {events}\n\ndata: {response}\n\n") } else { response };
            let mut captured = captured(&body, &response, "text/event-stream");
            captured.headers.push("x-text", &headers);
            let written = write(&captured).text;
            let read = Recording::read(Path::new("x.yaml"), &written)
                .unwrap_or_else(|error| panic!("{error}\n{written}"));
            let [exchange] = read.exchanges() else { panic!("{written}") };
            assert_eq!(exchange.request.body, captured.body, "{written}");
            assert_eq!(exchange.upstream.body(), captured.response, "{written}");
            assert_eq!(exchange.request.headers, captured.headers, "{written}");
        }
    }
}
