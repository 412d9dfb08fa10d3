//! The section `proxyWasm` of a configuration: what only this product has.

mod responses;

pub(crate) use responses::HIGHEST_PRICE;
pub use responses::{Attribution, MAX_LABELS, PricedModel, Prices, Responses};

use crate::attachment::{DEFAULT_GATE_TIMEOUT, GATE_TIMEOUTS, OnStall, Role};
use crate::config::{Invalid, Object, View};
use crate::head::check_editable;
use crate::payload::DuplicateKeys;
use crate::reject::ErrorStyle;
use std::time::Duration;

/// 8 MiB: more than any prompt of a million tokens, and small enough for a gateway to hold hundreds of them.
pub const DEFAULT_MAX_BYTES: u64 = 8 << 20;
/// 1 GiB is what Envoy gives a VM; the body itself stays in Envoy, but nothing sensible comes near.
const HIGHEST_MAX_BYTES: u64 = 1 << 30;

/// What to do with a body that is over the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TooLarge {
    /// Answer 413.
    #[default]
    Reject,
    /// Let it go on unread, with the routing headers removed.
    Bypass,
}

/// What to do with a body that is encoded (gzip and the like).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Encoded {
    /// Let it go on unread, with the routing headers removed.
    #[default]
    Bypass,
    /// Answer 415.
    Reject,
}

/// The options with their defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Prefixes of the paths that are read; all if empty.
    pub paths: Vec<String>,
    /// Largest body in bytes.
    pub max_bytes: u64,
    /// What to do with a larger one.
    pub too_large: TooLarge,
    /// What to do with a key that stands twice.
    pub duplicate_keys: DuplicateKeys,
    /// What to do with encoded bodies.
    pub encoded: Encoded,
    /// The shape of errors.
    pub errors: ErrorStyle,
    /// More headers that are removed on entry.
    pub owned_headers: Vec<String>,
    /// Makes random choices repeatable.
    pub seed: Option<u64>,
    /// What this filter does of the work.
    pub role: Role,
    /// How long a gate waits for a decision while nothing of the body comes.
    pub gate_timeout: Duration,
    /// What becomes of a request that the proxy cannot hold as it should.
    pub on_stall: OnStall,
    /// What is observed of responses.
    pub responses: Responses,
    /// The largest response that is held for a full-body plugin, in bytes.
    pub response_max_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            paths: Vec::new(),
            max_bytes: DEFAULT_MAX_BYTES,
            too_large: TooLarge::default(),
            duplicate_keys: DuplicateKeys::default(),
            encoded: Encoded::default(),
            errors: ErrorStyle::default(),
            owned_headers: Vec::new(),
            seed: None,
            role: Role::default(),
            gate_timeout: DEFAULT_GATE_TIMEOUT,
            on_stall: OnStall::default(),
            responses: Responses::default(),
            response_max_bytes: DEFAULT_MAX_BYTES,
        }
    }
}

impl Options {
    /// Whether a path (without its query) is to be read.
    pub(crate) fn in_scope(&self, path: &[u8]) -> bool {
        self.paths.is_empty() || self.paths.iter().any(|prefix| path.starts_with(prefix.as_bytes()))
    }

    pub(crate) fn read(section: &View<'_>) -> Result<Self, Invalid> {
        let object = section.object(&[
            "paths",
            "requestBody",
            "responseBody",
            "responses",
            "attribution",
            "errors",
            "ownedHeaders",
            "seed",
            "role",
            "gateTimeout",
            "onStall",
        ])?;
        let mut options = Self::default();
        options.read_attachment(&object);
        if let Some(errors) = object.get("errors") {
            let styles = [("openai", ErrorStyle::OpenAi), ("upstream", ErrorStyle::Upstream)];
            options.errors = errors.choice(&styles).unwrap_or_default();
        }
        if let Some(seed) = object.get("seed") {
            options.seed = seed.integer(0, u64::MAX).ok();
        }
        for path in elements(&object, "paths") {
            match path.text() {
                Ok(prefix) if prefix.starts_with('/') => options.paths.push(prefix.to_owned()),
                Ok(_) => drop(path.expected("a path that begins with \"/\"")),
                Err(Invalid) => {}
            }
        }
        for name in elements(&object, "ownedHeaders") {
            let Ok(text) = name.text() else { continue };
            match check_editable(text) {
                Ok(()) => options.owned_headers.push(text.to_owned()),
                Err(why) => drop(name.invalid(why)),
            }
        }
        if let Some(body) = object.get("requestBody") {
            options.read_body(&body).ok();
        }
        if let Some(limit) =
            object.get("responseBody").and_then(|body| body.object(&["maxBytes"]).ok()?.get("maxBytes"))
        {
            options.response_max_bytes = limit.integer(1, HIGHEST_MAX_BYTES).unwrap_or(DEFAULT_MAX_BYTES);
        }
        if let Some(responses) = object.get("responses") {
            options.responses = Responses::read(&responses).unwrap_or_default();
        }
        if let Some(attribution) = object.get("attribution") {
            options.responses.attribution = Attribution::read(&attribution).ok();
            if object.get("responses").is_none() {
                attribution.invalid("there is nothing to attribute: add `responses: {}` beside it");
            }
        }
        Ok(options)
    }

    fn read_attachment(&mut self, section: &Object<'_>) {
        if let Some(role) = section.get("role") {
            let roles = [("direct", Role::Direct), ("reader", Role::Reader), ("gate", Role::Gate)];
            self.role = role.choice(&roles).unwrap_or_default();
        }
        if let Some(timeout) = section.get("gateTimeout") {
            let [low, high] = GATE_TIMEOUTS;
            self.gate_timeout = timeout.duration(low, high).unwrap_or(DEFAULT_GATE_TIMEOUT);
        }
        if let Some(rule) = section.get("onStall") {
            let rules = [("reject", OnStall::Reject), ("continue", OnStall::Continue)];
            self.on_stall = rule.choice(&rules).unwrap_or_default();
        }
    }

    fn read_body(&mut self, section: &View<'_>) -> Result<(), Invalid> {
        let body = section.object(&["maxBytes", "tooLarge", "duplicateKeys", "encoded"])?;
        if let Some(limit) = body.get("maxBytes") {
            self.max_bytes = limit.integer(1, HIGHEST_MAX_BYTES).unwrap_or(DEFAULT_MAX_BYTES);
        }
        if let Some(rule) = body.get("tooLarge") {
            let rules = [("reject", TooLarge::Reject), ("bypass", TooLarge::Bypass)];
            self.too_large = rule.choice(&rules).unwrap_or_default();
        }
        if let Some(rule) = body.get("duplicateKeys") {
            let rules = [("reject", DuplicateKeys::Reject), ("last", DuplicateKeys::Last)];
            self.duplicate_keys = rule.choice(&rules).unwrap_or_default();
        }
        if let Some(rule) = body.get("encoded") {
            let rules = [("bypass", Encoded::Bypass), ("reject", Encoded::Reject)];
            self.encoded = rule.choice(&rules).unwrap_or_default();
        }
        Ok(())
    }
}

/// The elements of an optional list; a wrong type is reported.
fn elements<'a>(object: &Object<'a>, name: &str) -> Vec<View<'a>> {
    object.get(name).and_then(|list| list.list().ok()).unwrap_or_default()
}
