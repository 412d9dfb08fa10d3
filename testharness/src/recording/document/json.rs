//! JSON as a YAML parser can read it.

use serde::de::IgnoredAny;

/// Whether a text is an object of JSON.
pub(super) fn is_json(text: &str) -> bool {
    text.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// A text in which pairs of escapes are one, and where: the number of characters before each.
#[derive(Default)]
pub(super) struct Joined {
    pub(super) text: String,
    pub(super) at: Vec<usize>,
}

/// What one escape is shorter than two.
pub(super) const SHORTER: usize = 2;

/// JSON writes a character outside of the basic plane as two escapes, which YAML does not know.
pub(super) fn join_surrogates(text: &str) -> Joined {
    let mut joined = Joined::default();
    let mut characters = 0;
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        joined.text.push_str(before);
        characters += before.chars().count();
        let unit = |from: usize| {
            let digits = escape.get(from..from + 6)?.strip_prefix("\\u")?;
            u16::from_str_radix(digits, 16).ok()
        };
        let pair = unit(0).zip(unit(6)).and_then(|(high, low)| char::decode_utf16([high, low]).next()?.ok());
        let length = match pair.filter(|found| u32::from(*found) > 0xffff) {
            Some(found) => {
                joined.text.push_str(&format!("\\U{:08x}", u32::from(found)));
                joined.at.push(characters);
                characters += 12 - SHORTER;
                12
            }
            // The character behind the backslash is ASCII, else it would not be JSON.
            None => {
                joined.text.push_str(&escape[..2]);
                characters += 2;
                2
            }
        };
        rest = &escape[length..];
    }
    joined.text.push_str(rest);
    joined
}
