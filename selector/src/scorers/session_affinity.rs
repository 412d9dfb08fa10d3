//! `session-affinity`: a conversation stays with the model that served it before.

use crate::attribute::{CAPACITY, IN_FLIGHT};
use crate::candidate::Candidate;
use crate::contender::Scores;
use crate::context::{Env, Query, Session};
use crate::parameter::ParameterError;
use crate::plugin::Scorer;

/// Upstream's `session-affinity`, its scoring half: 1 for the model that the request's session is bound to, 0
/// for all others; 0 for all where there is no session, or none that is known, or its model is not among the
/// candidates. To rule the choice, its weight has to be greater than the sum of the other weights.
///
/// With `break_away` (not in upstream) a session leaves a model that has that many requests in flight for each
/// that it can serve ([`IN_FLIGHT`] over [`CAPACITY`], or over 1 where there is none): then it scores 0 too.
pub struct SessionAffinityScorer {
    key: Box<str>,
    break_away: Option<f64>,
}

impl SessionAffinityScorer {
    /// The type that a configuration names.
    pub const TYPE: &'static str = "session-affinity";
    /// Upstream's header.
    pub const DEFAULT_KEY: &'static str = "x-session-id";

    /// `key` is the request header that names the session, in any case; an empty one means the default.
    pub fn new(key: &str, break_away: Option<f64>) -> Result<Self, ParameterError> {
        if break_away.is_some_and(|load| !load.is_finite() || load <= 0.0) {
            return Err(ParameterError {
                parameter: "breakAwayLoad",
                expected: "a finite number greater than 0",
            });
        }
        let key = if key.is_empty() { Self::DEFAULT_KEY } else { key };
        Ok(Self { key: key.to_ascii_lowercase().into(), break_away })
    }

    fn overloaded(&self, candidate: &Candidate) -> bool {
        self.break_away.is_some_and(|limit| {
            let capacity = candidate.get(&CAPACITY).copied().filter(|capacity| *capacity > 0.0);
            candidate.get(&IN_FLIGHT).copied().unwrap_or(0.0) >= limit * capacity.unwrap_or(1.0)
        })
    }
}

impl Scorer for SessionAffinityScorer {
    fn type_name(&self) -> &'static str {
        Self::TYPE
    }

    fn attributes(&self) -> Vec<&str> {
        if self.break_away.is_some() { vec![IN_FLIGHT.name(), CAPACITY.name()] } else { Vec::new() }
    }

    fn session_key(&self) -> Option<&str> {
        Some(&self.key)
    }

    fn score(&self, query: &dyn Query, _env: &mut Env<'_>, scores: &mut Scores<'_>) {
        let bound = match query.session(&self.key) {
            Session::Bound(model) => Some(model),
            Session::None | Session::Unknown => None,
        };
        scores.fill(|candidate| {
            let stays = Some(candidate.name()) == bound && !self.overloaded(candidate);
            if stays { 1.0 } else { 0.0 }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Request, candidates, scores};

    fn check(
        scorer: &SessionAffinityScorer,
        session: (&str, Session<'_>),
        models: &[Candidate],
        want: &[f64],
    ) {
        let got = scores(scorer, &Request { session, ..Request::default() }, models);
        assert_eq!(got, want.iter().copied().map(Some).collect::<Vec<_>>(), "{session:?}");
    }

    #[test]
    fn the_model_of_the_session() {
        // vectors.md, session_affinity.
        let models = candidates(["a", "b", "c"]);
        let scorer = SessionAffinityScorer::new("", None).unwrap();
        check(&scorer, ("x-session-id", Session::None), &models, &[0.0; 3]);
        check(&scorer, ("x-session-id", Session::Unknown), &models, &[0.0; 3]);
        check(&scorer, ("x-session-id", Session::Bound("a")), &[], &[]);
        check(&scorer, ("x-session-id", Session::Bound("b")), &models, &[0.0, 1.0, 0.0]);
        let custom = SessionAffinityScorer::new("X-Conv-Id", None).unwrap();
        assert_eq!(custom.session_key(), Some("x-conv-id"));
        check(&custom, ("x-conv-id", Session::Bound("a")), &candidates(["a", "b"]), &[1.0, 0.0]);

        // Reference, 2.9.
        check(&scorer, ("x-session-id", Session::Bound("gone")), &models, &[0.0; 3]);
        check(&scorer, ("other", Session::Bound("a")), &models, &[0.0; 3]);
    }

    #[test]
    fn it_leaves_an_overloaded_model() {
        let scorer = SessionAffinityScorer::new("", Some(2.0)).unwrap();
        let model = |in_flight| [Candidate::new("a").with(&CAPACITY, 10.0).with(&IN_FLIGHT, in_flight)];
        check(&scorer, ("x-session-id", Session::Bound("a")), &model(19.0), &[1.0]);
        check(&scorer, ("x-session-id", Session::Bound("a")), &model(20.0), &[0.0]);
        let small = [Candidate::new("a").with(&IN_FLIGHT, 2.0)];
        check(&scorer, ("x-session-id", Session::Bound("a")), &small, &[0.0]);
        check(&scorer, ("x-session-id", Session::Bound("a")), &candidates(["a"]), &[1.0]);
        for refused in [0.0, -1.0, f64::NAN] {
            assert!(SessionAffinityScorer::new("", Some(refused)).is_err());
        }
    }
}
