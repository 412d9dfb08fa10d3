//! One exchange seen from both ends, and what has to be true of it.

use std::sync::Arc;

use ipp_testharness::client::{Framing, Request, Response};
use ipp_testharness::upstream::Recorded;

use super::{BASE, MODEL};

/// What was sent, what arrived, and what came back.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) sent: Request,
    pub(crate) arrived: Vec<Arc<Recorded>>,
    pub(crate) response: Response,
}

/// Fields that Envoy adds, or that belong to one connection only.
const BY_ENVOY: [&str; 7] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "expect",
    "x-forwarded-proto",
    "x-envoy-upstream-rq-timeout-ms",
];

impl Exchange {
    /// It reached `pool`, once, with these routing headers and none that it did not have before; its body,
    /// its trailers and every other field are as they were sent; and the pool's answer came back.
    #[track_caller]
    pub(crate) fn forwarded(&self, pool: &str, model: Option<&str>, base: Option<&str>) -> &Recorded {
        let arrived = self.reached(pool);
        assert_routing(arrived, model, base);
        assert_eq!(arrived.body.len(), self.sent.body.len(), "the length of the body");
        assert!(arrived.body == self.sent.body, "the body was changed: {}", arrived.body_sha256());
        assert_eq!(arrived.trailers, self.sent.trailers, "the trailers");
        arrived
    }

    /// The same of a request whose body was rewritten on its way, with a content-length that fits.
    #[track_caller]
    pub(crate) fn rewritten(&self, pool: &str, model: &str, base: &str, body: &str) -> &Recorded {
        let arrived = self.reached(pool);
        assert_routing(arrived, Some(model), Some(base));
        assert_eq!(String::from_utf8_lossy(&arrived.body), body);
        arrived
    }

    /// The filter answered with an error of the OpenAI shape and this code, and nothing reached any pool.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) {
        let text = self.response.text();
        assert_eq!(self.response.status, status, "{text}");
        let body = self.response.json();
        let error = &body["error"];
        assert_eq!(error["code"], code, "{text}");
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{text}");
        assert_eq!(error["type"], "invalid_request_error", "{text}");
        assert!(error.get("param").is_some(), "{text}");
        assert_eq!(body.as_object().map(serde_json::Map::len), Some(1), "{text}");
        assert_eq!(self.response.header("content-type").as_deref(), Some("application/json"));
        assert!(self.arrived.is_empty(), "it reached a pool: {:?}", self.arrived);
    }

    #[track_caller]
    fn reached(&self, pool: &str) -> &Recorded {
        let [arrived] = self.arrived.as_slice() else {
            panic!("expected it once at {pool}: {self:#?}");
        };
        assert_eq!(self.response.status, 200, "{}", self.response.text());
        assert_eq!(self.response.broken, None);
        assert_eq!(self.response.text(), format!("answered by {pool}"));
        assert_eq!(arrived.upstream, pool);
        assert_eq!(arrived.method, self.sent.method);
        assert_eq!(arrived.path, self.sent.path);
        assert!(arrived.complete);
        self.assert_fields(arrived);
        arrived
    }

    /// Every field that was sent arrived, and no other, except for what Envoy does and what the filter owns.
    #[track_caller]
    fn assert_fields(&self, arrived: &Recorded) {
        let others = |headers: &ipp_testharness::message::Headers| -> Vec<(String, Vec<u8>)> {
            let lower = headers
                .iter()
                .map(|(name, value)| (String::from_utf8_lossy(name).to_ascii_lowercase(), value.to_vec()));
            let mut all: Vec<_> = lower
                .filter(|(name, _)| !BY_ENVOY.contains(&name.as_str()) && name != MODEL && name != BASE)
                .collect();
            all.sort();
            all
        };
        assert_eq!(others(&arrived.headers), others(&self.sent.headers));
        assert_framing(arrived, &self.sent);
    }
}

/// One length that is right, or chunks, but never both: then the next server could read another body than the
/// last one.
#[track_caller]
fn assert_framing(arrived: &Recorded, sent: &Request) {
    let lengths: Vec<_> = arrived.headers.all("content-length").map(String::from_utf8_lossy).collect();
    let chunked = arrived.headers.contains("transfer-encoding");
    match lengths.as_slice() {
        [] => assert_ne!(sent.framing, Framing::Length, "content-length was lost"),
        [length] => {
            assert_eq!(**length, arrived.body.len().to_string());
            assert!(!chunked, "a length and chunks");
        }
        more => panic!("several lengths: {more:?}"),
    }
}

/// Exactly these routing headers.
#[track_caller]
pub(crate) fn assert_routing(arrived: &Recorded, model: Option<&str>, base: Option<&str>) {
    for (name, expected) in [(MODEL, model), (BASE, base)] {
        let values: Vec<_> = arrived.headers.all(name).map(String::from_utf8_lossy).collect();
        assert_eq!(values, expected.into_iter().collect::<Vec<_>>(), "{name}");
    }
}
