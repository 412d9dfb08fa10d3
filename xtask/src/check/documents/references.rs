//! Finds in a Markdown text what points at a file of this repository.

#[derive(Debug, PartialEq, Eq)]
pub struct Reference {
    pub line: usize,
    pub path: String,
    pub is_link: bool,
}

/// A path in code style is checked if it ends like one of these.
const ENDINGS: [&str; 5] = [".rs", ".yaml", ".md", ".toml", ".sh"];

pub fn in_markdown(text: &str) -> Vec<Reference> {
    let mut found = Vec::new();
    let mut fence: Option<&str> = None;
    for (index, line) in text.lines().enumerate() {
        let start = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| start.starts_with(mark));
        match (fence, mark) {
            // What stands in a fence is an example: its paths need not be ours.
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (Some(_), _) => {}
            (None, None) => in_line(line, index + 1, &mut found),
        }
    }
    found
}

fn in_line(line: &str, number: usize, found: &mut Vec<Reference>) {
    let mut prose = String::new();
    for (index, part) in line.split('`').enumerate() {
        if index % 2 == 0 {
            prose.push_str(part);
        } else if is_path(part) {
            let path = part.strip_prefix("./").unwrap_or(part).to_owned();
            found.push(Reference { line: number, path, is_link: false });
        }
    }
    let definition = line.trim_start().strip_prefix('[').and_then(|rest| rest.split_once("]: "));
    let targets = match definition {
        Some((_, target)) => vec![target],
        None => prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect(),
    };
    found.extend(targets.into_iter().filter_map(link_path).map(|path| Reference {
        line: number,
        path,
        is_link: true,
    }));
}

/// The file a link names: without its title, its place in the file, and the signs a link may be wrapped in.
fn link_path(target: &str) -> Option<String> {
    let target = target.trim();
    let target = match target.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
        Some((inner, _)) => inner,
        None => target.split(' ').next()?,
    };
    let is_elsewhere = target.contains("://") || target.starts_with("mailto:");
    let path = target.split(['#', '?']).next()?;
    (!is_elsewhere && !path.is_empty()).then(|| path.replace("%20", " "))
}

/// A path with a folder, ended like a file of ours, with nothing a reader has to fill in, and not built by us.
fn is_path(code: &str) -> bool {
    let plain = |sign: char| sign.is_alphanumeric() || "/._-".contains(sign);
    code.contains('/')
        && ENDINGS.iter().any(|ending| code.ends_with(ending))
        && code.chars().all(plain)
        && !code.starts_with('/')
        && !code.starts_with("target/")
        && !code.contains("...")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(text: &str) -> Vec<String> {
        in_markdown(text).into_iter().filter(|it| it.is_link).map(|it| it.path).collect()
    }

    fn paths(text: &str) -> Vec<String> {
        in_markdown(text).into_iter().filter(|it| !it.is_link).map(|it| it.path).collect()
    }

    #[test]
    fn links_to_files_are_found() {
        assert_eq!(links("see [a](docs/a.md#part) and ![b](b.png \"title\")"), ["docs/a.md", "b.png"]);
        assert_eq!(links("[`code` in the name](src/lib.rs)"), ["src/lib.rs"]);
        assert_eq!(links("[a]: <my file.md>\n[b]: b%20c.md"), ["my file.md", "b c.md"]);
    }

    #[test]
    fn links_elsewhere_and_within_are_left() {
        let text =
            "[a](https://example.org/x.md) [b](#part) [c](mailto:x@example.org)\n[d]: https://example.org";
        assert_eq!(links(text), [""; 0]);
    }

    #[test]
    fn paths_in_code_style_are_found() {
        assert_eq!(
            paths("`filter/proxy/src/host.rs`, `./envoy/a.yaml`"),
            ["filter/proxy/src/host.rs", "envoy/a.yaml"]
        );
    }

    #[test]
    fn code_that_is_no_path_of_ours_is_left() {
        let text = "`lib.rs` `/etc/envoy/envoy.yaml` `target/ipp/x.toml` `docs/*.md` `tests/<name>.rs` `a b/c.md` `and/or`";
        assert_eq!(paths(text), [""; 0]);
    }

    #[test]
    fn fences_are_left_and_lines_still_count() {
        let text = "```sh\n[a](gone.md) `x/gone.rs`\n~~~\n```\n[b](b.md)";
        assert_eq!(in_markdown(text), [Reference { line: 5, path: "b.md".to_owned(), is_link: true }]);
    }
}
