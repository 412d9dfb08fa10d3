//! What is learned from the end of a request: the entry point for whoever saw the response.

use crate::env::Env;
use crate::observation::{Outcome, Shown};
use crate::pipeline::{Pipeline, Routed};
use crate::plugins::Picked;

/// What Envoy says where it gave up on a model server.
const GAVE_UP: [&[u8]; 4] =
    [b"upstream", b"no_healthy_upstream", b"stream_idle_timeout", b"max_duration_timeout"];

/// What the end of a request says of the model that it was given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// The answer was complete and no failure.
    Well,
    /// The model server failed: a status of 5xx or 429, an answer that broke off, none at all.
    Failed,
    /// Nothing: the client left, or what it asked for was wrong.
    Unsaid,
}

impl Served {
    /// By the status of an answer that was complete; 0 where there was none.
    pub fn by_status(status: u16) -> Self {
        match status {
            100..=399 => Self::Well,
            429 | 500.. | 0..=99 => Self::Failed,
            400..=499 => Self::Unsaid,
        }
    }

    /// By how the request ended; `details` are Envoy's response code details, which tell a model server that did not
    /// answer from a filter behind this one that answered in its place.
    fn by_outcome(outcome: Outcome, status: Option<u16>, details: &[u8]) -> Self {
        match (outcome, status) {
            (Outcome::Ok, _) => Self::Well,
            // An error that stands in an answer of a good status.
            (Outcome::Error, Some(0..=399) | None) | (Outcome::Reset, _) => Self::Failed,
            (Outcome::Error, Some(status)) => Self::by_status(status),
            (Outcome::Unanswered, _) if GAVE_UP.iter().any(|start| details.starts_with(start)) => {
                Self::Failed
            }
            (Outcome::Unanswered | Outcome::Aborted, _) => Self::Unsaid,
        }
    }
}

/// The end of a request that went on to a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed {
    /// How the model served it.
    pub served: Served,
    /// From the choice to the first token, in nanoseconds; only of an answer that was streamed.
    pub ttft_ns: Option<u64>,
    /// From the choice to the end, in nanoseconds.
    pub duration_ns: u64,
    /// Tokens of the prompt, where the answer tells.
    pub prompt_tokens: Option<u64>,
    /// Tokens of the completion, where the answer tells.
    pub completion_tokens: Option<u64>,
}

impl Pipeline {
    /// Whether [`observed`](Pipeline::observed) would learn anything: some filter or scorer reads a figure that is made
    /// of responses.
    pub fn learns(&self, routed: &Routed) -> bool {
        routed.state.get::<Picked>().is_some()
    }

    /// Whether it takes more than times for that.
    pub(crate) fn learns_of_bodies(&self, routed: &Routed) -> bool {
        routed.state.get::<Picked>().is_some_and(Picked::reads_bodies)
    }

    /// A request has ended: what its model's figures learn of it, in all workers. To be called before
    /// [`finish`](Pipeline::finish); a second call does nothing.
    pub fn observed(&self, routed: &mut Routed, observed: &Observed, env: &mut dyn Env) {
        if let Some(picked) = routed.state.take::<Picked>() {
            picked.learn(observed, env);
        }
    }

    /// The same, of what the way of the response has seen.
    pub(crate) fn learn(
        &self,
        routed: &mut Routed,
        outcome: Outcome,
        shown: &Shown,
        streamed: bool,
        details: &[u8],
        env: &mut dyn Env,
    ) {
        let Some(chosen_ns) = routed.state.get::<Picked>().map(Picked::at_ns) else { return };
        let usage = shown.seen.as_ref().and_then(|seen| seen.reading.usage());
        let observed = Observed {
            served: Served::by_outcome(outcome, shown.status, details),
            ttft_ns: shown.first_content_ns.filter(|_| streamed).map(|first| first.saturating_sub(chosen_ns)),
            duration_ns: env.now_ns().saturating_sub(chosen_ns),
            prompt_tokens: usage.and_then(|usage| usage.prompt),
            completion_tokens: usage.and_then(|usage| usage.completion),
        };
        self.observed(routed, &observed, env);
    }
}

#[cfg(test)]
mod tests {
    use super::Served;
    use crate::observation::Outcome;

    #[test]
    fn whose_fault_an_ending_is() {
        for (outcome, status, details, want) in [
            (Outcome::Ok, Some(200), "via_upstream", Served::Well),
            (Outcome::Error, Some(200), "via_upstream", Served::Failed),
            (Outcome::Error, Some(500), "via_upstream", Served::Failed),
            (Outcome::Error, Some(400), "via_upstream", Served::Unsaid),
            (Outcome::Reset, Some(200), "upstream_reset_after_response_started{}", Served::Failed),
            (Outcome::Aborted, None, "downstream_remote_disconnect", Served::Unsaid),
            (
                Outcome::Unanswered,
                None,
                "upstream_reset_before_response_started{connection_failure}",
                Served::Failed,
            ),
            (Outcome::Unanswered, None, "upstream_response_timeout", Served::Failed),
            (Outcome::Unanswered, None, "no_healthy_upstream", Served::Failed),
            (Outcome::Unanswered, None, "route_not_found", Served::Unsaid),
            (Outcome::Unanswered, None, "rbac_access_denied", Served::Unsaid),
        ] {
            assert_eq!(
                Served::by_outcome(outcome, status, details.as_bytes()),
                want,
                "{outcome:?} {details}"
            );
        }
    }

    #[test]
    fn whose_fault_a_status_is() {
        for (status, want) in [
            (200, Served::Well),
            (204, Served::Well),
            (302, Served::Well),
            (400, Served::Unsaid),
            (404, Served::Unsaid),
            (422, Served::Unsaid),
            (429, Served::Failed),
            (500, Served::Failed),
            (503, Served::Failed),
            (0, Served::Failed),
        ] {
            assert_eq!(Served::by_status(status), want, "{status}");
        }
    }
}
