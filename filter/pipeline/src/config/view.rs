//! Typed access to a document: every accessor reports what is wrong with the path, and goes on.

use super::document::{Node, Spot, Step};
use super::error::Sink;
use super::nearest::hint;

/// Something was wrong and is already reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

/// A value of the document and the way to it.
#[derive(Clone, Debug)]
pub struct View<'a> {
    node: &'a Node,
    path: Vec<Step>,
    sink: &'a Sink<'a>,
}

/// A map of the document whose keys were checked.
#[derive(Clone, Debug)]
pub struct Object<'a> {
    entries: &'a [(String, Node)],
    path: Vec<Step>,
    sink: &'a Sink<'a>,
}

impl<'a> View<'a> {
    pub(crate) fn root(node: &'a Node, sink: &'a Sink<'a>) -> Self {
        Self { node, path: Vec::new(), sink }
    }

    /// Reports that this value is wrong.
    pub fn invalid(&self, message: impl Into<String>) -> Invalid {
        self.sink.report(&self.path, Spot::Value, message.into());
        Invalid
    }

    /// Reports what was found and what was expected.
    pub fn expected(&self, what: &str) -> Invalid {
        self.invalid(format!("found {}, expected {what}", self.node.describe()))
    }

    pub(crate) fn path(&self) -> String {
        super::error::path_text(&self.path)
    }

    /// A map whose keys are all among `known`.
    ///
    /// # Errors
    /// It is not a map. Unknown and repeated keys are reported too, but the map can still be read.
    pub fn object(&self, known: &[&str]) -> Result<Object<'a>, Invalid> {
        let object = self.any_object()?;
        for (name, _) in object.entries {
            if !known.contains(&name.as_str()) {
                let expected = if known.is_empty() {
                    "nothing here".to_owned()
                } else {
                    format!("one of {}", known.join(", "))
                };
                let near = hint(name, known.iter().copied());
                object.report_key(name, 0, format!("unknown field {name:?}, expected {expected}{near}"));
            }
        }
        Ok(object)
    }

    /// A map with any keys, each at most once.
    ///
    /// # Errors
    /// It is not a map.
    pub fn any_object(&self) -> Result<Object<'a>, Invalid> {
        let Node::Map(entries) = self.node else {
            return Err(self.expected("a map"));
        };
        let object = Object { entries, path: self.path.clone(), sink: self.sink };
        for (at, (name, _)) in entries.iter().enumerate() {
            let before = entries.iter().take(at).filter(|(earlier, _)| earlier == name).count();
            if before > 0 {
                object.report_key(name, before, format!("the key {name:?} stands here a second time"));
            }
        }
        Ok(object)
    }

    pub(crate) fn is_list(&self) -> bool {
        matches!(self.node, Node::List(_))
    }

    /// The elements of a list.
    ///
    /// # Errors
    /// It is not a list.
    pub fn list(&self) -> Result<Vec<View<'a>>, Invalid> {
        let Node::List(nodes) = self.node else {
            return Err(self.expected("a list"));
        };
        let element = |(index, node)| {
            let mut path = self.path.clone();
            path.push(Step::Index(index));
            View { node, path, sink: self.sink }
        };
        Ok(nodes.iter().enumerate().map(element).collect())
    }

    /// A string.
    ///
    /// # Errors
    /// It is something else.
    pub fn string(&self) -> Result<&'a str, Invalid> {
        match self.node {
            Node::String(text) => Ok(text),
            _ => Err(self.expected("a string")),
        }
    }

    /// A string, or nothing where it is something else; nothing is reported.
    pub(crate) fn string_or_none(&self) -> Option<&'a str> {
        match self.node {
            Node::String(text) => Some(text),
            _ => None,
        }
    }

    /// A string with something in it.
    ///
    /// # Errors
    /// It is something else, or empty.
    pub fn text(&self) -> Result<&'a str, Invalid> {
        match self.node {
            Node::String(text) if !text.is_empty() => Ok(text),
            _ => Err(self.expected("a string that is not empty")),
        }
    }

    /// Any scalar, as Kubernetes turns it into a string: `1` is "1".
    ///
    /// # Errors
    /// It is a list or a map.
    pub fn scalar(&self) -> Result<String, Invalid> {
        self.node.scalar_text().ok_or_else(|| self.expected("a string"))
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// It is something else.
    pub fn boolean(&self) -> Result<bool, Invalid> {
        match self.node {
            Node::Bool(value) => Ok(*value),
            _ => Err(self.expected("true or false")),
        }
    }

    /// A number.
    ///
    /// # Errors
    /// It is something else, or not finite.
    pub fn number(&self) -> Result<f64, Invalid> {
        match self.node {
            Node::Integer(value) => Ok(*value as f64),
            Node::Float(value) if value.is_finite() => Ok(*value),
            _ => Err(self.expected("a number")),
        }
    }

    /// A whole number from `low` to `high`.
    ///
    /// # Errors
    /// It is something else.
    pub fn integer(&self, low: u64, high: u64) -> Result<u64, Invalid> {
        match self.node {
            Node::Integer(value) => u64::try_from(*value).ok().filter(|value| (low..=high).contains(value)),
            _ => None,
        }
        .ok_or_else(|| self.expected(&format!("a whole number from {low} to {high}")))
    }

    /// One of a few words, each standing for something.
    ///
    /// # Errors
    /// It is none of them.
    pub fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, Invalid> {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let chosen = self.word(&words)?;
        choices.get(chosen).map(|(_, chosen)| *chosen).ok_or(Invalid)
    }

    /// Which of these words it is. Once in the module, not once for each type and place: its size is start-up time.
    #[inline(never)]
    fn word(&self, words: &[&str]) -> Result<usize, Invalid> {
        let Node::String(found) = self.node else {
            return Err(self.expected(&words.join(" or ")));
        };
        words.iter().position(|word| word == found).ok_or_else(|| {
            let near = hint(found, words.iter().copied());
            self.invalid(format!("found {found:?}, expected {}{near}", words.join(" or ")))
        })
    }
}

impl<'a> Object<'a> {
    /// An object with nothing in it, for a section that is absent.
    pub(crate) fn empty(at: &View<'a>) -> Self {
        Self { entries: &[], path: at.path.clone(), sink: at.sink }
    }

    /// The names of the keys, in the document's order.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.entries.iter().map(|(name, _)| name.as_str())
    }

    /// The value of a key, unless it is absent or null.
    #[inline(never)]
    pub fn get(&self, name: &str) -> Option<View<'a>> {
        let (_, node) = self.entries.iter().find(|(key, _)| key == name)?;
        if *node == Node::Null {
            return None;
        }
        let mut path = self.path.clone();
        path.push(Step::Key(name.to_owned(), 0));
        Some(View { node, path, sink: self.sink })
    }

    /// The value of a key that has to be there.
    ///
    /// # Errors
    /// It is absent or null.
    pub fn require(&self, name: &str) -> Result<View<'a>, Invalid> {
        self.get(name).ok_or_else(|| self.invalid(format!("{name:?} is missing here")))
    }

    /// Reports that this map is wrong.
    pub fn invalid(&self, message: impl Into<String>) -> Invalid {
        self.sink.report(&self.path, Spot::Value, message.into());
        Invalid
    }

    fn report_key(&self, name: &str, occurrence: usize, message: String) {
        let mut path = self.path.clone();
        path.push(Step::Key(name.to_owned(), occurrence));
        self.sink.report(&path, Spot::Key, message);
    }
}
