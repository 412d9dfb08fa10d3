//! The first look at a request: may it pass as it is, or must it be held until its body was read?

use crate::head::{Head, HeaderTable};
use crate::options::{Encoded, Options, TooLarge};
use crate::reject::Rejection;

/// Why a request goes on without being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Not for us: no body, not JSON, another method, out of the configured paths, or an upgrade.
    NotApplicable,
    /// For us, but encoded, and the configuration lets those pass.
    Encoded,
    /// For us, but over the size limit, and the configuration lets those pass.
    TooLarge,
}

/// What to do with a request after its headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Let it go on.
    Pass(Pass),
    /// Hold its headers until its body was read.
    Hold,
    /// Answer it.
    Reject(Rejection),
}

/// What the headers say about the body.
#[derive(Debug, Default)]
struct Facts {
    content_types: usize,
    json: bool,
    encoded: bool,
    upgrade: bool,
    content_length: Option<u64>,
}

/// Reads a request's headers once. Says besides how long the client says the body is.
pub(crate) fn enter<'h>(
    table: &HeaderTable,
    options: &Options,
    headers: impl Iterator<Item = (&'h [u8], &'h [u8])>,
    end_of_stream: bool,
) -> (Head, Verdict, Option<u64>) {
    let mut head = Head::default();
    let mut facts = Facts::default();
    for (name, value) in headers {
        facts.take(name, value);
        head.take(table, name, value);
    }
    let verdict = judge(options, &head, &facts, end_of_stream);
    (head, verdict, facts.content_length)
}

impl Facts {
    fn take(&mut self, name: &[u8], value: &[u8]) {
        // Header names arrive in lower case, and most are not of interest: look at the length first.
        match name.len() {
            7 if name == b"upgrade" => self.upgrade = true,
            12 if name == b"content-type" => {
                self.content_types = self.content_types.saturating_add(1);
                // Envoy joins repeated fields with commas.
                self.json |= value.split(|byte| *byte == b',').any(is_json);
            }
            14 if name == b"content-length" => {
                self.content_length = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            }
            16 if name == b"content-encoding" => {
                let mut codings = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
                self.encoded |= !codings.all(|coding| coding.eq_ignore_ascii_case(b"identity"));
            }
            _ => {}
        }
    }
}

fn judge(options: &Options, head: &Head, facts: &Facts, end_of_stream: bool) -> Verdict {
    let has_body_method = matches!(head.method(), b"POST" | b"PUT" | b"PATCH");
    // Two content types: whoever reads the body may take either, so one that is JSON is enough.
    let json = facts.json || facts.content_types == 0;
    if end_of_stream || !has_body_method || facts.upgrade || !json || !options.in_scope(head.path()) {
        return Verdict::Pass(Pass::NotApplicable);
    }
    if facts.encoded {
        return match options.encoded {
            Encoded::Bypass => Verdict::Pass(Pass::Encoded),
            Encoded::Reject => Verdict::Reject(Rejection::new(
                415,
                "unsupported_encoding",
                "the body is encoded (content-encoding); send it without",
            )),
        };
    }
    if facts.content_length.is_some_and(|length| length > options.max_bytes) {
        return match options.too_large {
            TooLarge::Bypass => Verdict::Pass(Pass::TooLarge),
            TooLarge::Reject => Verdict::Reject(too_large(options)),
        };
    }
    Verdict::Hold
}

pub(crate) fn too_large(options: &Options) -> Rejection {
    let limit = options.max_bytes;
    Rejection::new(413, "body_too_large", format!("the body is larger than {limit} bytes"))
}

/// `application/json`, and media types that are JSON by their suffix, whatever their parameters. gRPC frames its
/// messages, and may stream: `application/grpc+json` is not a JSON body.
fn is_json(value: &[u8]) -> bool {
    let media_type =
        value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    media_type == b"application/json"
        || media_type.ends_with(b"+json") && !media_type.starts_with(b"application/grpc")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(options: &Options, headers: &[(&str, &str)]) -> Verdict {
        let mut all = vec![(":method", "POST"), (":path", "/v1/chat/completions?x=1")];
        all.extend(headers);
        let bytes = all.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        enter(&HeaderTable::default(), options, bytes, false).1
    }

    #[test]
    fn what_is_held() {
        let options = Options::default();
        let held: &[&[(&str, &str)]] = &[
            &[],
            &[("content-type", "application/json")],
            &[("content-type", "Application/JSON; charset=utf-8")],
            &[("content-type", "application/vnd.api+json")],
            &[("content-type", "text/plain"), ("content-type", "application/json")],
            &[("content-type", "text/plain,application/json; charset=utf-8")],
            &[("content-encoding", "identity")],
            &[("content-encoding", "identity, Identity")],
            &[("content-length", "8388608")],
            &[(":method", "PUT")],
            &[(":method", "PATCH")],
        ];
        for headers in held {
            assert_eq!(judged(&options, headers), Verdict::Hold, "{headers:?}");
        }
        let passed: &[&[(&str, &str)]] = &[
            &[("content-type", "text/plain")],
            &[("content-type", "application/jsonl")],
            &[("content-type", "multipart/form-data; boundary=json")],
            &[("content-type", "application/grpc")],
            &[("content-type", "application/grpc+json")],
            &[("upgrade", "websocket")],
            &[(":method", "GET")],
            &[(":method", "CONNECT")],
            &[(":method", "DELETE")],
        ];
        for headers in passed {
            assert_eq!(judged(&options, headers), Verdict::Pass(Pass::NotApplicable), "{headers:?}");
        }
    }

    #[test]
    fn what_the_options_decide() {
        let mut options = Options::default();
        let gzip = [("content-encoding", "gzip")];
        let large = [("content-length", "8388609")];
        assert_eq!(judged(&options, &gzip), Verdict::Pass(Pass::Encoded));
        assert!(matches!(judged(&options, &large), Verdict::Reject(reason) if reason.status == 413));
        options.encoded = Encoded::Reject;
        options.too_large = TooLarge::Bypass;
        assert!(matches!(judged(&options, &gzip), Verdict::Reject(reason) if reason.status == 415));
        assert_eq!(judged(&options, &large), Verdict::Pass(Pass::TooLarge));
        options.paths = vec!["/v2/".to_owned()];
        assert_eq!(judged(&options, &[]), Verdict::Pass(Pass::NotApplicable));
        options.paths.push("/v1/chat".to_owned());
        assert_eq!(judged(&options, &[]), Verdict::Hold);
    }
}
