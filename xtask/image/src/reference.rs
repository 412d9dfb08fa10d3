//! `HOST[:PORT]/REPOSITORY:TAG`: where an image is pushed to.

use std::fmt;

use crate::Result;

/// Docker Hub's name in references; its interface is at another host.
const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_API: &str = "registry-1.docker.io";

/// A place in a registry, with a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The registry's host and port, as in the reference.
    pub registry: String,
    /// The path in the registry.
    pub repository: String,
    /// The tag.
    pub tag: String,
}

impl Reference {
    /// Reads a reference; `oci://` before it is allowed.
    ///
    /// # Errors
    /// A part is missing or has letters that registries refuse.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Err(format!(
                "the reference {text:?} {why}; expected HOST[:PORT]/REPOSITORY:TAG, as ghcr.io/me/ipp:0.1.0"
            ))
        };
        let bare = text.strip_prefix("oci://").unwrap_or(text);
        if bare.contains('@') {
            return wrong("has a digest, which is what a push makes known");
        }
        let Some((registry, path)) = bare.split_once('/') else { return wrong("names no registry") };
        if !(registry == "localhost" || registry.contains(['.', ':'])) || !is_host(registry) {
            return wrong("does not begin with the host of a registry");
        }
        let Some((repository, tag)) = path.split_once(':') else { return wrong("has no tag") };
        if !repository.split('/').all(is_component) {
            return wrong(
                "has a repository that registries refuse: lower-case letters, digits, `.`, `_`, `-`, `/`",
            );
        }
        if !is_tag(tag) {
            return wrong("has a tag that registries refuse: at most 128 letters, digits, `.`, `_`, `-`");
        }
        Ok(Self { registry: registry.into(), repository: repository.into(), tag: tag.into() })
    }

    /// The host and port that speak the registry's interface.
    pub fn api_host(&self) -> &str {
        if self.registry == DOCKER_HUB { DOCKER_HUB_API } else { &self.registry }
    }

    /// Whether the registry is on this machine, where nobody listens in.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.registry)
    }

    /// The names under which Docker's configuration file may hold the credentials.
    pub fn credential_keys(&self) -> Vec<String> {
        let host = &self.registry;
        let mut keys = vec![host.clone()];
        keys.extend(["", "/", "/v1/", "/v2/"].map(|path| format!("https://{host}{path}")));
        if host == DOCKER_HUB {
            keys.push("https://index.docker.io/v1/".into());
        }
        keys
    }

    /// The reference of exactly this content, as in a WasmPlugin's `url`.
    pub fn pinned(&self, digest: &str) -> String {
        format!("{}/{}@{digest}", self.registry, self.repository)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}:{}", self.registry, self.repository, self.tag)
    }
}

/// Whether a host, with or without a port, is this machine.
pub(crate) fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn is_host(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
}

fn is_component(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    text.bytes().all(inner) && edge(text.as_bytes().first()) && edge(text.as_bytes().last())
}

fn is_tag(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with(['.', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_has_three_parts() {
        let reference = Reference::parse("oci://ghcr.io/me/a/ipp:0.1.0").unwrap();
        assert_eq!(
            (reference.registry.as_str(), reference.repository.as_str(), reference.tag.as_str()),
            ("ghcr.io", "me/a/ipp", "0.1.0")
        );
        assert_eq!(reference.to_string(), "ghcr.io/me/a/ipp:0.1.0");
        assert_eq!(reference.pinned("sha256:00"), "ghcr.io/me/a/ipp@sha256:00");
        assert_eq!(Reference::parse("localhost:5000/ipp:a").unwrap().registry, "localhost:5000");
    }

    #[test]
    fn what_registries_refuse_is_refused_with_the_reason() {
        for (text, why) in [
            ("ipp:1", "names no registry"),
            ("me/ipp:1", "does not begin with the host"),
            ("ghcr.io/me/ipp", "has no tag"),
            ("ghcr.io/me/ipp@sha256:00", "has a digest"),
            ("ghcr.io/Me/ipp:1", "has a repository"),
            ("ghcr.io//ipp:1", "has a repository"),
            ("ghcr.io/../ipp:1", "has a repository"),
            ("ghcr.io/me/ipp:a/b", "has a tag"),
            ("user@ghcr.io/me/ipp:1", "has a digest"),
            ("ghcr.io?x=/me/ipp:1", "does not begin with the host"),
        ] {
            let error = Reference::parse(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn this_machine_is_told_from_others() {
        for host in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in
            ["ghcr.io", "localhost.example.com", "10.0.0.1:5000", "127.0.0.1.example.com", "[fe80::1]:5000"]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn docker_hub_is_at_another_host() {
        let reference = Reference::parse("docker.io/me/ipp:1").unwrap();
        assert_eq!(reference.api_host(), "registry-1.docker.io");
        assert!(reference.credential_keys().contains(&"https://index.docker.io/v1/".to_owned()));
    }
}
