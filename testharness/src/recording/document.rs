//! Text to a tree in which every value knows its place. The one file that knows which crate reads YAML.

mod json;

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};

use json::{Joined, SHORTER, is_json, join_surrogates};

/// Deeper than any recording, and far from where recursion over the tree would hurt.
const DEEPEST: usize = 128;
/// Values of a document with its aliases written out.
const MOST: usize = 1 << 20;

/// A place in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Line and column, both from 1.
    pub(crate) line: usize,
    pub(crate) column: usize,
    /// Characters before it, from the beginning of the text.
    pub(crate) index: usize,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) start: Place,
    pub(crate) end: Place,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    /// In order, with duplicates, so that both can be reported.
    Map(Vec<(Key, Node)>),
}

/// The key of a map.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) start: Place,
}

/// A value that is neither a list nor a map.
#[derive(Clone, Debug)]
pub(crate) struct Scalar {
    /// The text, without quotes and with escapes resolved.
    pub(crate) text: String,
    /// It stands there without quotes, so that `1` is a number.
    pub(crate) plain: bool,
    /// It is marked as `!!binary`: base64 of bytes.
    pub(crate) binary: bool,
}

/// The text is neither YAML nor JSON.
#[derive(Debug)]
pub(crate) struct SyntaxError {
    pub(crate) message: String,
    pub(crate) place: Place,
}

/// Reads a document.
pub(crate) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let joined = if is_json(text) { join_surrogates(text) } else { Joined::default() };
    let text = if joined.at.is_empty() { text } else { &joined.text };
    let mut tree = Tree { joined: &joined.at, text: text.chars().collect(), ..Tree::default() };
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => tree.add(event, span)?,
            Err(error) => return Err(failed(error.info(), tree.place(*error.marker()))),
        }
    }
    Ok(tree.root.unwrap_or_else(|| Node::scalar("", true, Place { line: 1, column: 1, index: 0 })))
}

/// The offset in bytes of a number of characters.
pub(crate) fn offset(text: &str, characters: usize) -> usize {
    text.char_indices().nth(characters).map_or(text.len(), |(at, _)| at)
}

/// A list or a map of which the end is not seen yet.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<Key>,
}

#[derive(Default)]
struct Tree<'a> {
    joined: &'a [usize],
    text: Vec<char>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
    count: usize,
}

impl Tree<'_> {
    /// Where a mark of the parser is in the original text.
    fn place(&self, marker: Marker) -> Place {
        let before = |index: usize| self.joined.partition_point(|at| *at < index);
        let shift = before(marker.index()) * SHORTER;
        let above = before(marker.index() - marker.col()) * SHORTER;
        let column = marker.col() + 1 + shift - above;
        Place { line: marker.line(), column, index: marker.index() + shift }
    }

    fn add(&mut self, event: Event<'_>, span: Span) -> Result<(), SyntaxError> {
        let start = self.place(span.start);
        match event {
            Event::Alias(anchor) => {
                let aliased = self.anchors.get(&anchor).cloned();
                let node = aliased.ok_or_else(|| failed("an alias inside of what it stands for", start))?;
                self.count += node.count();
                self.close(node, start)
            }
            Event::Scalar(text, style, anchor, tag) => {
                let mut node = Node::scalar(&text, style == ScalarStyle::Plain, start);
                node.end = self.place(match style {
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => self.closing(span),
                    _ => span.end,
                });
                // Where nothing stands, the parser says the place before the colon.
                if span.is_empty() && self.text.get(span.end.index()) == Some(&':') {
                    let behind = Marker::new(span.end.index() + 1, span.end.line(), span.end.col() + 1);
                    (node.start, node.end) = (self.place(behind), self.place(behind));
                }
                if let Some(tag) = tag.as_deref() {
                    node.mark(tag).map_err(|message| failed(message, start))?;
                }
                self.keep(anchor, &node);
                self.close(node, start)
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(Kind::List(Vec::new()), anchor, tag.as_deref(), start)
            }
            Event::MappingStart(anchor, tag) => {
                self.begin(Kind::Map(Vec::new()), anchor, tag.as_deref(), start)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(mut open) = self.open.pop() else { return Ok(()) };
                // The end of what is written in block style has no length and stands before the next token.
                match span.is_empty() {
                    true => open.node.end = open.node.last_end(),
                    false => open.node.end = self.place(span.end),
                }
                self.keep(open.anchor, &open.node);
                let start = open.node.start;
                self.close(open.node, start)
            }
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(failed("a second document, but a file holds one", start))
            }
            _ => Ok(()),
        }
    }

    /// The end of a quoted text. The parser says where what follows it on its line ends, a comment included.
    fn closing(&self, span: Span) -> Marker {
        let mut at = span.start.index();
        let letter = |at: usize| self.text.get(at).copied().unwrap_or_default();
        while at < span.end.index() && !matches!(letter(at), '\'' | '"') {
            at += 1;
        }
        let quote = letter(at);
        at += 1;
        while at < span.end.index() {
            match (letter(at), letter(at + 1)) {
                ('\\', _) if quote == '"' => at += 1,
                ('\'', '\'') if quote == '\'' => at += 1,
                (found, _) if found == quote => {
                    let column = span.end.col().saturating_sub(span.end.index() - at - 1);
                    return Marker::new(at + 1, span.end.line(), column);
                }
                _ => {}
            }
            at += 1;
        }
        span.end
    }

    fn begin(
        &mut self,
        kind: Kind,
        anchor: usize,
        tag: Option<&Tag>,
        start: Place,
    ) -> Result<(), SyntaxError> {
        if self.open.len() >= DEEPEST {
            return Err(failed("lists and maps nested too deeply", start));
        }
        if let Some(tag) = tag {
            return Err(failed(unknown_tag(tag), start));
        }
        self.open.push(Open { node: Node { kind, start, end: start }, anchor, key: None });
        Ok(())
    }

    fn keep(&mut self, anchor: usize, node: &Node) {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
    }

    /// Puts a value where it belongs. `at` is where it stands; an aliased one has the places of its origin.
    fn close(&mut self, node: Node, at: Place) -> Result<(), SyntaxError> {
        self.count += 1;
        if self.count > MOST {
            return Err(failed("too many values", at));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.node.kind {
            Kind::List(nodes) => nodes.push(node),
            Kind::Map(entries) => match (open.key.take(), node.kind) {
                (Some(key), kind) => entries.push((key, Node { kind, start: node.start, end: node.end })),
                (None, Kind::Scalar(scalar)) => open.key = Some(Key { text: scalar.text, start: at }),
                (None, _) => return Err(failed("a list or a map as a key", at)),
            },
            Kind::Scalar(_) => {}
        }
        Ok(())
    }
}

fn failed(message: impl Into<String>, place: Place) -> SyntaxError {
    SyntaxError { message: message.into(), place }
}

fn unknown_tag(tag: &Tag) -> String {
    format!("the tag {tag}, but only `!!binary` is known")
}

impl Node {
    fn scalar(text: &str, plain: bool, at: Place) -> Self {
        let scalar = Scalar { text: text.to_owned(), plain, binary: false };
        Self { kind: Kind::Scalar(scalar), start: at, end: at }
    }

    fn mark(&mut self, tag: &Tag) -> Result<(), String> {
        let Kind::Scalar(scalar) = &mut self.kind else { return Err(unknown_tag(tag)) };
        match (tag.is_yaml_core_schema(), tag.suffix.as_str()) {
            (true, "binary") => (scalar.plain, scalar.binary) = (false, true),
            (true, "str") => scalar.plain = false,
            _ => return Err(unknown_tag(tag)),
        }
        Ok(())
    }

    fn count(&self) -> usize {
        match &self.kind {
            Kind::Scalar(_) => 1,
            Kind::List(nodes) => nodes.iter().map(Self::count).sum::<usize>() + 1,
            Kind::Map(entries) => entries.iter().map(|(_, node)| node.count()).sum::<usize>() + 1,
        }
    }

    fn last_end(&self) -> Place {
        let last = match &self.kind {
            Kind::Scalar(_) => None,
            Kind::List(nodes) => nodes.last(),
            Kind::Map(entries) => entries.last().map(|(_, node)| node),
        };
        last.map_or(self.end, |node| node.end)
    }
}
