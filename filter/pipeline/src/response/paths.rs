//! Where in a response the things stand that are looked for, in every dialect at once.
//!
//! A [`Node`] is a place in a document. Arrays are transparent: an element stands at the place of its array, so
//! that a list of documents, Google's way to stream without server-sent events, reads like one after the other.

use super::reading::Count;

/// A place in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// Nothing below here is looked for.
    Other,
    Root,
    /// `usage`, of OpenAI and of Anthropic.
    Usage,
    /// `message.usage` of Anthropic's first event. Its `output_tokens` is a placeholder.
    FirstUsage,
    PromptDetails,
    CompletionDetails,
    /// `response` in the events of OpenAI's Responses.
    Response,
    /// `message` in Anthropic's first event.
    Message,
    /// `choices` of OpenAI chat and completions.
    Choices,
    ChoiceDelta,
    /// `delta` of Anthropic (an object) and of Responses (a string).
    Delta,
    ContentBlock,
    /// Google's.
    UsageMetadata,
    Candidates,
    Content,
    Parts,
    /// A token count.
    Count(Count),
    /// The name of the model that answered.
    Model,
    /// `type` of a whole document: what kind of event it is.
    Kind,
    /// Generated: a string that is not empty, or an object.
    Generated,
    /// Something went wrong: a string that is not empty, or an object.
    Error,
}

impl Node {
    /// The kinds of documents that tell of a failure: OpenAI's Responses have `error` without an object of that name.
    pub(super) const FAILURES: [&'static [u8]; 2] = [b"error", b"response.failed"];

    /// The place of a key's value in an object that stands at this place.
    pub(super) fn child(self, key: &[u8]) -> Self {
        use Count::{
            CacheCreation, CacheRead, Cached, Completion, Input, Prompt, Reasoning, Thoughts, ToolPrompt,
        };
        match (self, key) {
            (Self::Root | Self::Response | Self::Message, b"model") | (Self::Root, b"modelVersion") => {
                Self::Model
            }
            (Self::Root, b"type") => Self::Kind,
            (Self::Root | Self::Response, b"usage") => Self::Usage,
            (Self::Root | Self::Response, b"error") => Self::Error,
            (Self::Root, b"response") => Self::Response,
            (Self::Root, b"message") => Self::Message,
            (Self::Root, b"choices") => Self::Choices,
            (Self::Root, b"delta") => Self::Delta,
            (Self::Root, b"content_block") => Self::ContentBlock,
            (Self::Root, b"usageMetadata") => Self::UsageMetadata,
            (Self::Root, b"candidates") => Self::Candidates,
            (Self::Message, b"usage") => Self::FirstUsage,

            (Self::Usage | Self::FirstUsage, b"prompt_tokens") => Self::Count(Prompt),
            (Self::Usage | Self::FirstUsage, b"input_tokens") => Self::Count(Input),
            (Self::Usage, b"completion_tokens" | b"output_tokens") => Self::Count(Completion),
            (Self::Usage | Self::FirstUsage, b"cache_read_input_tokens") => Self::Count(CacheRead),
            (Self::Usage | Self::FirstUsage, b"cache_creation_input_tokens") => Self::Count(CacheCreation),
            (Self::Usage, b"prompt_tokens_details" | b"input_tokens_details") => Self::PromptDetails,
            (Self::Usage, b"completion_tokens_details" | b"output_tokens_details") => Self::CompletionDetails,
            (Self::PromptDetails, b"cached_tokens") => Self::Count(Cached),
            (Self::CompletionDetails, b"reasoning_tokens") => Self::Count(Reasoning),

            (Self::UsageMetadata, b"promptTokenCount") => Self::Count(Prompt),
            (Self::UsageMetadata, b"candidatesTokenCount") => Self::Count(Completion),
            (Self::UsageMetadata, b"cachedContentTokenCount") => Self::Count(Cached),
            (Self::UsageMetadata, b"thoughtsTokenCount") => Self::Count(Thoughts),
            (Self::UsageMetadata, b"toolUsePromptTokenCount") => Self::Count(ToolPrompt),

            (Self::Choices, b"delta") => Self::ChoiceDelta,
            (Self::Choices, b"text") => Self::Generated,
            (
                Self::ChoiceDelta,
                b"content" | b"reasoning_content" | b"reasoning" | b"refusal" | b"tool_calls"
                | b"function_call" | b"audio",
            ) => Self::Generated,
            (Self::Delta, b"text" | b"thinking" | b"partial_json") => Self::Generated,
            // Anthropic names the tool when the block begins: that is generated, too.
            (Self::ContentBlock, b"text" | b"thinking" | b"name" | b"data") => Self::Generated,
            (Self::Candidates, b"content") => Self::Content,
            (Self::Content, b"parts") => Self::Parts,
            (Self::Parts, b"text" | b"functionCall" | b"inlineData" | b"executableCode") => Self::Generated,
            _ => Self::Other,
        }
    }

    /// Whether a string that is not empty says something here.
    pub(super) fn takes_text(self) -> bool {
        matches!(self, Self::Generated | Self::Delta | Self::Error)
    }

    /// Whether an object says something here.
    pub(super) fn takes_object(self) -> bool {
        matches!(self, Self::Generated | Self::Error)
    }
}
