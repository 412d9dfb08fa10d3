//! `www-authenticate`: how a registry says what it wants to see.

/// What a registry asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A name and a password with each request.
    Basic,
    /// A token that another server gives.
    Bearer { realm: String, service: Option<String> },
}

/// Reads one challenge; `None` if it is of another kind.
pub(super) fn parse(header: &str) -> Option<Challenge> {
    let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let parameters = parameters(rest);
    let get =
        |name: &str| parameters.iter().find(|it| it.0.eq_ignore_ascii_case(name)).map(|it| it.1.clone());
    Some(Challenge::Bearer { realm: get("realm")?, service: get("service") })
}

/// `name="value", name=value`; a quoted value may hold commas and escaped quotes.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = value(after.trim_start());
        found.push((name.trim_matches([' ', ',']).to_owned(), value));
        rest = after;
    }
    found
}

/// A value, quoted or not, and what comes after it.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_once(',').unwrap_or((text, ""));
        return (value.trim().to_owned(), rest);
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, quoted.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(letters.next().map(|it| it.1)),
            _ => value.push(letter),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenges_of_known_registries() {
        let bearer = |realm: &str, service: Option<&str>| {
            Some(Challenge::Bearer { realm: realm.into(), service: service.map(Into::into) })
        };
        assert_eq!(
            parse(
                r#"Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:user/image:pull""#
            ),
            bearer("https://ghcr.io/token", Some("ghcr.io"))
        );
        assert_eq!(
            parse(r#"bearer service="a, \"b\"" , realm="https://auth.docker.io/token""#),
            bearer("https://auth.docker.io/token", Some(r#"a, "b""#))
        );
        assert_eq!(parse("Bearer realm=https://x/t"), bearer("https://x/t", None));
        assert_eq!(parse(r#"Basic realm="Registry""#), Some(Challenge::Basic));
        assert_eq!(parse("Basic"), Some(Challenge::Basic));
    }

    #[test]
    fn others_are_not_understood() {
        for header in ["", "Negotiate", r#"Bearer service="x""#, "Digest realm=\"x\"", "Bearer realm"] {
            assert_eq!(parse(header), None, "{header}");
        }
    }
}
