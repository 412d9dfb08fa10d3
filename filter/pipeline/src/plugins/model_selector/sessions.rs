//! Sessions: which model the one of a request is bound to, and that it is bound to the one chosen. In a table that all
//! workers share; names are kept as hashes, in buckets of a few.

use crate::env;
use crate::metrics::MetricId;
use crate::plugin::{Build, Request, SessionRules};
use ipp_selector::records::{SessionBucket, session_hash};
use ipp_selector::{Candidate, Session};
use std::rc::Rc;

/// A longer identifier is none.
const LONGEST_ID: usize = 256;

/// The session of a request, for a profile whose responses tell it.
#[derive(Debug)]
pub(crate) struct SessionId(pub(crate) Vec<u8>);

/// The sessions of one request header.
pub(super) struct Sessions {
    rules: SessionRules,
    /// Whether responses tell the client of its session; then one that names none gets a new one.
    answers: bool,
    hits: MetricId,
    misses: MetricId,
    moved: MetricId,
    evictions: MetricId,
    lost: MetricId,
}

/// What is known of a request's session before the choice.
pub(super) struct Found<'s> {
    sessions: &'s Sessions,
    id: Option<Vec<u8>>,
    key: String,
    hash: u64,
    known: bool,
    /// The model that it is bound to, if it still is one.
    bound: Option<Rc<str>>,
}

impl Sessions {
    pub(super) fn new(key: &str, build: &mut Build<'_>) -> Result<Self, String> {
        let (rules, answers) = build
            .sessions(key)
            .ok_or_else(|| format!("nothing says how the sessions of the header {key:?} are kept"))?;
        let labels = [("plugin_name", rules.instance.clone())];
        let labels: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut counter = |name: &str| build.counter(name, &labels);
        Ok(Self {
            answers,
            hits: counter("ipp_session_affinity_cache_hits_total")?,
            misses: counter("ipp_session_affinity_cache_misses_total")?,
            moved: counter("ipp_session_affinity_moved_total")?,
            evictions: counter("ipp_session_affinity_cache_evictions_total")?,
            lost: counter("ipp_session_affinity_lost_total")?,
            rules,
        })
    }

    /// Looks the request's session up among the models with these hashes.
    pub(super) fn find(&self, request: &mut Request<'_>, models: &[Candidate], hashes: &[u64]) -> Found<'_> {
        let sent = request.header(self.rules.header).map(<[u8]>::to_vec);
        let sent = sent.filter(|id| !id.is_empty() && id.len() <= LONGEST_ID);
        let mut found =
            Found { sessions: self, id: None, key: String::new(), hash: 0, known: false, bound: None };
        let named = sent.is_some();
        let Some(id) = sent.or_else(|| self.answers.then(|| new_id(request))) else { return found };
        found.hash = session_hash(&id);
        let table = self.rules.table;
        let SessionRules { instance, key, .. } = &self.rules;
        let (buckets, bucket) = (table.buckets(), table.bucket_of(found.hash));
        found.key = format!("session/{instance}/{key}/{buckets}/{bucket}");
        found.id = Some(id);
        if !named {
            return found;
        }
        let now = request.now_ns();
        let env = request.env();
        let mut bucket: SessionBucket = env::read(&env.shared(&found.key));
        let (model, _) = bucket.get(found.hash, now);
        found.known = model.is_some();
        found.bound = model
            .and_then(|model| hashes.iter().position(|hash| *hash == model))
            .and_then(|index| models.get(index))
            .map(Candidate::shared_name);
        env.add(if found.known { self.hits } else { self.misses }, 1);
        found
    }
}

impl Found<'_> {
    /// The header by which a scorer asks.
    pub(super) fn key(&self) -> &str {
        &self.sessions.rules.key
    }

    /// What the scorer is told. A session whose model is no more is bound all the same: to nobody that could be chosen.
    pub(super) fn session(&self) -> Session<'_> {
        match (&self.id, &self.bound) {
            (None, _) => Session::None,
            (Some(_), Some(model)) => Session::Bound(model),
            (Some(_), None) => Session::Unknown,
        }
    }

    /// Binds the session to the model that was chosen, and leaves its name for the response.
    pub(super) fn bind(self, model: &str, request: &mut Request<'_>) {
        let Self { sessions, id: Some(id), key, hash, known, bound } = self else { return };
        let now = request.now_ns();
        let expires = now.saturating_add(sessions.rules.ttl_ns);
        let model_hash = session_hash(model.as_bytes());
        let env = request.env();
        let table = sessions.rules.table;
        let written = env::update(env, &key, |bucket: &mut SessionBucket| {
            bucket.put(hash, model_hash, now, expires, table)
        });
        match written {
            None => env.add(sessions.lost, 1),
            Some(0) => {}
            Some(gone) => env.add(sessions.evictions, u64::try_from(gone).unwrap_or(u64::MAX)),
        }
        if known && bound.is_none_or(|bound| *bound != *model) {
            env.add(sessions.moved, 1);
        }
        if sessions.answers {
            request.state().put(SessionId(id));
        }
    }
}

/// A random UUID (RFC 9562, version 4).
fn new_id(request: &mut Request<'_>) -> Vec<u8> {
    let (high, low) = (request.random(), request.random());
    let high = (high & 0xFFFF_FFFF_FFFF_0FFF) | 0x4000;
    let low = (low & 0x3FFF_FFFF_FFFF_FFFF) | 0x8000_0000_0000_0000;
    let digits = format!("{high:016x}{low:016x}");
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-").into_bytes()
}
