//! The configuration of a recording: where its text comes from, and the seed that goes into it.

use std::path::Path;

use ipp_pipeline::config::DEFAULT_CONFIG;

use super::Config;
use super::document::{Kind, Node, offset, parse};

impl Config {
    /// The built-in one.
    pub fn built_in() -> Self {
        Self { text: DEFAULT_CONFIG.to_owned(), file: None }
    }

    /// That of a file.
    ///
    /// # Errors
    /// The file cannot be read as text.
    pub fn load(file: &Path) -> std::io::Result<Self> {
        Ok(Self { text: std::fs::read_to_string(file)?, file: Some(file.to_owned()) })
    }

    /// A part of a recording's text. Line and column of everything in it stay the same, so that what the filter says
    /// about a line is about the line of the recording.
    pub(super) fn inline(text: &str, node: &Node) -> Self {
        let (start, end) = (offset(text, node.start.index), offset(text, node.end.index));
        let padding = "\n".repeat(node.start.line - 1) + &" ".repeat(node.start.column - 1);
        let mut own = padding + text.get(start..end).unwrap_or_default();
        // Aliases refer to what is not in this part.
        if parse(&own).is_err()
            && let Ok(json) = node.to_json()
        {
            own = json;
        }
        Self { text: own, file: None }
    }

    /// With `proxyWasm.seed`. A text that is no map is left as it is; the filter will say what is wrong with it.
    #[must_use]
    pub(super) fn with_seed(mut self, seed: u64) -> Self {
        if self.text.trim().is_empty() {
            self.text = DEFAULT_CONFIG.to_owned();
        }
        if let Some(text) = with_option(&self.text, "seed", &seed.to_string()) {
            self.text = text;
        }
        self
    }
}

/// A configuration with `proxyWasm.role`. A text that is no map is left as it is; the filter will say what is wrong
/// with it.
pub fn with_role(config: &str, role: &str) -> String {
    let config = if config.trim().is_empty() { DEFAULT_CONFIG } else { config };
    with_option(config, "role", &format!("\"{role}\"")).unwrap_or_else(|| config.to_owned())
}

/// A configuration with an option of its section `proxyWasm`.
fn with_option(text: &str, option: &str, value: &str) -> Option<String> {
    let root = parse(text).ok()?;
    let section = root.entries().iter().find(|(key, _)| key.text == "proxyWasm").map(|(_, node)| node);
    let Some(section) = section else {
        return insert(text, &root, "proxyWasm", &format!("{{\"{option}\": {value}}}"));
    };
    if section.is_null() {
        let (start, end) = (offset(text, section.start.index), offset(text, section.end.index));
        return Some(format!("{} {{\"{option}\": {value}}}{}", &text[..start], &text[end..]));
    }
    if let Some(known) = section.get(option) {
        let (start, end) = (offset(text, known.start.index), offset(text, known.end.index));
        return Some(format!("{}{value}{}", &text[..start], &text[end..]));
    }
    insert(text, section, option, value)
}

/// Puts an entry before all others of a map.
fn insert(text: &str, map: &Node, key: &str, value: &str) -> Option<String> {
    let Kind::Map(entries) = &map.kind else { return None };
    let at = offset(text, map.start.index);
    let (before, after) = text.split_at(at);
    let entry = match (after.strip_prefix('{'), entries.is_empty()) {
        (Some(rest), true) => format!("{{\"{key}\": {value}{rest}"),
        (Some(rest), false) => format!("{{\"{key}\": {value}, {rest}"),
        (None, _) => format!("{key}: {value}\n{}{after}", " ".repeat(map.start.column - 1)),
    };
    Some(format!("{before}{entry}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_goes_into_every_form_of_a_configuration() {
        for (text, expected) in [
            ("a: 1\n", "proxyWasm: {\"seed\": 7}\na: 1\n"),
            ("\n\n  a: 1\n  b: 2", "\n\n  proxyWasm: {\"seed\": 7}\n  a: 1\n  b: 2"),
            ("{\"a\": 1}", "{\"proxyWasm\": {\"seed\": 7}, \"a\": 1}"),
            ("{}", "{\"proxyWasm\": {\"seed\": 7}}"),
            ("a: 1\nproxyWasm:\n  x: 1\n", "a: 1\nproxyWasm:\n  seed: 7\n  x: 1\n"),
            ("proxyWasm: {x: é}\n", "proxyWasm: {\"seed\": 7, x: é}\n"),
            ("é: 1\nproxyWasm: {seed: 1, x: 2}\n", "é: 1\nproxyWasm: {seed: 7, x: 2}\n"),
            ("proxyWasm:\na: 1\n", "proxyWasm: {\"seed\": 7}\na: 1\n"),
            ("proxyWasm: ~\na: 1\n", "proxyWasm:  {\"seed\": 7}\na: 1\n"),
        ] {
            assert_eq!(with_option(text, "seed", "7").as_deref(), Some(expected), "{text}");
            assert!(parse(expected).is_ok(), "{expected}");
        }
        assert_eq!(with_option("a: [", "seed", "7"), None);
        assert_eq!(with_option("- a", "seed", "7"), None);
    }

    #[test]
    fn a_role_goes_into_what_can_have_one() {
        assert_eq!(with_role("proxyWasm: {role: direct}\n", "gate"), "proxyWasm: {role: \"gate\"}\n");
        assert!(with_role(" ", "gate").contains("\"role\": \"gate\""));
        assert_eq!(with_role("a: [", "gate"), "a: [");
    }

    #[test]
    fn an_inline_configuration_keeps_its_lines() {
        let text = "name: x\nconfig:\n  kind: é\n  list:\n  - a\n\nexchanges: []\n";
        let root = parse(text).unwrap();
        let config = Config::inline(text, root.get("config").unwrap());
        assert_eq!(config.text, "\n\n  kind: é\n  list:\n  - a");
        let text = "config:\n  a: {}\n  b:\nname: x\n";
        let root = parse(text).unwrap();
        assert_eq!(Config::inline(text, root.get("config").unwrap()).text, "\n  a: {}\n  b:");
    }
}
