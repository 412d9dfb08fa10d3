//! Values as YAML or JSON, the way a person would write them.

use crate::recording::value::{encode, quoted};

/// A value to be written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Out {
    /// What stands for itself in YAML and JSON: a number, `true`, a value on one line.
    Raw(String),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Out>),
    Map(Vec<(String, Out)>),
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// In lines, indented.
    Block,
    /// On one line, with braces.
    Flow,
    /// On one line, as JSON.
    Json,
}

impl Out {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A string if it is one, else bytes.
    pub(super) fn bytes(bytes: &[u8]) -> Self {
        std::str::from_utf8(bytes).map_or_else(|_| Self::Bytes(bytes.to_vec()), Self::text)
    }

    /// The text, to stand where the first line already is indented by so much.
    pub(super) fn write(&self, style: Style, indent: usize) -> String {
        match (self, style) {
            (Self::Map(entries), Style::Block) if !entries.is_empty() => {
                let line =
                    |(name, value): &(String, Self)| format!("{}:{}", key(name, style), value.nested(indent));
                entries.iter().map(line).collect::<Vec<_>>().join(&line_break(indent))
            }
            (Self::List(values), Style::Block) if values.iter().any(Self::is_large) => {
                let line = |value: &Self| format!("- {}", value.write(Style::Block, indent + 2));
                values.iter().map(line).collect::<Vec<_>>().join(&line_break(indent))
            }
            (Self::Map(entries), _) => {
                let style = inner(style);
                let entry = |(name, value): &(String, Self)| {
                    format!("{}: {}", key(name, style), value.write(style, 0))
                };
                format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
            }
            (Self::List(values), _) => {
                let values: Vec<_> = values.iter().map(|value| value.write(inner(style), 0)).collect();
                format!("[{}]", values.join(", "))
            }
            (Self::Raw(raw), _) => raw.clone(),
            (Self::Text(text), _) => scalar(text, style),
            // JSON has no bytes; the caller does not hand them over.
            (Self::Bytes(bytes), Style::Json) => quoted(&String::from_utf8_lossy(bytes)),
            (Self::Bytes(bytes), _) => format!("!!binary {}", encode(bytes)),
        }
    }

    /// What follows the colon of a key in block style.
    fn nested(&self, indent: usize) -> String {
        match self {
            Self::Map(entries) if !entries.is_empty() => {
                line_break(indent + 2) + &self.write(Style::Block, indent + 2)
            }
            Self::List(values) if values.iter().any(Self::is_large) => {
                line_break(indent) + &self.write(Style::Block, indent)
            }
            _ => format!(" {}", self.write(Style::Block, indent)),
        }
    }

    fn is_large(&self) -> bool {
        matches!(self, Self::Map(_) | Self::List(_))
    }

    /// Whether there are bytes in it that are no text.
    pub(super) fn has_bytes(&self) -> bool {
        match self {
            Self::Bytes(_) => true,
            Self::Raw(_) | Self::Text(_) => false,
            Self::List(values) => values.iter().any(Self::has_bytes),
            Self::Map(entries) => entries.iter().any(|(_, value)| value.has_bytes()),
        }
    }
}

fn inner(style: Style) -> Style {
    if style == Style::Json { Style::Json } else { Style::Flow }
}

fn line_break(indent: usize) -> String {
    format!("\n{}", " ".repeat(indent))
}

fn key(name: &str, style: Style) -> String {
    scalar(name, style)
}

fn scalar(text: &str, style: Style) -> String {
    if style == Style::Json {
        return quoted(text);
    }
    let words = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let letter = |letter: char| letter.is_ascii_alphanumeric() || "_-./".contains(letter);
    let plain = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|each| letter(each) || each == ' ' && style == Style::Block)
        && !text.ends_with(' ')
        && !words.contains(&text.to_lowercase().as_str());
    if plain {
        return text.to_owned();
    }
    match text.chars().any(char::is_control) || !text.contains('"') {
        true => quoted(text),
        false => format!("'{}'", text.replace('\'', "''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Out {
        let headers = vec![
            ("x-a".to_owned(), Out::text("Qwen/Qwen2.5-1.5B-Instruct")),
            ("x-b".to_owned(), Out::bytes(b"\xff")),
            ("x-c".to_owned(), Out::List(vec![Out::text("true"), Out::text("a: b")])),
        ];
        Out::Map(vec![
            ("outcome".to_owned(), Out::text("forwarded")),
            ("request".to_owned(), Out::Map(vec![("headers".to_owned(), Out::Map(headers))])),
            ("body".to_owned(), Out::text("{\"it's\": 1}")),
            ("status".to_owned(), Out::Raw("200".to_owned())),
            ("list".to_owned(), Out::List(vec![Out::Map(vec![("a".to_owned(), Out::text("x"))])])),
        ])
    }

    #[test]
    fn block_style() {
        let expected = "\
outcome: forwarded
  request:
    headers:
      x-a: Qwen/Qwen2.5-1.5B-Instruct
      x-b: !!binary /w==
      x-c: [\"true\", \"a: b\"]
  body: '{\"it''s\": 1}'
  status: 200
  list:
  - a: x";
        assert_eq!(sample().write(Style::Block, 2), expected);
    }

    #[test]
    fn flow_style() {
        let expected = "{outcome: forwarded, request: {headers: {x-a: Qwen/Qwen2.5-1.5B-Instruct, x-b: !!binary /w==, \
                        x-c: [\"true\", \"a: b\"]}}, body: '{\"it''s\": 1}', status: 200, list: [{a: x}]}";
        assert_eq!(sample().write(Style::Flow, 2), expected);
    }
}
