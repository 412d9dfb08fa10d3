//! What a value of a document means: the scalars of YAML's core schema, and JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use serde::de::IgnoredAny;

use super::document::{Kind, Node, Scalar};

impl Node {
    /// The value of a key, unless it is absent or null. Of a repeated key, the first.
    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        let found = self.entries().iter().find(|(key, _)| key.text == name)?;
        Some(&found.1).filter(|node| !node.is_null())
    }

    /// The entries of a map; none if it is something else.
    pub(crate) fn entries(&self) -> &[(super::document::Key, Node)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The elements of a list; none if it is something else.
    pub(crate) fn elements(&self) -> &[Node] {
        match &self.kind {
            Kind::List(nodes) => nodes,
            _ => &[],
        }
    }

    /// Nothing stands there, or `null`.
    pub(crate) fn is_null(&self) -> bool {
        self.as_scalar().is_some_and(Scalar::is_null)
    }

    /// The text of a string.
    pub(crate) fn as_str(&self) -> Option<&str> {
        self.as_scalar().filter(|scalar| scalar.is_string()).map(|scalar| scalar.text.as_str())
    }

    /// The bytes of a string, or of what is marked as `!!binary`.
    pub(crate) fn as_bytes(&self) -> Option<Vec<u8>> {
        let scalar = self.as_scalar()?;
        match scalar.binary {
            true => decode(&scalar.text).ok(),
            false => self.as_str().map(|text| text.as_bytes().to_vec()),
        }
    }

    /// The bytes of a string, of `!!binary`, or of a number or boolean as it is written.
    pub(crate) fn as_written(&self) -> Option<Vec<u8>> {
        match self.as_scalar()? {
            scalar if scalar.binary => decode(&scalar.text).ok(),
            scalar if scalar.is_null() => None,
            scalar => Some(scalar.text.clone().into_bytes()),
        }
    }

    /// A whole number.
    pub(crate) fn as_integer(&self) -> Option<u64> {
        self.as_scalar().filter(|scalar| scalar.plain)?.text.parse().ok()
    }

    /// A number.
    pub(crate) fn as_number(&self) -> Option<f64> {
        let text = self.as_scalar()?.json_number()?;
        text.parse().ok()
    }

    /// `true` or `false`.
    pub(crate) fn as_bool(&self) -> Option<bool> {
        self.as_scalar()?.as_bool()
    }

    pub(crate) fn as_scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// What this is, for a message.
    pub(crate) fn describe(&self) -> String {
        match &self.kind {
            Kind::Scalar(scalar) if scalar.is_null() => "nothing".to_owned(),
            Kind::Scalar(scalar) if scalar.binary => "bytes".to_owned(),
            Kind::Scalar(scalar) if !scalar.is_string() => scalar.text.clone(),
            Kind::Scalar(scalar) if scalar.text.chars().count() > 60 => "a long string".to_owned(),
            Kind::Scalar(scalar) => format!("{:?}", scalar.text),
            Kind::List(nodes) if nodes.is_empty() => "an empty list".to_owned(),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(entries) if entries.is_empty() => "an empty map".to_owned(),
            Kind::Map(_) => "a map".to_owned(),
        }
    }

    /// As JSON on one line, keys in order and numbers as they are written.
    ///
    /// # Errors
    /// The part that JSON has no form for.
    pub(crate) fn to_json(&self) -> Result<String, &Node> {
        let mut text = String::new();
        self.write_json(&mut text)?;
        Ok(text)
    }

    fn write_json(&self, out: &mut String) -> Result<(), &Node> {
        match &self.kind {
            Kind::Scalar(scalar) => out.push_str(&scalar.to_json().ok_or(self)?),
            Kind::List(nodes) => {
                for (at, node) in nodes.iter().enumerate() {
                    out.push(if at == 0 { '[' } else { ',' });
                    node.write_json(out)?;
                }
                out.push_str(if nodes.is_empty() { "[]" } else { "]" });
            }
            Kind::Map(entries) => {
                for (at, (key, node)) in entries.iter().enumerate() {
                    out.push(if at == 0 { '{' } else { ',' });
                    out.push_str(&quoted(&key.text));
                    out.push(':');
                    node.write_json(out)?;
                }
                out.push_str(if entries.is_empty() { "{}" } else { "}" });
            }
        }
        Ok(())
    }
}

impl Scalar {
    fn is_null(&self) -> bool {
        self.plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }

    fn as_bool(&self) -> Option<bool> {
        match self.text.as_str() {
            "true" | "True" | "TRUE" if self.plain => Some(true),
            "false" | "False" | "FALSE" if self.plain => Some(false),
            _ => None,
        }
    }

    /// The number that this is in YAML's core schema, as JSON writes it.
    fn json_number(&self) -> Option<String> {
        if !self.plain
            || !self.text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first))
        {
            return None;
        }
        if serde_json::from_str::<IgnoredAny>(&self.text).is_ok() {
            return Some(self.text.clone());
        }
        let radix = |prefix, radix| u64::from_str_radix(self.text.strip_prefix(prefix)?, radix).ok();
        if let Some(number) = radix("0x", 16).or_else(|| radix("0o", 8)) {
            return Some(number.to_string());
        }
        let digits = self.text.chars().all(|letter| letter.is_ascii_digit() || "+-.eE".contains(letter));
        self.text
            .parse::<f64>()
            .ok()
            .filter(|number| digits && number.is_finite())
            .map(|number| number.to_string())
    }

    fn is_string(&self) -> bool {
        let special =
            || matches!(self.text.trim_start_matches(['+', '-']), ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN");
        let plain =
            || self.is_null() || self.as_bool().is_some() || self.json_number().is_some() || special();
        !(self.binary || self.plain && plain())
    }

    fn to_json(&self) -> Option<String> {
        match self {
            Self { binary: true, .. } => None,
            _ if self.is_null() => Some("null".to_owned()),
            _ if self.is_string() => Some(quoted(&self.text)),
            _ => self.as_bool().map(|value| value.to_string()).or_else(|| self.json_number()),
        }
    }
}

/// A string as JSON, which is YAML too.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Base64 with its padding; white space is passed over.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    let text: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(text)
}

/// Base64 with its padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
