//! The part of the registry interface (OCI distribution, "API v2") that a push needs.

mod challenge;
mod token;

use std::cell::RefCell;
use std::time::Duration;

use serde_json::Value;
use ureq::http::{HeaderMap, Request, StatusCode, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::Result;
use crate::blob::Blob;
use crate::credentials::Credentials;
use crate::form::Image;
use crate::reference::{Reference, is_loopback};

/// Enough for a module over a slow line; a registry that says nothing must not hold a CI job for ever.
const PATIENCE: Duration = Duration::from_secs(300);
const CONNECT: Duration = Duration::from_secs(20);
/// Answers of a registry are short; more than this is none.
const LONGEST_ANSWER: u64 = 1 << 20;

/// A connection to one repository of a registry.
#[derive(Debug)]
pub struct Registry {
    agent: Agent,
    /// Scheme, host and port.
    origin: String,
    reference: Reference,
    credentials: Option<Credentials>,
    /// What the registry wants to see, once it has said so.
    authorization: RefCell<Option<String>>,
}

/// What came of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Blobs that were sent.
    pub sent: usize,
    /// Blobs that the registry had already.
    pub present: usize,
}

/// The answer to a request.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Registry {
    /// Nothing is sent yet. A registry on this machine is spoken to over HTTP unless `https` is set, all others
    /// over HTTPS.
    pub fn new(reference: &Reference, credentials: Option<Credentials>, https: bool) -> Self {
        let scheme = if reference.is_loopback() && !https { "http" } else { "https" };
        // The machine's certificates, so that a company's own authority is known.
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(PATIENCE))
            .user_agent("ipp-image")
            .tls_config(tls)
            .build();
        Self {
            agent: config.into(),
            origin: format!("{scheme}://{}", reference.api_host()),
            reference: reference.clone(),
            credentials,
            authorization: RefCell::default(),
        }
    }

    /// Sends what the registry does not have, the manifest last.
    ///
    /// # Errors
    /// The registry cannot be reached, refuses, or stores something else than was sent.
    pub fn push(&self, image: &Image) -> Result<Pushed> {
        // Makes a registry that wants credentials say so, before anything is sent.
        let hello = self.call("GET", &format!("{}/v2/", self.origin), None)?;
        self.expect(&hello, StatusCode::OK, "asking whether it is a registry")?;
        let mut pushed = Pushed { sent: 0, present: 0 };
        for blob in &image.blobs {
            if self.upload(blob)? {
                pushed.sent += 1;
            } else {
                pushed.present += 1;
            }
        }
        self.put_manifest(&image.manifest)?;
        Ok(pushed)
    }

    /// True if the blob had to be sent.
    fn upload(&self, blob: &Blob) -> Result<bool> {
        let blobs = format!("{}/v2/{}/blobs", self.origin, self.reference.repository);
        let there = self.call("HEAD", &format!("{blobs}/{}", blob.digest), None)?;
        if there.status == StatusCode::OK {
            return Ok(false);
        }
        self.expect(&there, StatusCode::NOT_FOUND, "asking for a blob")?;
        let started =
            self.call("POST", &format!("{blobs}/uploads/"), Some(("application/octet-stream", &[])))?;
        self.expect(&started, StatusCode::ACCEPTED, "starting an upload")?;
        let place = text(&started.headers, &header::LOCATION)
            .ok_or_else(|| self.broken("starting an upload", "the answer has no `location`"))?;
        let place = if place.starts_with('/') { format!("{}{place}", self.origin) } else { place.to_owned() };
        let separator = if place.contains('?') { '&' } else { '?' };
        let content = Some(("application/octet-stream", &blob.bytes[..]));
        let stored = self.call("PUT", &format!("{place}{separator}digest={}", blob.digest), content)?;
        self.expect(&stored, StatusCode::CREATED, "uploading a blob")?;
        Ok(true)
    }

    fn put_manifest(&self, manifest: &Blob) -> Result<()> {
        let reference = &self.reference;
        let url = format!("{}/v2/{}/manifests/{}", self.origin, reference.repository, reference.tag);
        let doing = "storing the manifest";
        let stored = self.call("PUT", &url, Some((manifest.media_type, &manifest.bytes)))?;
        self.expect(&stored, StatusCode::CREATED, doing)?;
        match stored.headers.get("docker-content-digest").and_then(|value| value.to_str().ok()) {
            Some(digest) if digest != manifest.digest => Err(self
                .broken(doing, &format!("it has the digest {digest} there, expected {}", manifest.digest))),
            _ => Ok(()),
        }
    }

    /// One request, and the same again if the registry asks for credentials.
    fn call(&self, method: &str, url: &str, content: Option<(&str, &[u8])>) -> Result<Answer> {
        let answer = self.send(method, url, content)?;
        if answer.status != StatusCode::UNAUTHORIZED || !self.is_own(url) {
            return Ok(answer);
        }
        let challenges = answer.headers.get_all(header::WWW_AUTHENTICATE);
        let challenges = challenges.iter().filter_map(|value| value.to_str().ok());
        let authorization = self.authorize(challenges)?;
        *self.authorization.borrow_mut() = Some(authorization);
        self.send(method, url, content)
    }

    fn send(&self, method: &str, url: &str, content: Option<(&str, &[u8])>) -> Result<Answer> {
        check_secrecy(url)?;
        let mut request = Request::builder().method(method).uri(url);
        // A registry may keep its blobs elsewhere; the password is not for that place.
        if let Some(authorization) = self.authorization.borrow().as_ref().filter(|_| self.is_own(url)) {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let unsendable = |error: ureq::http::Error| format!("{method} {url}: {error}");
        let answer = match content {
            Some((kind, bytes)) => {
                let request = request.header(header::CONTENT_TYPE, kind).body(bytes).map_err(unsendable)?;
                self.agent.run(request)
            }
            None => self.agent.run(request.body(()).map_err(unsendable)?),
        };
        read(answer.map_err(|error| format!("{method} {}: {error}", without_query(url)))?)
    }

    fn is_own(&self, url: &str) -> bool {
        url.strip_prefix(&self.origin).is_some_and(|rest| rest.starts_with('/'))
    }

    fn expect(&self, answer: &Answer, status: StatusCode, doing: &str) -> Result<()> {
        if answer.status == status {
            return Ok(());
        }
        let mut why = format!("it answered {}, expected {}", answer.status.as_u16(), status.as_u16());
        if let Some(reason) = reason(&answer.body) {
            why = format!("{why}: {reason}");
        }
        if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            why.push_str(match self.credentials {
                Some(_) => " (the credentials do not suffice)",
                None => " (there are no credentials: `docker login`, or --username and --password-stdin)",
            });
        }
        Err(self.broken(doing, &why))
    }

    fn broken(&self, doing: &str, why: &str) -> String {
        format!("pushing {}, {doing}: {why}", self.reference)
    }
}

fn read(answer: ureq::http::Response<Body>) -> Result<Answer> {
    let (parts, mut body) = answer.into_parts();
    // What a proxy or a registry says in an error may be anything.
    let bytes = body.with_config().limit(LONGEST_ANSWER).read_to_vec().unwrap_or_default();
    let body = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Answer { status: parts.status, headers: parts.headers, body })
}

/// Plain HTTP only to this machine, wherever a registry sends us.
fn check_secrecy(url: &str) -> Result<()> {
    let plain = url.strip_prefix("http://");
    let authority = |rest: &str| rest.split(['/', '?']).next().unwrap_or_default().to_owned();
    match plain.map(authority) {
        Some(host) if !is_loopback(&host) => Err(format!("{}: expected https", without_query(url))),
        None if !url.starts_with("https://") => Err(format!("{}: expected https", without_query(url))),
        _ => Ok(()),
    }
}

/// An upload's address can hold a secret in its query.
fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}

fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// What a registry says in an error, on one line.
fn reason(body: &str) -> Option<String> {
    let document: Value = serde_json::from_str(body).ok()?;
    let error = &document["errors"][0];
    let said = [&error["code"], &error["message"], &document["details"]].map(Value::as_str);
    let said: Vec<&str> = said.into_iter().flatten().collect();
    let line: String =
        said.join(", ").chars().map(|it| if it.is_control() { ' ' } else { it }).take(300).collect();
    (!line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_goes_to_this_machine_only() {
        for good in ["https://ghcr.io/v2/", "http://localhost:5000/v2/", "http://127.0.0.1/v2/?a=b"] {
            assert_eq!(check_secrecy(good), Ok(()), "{good}");
        }
        for bad in
            ["http://ghcr.io/v2/", "http://localhost.evil.com/", "ftp://localhost/", "http://a@localhost/"]
        {
            assert!(check_secrecy(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn credentials_go_to_the_registry_only() {
        let reference = Reference::parse("ghcr.io/me/ipp:1").unwrap();
        let registry = Registry::new(&reference, None, false);
        assert!(registry.is_own("https://ghcr.io/v2/x"));
        for other in
            ["https://ghcr.io.evil.com/v2/", "https://ghcr.io:444/v2/", "http://ghcr.io/v2/", "https://s3/x"]
        {
            assert!(!registry.is_own(other), "{other}");
        }
    }

    #[test]
    fn a_registrys_words_are_kept_short() {
        let body = r#"{"errors":[{"code":"DENIED","message":"no\nway"}]}"#;
        assert_eq!(reason(body).as_deref(), Some("DENIED, no way"));
        assert_eq!(reason("<html>"), None);
    }
}
