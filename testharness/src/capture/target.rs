//! The model server that is recorded.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A server as a URL names it: without a path, for requests keep theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// With TLS.
    pub tls: bool,
    /// The name or the address of the host, which has no brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Target {
    /// The host if it is an address.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// What the server expects as `host`.
    pub(super) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match self.port == port(self.tls) {
            true => host,
            false => format!("{host}:{}", self.port),
        }
    }
}

fn port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}://{}", if self.tls { "https" } else { "http" }, self.authority())
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected http://HOST:PORT or https://HOST";
        let (scheme, rest) = text.split_once("://").ok_or(EXPECTED)?;
        let tls = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err(format!("{scheme} is not known, {EXPECTED}")),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#']) {
            return Err(format!("it has a path, {EXPECTED}; requests keep their own paths"));
        }
        if authority.contains('@') {
            return Err("it has a user, which clients have to send themselves".to_owned());
        }
        let bracketed = authority.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let (host, rest) = match (bracketed, authority.split_once(':')) {
            (Some(parts), _) => parts,
            (None, Some((host, _))) => authority.split_at(host.len()),
            (None, None) => (authority, ""),
        };
        let given = rest.strip_prefix(':').map(str::parse::<u16>).transpose();
        let port = given.map_err(|_| format!("{:?} is no port", &rest[1..]))?.unwrap_or(port(tls));
        let odd = |letter: char| !(letter.is_ascii_alphanumeric() || "-._:%".contains(letter));
        if host.is_empty() || host.contains(odd) || port == 0 || !(rest.is_empty() || rest.starts_with(':')) {
            return Err(EXPECTED.to_owned());
        }
        Ok(Self { tls, host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let target = |tls, host: &str, port| Ok(Target { tls, host: host.to_owned(), port });
        for (text, expected, shown) in [
            ("http://127.0.0.1:8000", target(false, "127.0.0.1", 8000), "http://127.0.0.1:8000"),
            ("http://vllm/", target(false, "vllm", 80), "http://vllm"),
            ("https://api.openai.com", target(true, "api.openai.com", 443), "https://api.openai.com"),
            ("https://[::1]:80", target(true, "::1", 80), "https://[::1]:80"),
            ("http://[::1]", target(false, "::1", 80), "http://[::1]"),
        ] {
            let parsed = text.parse::<Target>();
            assert_eq!(parsed, expected, "{text}");
            assert_eq!(parsed.map(|target| target.to_string()).as_deref(), Ok(shown));
        }
        for text in [
            "",
            "vllm:8000",
            "ftp://a",
            "http://",
            "http://a/v1",
            "http://u:p@a",
            "http://a:b",
            "http://a b",
            "http://[::1]x",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
