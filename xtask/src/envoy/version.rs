//! An Envoy version, read from what `envoy --version` prints.

use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
    pub patch: u32,
}

impl Version {
    /// The line is `PATH  version: COMMIT/1.40.0/Clean/RELEASE/BoringSSL`; a development build says `1.40.0-dev`.
    pub fn in_text(text: &str) -> Option<Self> {
        let (_, after) = text.split_once("version: ")?;
        after.lines().next()?.split('/').find_map(Self::parse)
    }

    fn parse(text: &str) -> Option<Self> {
        let number = text.split_once('-').map_or(text, |(number, _)| number);
        let mut parts = number.split('.').map(|part| part.parse().ok());
        let version = Self { major: parts.next()??, minor: parts.next()??, patch: parts.next()?? };
        parts.next().is_none().then_some(version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_and_a_development_build() {
        let release = "\n/opt/x/envoy  version: 9e5580933739775e8bce696a57a2e1bc99368f23/1.40.0/Clean/RELEASE/BoringSSL\n";
        assert_eq!(Version::in_text(release), Some(Version { major: 1, minor: 40, patch: 0 }));
        let dev =
            "envoy  version: 0000000000000000000000000000000000000000/1.36.2-dev/Modified/DEBUG/BoringSSL";
        assert_eq!(Version::in_text(dev), Some(Version { major: 1, minor: 36, patch: 2 }));
    }

    #[test]
    fn what_is_no_envoy_has_no_version() {
        assert_eq!(Version::in_text(""), None);
        assert_eq!(Version::in_text("envoy 1.40.0"), None);
        assert_eq!(Version::in_text("version: abc/1.40/x"), None);
        assert_eq!(Version::in_text("version: abc/1.2.3.4/x"), None);
    }

    #[test]
    fn versions_compare_by_number() {
        let of = |text| Version::parse(text).expect("a version");
        assert!(of("1.9.0") < of("1.35.0"));
        assert!(of("1.35.0") < of("1.35.1"));
        assert!(of("2.0.0") > of("1.99.9"));
    }
}
