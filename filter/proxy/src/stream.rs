//! One request and its response: Envoy's callbacks, in the order in which the phases allow them.

use crate::active::Active;
use crate::apply;
use crate::host::{self, Buffer, Map};
use crate::response::{self, Next};
use crate::role::Outlet;
use crate::watch::Fate;
use ipp_pipeline::response::{Answer, Need};
use ipp_pipeline::{Ending, Entered, Held, Pipeline, Progress, Rejection, Routed};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use std::rc::Rc;

/// How far a stream is.
enum Phase {
    /// No headers were seen. Envoy also makes a context for requests that it refuses itself.
    New,
    /// Headers are held, here or at the gate; so many bytes of the body were read.
    Reading { held: Box<Held>, read: usize },
    /// The request went on; its response is on its way once there is an answer.
    Released { routed: Routed, answer: Option<Answer> },
    /// The request was answered here. The reply comes by as a response, which is none of ours.
    Replied,
}

pub(crate) struct Stream {
    active: Rc<Active>,
    outlet: Outlet,
    phase: Phase,
}

impl Stream {
    pub(crate) fn new(active: Rc<Active>, outlet: Outlet) -> Self {
        Self { active, outlet, phase: Phase::New }
    }

    /// Lets the request go on as it is.
    fn release(&mut self, ending: Ending) -> Action {
        self.active.pipeline.count_ending(ending, &mut self.active.env());
        self.phase = Phase::Released { routed: Routed::default(), answer: None };
        Action::Continue
    }

    /// Answers the request.
    fn reject(&mut self, rejection: &Rejection) -> Action {
        self.active.pipeline.count_ending(Ending::Rejected, &mut self.active.env());
        self.phase = Phase::Replied;
        self.active.answer(rejection);
        // Envoy goes by the reply, whatever is returned; should it have refused the reply, nothing goes on.
        Action::Pause
    }

    /// The request that is held, and how much of its body was read, for what comes next of it. Nothing if it is not
    /// held, or not any more.
    fn take_held(&mut self) -> Option<(Box<Held>, usize)> {
        if !matches!(self.phase, Phase::Reading { .. }) {
            return None;
        }
        let fate = self.outlet.body_came();
        let next = match fate {
            Fate::Held | Fate::Answered => Phase::Replied,
            Fate::Released => Phase::Released { routed: Routed::default(), answer: None },
        };
        match std::mem::replace(&mut self.phase, next) {
            Phase::Reading { held, read } if fate == Fate::Held => Some((held, read)),
            _ => None,
        }
    }

    /// What a callback of the response comes to.
    fn respond(&mut self, next: Next) -> Action {
        match next {
            Next::Go(action) => action,
            Next::Reject(rejection) => {
                self.active.answer(&rejection);
                Action::Pause
            }
        }
    }

    /// The body is complete: decides, and applies the decision. `start` is as much of the body's start as is at hand.
    fn decide(&mut self, held: Box<Held>, start: &[u8]) -> Action {
        let result = self.active.pipeline.decide(held, &mut self.active.env());
        let mut forward = match result {
            Ok(forward) => forward,
            Err(rejection) => return self.reject(&rejection),
        };
        if let Err(refused) = self.outlet.forward(&self.active.pipeline, &forward, start) {
            // Some of the decision may be in force and some not; what is half decided must not go on.
            log::warn!("the host refused an edit of the request (status {})", refused.0);
            self.active.pipeline.finish(&mut forward.routed, &mut self.active.env());
            return self.reject(&Rejection::internal("the request could not be edited"));
        }
        self.active.pipeline.count_ending(Ending::Processed, &mut self.active.env());
        self.phase = Phase::Released { routed: forward.routed, answer: None };
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
            Entered::Hold(held) => match self.outlet.hold() {
                Ok(action) => {
                    self.phase = Phase::Reading { held, read: 0 };
                    action
                }
                Err(_) => self.reject(&Rejection::internal("the request could not be held")),
            },
            Entered::Reject(rejection) => self.reject(&rejection),
            Entered::Pass(pass) => {
                self.outlet.pass();
                self.release(Pipeline::ending_of(pass))
            }
        }
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        let Some((mut held, read)) = self.take_held() else { return Action::Continue };
        // While the request is held the buffer grows and `size` is all of it: only the rest is new.
        let mut start = Vec::new();
        if size > read {
            let Ok(chunk) = host::read(Buffer::RequestBody, read, size.saturating_sub(read)) else {
                return self.reject(&Rejection::internal("the request's body could not be read"));
            };
            match self.active.pipeline.feed(&mut held, &chunk) {
                Progress::More => {}
                Progress::Bypass => {
                    return match self.outlet.release() {
                        Ok(()) => self.release(Ending::Bypassed),
                        Err(_) => self.reject(&Rejection::internal("the request could not be let go")),
                    };
                }
                Progress::Reject(rejection) => return self.reject(&rejection),
            }
            if read == 0 {
                start = chunk;
            }
        }
        if end_of_stream || held.is_complete() {
            return self.decide(held, &start);
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
        match self.take_held() {
            Some((held, _)) => self.decide(held, &[]),
            None => Action::Continue,
        }
    }

    fn on_http_response_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        let Phase::Released { routed, answer } = &mut self.phase else { return Action::Continue };
        self.outlet.responded();
        let (came, next) = response::headers(&self.active, routed, end_of_stream);
        *answer = came;
        self.respond(next)
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        let Phase::Released { routed, answer: Some(answer) } = &mut self.phase else {
            return Action::Continue;
        };
        let next = response::body(&self.active, routed, answer, size, end_of_stream);
        self.respond(next)
    }

    /// With trailers no body callback says that the body has ended: this one does.
    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        let Phase::Released { routed, answer: Some(answer) } = &mut self.phase else {
            return Action::Continue;
        };
        let held = answer.needs() == Need::Whole;
        answer.end();
        let next =
            if held { response::whole(&self.active, routed, answer) } else { return Action::Continue };
        self.respond(next)
    }

    /// Comes once for each stream, before the access log is written.
    fn on_log(&mut self) {
        if let Phase::Released { routed, answer } = &mut self.phase {
            response::finish(&self.active, routed, answer.take(), true);
        }
    }
}

/// The host deletes every stream's context exactly once, however the stream ended.
impl Drop for Stream {
    fn drop(&mut self) {
        match &mut self.phase {
            Phase::Reading { .. } if self.outlet.ended() == Fate::Held => {
                self.active.pipeline.count_ending(Ending::Aborted, &mut self.active.env());
            }
            // Nothing is left to be accounted for, unless the host did not ask for the log.
            Phase::Released { routed, answer } => {
                response::finish(&self.active, routed, answer.take(), false);
                self.active.pipeline.finish(routed, &mut self.active.env());
            }
            Phase::New | Phase::Reading { .. } | Phase::Replied => {}
        }
    }
}
