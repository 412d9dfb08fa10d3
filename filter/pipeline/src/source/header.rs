//! Header values with variables of the VM's environment in them, so that no secret stands in a configuration.

use std::fmt;

/// A header value: text, and names of variables. `${NAME}` stands for a variable, `$${` for `${` itself.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Template(Vec<Part>);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Part {
    Text(String),
    Variable(String),
}

/// A value may be a secret, with or without a variable: nothing of it is shown.
impl fmt::Debug for Template {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Template(..)")
    }
}

impl Template {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it, without a part of it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if !fits(text) {
            return Err("a header value with control characters, or longer than 8192 bytes");
        }
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("${") {
            if let Some(before) = before.strip_suffix('$') {
                plain.push_str(before);
                plain.push_str("${");
                rest = behind;
                continue;
            }
            plain.push_str(before);
            let (name, behind) = behind.split_once('}').ok_or("a `${` without its `}`")?;
            let mut letters = name.chars();
            let head = letters.next().is_some_and(|letter| letter == '_' || letter.is_ascii_alphabetic());
            if !head || !letters.all(|letter| letter == '_' || letter.is_ascii_alphanumeric()) {
                return Err("a `${...}` with something else in it than the name of a variable");
            }
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Variable(name.to_owned()));
            rest = behind;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self(parts))
    }

    /// The value, with the variables that `lookup` gives. White space around a variable's value goes: files and
    /// secrets often end with a line feed.
    ///
    /// # Errors
    /// The name of a variable that is missing, empty, or cannot stand in a header.
    pub fn resolve(&self, lookup: impl Fn(&str) -> Option<String>) -> Result<String, &str> {
        let mut value = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => value.push_str(text),
                Part::Variable(name) => {
                    let found = lookup(name).ok_or(name.as_str())?;
                    let found = found.trim();
                    if found.is_empty() || !fits(found) {
                        return Err(name);
                    }
                    value.push_str(found);
                }
            }
        }
        Ok(value)
    }
}

fn fits(text: &str) -> bool {
    text.len() <= 8192 && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str) -> Result<String, String> {
        let lookup = |name: &str| match name {
            "TOKEN" => Some("s3cret\n".to_owned()),
            "EMPTY" => Some(" ".to_owned()),
            "TWO_LINES" => Some("a\nb".to_owned()),
            _ => None,
        };
        let template = Template::parse(text).map_err(str::to_owned)?;
        template.resolve(lookup).map_err(str::to_owned)
    }

    #[test]
    fn variables_come_from_the_environment() {
        assert_eq!(resolve("Bearer ${TOKEN}").as_deref(), Ok("Bearer s3cret"));
        assert_eq!(resolve("${TOKEN}${TOKEN}!").as_deref(), Ok("s3crets3cret!"));
        assert_eq!(resolve("plain $ {x}").as_deref(), Ok("plain $ {x}"));
        assert_eq!(resolve("a $${TOKEN} ${TOKEN}").as_deref(), Ok("a ${TOKEN} s3cret"));
        assert_eq!(resolve("").as_deref(), Ok(""));
        for name in ["MISSING", "EMPTY", "TWO_LINES"] {
            assert_eq!(resolve(&format!("x ${{{name}}}")), Err(name.to_owned()));
        }
        for wrong in ["${TOKEN", "${}", "${1A}", "${a b}", "a\nb"] {
            assert!(Template::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nothing_of_a_value_is_shown() {
        assert_eq!(format!("{:?}", Template::parse("Bearer abc ${TOKEN}").unwrap()), "Template(..)");
    }
}
