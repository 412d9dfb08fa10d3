//! The list of names in a ConfigMap's `data.adapters`.

use crate::config::scalars;

/// The names of a YAML list that stands in a string, without white space around them and without empty ones.
pub(super) fn names(text: &str) -> Result<Vec<String>, String> {
    let names = match plain(text) {
        Some(names) => names,
        None => scalars(text)?,
    };
    Ok(names.iter().map(|name| name.trim()).filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// The usual list, one plain name on each line: thousands of them are read in the time in which the YAML reader gets
/// through a few dozen. Nothing where there is anything in it that YAML may see otherwise.
fn plain(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut indent = None;
    for line in text.lines() {
        let item = line.trim_start_matches(' ');
        if *indent.get_or_insert(line.len().saturating_sub(item.len()))
            != line.len().saturating_sub(item.len())
        {
            return None;
        }
        let name = item.strip_prefix("- ")?;
        let inside = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
        let words = ["null", "true", "false"];
        if !name.starts_with(|letter: char| letter.is_ascii_alphabetic())
            || !name.bytes().all(inside)
            || words.iter().any(|word| word.eq_ignore_ascii_case(name))
        {
            return None;
        }
        names.push(name.to_owned());
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_way_and_yaml_agree() {
        let pieces = [
            "- a
",
            "- sql-lora
",
            "- x/y.z
",
            "- True
",
            "- ",
            "a",
            "null",
            "1",
            "
",
            "  ",
            ":",
            "#",
            "'",
            "	",
            "
",
            " ",
        ];
        let mut state: u64 = 7;
        let mut short = 0;
        for _ in 0..200_000 {
            let mut text = String::new();
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut left = state;
            for _ in 0..(left >> 60) {
                text.push_str(pieces[usize::try_from(left >> 32).unwrap() % pieces.len()]);
                left = left.rotate_left(11).wrapping_mul(31);
            }
            if let Some(names) = plain(&text) {
                short += usize::from(names.len() > 1);
                assert_eq!(Ok(names), scalars(&text), "{text:?}");
            }
        }
        assert!(short > 20, "only {short} lists went the short way");
    }

    #[test]
    fn forms_of_lists() {
        let read = |text: &str| names(text).unwrap();
        assert_eq!(read("- a\n- b/c.d\n"), ["a", "b/c.d"]);
        assert_eq!(read("  - a\n  - b"), ["a", "b"]);
        assert_eq!(read("[a, 1, true, null, ' b ', '']"), ["a", "1", "true", "b"]);
        assert_eq!(read("- \"a b\"\n- 1\n"), ["a b", "1"]);
        assert_eq!(read(""), [""; 0]);
        assert!(names("a: b").is_err());
        assert!(names("- [a]").is_err());
        assert!(names("[").is_err());
    }
}
