//! `session-affinity`: a conversation stays with the model that served it before.

use super::model_selector::SessionId;
use super::parameter::{optional_number, refused};
use crate::config::Invalid;
use crate::head::HeaderId;
use crate::plugin::{Parameter, Params, Plugin, PluginType, Response, ResponseHeadersPlugin};
use ipp_selector::records::SessionTable;
use ipp_selector::scorers::SessionAffinityScorer;

/// The Go service's.
const MAX_SESSIONS: f64 = 10_000.0;
const TTL_SECONDS: f64 = 3600.0;
/// A session takes 24 bytes: 24 MB of memory that all workers share.
const MOST_SESSIONS: f64 = 1_000_000.0;
/// A month.
const LONGEST_TTL_SECONDS: f64 = 2_592_000.0;

pub(crate) const TYPE: PluginType = PluginType {
    name: SessionAffinityScorer::TYPE,
    about: "Scorer of model selection: 1 for the model that was chosen for the session before, 0 for all others. The \
            session is what the request header says, in at most 256 bytes. To rule the choice, its weight has to be \
            greater than the sum of the other weights. All workers know all sessions. Also a response plugin: listed \
            under `response` too, as in the Go service, it tells the session in a response header of the same name, and \
            a request that names none gets a new one, a random UUID. No response is held for that.",
    parameters: &[
        Parameter {
            name: "sessionIdKey",
            kind: "string",
            default: "x-session-id",
            about: "The header, in any case.",
        },
        Parameter {
            name: "maxSessions",
            kind: "number",
            default: "10000",
            about: "How many are kept, at most 1000000; the least recently used make room, each in its part of the \
                    table of up to 16. 0 or less means the default.",
        },
        Parameter {
            name: "ttlSeconds",
            kind: "number",
            default: "3600",
            about: "How long a session is kept after its last request, at most a month. 0 or less means the default.",
        },
        Parameter {
            name: "breakAwayLoad",
            kind: "number",
            default: "none",
            about: "Not in the Go service: a session leaves a model that has so many requests in flight for each of \
                    its `capacity`, or of 1 where it declares none.",
        },
    ],
    example: "\
type: session-affinity
parameters:
  sessionIdKey: X-Session-Id
  maxSessions: 50000
  ttlSeconds: 1800
  breakAwayLoad: 1.5
",
    build: |parameters, build| {
        let key = parameters.get("sessionIdKey").map_or(Ok(""), |view| view.string());
        let break_away = optional_number(parameters, "breakAwayLoad");
        let most = count(parameters, "maxSessions", MAX_SESSIONS, MOST_SESSIONS);
        let ttl = count(parameters, "ttlSeconds", TTL_SECONDS, LONGEST_TTL_SECONDS);
        let key = Some(key?).filter(|key| !key.is_empty()).unwrap_or(SessionAffinityScorer::DEFAULT_KEY);
        let scorer =
            SessionAffinityScorer::new(key, break_away?).map_err(|error| refused(parameters, error))?;
        // Whole, positive and within their limits: the casts change nothing.
        let (table, ttl_ns) = (SessionTable::new(most? as usize), (ttl? * 1e9) as u64);
        let wrong = |message: String| match parameters.get("sessionIdKey") {
            Some(view) => view.invalid(message),
            None => parameters.invalid(message),
        };
        build.session(key, table, ttl_ns).map_err(wrong)?;
        let header = build.edits_response_header(key).map_err(wrong)?;
        Ok(Plugin::new().scorer(scorer).response_headers(SessionHeader(header)))
    },
};

/// A number of things, where 0 and less stand for the default.
fn count(parameters: &Params<'_>, name: &str, default: f64, most: f64) -> Result<f64, Invalid> {
    let Some(view) = parameters.get(name) else { return Ok(default) };
    match view.number()? {
        number if number <= 0.0 => Ok(default),
        number if number.fract() == 0.0 && number <= most => Ok(number),
        _ => Err(view.expected(&format!("a whole number up to {most}"))),
    }
}

struct SessionHeader(HeaderId);

impl ResponseHeadersPlugin for SessionHeader {
    fn process(&self, response: &mut Response<'_>) {
        if let Some(SessionId(id)) = response.state().get() {
            response.set_header(self.0, id.clone());
        }
    }
}
