//! What rules look at in a request; all of it is known from headers and top-level fields.

use super::condition::{Condition, Found};
use crate::config::{Invalid, View};
use crate::head::HeaderId;
use crate::payload::{FieldId, Inside, Value};
use crate::plugin::{Build, Request};

/// The keys of `when`.
pub(super) const KNOWN: &[&str] = &[
    "method",
    "path",
    "headers",
    "body",
    "estimatedPromptTokens",
    "hasTools",
    "hasImages",
    "hasResponseFormat",
    "responseFormat",
    "streaming",
];

/// The fields in which a prompt may be, in OpenAI's and Anthropic's APIs.
const PROMPT: [&str; 6] = ["messages", "prompt", "input", "system", "instructions", "tools"];

/// The fields whose parts may be images: of chats and of OpenAI's Responses.
const PARTS: [&str; 2] = ["messages", "input"];

/// Where a request says in which format it wants the answer: OpenAI's chat, its Responses, Anthropic's messages.
const FORMATS: [(&str, Inside); 4] = [
    ("response_format", Inside::Format),
    ("text", Inside::InnerFormat),
    ("output_format", Inside::Format),
    ("output_config", Inside::InnerFormat),
];

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
    HasImages(Vec<FieldId>, bool),
    HasResponseFormat(FieldId, bool),
    ResponseFormat(FieldId, Vec<FieldId>, Condition),
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
        let mut places =
            |names: &[&str]| names.iter().map(|name| build.place_of_field(name)).collect::<Vec<_>>();
        facts.push(match name {
            "method" => Self::Method(Condition::read(view)?),
            "path" => Self::Path(Condition::read(view)?),
            "estimatedPromptTokens" => Self::PromptTokens(places(&PROMPT), Condition::read(view)?),
            "hasTools" => Self::HasTools(places(&["tools", "functions"]), view.boolean()?),
            "hasResponseFormat" => Self::HasResponseFormat(build.field("response_format"), view.boolean()?),
            "hasImages" => {
                let fields = PARTS.map(|name| build.inside_field(name, Inside::Parts));
                Self::HasImages(fields.to_vec(), view.boolean()?)
            }
            "responseFormat" => {
                let fields = FORMATS.map(|(name, inside)| build.inside_field(name, inside));
                Self::ResponseFormat(build.field("response_format"), fields.to_vec(), Condition::read(view)?)
            }
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
            Self::HasImages(fields, wanted) => {
                fields.iter().any(|field| request.field_type(*field).is_some()) == *wanted
            }
            Self::ResponseFormat(named, fields, condition) => {
                condition.holds(response_format(request, *named, fields))
            }
            Self::HasResponseFormat(field, wanted) => (request.field(*field) == Value::Object) == *wanted,
            Self::Streaming(field, wanted) => (request.field(*field) == Value::Bool(true)) == *wanted,
        }
    }
}

/// The first format that a request names; a `response_format` that is a string is one, too.
fn response_format<'r>(request: &'r Request<'_>, named: FieldId, fields: &[FieldId]) -> Found<'r> {
    let text = match request.field(named) {
        Value::String(text) => Some(text),
        _ => None,
    };
    let told = text.or_else(|| fields.iter().find_map(|field| request.field_type(*field)));
    told.map_or(Found::Absent, |text| Found::Text(text.as_bytes()))
}
