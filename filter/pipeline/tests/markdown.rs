//! The documents render on GitHub as they are meant: a table that is glued to something is no table, and neither is a list.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn collect(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() && depth > 0 && name != "target" && name != "node_modules" && !name.starts_with('.')
        {
            collect(&path, depth.saturating_sub(1), found);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// The cells of a row: what bars divide that are not escaped.
fn cells(row: &str) -> usize {
    row.trim().replace("\\|", "").matches('|').count().saturating_sub(1)
}

fn is_list(line: &str) -> bool {
    let number = line.trim_start_matches(|letter: char| letter.is_ascii_digit());
    line.starts_with("- ") || line.starts_with("* ") || number.len() < line.len() && number.starts_with(". ")
}

/// What is wrong with a document, by line.
fn faults(text: &str) -> Vec<(usize, &'static str)> {
    let mut faults = Vec::new();
    let (mut before, mut head, mut code) = ("", None, false);
    for (line, number) in text.lines().zip(1..) {
        if line.trim_start().starts_with("```") {
            code = !code;
            (before, head) = ("", None);
            continue;
        }
        if code {
            continue;
        }
        // A comment ends a block by itself.
        let apart = before.trim().is_empty() || before.starts_with("<!--") || before.ends_with("-->");
        match (line.starts_with('|'), head) {
            (true, None) => {
                head = Some(cells(line));
                if !apart {
                    faults.push((number, "a table behind something else without a blank line"));
                }
            }
            (true, Some(wanted)) if cells(line) != wanted => faults.push((number, "a row with other cells")),
            (true, Some(_)) => {}
            (false, Some(_)) if !line.trim().is_empty() && !line.starts_with("<!--") => {
                faults.push((number, "a line behind a table without a blank line"));
            }
            (false, _) => head = None,
        }
        if line.starts_with('#') && line.trim_start_matches('#').starts_with(' ') && !apart {
            faults.push((number, "a heading behind something else without a blank line"));
        }
        if is_list(line) && !apart && !is_list(before) && !before.starts_with("  ") {
            faults.push((number, "a list behind something else without a blank line"));
        }
        before = line;
    }
    if code {
        faults.push((text.lines().count(), "a code block that does not end"));
    }
    faults
}

#[test]
fn the_documents_render() {
    let mut documents = Vec::new();
    collect(Path::new(ROOT), 4, &mut documents);
    assert!(documents.len() > 20, "{documents:?}");
    let mut all = Vec::new();
    for document in documents {
        let text = std::fs::read_to_string(&document).unwrap();
        all.extend(faults(&text).into_iter().map(|fault| (document.clone(), fault)));
    }
    assert!(all.is_empty(), "{all:#?}");
}

#[test]
fn faults_are_found() {
    for fine in [
        "a\n\n| a | b |\n|---|---|\n| `x \\| y` | 2 |\n\nb\n",
        "<!-- x -->\n| a |\n|---|\n| 1 |\n<!-- /x -->\n",
        "- a\n  b\n- c\n\n# d\n\n1. e\n",
        "```yaml\na: b\n- c\n| d\n```\n",
    ] {
        assert_eq!(faults(fine), [], "{fine}");
    }
    for (text, line) in [
        ("- a\n| b |\n|---|\n", 2),
        ("| a |\n|---|\nb\n", 3),
        ("| a | b |\n|---|---|\n| 1 |\n", 3),
        ("a\n# b\n", 2),
        ("a\n- b\n", 2),
        ("```\na\n", 2),
    ] {
        assert_eq!(faults(text).first().map(|(number, _)| *number), Some(line), "{text}");
    }
}
