//! What a value has to be for a rule to hold.

use crate::config::{Invalid, View};
use crate::payload::Value;

/// What was found in a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Found<'a> {
    /// Nothing, or `null`.
    Absent,
    /// A string of the body.
    Text(&'a [u8]),
    /// A header, the path, the method: a text that may be a number.
    Header(&'a [u8]),
    /// A number.
    Number(f64),
    /// A boolean.
    Bool(bool),
    /// An array, an object, or a value that is too long to be known.
    Other,
}

impl<'a> From<Value<'a>> for Found<'a> {
    fn from(value: Value<'a>) -> Self {
        match value {
            Value::Absent | Value::Null => Self::Absent,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(text) => text.parse().map_or(Self::Other, Self::Number),
            Value::String(text) => Self::Text(text.as_bytes()),
            Value::Array | Value::Object | Value::TooLong => Self::Other,
        }
    }
}

/// A value of the configuration.
#[derive(Clone, Debug, PartialEq)]
enum Wanted {
    Text(String),
    Number(f64),
    Bool(bool),
}

/// One thing that has to hold.
#[derive(Clone, Debug, PartialEq)]
enum Test {
    OneOf(Vec<Wanted>),
    Prefix(String),
    Exists(bool),
    LessThan(f64),
    AtMost(f64),
    AtLeast(f64),
    GreaterThan(f64),
}

/// Everything that has to hold.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Condition(Vec<Test>);

const KNOWN: &[&str] =
    &["equals", "oneOf", "prefix", "exists", "lessThan", "atMost", "atLeast", "greaterThan"];

impl Condition {
    pub(super) fn read(view: &View<'_>) -> Result<Self, Invalid> {
        let object = view.object(KNOWN)?;
        let mut tests = Vec::new();
        for name in object.names() {
            let Some(view) = object.get(name) else { continue };
            tests.push(match name {
                "equals" => Test::OneOf(vec![Wanted::read(&view)?]),
                "oneOf" => match view.list()? {
                    list if list.is_empty() => {
                        return Err(view.invalid("found nothing, expected one or more values"));
                    }
                    list => Test::OneOf(list.iter().map(Wanted::read).collect::<Result<_, _>>()?),
                },
                "prefix" => Test::Prefix(view.text()?.to_owned()),
                "exists" => Test::Exists(view.boolean()?),
                "lessThan" => Test::LessThan(view.number()?),
                "atMost" => Test::AtMost(view.number()?),
                "atLeast" => Test::AtLeast(view.number()?),
                "greaterThan" => Test::GreaterThan(view.number()?),
                // Was reported as unknown.
                _ => return Err(Invalid),
            });
        }
        if tests.is_empty() {
            return Err(view
                .invalid(format!("found an empty condition, expected one or more of {}", KNOWN.join(", "))));
        }
        Ok(Self(tests))
    }

    pub(super) fn holds(&self, found: Found<'_>) -> bool {
        self.0.iter().all(|test| test.holds(found))
    }
}

impl Test {
    fn holds(&self, found: Found<'_>) -> bool {
        let number = || match found {
            Found::Number(number) => Some(number),
            Found::Header(text) => std::str::from_utf8(text).ok()?.parse::<f64>().ok(),
            _ => None,
        };
        match self {
            Self::OneOf(wanted) => wanted.iter().any(|one| one.is(found)),
            Self::Prefix(prefix) => match found {
                Found::Text(text) | Found::Header(text) => text.starts_with(prefix.as_bytes()),
                _ => false,
            },
            Self::Exists(wanted) => (found != Found::Absent) == *wanted,
            Self::LessThan(limit) => number().is_some_and(|number| number < *limit),
            Self::AtMost(limit) => number().is_some_and(|number| number <= *limit),
            Self::AtLeast(limit) => number().is_some_and(|number| number >= *limit),
            Self::GreaterThan(limit) => number().is_some_and(|number| number > *limit),
        }
    }
}

impl Wanted {
    fn read(view: &View<'_>) -> Result<Self, Invalid> {
        if let Some(text) = view.string_or_none() {
            return Ok(Self::Text(text.to_owned()));
        }
        match view.scalar()?.as_str() {
            "true" => Ok(Self::Bool(true)),
            "false" => Ok(Self::Bool(false)),
            _ => view.number().map(Self::Number),
        }
    }

    fn is(&self, found: Found<'_>) -> bool {
        match (self, found) {
            (Self::Text(wanted), Found::Text(text) | Found::Header(text)) => wanted.as_bytes() == text,
            (Self::Number(wanted), Found::Number(number)) => *wanted == number,
            (Self::Number(wanted), Found::Header(text)) => {
                std::str::from_utf8(text).is_ok_and(|text| text.parse() == Ok(*wanted))
            }
            (Self::Bool(wanted), Found::Bool(value)) => *wanted == value,
            (Self::Bool(wanted), Found::Header(text)) => text == wanted.to_string().as_bytes(),
            _ => false,
        }
    }
}
