//! What the upstreams saw, and waiting for it.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use bytes::Bytes;
use tokio::sync::watch;

use crate::message::{Headers, sha256_hex};
use crate::wait::within;

/// The version of HTTP that a request came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.0 or HTTP/1.1.
    H1,
    /// HTTP/2.
    H2,
}

/// One request as an upstream received it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The name of the upstream.
    pub upstream: String,
    /// Which of its connections, counted from 0.
    pub connection: u64,
    /// Over what it came.
    pub protocol: Protocol,
    /// The method.
    pub method: String,
    /// The request target: the path with its query, or what CONNECT names.
    pub path: String,
    /// The fields, without HTTP/2's pseudo fields; `:authority` is shown as `host`.
    pub headers: Headers,
    /// The body as far as it came.
    pub body: Bytes,
    /// The trailers.
    pub trailers: Headers,
    /// Whether the request came to its proper end.
    pub complete: bool,
}

impl Recorded {
    /// The digest of the body.
    pub fn body_sha256(&self) -> String {
        sha256_hex(&self.body)
    }

    /// The first value of the field `name` as text.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name)
    }
}

/// A log that several upstreams may share; clones are the same log.
#[derive(Clone)]
pub struct Log(Arc<Inner>);

struct Inner {
    heads: Mutex<Vec<Headers>>,
    recorded: Mutex<Vec<Arc<Recorded>>>,
    notes: Mutex<Vec<String>>,
    /// Counts everything that was added.
    news: watch::Sender<u64>,
}

impl Default for Log {
    fn default() -> Self {
        let (heads, recorded, notes) = Default::default();
        Self(Arc::new(Inner { heads, recorded, notes, news: watch::Sender::new(0) }))
    }
}

impl Log {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything recorded so far, in the order in which the requests ended.
    pub fn all(&self) -> Vec<Arc<Recorded>> {
        self.0.recorded.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The requests that carry this field with this value.
    pub fn with(&self, header: &str, value: &str) -> Vec<Arc<Recorded>> {
        let mut all = self.all();
        all.retain(|recorded| recorded.headers.bytes(header) == Some(value.as_bytes()));
        all
    }

    /// Waits for the first request that carries this field with this value.
    pub async fn arrival(&self, header: &str, value: &str) -> Result<Arc<Recorded>> {
        self.wait(&format!("a request with {header}: {value}"), || {
            self.with(header, value).into_iter().next()
        })
        .await
    }

    /// Whether the head of a request with this field and value has come, whatever became of its body.
    pub fn has_head(&self, header: &str, value: &str) -> bool {
        let heads = self.0.heads.lock().unwrap_or_else(PoisonError::into_inner);
        heads.iter().any(|headers| headers.bytes(header) == Some(value.as_bytes()))
    }

    /// How many heads of requests have come.
    pub fn heads(&self) -> usize {
        self.0.heads.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.0.heads.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.0.recorded.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.0.notes.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Waits for the head of a request that carries this field with this value, but not for its body.
    pub async fn head_arrival(&self, header: &str, value: &str) -> Result<()> {
        self.wait(&format!("the head of a request with {header}: {value}"), || {
            self.has_head(header, value).then_some(())
        })
        .await
    }

    async fn wait<T>(&self, what: &str, found: impl Fn() -> Option<T>) -> Result<T> {
        let mut news = self.0.news.subscribe();
        within(&format!("{what} at an upstream"), async {
            loop {
                news.borrow_and_update();
                if let Some(found) = found() {
                    return Ok(found);
                }
                news.changed().await?;
            }
        })
        .await
    }

    /// What connections ended with when it was not their proper end; of a proxy that aborts or resets this is
    /// to be expected.
    pub fn notes(&self) -> Vec<String> {
        self.0.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn note(&self, note: String) {
        self.0.notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
    }

    pub(crate) fn begin(&self, headers: &Headers) {
        self.0.heads.lock().unwrap_or_else(PoisonError::into_inner).push(headers.clone());
        self.0.news.send_modify(|count| *count += 1);
    }

    pub(crate) fn add(&self, recorded: &Arc<Recorded>) {
        self.0.recorded.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(recorded));
        self.0.news.send_modify(|count| *count += 1);
    }
}
