//! The few places below the top level where a `type` is looked for: the parts of messages, and formats of answers.
//!
//! Only in the fields for which a configuration asks for it. There the state machine reads the levels on the way, and
//! whatever leads nowhere is left to the fast lane, as everywhere else.

use crate::payload::text;

/// Where inside of a top-level field a `type` stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inside {
    /// In a part of a message: `[{content: [{type}]}]`, as in OpenAI's and Anthropic's APIs; `[{output: [{type}]}]`,
    /// what a function of OpenAI's Responses gave; `[{content: [{content: [{type}]}]}]`, what a tool of Anthropic's
    /// gave. Only the types of images count.
    Parts,
    /// In the field itself: `{type}`.
    Format,
    /// In its `format`: `{format: {type}}`.
    InnerFormat,
}

/// The types of parts that are images: of OpenAI's chat, its Responses, and Anthropic's messages.
const IMAGES: [&[u8]; 3] = [b"image_url", b"input_image", b"image"];
/// A longer type is none.
const LONGEST: usize = 64;

/// A key on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Key {
    Type,
    Content,
    Output,
    Format,
    #[default]
    Other,
}

/// How far the reader is on the way.
#[derive(Debug)]
pub(super) struct Path {
    inside: Option<Inside>,
    /// The deepest open level that is on the way; 1 is the object itself, and where nothing is looked for.
    on: usize,
    /// The last key of that level.
    key: Key,
}

impl Default for Path {
    fn default() -> Self {
        Self { inside: None, on: 1, key: Key::Other }
    }
}

impl Path {
    /// The deepest open level that is on the way.
    #[inline]
    pub(super) fn on(&self) -> usize {
        self.on
    }

    /// A top-level value begins.
    pub(super) fn begin(&mut self, inside: Option<Inside>) {
        *self = Self { inside, ..Self::default() };
    }

    /// A level was opened: whether the way goes on into it.
    #[inline]
    pub(super) fn open(&mut self, depth: usize, object: bool) {
        if let Some(inside) = self.inside
            && depth == self.on.wrapping_add(1)
            && self.leads(inside, depth, object)
        {
            self.on = depth;
        }
    }

    fn leads(&self, inside: Inside, depth: usize, object: bool) -> bool {
        match (inside, depth) {
            (Inside::Parts, 2) => !object,
            (Inside::Parts, 4) => !object && matches!(self.key, Key::Content | Key::Output),
            (Inside::Parts, 6) => !object && self.key == Key::Content,
            (Inside::Parts, 3 | 5 | 7) | (Inside::Format | Inside::InnerFormat, 2) => object,
            (Inside::InnerFormat, 3) => object && self.key == Key::Format,
            _ => false,
        }
    }

    /// A level was closed, and this is the depth now.
    #[inline]
    pub(super) fn close(&mut self, depth: usize) {
        self.on = self.on.min(depth);
        if depth <= 1 {
            self.inside = None;
        }
    }

    /// A key on the way is complete; nothing where it is longer than any that matters.
    pub(super) fn key(&mut self, raw: Option<&[u8]>) {
        let text = raw.and_then(|raw| text::decode(raw).ok());
        self.key = match text.as_deref() {
            Some("type") => Key::Type,
            Some("content") => Key::Content,
            Some("output") => Key::Output,
            Some("format") => Key::Format,
            _ => Key::Other,
        };
    }

    /// Whether a string that begins at this depth is the `type` that is looked for.
    #[inline]
    pub(super) fn is_type(&self, depth: usize) -> bool {
        depth == self.on
            && self.key == Key::Type
            && match self.inside {
                None => false,
                Some(Inside::Parts) => matches!(depth, 5 | 7),
                Some(Inside::Format) => depth == 2,
                Some(Inside::InnerFormat) => depth == 3,
            }
    }

    /// What a `type` that is complete tells of the field.
    pub(super) fn tells(&self, raw: Option<&[u8]>) -> Option<String> {
        let text = text::decode(raw?).ok().filter(|text| text.len() <= LONGEST)?;
        let counts = self.inside != Some(Inside::Parts) || IMAGES.contains(&text.as_bytes());
        counts.then(|| text.into_owned())
    }
}

#[cfg(test)]
mod tests;
