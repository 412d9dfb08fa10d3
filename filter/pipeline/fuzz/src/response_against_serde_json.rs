//! The check that the fuzz target and the bounded test share: what is read of a response is what serde_json finds in it,
//! however the bytes are cut, and whether it comes as a document or as an event of a stream.

use ipp_pipeline::response::{Body, MAX_MODEL_BYTES, MAX_TOKENS, Reading, Unobserved, Usage, Watch};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Reads `body` in chunks of `cut` bytes (in one if 0) and compares. Panics where the two disagree.
pub fn check(body: &[u8], cut: usize) {
    let seen = read(Body::Json, body, cut);
    let mut found = Found::default();
    let mut theirs = serde_json::Deserializer::from_slice(body);
    let result =
        At { path: Vec::new(), found: &mut found }.deserialize(&mut theirs).and_then(|_| theirs.end());
    match (seen.unobserved, result) {
        (Some(Unobserved::Broken), Err(_)) => {}
        (Some(Unobserved::Broken), Ok(())) => {
            let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
            assert!(!matches!(first, Some(b'{' | b'[')), "serde_json takes it, and nothing was observed");
        }
        (_, Err(error)) => {
            // What stands in strings is not checked, nor whether a number can be had.
            let excused = ["unicode", "surrogate", "hex escape", "out of range"];
            let text = error.to_string();
            let utf8 = std::str::from_utf8(body).is_err();
            assert!(utf8 || excused.iter().any(|excuse| text.contains(excuse)), "observed, but: {text}");
        }
        (_, Ok(())) => same(&seen.reading, &found),
    }
    let one_line = !body.iter().any(|byte| matches!(byte, b'\n' | b'\r'));
    if one_line {
        let event = [b"event: x\ndata: ", body, b"\n\ndata: [DONE]\n\n"].concat();
        let streamed = read(Body::Events, &event, cut);
        assert_eq!(streamed.reading, seen.reading, "as an event of a stream");
    }
}

fn read(body: Body, bytes: &[u8], cut: usize) -> ipp_pipeline::response::Seen {
    let mut watch = Watch::new(body);
    for chunk in bytes.chunks(if cut == 0 { bytes.len().max(1) } else { cut }) {
        watch.feed(chunk);
    }
    watch.finish()
}

fn same(ours: &Reading, theirs: &Found) {
    let count = |names: &[&str]| {
        let mut value = None;
        for (path, found) in &theirs.counts {
            if names.contains(&path.as_str()) && *found <= u64::from(MAX_TOKENS) {
                value = Some(*found);
            }
        }
        value
    };
    let sum = |whole: Option<u64>, parts: &[Option<u64>]| {
        whole.map(|whole| whole + parts.iter().flatten().sum::<u64>())
    };
    let prompt = count(&[
        "usage.prompt_tokens",
        "response.usage.prompt_tokens",
        "message.usage.prompt_tokens",
        "usageMetadata.promptTokenCount",
    ]);
    let under =
        |name: &str| ["usage", "response.usage", "message.usage"].map(|usage| format!("{usage}.{name}"));
    let under = |name: &str| {
        let names = under(name);
        count(&names.each_ref().map(String::as_str))
    };
    let detail = |kinds: [&str; 2], name: &str, google: &str| {
        let mut names = vec![google.to_owned()];
        for usage in ["usage", "response.usage"] {
            names.extend(kinds.map(|kind| format!("{usage}.{kind}.{name}")));
        }
        count(&names.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let input = under("input_tokens");
    let read = under("cache_read_input_tokens");
    let created = under("cache_creation_input_tokens");
    let tool = count(&["usageMetadata.toolUsePromptTokenCount"]);
    let thoughts = count(&["usageMetadata.thoughtsTokenCount"]);
    let completion = count(&[
        "usage.completion_tokens",
        "usage.output_tokens",
        "response.usage.completion_tokens",
        "response.usage.output_tokens",
        "usageMetadata.candidatesTokenCount",
    ]);
    let cached = detail(
        ["prompt_tokens_details", "input_tokens_details"],
        "cached_tokens",
        "usageMetadata.cachedContentTokenCount",
    );
    let reasoning =
        detail(["completion_tokens_details", "output_tokens_details"], "reasoning_tokens", "none");
    let usage = Usage {
        prompt: sum(prompt, &[tool]).or(sum(input, &[read, created])),
        completion: sum(completion, &[thoughts]).or(thoughts),
        cached: cached.or(read),
        reasoning: reasoning.or(thoughts),
    };
    let usage = (usage.prompt.is_some() || usage.completion.is_some()).then_some(usage);
    assert_eq!(ours.usage(), usage);
    // Whether a name is too long goes by how it is written, which serde_json does not tell.
    if theirs.longest_model <= MAX_MODEL_BYTES / 6 {
        assert_eq!(ours.model, theirs.model);
    }
    assert_eq!((ours.content, ours.error), (theirs.content, theirs.error));
}

/// What stands at the places that matter, arrays being left out of the paths.
#[derive(Default)]
struct Found {
    counts: Vec<(String, u64)>,
    model: Option<String>,
    longest_model: usize,
    content: bool,
    error: bool,
}

const MODELS: [&str; 4] = ["model", "modelVersion", "response.model", "message.model"];
const CONTENT: [&str; 20] = [
    "choices.text",
    "choices.delta.content",
    "choices.delta.reasoning_content",
    "choices.delta.reasoning",
    "choices.delta.refusal",
    "choices.delta.tool_calls",
    "choices.delta.function_call",
    "choices.delta.audio",
    "delta.text",
    "delta.thinking",
    "delta.partial_json",
    "content_block.text",
    "content_block.thinking",
    "content_block.name",
    "content_block.data",
    "candidates.content.parts.text",
    "candidates.content.parts.functionCall",
    "candidates.content.parts.inlineData",
    "candidates.content.parts.executableCode",
    "delta",
];
const ERRORS: [&str; 2] = ["error", "response.error"];
/// What `type` says of a document that tells of a failure.
const FAILURES: [&str; 2] = ["error", "response.failed"];

struct At<'f> {
    path: Vec<String>,
    found: &'f mut Found,
}

impl At<'_> {
    fn at(&self) -> String {
        self.path.join(".")
    }
}

impl<'de> DeserializeSeed<'de> for At<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for At<'_> {
    type Value = ();

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("JSON")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        let at = self.at();
        self.found.counts.push((at, value));
        Ok(())
    }
    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        let at = self.at();
        if value.is_empty() {
            return Ok(());
        }
        if MODELS.contains(&at.as_str()) {
            self.found.longest_model = self.found.longest_model.max(value.len());
            self.found.model = Some(value.to_owned());
        }
        self.found.content |= CONTENT.contains(&at.as_str());
        self.found.error |= ERRORS.contains(&at.as_str()) || at == "type" && FAILURES.contains(&value);
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(At { path: self.path.clone(), found: self.found })?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let at = self.at();
        self.found.content |= at != "delta" && CONTENT.contains(&at.as_str());
        self.found.error |= ERRORS.contains(&at.as_str());
        while let Some(Key(key)) = map.next_key::<Key>()? {
            let mut path = self.path.clone();
            // A key with a dot in it must not look like a way.
            path.push(key.replace('.', "\u{0}"));
            map.next_value_seed(At { path, found: self.found })?;
        }
        Ok(())
    }
}

struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}
