//! What was read of a response: token counts, the model that answered, whether there was content or an error.

use crate::payload::text;
use std::borrow::Cow;

/// A served model's name that is longer, in bytes as written, is not kept.
pub const MAX_MODEL_BYTES: usize = 256;
/// A token count above this is not believed: no context is that long, and a sum of such counts means nothing.
pub const MAX_TOKENS: u32 = 1_000_000_000;

/// The token counts that model servers report, each under the names that the dialects have for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    /// OpenAI `prompt_tokens`, Google `promptTokenCount`: all of it.
    Prompt,
    /// OpenAI Responses and Anthropic `input_tokens`: with Anthropic what had nothing to do with the cache.
    Input,
    /// OpenAI `completion_tokens` and `output_tokens`, Anthropic `output_tokens`, Google `candidatesTokenCount`.
    Completion,
    /// OpenAI `cached_tokens`, Google `cachedContentTokenCount`: a part of the prompt.
    Cached,
    /// OpenAI `reasoning_tokens`: a part of the completion.
    Reasoning,
    /// Anthropic `cache_read_input_tokens`: read from the cache, not in `input_tokens`.
    CacheRead,
    /// Anthropic `cache_creation_input_tokens`: written to the cache, not in `input_tokens`.
    CacheCreation,
    /// Google `thoughtsTokenCount`: generated, not in `candidatesTokenCount`.
    Thoughts,
    /// Google `toolUsePromptTokenCount`: read, not in `promptTokenCount`.
    ToolPrompt,
}

const COUNTS: usize = 9;

/// The tokens of one response, in the sense of OpenAI: what was cached is a part of the prompt, and reasoning is a
/// part of the completion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens that the model read.
    pub prompt: Option<u64>,
    /// Tokens that it generated.
    pub completion: Option<u64>,
    /// How many of the prompt's tokens came from a cache.
    pub cached: Option<u64>,
    /// How many of the completion's tokens the client did not get to see.
    pub reasoning: Option<u64>,
}

/// What one document said, or all of a stream's together: later numbers take the place of earlier ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    counts: [Option<u32>; COUNTS],
    /// The model that answered, by its own account.
    pub model: Option<String>,
    /// There was something that was generated: text, a part of a tool call, reasoning.
    pub content: bool,
    /// There was an error in place of an answer.
    pub error: bool,
}

impl Reading {
    pub(super) fn set(&mut self, count: Count, value: u32) {
        if let Some(place) = self.counts.get_mut(count as usize)
            && value <= MAX_TOKENS
        {
            *place = Some(value);
        }
    }

    fn get(&self, count: Count) -> Option<u64> {
        self.counts.get(count as usize).copied().flatten().map(u64::from)
    }

    /// Adds what a later document said, apart from the model.
    pub(super) fn add(&mut self, later: &Self) {
        for (known, new) in self.counts.iter_mut().zip(later.counts) {
            *known = new.or(*known);
        }
        self.content |= later.content;
        self.error |= later.error;
    }

    /// Everything else that was said.
    pub(super) fn without_counts(self) -> Self {
        Self { counts: Default::default(), ..self }
    }

    /// The model's name, as written in its document.
    pub(super) fn set_model(&mut self, written: &[u8]) {
        self.model = text::decode(written).ok().map(Cow::into_owned).or_else(|| self.model.take());
    }

    /// The token counts, if there was one.
    pub fn usage(&self) -> Option<Usage> {
        let with = |whole: Option<u64>, parts: &[Count]| {
            let more = parts.iter().filter_map(|part| self.get(*part));
            whole.map(|whole| more.fold(whole, u64::saturating_add))
        };
        let usage = Usage {
            // Gateways that speak OpenAI for Anthropic tell of its cache beside `prompt_tokens`, which has it all.
            prompt: with(self.get(Count::Prompt), &[Count::ToolPrompt])
                .or_else(|| with(self.get(Count::Input), &[Count::CacheRead, Count::CacheCreation])),
            completion: with(self.get(Count::Completion), &[Count::Thoughts])
                .or_else(|| self.get(Count::Thoughts)),
            cached: self.get(Count::Cached).or_else(|| self.get(Count::CacheRead)),
            reasoning: self.get(Count::Reasoning).or_else(|| self.get(Count::Thoughts)),
        };
        (usage.prompt.is_some() || usage.completion.is_some()).then_some(usage)
    }
}
