//! Who pushes: a name and a password from the command line, or from the file that `docker login` writes.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::Result;
use crate::reference::Reference;

/// A user name and a password or token.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    user: String,
    password: String,
}

impl std::fmt::Debug for Credentials {
    /// Without the password.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Credentials {
    /// A pair as it was given.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: user.into(), password: password.into() }
    }

    /// The value of the header `authorization`.
    pub(crate) fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.user, self.password)))
    }
}

/// What Docker's configuration file knows.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// A name and a password.
    Credentials(Credentials),
    /// Nothing.
    Nothing,
    /// Something that this program does not use, and what it is.
    Unusable(String),
}

/// Where Docker's configuration file is: in `$DOCKER_CONFIG`, else in `~/.docker`.
pub fn docker_config() -> Option<PathBuf> {
    let folder = match std::env::var_os("DOCKER_CONFIG") {
        Some(folder) => PathBuf::from(folder),
        None => std::env::home_dir()?.join(".docker"),
    };
    Some(folder.join("config.json"))
}

/// Looks a registry up in a Docker configuration file. No file is no credentials.
///
/// # Errors
/// The file cannot be read.
pub fn look_up(file: &Path, reference: &Reference) -> Result<Found> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(format!("cannot read {}: {error}", file.display())),
    };
    let config: Value =
        serde_json::from_str(&text).map_err(|error| format!("{} is no JSON: {error}", file.display()))?;
    let keys = reference.credential_keys();
    for key in &keys {
        let entry = &config["auths"][key];
        if let Some(auth) = entry["auth"].as_str().filter(|auth| !auth.is_empty()) {
            return decode(auth).map(Found::Credentials).ok_or_else(|| {
                format!("{}: auths[{key:?}].auth is not the base64 of USER:PASSWORD", file.display())
            });
        }
        if entry["identitytoken"].is_string() {
            return Ok(Found::Unusable(format!("an identity token in {}", file.display())));
        }
    }
    let helper = keys.iter().find_map(|key| config["credHelpers"][key].as_str());
    Ok(match helper.or(config["credsStore"].as_str()) {
        Some(helper) => Found::Unusable(format!("the credential helper {helper:?} in {}", file.display())),
        None => Found::Nothing,
    })
}

fn decode(auth: &str) -> Option<Credentials> {
    let text = String::from_utf8(STANDARD.decode(auth).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(Credentials::new(user, password))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(config: &str, reference: &str) -> Result<Found> {
        let name = format!("ipp-docker-{}-{:?}", std::process::id(), std::thread::current().id());
        let file = std::env::temp_dir().join(name);
        std::fs::write(&file, config).unwrap();
        let found = look_up(&file, &Reference::parse(reference).unwrap());
        std::fs::remove_file(&file).unwrap();
        found
    }

    #[test]
    fn a_login_is_found_under_each_of_its_names() {
        for (key, reference) in [
            ("ghcr.io", "ghcr.io/me/ipp:1"),
            ("https://ghcr.io", "ghcr.io/me/ipp:1"),
            ("https://index.docker.io/v1/", "docker.io/me/ipp:1"),
        ] {
            // me:a:b; only the first colon divides.
            let config = format!(r#"{{"auths": {{"{key}": {{"auth": "bWU6YTpi"}}}}}}"#);
            assert_eq!(found(&config, reference), Ok(Found::Credentials(Credentials::new("me", "a:b"))));
            assert_eq!(found(&config, "quay.io/me/ipp:1"), Ok(Found::Nothing));
        }
    }

    #[test]
    fn what_is_not_used_is_named() {
        for (config, what) in [
            (r#"{"credsStore": "desktop", "auths": {"ghcr.io": {}}}"#, "the credential helper \"desktop\""),
            (r#"{"credHelpers": {"ghcr.io": "gh"}}"#, "the credential helper \"gh\""),
            (r#"{"auths": {"ghcr.io": {"identitytoken": "x"}}}"#, "an identity token"),
        ] {
            let Ok(Found::Unusable(found)) = found(config, "ghcr.io/me/ipp:1") else { panic!("{config}") };
            assert!(found.starts_with(what), "{found}");
        }
    }

    #[test]
    fn a_broken_file_is_an_error_without_its_content() {
        let error = found(r#"{"auths": {"ghcr.io": {"auth": "c2VjcmV0"}}}"#, "ghcr.io/me/ipp:1").unwrap_err();
        assert!(
            error.contains("is not the base64 of USER:PASSWORD") && !error.contains("c2VjcmV0"),
            "{error}"
        );
        assert!(found("{", "ghcr.io/me/ipp:1").is_err());
    }

    #[test]
    fn no_file_is_no_login_and_a_password_is_not_shown() {
        let reference = Reference::parse("ghcr.io/me/ipp:1").unwrap();
        assert_eq!(look_up(Path::new("/nowhere/config.json"), &reference), Ok(Found::Nothing));
        let credentials = Credentials::new("me", "geheim");
        assert!(!format!("{credentials:?}").contains("geheim"));
        assert_eq!(credentials.basic(), "Basic bWU6Z2VoZWlt");
    }
}
