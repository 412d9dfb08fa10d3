//! A refusal: a status, a stable code and a message, and the one function that makes a reply of it.

use crate::payload::BodyError;
use std::borrow::Cow;

/// Why a request is answered here instead of being forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// HTTP status.
    pub status: u16,
    /// A stable machine-readable code, also a metric label.
    pub code: &'static str,
    /// For people. Never holds text of the payload.
    pub message: Cow<'static, str>,
    /// The body field that is at fault, as OpenAI names it.
    pub param: Option<&'static str>,
    /// After how many seconds to try again: the header Retry-After.
    pub retry_after_seconds: Option<u32>,
}

/// The codes that the filter itself gives. A plugin may declare more.
pub(crate) const CODES: &[&str] = &[
    "invalid_json",
    "invalid_utf8",
    "duplicate_key",
    "nesting_too_deep",
    "body_out_of_bounds",
    "body_too_large",
    "unsupported_encoding",
    "invalid_model",
    "invalid_header_value",
    "model_not_found",
    "too_many_headers",
    "response_unreadable",
    "internal_error",
    "gate_timeout",
    "direct_stalled",
    OTHER,
];

/// The label of codes that nobody declared.
pub(crate) const OTHER: &str = "other";

impl Rejection {
    /// A refusal with a status, a code and a message.
    pub fn new(status: u16, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), param: None, retry_after_seconds: None }
    }

    /// Names the body field that is at fault.
    #[must_use]
    pub fn param(mut self, field: &'static str) -> Self {
        self.param = Some(field);
        self
    }

    /// Says after how many seconds to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// The request asks for a model that nobody serves.
    pub fn model_not_found() -> Self {
        Self::new(404, "model_not_found", "the requested model does not exist").param("model")
    }

    /// A value of the payload cannot become a header.
    pub fn invalid_header_value() -> Self {
        Self::new(
            400,
            "invalid_header_value",
            "a field that becomes a header has control characters or more than 8192 bytes",
        )
    }

    /// The host cannot hand over so many headers. What cannot be looked at cannot be trusted either.
    pub fn too_many_headers() -> Self {
        Self::new(431, "too_many_headers", "the request has too many headers")
    }

    /// Something that should not happen did; the client is not at fault.
    pub fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(500, "internal_error", message)
    }
}

impl From<BodyError> for Rejection {
    fn from(error: BodyError) -> Self {
        let code = match error {
            BodyError::InvalidUtf8 { .. } => "invalid_utf8",
            BodyError::DuplicateKey { .. } => "duplicate_key",
            BodyError::TooDeep { .. } => "nesting_too_deep",
            BodyError::TooManyMembers { .. } | BodyError::KeyTooLong { .. } => "body_out_of_bounds",
            BodyError::Empty
            | BodyError::NotAnObject
            | BodyError::Syntax { .. }
            | BodyError::Truncated { .. }
            | BodyError::TrailingData { .. }
            | BodyError::LoneSurrogate { .. } => "invalid_json",
        };
        Self::new(400, code, error.to_string())
    }
}

/// In whose shape errors are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ErrorStyle {
    /// OpenAI's JSON object.
    #[default]
    OpenAi,
    /// The Go service's line of text.
    Upstream,
}

/// An answer to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Its headers, apart from content-length.
    pub headers: Vec<(&'static str, &'static str)>,
    /// The value of one more header, Retry-After.
    pub retry_after_seconds: Option<u32>,
    /// Its body.
    pub body: String,
}

impl Reply {
    /// Puts a refusal into the configured shape.
    pub fn new(rejection: &Rejection, style: ErrorStyle) -> Self {
        match style {
            ErrorStyle::OpenAi => open_ai(rejection),
            ErrorStyle::Upstream => upstream(rejection),
        }
    }
}

fn open_ai(rejection: &Rejection) -> Reply {
    let kind = match rejection.status {
        429 => "rate_limit_error",
        401 | 403 => "authentication_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    };
    let body = serde_json::json!({"error": {
        "message": rejection.message,
        "type": kind,
        "param": rejection.param,
        "code": rejection.code,
    }});
    Reply {
        status: rejection.status,
        headers: vec![("content-type", "application/json")],
        retry_after_seconds: rejection.retry_after_seconds,
        body: body.to_string(),
    }
}

/// The Go service knows seven codes and sends no content-type. What it has no code for keeps its status.
fn upstream(rejection: &Rejection) -> Reply {
    let code = match rejection.status {
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        429 => "ResourceExhausted",
        503 => "ServiceUnavailable",
        400..=499 => "BadRequest",
        _ => "Internal",
    };
    let stage = match rejection.code {
        "invalid_json" | "invalid_utf8" | "duplicate_key" | "nesting_too_deep" | "body_out_of_bounds" => {
            "failed to parse request body: "
        }
        _ => "",
    };
    Reply {
        status: rejection.status,
        headers: Vec::new(),
        retry_after_seconds: rejection.retry_after_seconds,
        body: format!("inference error: {code} - {stage}{}", rejection.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_open_ai_shape() {
        let reply = Reply::new(&Rejection::model_not_found(), ErrorStyle::OpenAi);
        assert_eq!(reply.status, 404);
        assert_eq!(reply.headers, [("content-type", "application/json")]);
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&reply.body).unwrap(),
            serde_json::json!({"error": {
                "message": "the requested model does not exist",
                "type": "invalid_request_error",
                "param": "model",
                "code": "model_not_found",
            }})
        );
    }

    #[test]
    fn the_go_services_shape() {
        let style = ErrorStyle::Upstream;
        let refused = Rejection::from(BodyError::NotAnObject);
        let reply = Reply::new(&refused, style);
        assert_eq!(reply.headers, []);
        let text =
            "inference error: BadRequest - failed to parse request body: the body is not a JSON object";
        assert_eq!((reply.status, reply.body.as_str()), (400, text));
        for (status, code) in [
            (400, "BadRequest"),
            (401, "Unauthorized"),
            (403, "Forbidden"),
            (404, "NotFound"),
            (429, "ResourceExhausted"),
            (500, "Internal"),
            (503, "ServiceUnavailable"),
        ] {
            let reply = Reply::new(&Rejection::new(status, "other", ""), style);
            assert_eq!((reply.status, reply.body), (status, format!("inference error: {code} - ")));
        }
    }
}
