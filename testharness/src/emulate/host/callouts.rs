//! Requests that a filter makes itself.

use std::time::Duration;

use super::{Answer, Calls, Field, HeaderMap, Status, VmIndex};

/// A callout that waits for its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callout {
    /// The VM that made it.
    pub vm: VmIndex,
    /// The root context that owns it, whichever context made it (section 5).
    pub root: u32,
    /// What the guest knows it by.
    pub token: u32,
    /// Where it goes.
    pub cluster: String,
    /// Its headers, `content-length` added if it has a body.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
    /// Its trailers.
    pub trailers: Vec<Field>,
    /// When its answer comes too late; none for never.
    pub timeout: Option<Duration>,
}

/// What its callback sees. A callout that failed has no answer at all: 0 headers (section 5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CalloutResponse {
    /// The headers with `:status`.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// The trailers.
    pub trailers: HeaderMap,
}

impl Calls<'_> {
    /// `proxy_http_call`. Section 5: "BadArgument at once for an unknown cluster or missing :method/:path/:authority".
    pub fn http_call(
        &mut self,
        cluster: &[u8],
        headers: Vec<Field>,
        body: Vec<u8>,
        trailers: Vec<Field>,
        timeout: u32,
    ) -> Answer<u32> {
        let cluster = String::from_utf8_lossy(cluster).into_owned();
        if i32::try_from(timeout).is_err() || !self.host.clusters.contains(&cluster) {
            return Err(Status::BadArgument);
        }
        let mut headers = HeaderMap::of_request().with(headers);
        if let Some(host) = headers.get(b"host").map(<[u8]>::to_vec) {
            headers.remove(b"host");
            headers.set(b":authority", &host);
        }
        let given = |name: &str| headers.get(name.as_bytes()).is_some();
        if ![":method", ":path", ":authority"].into_iter().all(given) {
            return Err(Status::BadArgument);
        }
        if !body.is_empty() {
            headers.set(b"content-length", body.len().to_string().as_bytes());
        }
        let (root, _) = self.root();
        self.host.last_token += 1;
        let token = self.host.last_token;
        let timeout = (timeout > 0).then(|| Duration::from_millis(u64::from(timeout)));
        let vm = self.vm;
        self.host.callouts.push_back(Callout { vm, root, token, cluster, headers, body, trailers, timeout });
        Ok(token)
    }
}
