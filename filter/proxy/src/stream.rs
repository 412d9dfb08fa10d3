//! One request and its response: Envoy's callbacks, in the order in which the phases allow them.

use crate::active::Active;
use crate::apply;
use crate::host::{self, Buffer, Map};
use ipp_pipeline::{Ending, Entered, Held, Pipeline, Progress, Rejection, Routed};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use std::rc::Rc;

/// How far a stream is.
enum Phase {
    /// No headers were seen. Envoy also makes a context for requests that it refuses itself.
    New,
    /// Headers are held; so many bytes of the body were read.
    Reading { held: Box<Held>, read: usize },
    /// The request went on; nothing of it is looked at any more.
    Released(Routed),
    /// The request was answered here. The reply comes by as a response, which is none of ours.
    Replied,
}

pub(crate) struct Stream {
    active: Rc<Active>,
    phase: Phase,
}

impl Stream {
    pub(crate) fn new(active: Rc<Active>) -> Self {
        Self { active, phase: Phase::New }
    }

    /// Lets the request go on as it is.
    fn release(&mut self, ending: Ending) -> Action {
        self.active.pipeline.count_ending(ending, &mut self.active.env());
        self.phase = Phase::Released(Routed::default());
        Action::Continue
    }

    /// Answers the request.
    fn reject(&mut self, rejection: &Rejection) -> Action {
        let mut env = self.active.env();
        self.active.pipeline.count_ending(Ending::Rejected, &mut env);
        let reply = self.active.pipeline.reply(rejection, &mut env);
        self.phase = Phase::Replied;
        apply::reply(rejection.code, &reply);
        // Envoy goes by the reply, whatever is returned; should it have refused the reply, nothing goes on.
        Action::Pause
    }

    /// The body is complete: decides, and applies the decision.
    fn decide(&mut self, held: Box<Held>) -> Action {
        let result = self.active.pipeline.decide(held, &mut self.active.env());
        let mut forward = match result {
            Ok(forward) => forward,
            Err(rejection) => return self.reject(&rejection),
        };
        if let Err(refused) = apply::forward(&self.active.pipeline, &forward) {
            // Some of the decision may be in force and some not; what is half decided must not go on.
            log::warn!("the host refused an edit of the request (status {})", refused.0);
            self.active.pipeline.finish(&mut forward.routed, &mut self.active.env());
            return self.reject(&Rejection::internal("the request could not be edited"));
        }
        self.active.pipeline.count_ending(Ending::Processed, &mut self.active.env());
        self.phase = Phase::Released(forward.routed);
        Action::Continue
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        let Ok(headers) = host::headers(Map::Request) else {
            return self.reject(&Rejection::too_many_headers());
        };
        let pipeline = &self.active.pipeline;
        let (removals, entered) = pipeline.enter(headers.iter(), end_of_stream);
        if apply::headers(Map::Request, pipeline.request_headers(), &removals).is_err() {
            return self.reject(&Rejection::internal("the request's headers could not be edited"));
        }
        match entered {
            Entered::Hold(held) => {
                self.phase = Phase::Reading { held, read: 0 };
                Action::Pause
            }
            Entered::Reject(rejection) => self.reject(&rejection),
            Entered::Pass(pass) => self.release(Pipeline::ending_of(pass)),
        }
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        let (mut held, read) = match std::mem::replace(&mut self.phase, Phase::Replied) {
            Phase::Reading { held, read } => (held, read),
            other => {
                self.phase = other;
                return Action::Continue;
            }
        };
        // While the request is held the buffer grows and `size` is all of it: only the rest is new.
        if size > read {
            let Ok(chunk) = host::read(Buffer::RequestBody, read, size.saturating_sub(read)) else {
                return self.reject(&Rejection::internal("the request's body could not be read"));
            };
            match self.active.pipeline.feed(&mut held, &chunk) {
                Progress::More => {}
                Progress::Bypass => return self.release(Ending::Bypassed),
                Progress::Reject(rejection) => return self.reject(&rejection),
            }
        }
        if end_of_stream || held.is_complete() {
            return self.decide(held);
        }
        self.phase = Phase::Reading { held, read: size.max(read) };
        Action::Pause
    }

    /// With trailers no body callback says that the body has ended: this one does.
    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        let pipeline = &self.active.pipeline;
        if apply::strip(Map::RequestTrailers, pipeline.request_headers()).is_err() {
            return self.reject(&Rejection::internal("the request's trailers could not be edited"));
        }
        match std::mem::replace(&mut self.phase, Phase::Replied) {
            Phase::Reading { held, .. } => self.decide(held),
            other => {
                self.phase = other;
                Action::Continue
            }
        }
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        let pipeline = &self.active.pipeline;
        if let Phase::Released(routed) = &self.phase
            && pipeline.acts_on_responses()
            && let Ok(headers) = host::headers(Map::Response)
        {
            let edits = pipeline.response_headers(routed, headers.iter(), &mut self.active.env());
            // The response is not ours to fail.
            apply::headers(Map::Response, pipeline.response_header_names(), &edits).ok();
        }
        Action::Continue
    }
}

/// The host deletes every stream's context exactly once, however the stream ended.
impl Drop for Stream {
    fn drop(&mut self) {
        let Active { pipeline, .. } = &*self.active;
        match &mut self.phase {
            Phase::Reading { .. } => pipeline.count_ending(Ending::Aborted, &mut self.active.env()),
            Phase::Released(routed) => pipeline.finish(routed, &mut self.active.env()),
            Phase::New | Phase::Replied => {}
        }
    }
}
