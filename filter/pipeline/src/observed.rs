//! What is learned from the end of a request: the entry point for whoever saw the response.

use crate::env::Env;
use crate::pipeline::{Pipeline, Routed};
use crate::plugins::Picked;

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

    /// A request has ended: what its model's figures learn of it, in all workers. To be called before
    /// [`finish`](Pipeline::finish); a second call does nothing.
    pub fn observed(&self, routed: &mut Routed, observed: &Observed, env: &mut dyn Env) {
        if let Some(picked) = routed.state.take::<Picked>() {
            picked.learn(observed, env);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Served;

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
