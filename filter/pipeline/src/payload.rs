//! The request body: which of its top-level members are wanted, and what they turned out to be.
//!
//! Nothing here holds the body. [`Members`] is fed the bytes as they arrive and keeps, for each wanted field,
//! where its value stands and what it says; everything else is checked and forgotten.

mod error;
pub(crate) mod members;
pub(crate) mod scalars;
pub(crate) mod strings;
pub(crate) mod text;
mod value;

pub use error::BodyError;
pub use members::{Inside, Members};
pub use text::encode_string;
pub use value::Value;

use std::hash::RandomState;

/// How deep arrays and objects may nest. Python's parser gives up near 1,000 and Go's at 10,000.
pub const MAX_DEPTH: usize = 1_000;
/// How many members the top-level object may have. An OpenAI request has some sixty at most.
pub const MAX_MEMBERS: usize = 4_096;
/// How long a top-level key may be, in bytes as written.
pub const MAX_KEY_BYTES: usize = 4_096;
/// How long the decoded text of a wanted value may be, in bytes, before it is only known as "too long".
pub const MAX_VALUE_BYTES: usize = 8_192;

/// What to do when the top-level object names a key twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DuplicateKeys {
    /// Refuse the request: a parser behind us might read the other one.
    #[default]
    Reject,
    /// Take the last one, as Go and Python do. An edit then replaces every occurrence.
    Last,
}

/// A handle of a wanted top-level field, given out when a plugin declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FieldId(pub(crate) usize);

/// The union of the top-level fields that the plugins of a configuration read or write, and how strict to be.
#[derive(Debug, Default)]
pub struct Wanted {
    names: Vec<String>,
    /// Fields whose strings and numbers are kept, and not only their kind and place.
    texts: Vec<FieldId>,
    /// Fields whose objects and arrays are kept as they are written.
    whole: Vec<FieldId>,
    /// Fields inside of which a `type` is looked for.
    inside: Vec<(FieldId, Inside)>,
    duplicates: DuplicateKeys,
    hasher: RandomState,
}

impl Wanted {
    /// Adds `name` unless it is wanted already, and returns its handle.
    pub fn add(&mut self, name: &str) -> FieldId {
        let field = self.add_place(name);
        if !self.texts.contains(&field) {
            self.texts.push(field);
        }
        field
    }

    /// As [`Self::add`], but of strings and numbers only their place is known, unless somebody else wants more: what
    /// they say is not kept, nor looked at.
    pub fn add_place(&mut self, name: &str) -> FieldId {
        if let Some(known) = self.find(name.as_bytes()) {
            return known;
        }
        self.names.push(name.to_owned());
        FieldId(self.names.len().saturating_sub(1))
    }

    /// As [`Self::add`]; an object or array is kept as it is written, up to [`MAX_VALUE_BYTES`].
    pub fn add_whole(&mut self, name: &str) -> FieldId {
        let field = self.add(name);
        if !self.whole.contains(&field) {
            self.whole.push(field);
        }
        field
    }

    /// As [`Self::add_place`]; a `type` inside of it is looked for, and found by [`Members::told`]. A field has one place
    /// where it can be: of two the first counts.
    pub fn add_inside(&mut self, name: &str, inside: Inside) -> FieldId {
        let field = self.add_place(name);
        if self.inside(field).is_none() {
            self.inside.push((field, inside));
        }
        field
    }

    fn inside(&self, field: FieldId) -> Option<Inside> {
        self.inside.iter().find(|(known, _)| *known == field).map(|(_, inside)| *inside)
    }

    /// Says what to do with a key that is named twice.
    pub fn set_duplicates(&mut self, rule: DuplicateKeys) {
        self.duplicates = rule;
    }

    /// The name behind a handle.
    pub fn name(&self, field: FieldId) -> &str {
        self.names.get(field.0).map_or("", String::as_str)
    }

    fn find(&self, name: &[u8]) -> Option<FieldId> {
        self.names.iter().position(|known| known.as_bytes() == name).map(FieldId)
    }
}
