//! What rules look at in a request; all of it is known from headers and top-level fields.

use super::condition::{Condition, Found};
use crate::config::{Invalid, View};
use crate::head::HeaderId;
use crate::payload::{FieldId, Value};
use crate::plugin::{Build, Request};

/// The keys of `when`.
pub(super) const KNOWN: &[&str] = &[
    "method",
    "path",
    "headers",
    "body",
    "estimatedPromptTokens",
    "hasTools",
    "hasResponseFormat",
    "streaming",
];

/// The fields in which a prompt may be, in OpenAI's and Anthropic's APIs.
const PROMPT: [&str; 6] = ["messages", "prompt", "input", "system", "instructions", "tools"];

/// An array of tools with something in it is not shorter than `[{"":0}]`; `[]` with white space may be as long,
/// and nobody writes it.
const SHORTEST_TOOLS: usize = 8;

/// One thing that a rule asks.
pub(super) enum Fact {
    Method(Condition),
    Path(Condition),
    Header(HeaderId, Condition),
    Field(FieldId, Condition),
    PromptTokens(Vec<FieldId>, Condition),
    HasTools(Vec<FieldId>, bool),
    HasResponseFormat(FieldId, bool),
    Streaming(FieldId, bool),
}

impl Fact {
    /// Reads one key of `when`, which may be several facts.
    pub(super) fn read(
        name: &str,
        view: &View<'_>,
        build: &mut Build<'_>,
        facts: &mut Vec<Self>,
    ) -> Result<(), Invalid> {
        let mut fields = |names: &[&str]| names.iter().map(|name| build.field(name)).collect::<Vec<_>>();
        facts.push(match name {
            "method" => Self::Method(Condition::read(view)?),
            "path" => Self::Path(Condition::read(view)?),
            "estimatedPromptTokens" => Self::PromptTokens(fields(&PROMPT), Condition::read(view)?),
            "hasTools" => Self::HasTools(fields(&["tools", "functions"]), view.boolean()?),
            "hasResponseFormat" => Self::HasResponseFormat(build.field("response_format"), view.boolean()?),
            "streaming" => Self::Streaming(build.field("stream"), view.boolean()?),
            "headers" => {
                let headers = view.any_object()?;
                for name in headers.names() {
                    let condition = headers.require(name)?;
                    let header = build.reads_header(name).map_err(|message| condition.invalid(message))?;
                    facts.push(Self::Header(header, Condition::read(&condition)?));
                }
                return Ok(());
            }
            "body" => {
                let body = view.any_object()?;
                for name in body.names() {
                    facts.push(Self::Field(build.field(name), Condition::read(&body.require(name)?)?));
                }
                return Ok(());
            }
            // Was reported as unknown.
            _ => return Err(Invalid),
        });
        Ok(())
    }

    pub(super) fn holds(&self, request: &Request<'_>) -> bool {
        match self {
            Self::Method(condition) => condition.holds(Found::Header(request.method())),
            Self::Path(condition) => condition.holds(Found::Header(request.path())),
            Self::Header(header, condition) => match request.header(*header) {
                None => condition.holds(Found::Absent),
                Some(_) => request.headers(*header).any(|value| condition.holds(Found::Header(value))),
            },
            Self::Field(field, condition) => condition.holds(request.field(*field).into()),
            Self::PromptTokens(fields, condition) => {
                let bytes: f64 = fields.iter().map(|field| request.field_bytes(*field) as f64).sum();
                condition.holds(Found::Number((bytes / 4.0).floor()))
            }
            Self::HasTools(fields, wanted) => {
                let has = fields.iter().any(|field| {
                    request.field(*field) == Value::Array && request.field_bytes(*field) >= SHORTEST_TOOLS
                });
                has == *wanted
            }
            Self::HasResponseFormat(field, wanted) => (request.field(*field) == Value::Object) == *wanted,
            Self::Streaming(field, wanted) => (request.field(*field) == Value::Bool(true)) == *wanted,
        }
    }
}
