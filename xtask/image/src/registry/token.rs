//! Answers a registry's challenge: with the password, or with a token that a token server gives for it.

use serde_json::Value;
use ureq::http::{Request, StatusCode, header};

use super::challenge::{self, Challenge};
use super::{Registry, check_secrecy, read, without_query};
use crate::Result;

impl Registry {
    /// The value of `authorization` that the registry asks for.
    pub(super) fn authorize<'a>(&self, challenges: impl Iterator<Item = &'a str>) -> Result<String> {
        let challenge = challenges.filter_map(challenge::parse).next().ok_or_else(|| {
            self.broken(
                "asking whether it is a registry",
                "it answered 401 without a challenge of Basic or Bearer",
            )
        })?;
        match (challenge, &self.credentials) {
            (Challenge::Bearer { realm, service }, _) => self.token(&realm, service.as_deref()),
            (Challenge::Basic, Some(credentials)) => Ok(credentials.basic()),
            (Challenge::Basic, None) => Err(self.broken(
                "asking whether it is a registry",
                "it wants a name and a password: `docker login`, or --username and --password-stdin",
            )),
        }
    }

    fn token(&self, realm: &str, service: Option<&str>) -> Result<String> {
        const DOING: &str = "asking for a token";
        check_secrecy(realm)?;
        let separator = if realm.contains('?') { '&' } else { '?' };
        let scope = format!("repository:{}:pull,push", self.reference.repository);
        let mut url = format!("{realm}{separator}scope={}", encoded(&scope));
        if let Some(service) = service {
            url.push_str(&format!("&service={}", encoded(service)));
        }
        let mut request = Request::builder().method("GET").uri(&url);
        if let Some(credentials) = &self.credentials {
            request = request.header(header::AUTHORIZATION, credentials.basic());
        }
        let failed = |error: &dyn std::fmt::Display| format!("GET {}: {error}", without_query(&url));
        let request = request.body(()).map_err(|error| failed(&error))?;
        let answer = read(self.agent.run(request).map_err(|error| failed(&error))?)?;
        self.expect(&answer, StatusCode::OK, DOING)?;
        let document: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let token = document["token"].as_str().or(document["access_token"].as_str());
        let usable =
            token.filter(|token| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()));
        let token = usable.ok_or_else(|| self.broken(DOING, "the answer has no `token`"))?;
        Ok(format!("Bearer {token}"))
    }
}

/// For a query: every byte but letters, digits and `-._~` as `%XX`.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_encoded() {
        assert_eq!(encoded("repository:me/ipp:pull,push"), "repository%3Ame%2Fipp%3Apull%2Cpush");
    }
}
