//! Role `gate`: holds the headers of the requests that a reader before it has marked, until its decision is there.
//!
//! Envoy holds everything of such a request, whatever the flag `allow_on_headers_stop_iteration` says: without it because
//! that is what Pause means, with it because body and trailers are paused, too.

use crate::active::Active;
use crate::apply;
use crate::host::{self, Map, Refused};
use crate::message::{self, Address, Decision};
use crate::reader::{DECISION, GATE, HELD, HOLD};
use crate::waiting::Waiting;
use crate::watch::received;
use ipp_pipeline::{Rejection, Trouble};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::time::Duration;

/// How often a gate looks at most for decisions whose wake-up was lost.
const LONGEST_PERIOD: Duration = Duration::from_secs(1);
/// How many times it looks within the time-out at least: the time-out is exact to one look.
const LOOKS: u32 = 4;

/// A stream that waits for its decision.
#[derive(Default)]
struct Held {
    /// Ticks since something of its body came.
    ticks: u32,
    /// How much of its body has come.
    received: u64,
}

/// What one configuration holds. Its root context lives as long as the last of its streams.
pub(crate) struct Gate {
    active: Rc<Active>,
    root: u32,
    /// Of a name that no other root context has or had: the host wakes the root that registered a name last.
    queue: u32,
    waiting: RefCell<Waiting<Held>>,
    told: Cell<bool>,
}

impl Gate {
    /// Makes the queue of a root context.
    pub(crate) fn new(active: Rc<Active>, root: u32) -> Result<Self, Refused> {
        let random = || RandomState::new().hash_one(host::now_ns());
        let queue = host::register_queue(&format!("ipp_gate_{:016x}{:016x}", random(), random()))?;
        Ok(Self { active, root, queue, waiting: RefCell::default(), told: Cell::default() })
    }

    /// Applies all decisions that are in the queue, if it is ours.
    pub(crate) fn queue_ready(&self, queue: u32) {
        if queue == self.queue {
            self.empty_queue();
            host::act_for(self.root).ok();
        }
    }

    fn empty_queue(&self) {
        while let Some(item) = host::dequeue(self.queue) {
            match message::split(&item) {
                Some((stream, decision)) => self.decided(stream, decision),
                None => log::warn!("an item of the gate's queue is not from a reader"),
            }
        }
    }

    /// Lets a stream go that waits for this decision. One that is gone is gone.
    fn decided(&self, stream: u32, decision: &[u8]) {
        if self.waiting.borrow_mut().remove(stream).is_none() || host::act_for(stream).is_err() {
            return;
        }
        match apply(decision) {
            Ok(()) => {
                host::continue_request().ok();
            }
            Err(rejection) => self.active.answer(&rejection),
        }
    }

    pub(crate) fn period(&self) -> Duration {
        let timeout = self.active.pipeline.options().gate_timeout;
        timeout.checked_div(LOOKS).unwrap_or(timeout).min(LONGEST_PERIOD)
    }

    /// Ticks that a stream may wait. One more than there are in the time-out: the first may come at once.
    fn patience(&self) -> u32 {
        let timeout = self.active.pipeline.options().gate_timeout;
        let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let ticks = milliseconds(timeout).checked_div(milliseconds(self.period())).unwrap_or(0);
        u32::try_from(ticks).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// Applies decisions that nobody woke the gate for, and answers streams that wait in vain.
    pub(crate) fn tick(&self) {
        if self.waiting.borrow().is_empty() {
            return;
        }
        self.empty_queue();
        let streams = self.waiting.borrow().streams();
        for stream in streams {
            if host::act_for(stream).is_err() {
                self.waiting.borrow_mut().remove(stream);
            } else if let Some(decision) = host::property(DECISION) {
                self.decided(stream, &decision);
            } else {
                self.wait_on(stream);
            }
        }
        host::act_for(self.root).ok();
    }

    /// A client may take its time: the time-out runs while nothing comes of the body.
    fn wait_on(&self, stream: u32) {
        let received = received().unwrap_or_default();
        let late = self.waiting.borrow_mut().get_mut(stream).is_some_and(|held| {
            held.ticks = if received > held.received { 0 } else { held.ticks.saturating_add(1) };
            held.received = received;
            held.ticks > self.patience()
        });
        if late {
            self.waiting.borrow_mut().remove(stream);
            self.active.pipeline.count_trouble(Trouble::GateTimeout, &mut self.active.env());
            self.active.answer(&Rejection::gate_timeout());
        }
    }

    fn reader_is_missing(&self) {
        self.active.pipeline.count_trouble(Trouble::ReaderMissing, &mut self.active.env());
        if !self.told.replace(true) {
            log::error!(
                "no reader is before this filter: requests go on unread, without routing headers. Attach the module a \
                 second time before it, with the same configuration and `proxyWasm.role: reader`"
            );
        }
    }
}

/// Edits the headers of the stream that the host's calls are about.
fn apply(decision: &[u8]) -> Result<(), Rejection> {
    let decision = Decision::decode(decision)
        .ok_or_else(|| Rejection::internal("the decision about the request cannot be read"))?;
    apply::decision(&decision).map_err(|refused| {
        log::warn!("the host refused an edit of the request (status {})", refused.0);
        Rejection::internal("the request could not be edited")
    })
}

/// How far a stream is at the gate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Its headers have not come.
    New,
    /// It was held. It is as long as the gate waits for its decision.
    Held,
    /// It never was held, or it was answered here.
    Open,
}

/// One request at a gate. Everything about its end is the reader's to count.
pub(crate) struct GateStream {
    gate: Rc<Gate>,
    context: u32,
    phase: Phase,
}

impl GateStream {
    pub(crate) fn new(gate: Rc<Gate>, context: u32) -> Self {
        Self { gate, context, phase: Phase::New }
    }

    fn is_held(&self) -> bool {
        self.phase == Phase::Held && self.gate.waiting.borrow().contains(self.context)
    }

    /// Body and trailers come here before the decision only where the flag is set.
    fn go_on(&self) -> Action {
        if self.is_held() { Action::Pause } else { Action::Continue }
    }

    fn answer(&mut self, rejection: &Rejection) -> Action {
        self.phase = Phase::Open;
        self.gate.active.answer(rejection);
        Action::Pause
    }

    /// Removes what only the decision may set, whoever set it.
    fn strip(&self) -> Result<(), Rejection> {
        let pipeline = &self.gate.active.pipeline;
        let headers = host::headers(Map::Request).map_err(|_| Rejection::too_many_headers())?;
        let removals = pipeline.owned_among(headers.iter());
        apply::headers(Map::Request, pipeline.request_headers(), &removals)
            .map_err(|_| Rejection::internal("the request's headers could not be edited"))
    }

    fn hold(&mut self) -> Action {
        let address = Address { queue: self.gate.queue, context: self.context };
        if host::set_property(GATE, &address.encode()).is_err() {
            return self.answer(&Rejection::internal("the request could not be held"));
        }
        self.gate.waiting.borrow_mut().add(self.context, Held::default());
        self.phase = Phase::Held;
        Action::Pause
    }
}

impl Context for GateStream {}

impl HttpContext for GateStream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        if let Err(rejection) = self.strip() {
            return self.answer(&rejection);
        }
        self.phase = Phase::Open;
        if let Some(decision) = host::property(DECISION) {
            // Tells the reader that it was taken.
            host::set_property(GATE, &[]).ok();
            return match apply(&decision) {
                Ok(()) => Action::Continue,
                Err(rejection) => self.answer(&rejection),
            };
        }
        match host::property(HOLD) {
            Some(mark) if mark == HELD => self.hold(),
            Some(_) => Action::Continue,
            None => {
                self.gate.reader_is_missing();
                Action::Continue
            }
        }
    }

    fn on_http_request_body(&mut self, _: usize, _: bool) -> Action {
        self.go_on()
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        if apply::strip(Map::RequestTrailers, self.gate.active.pipeline.request_headers()).is_err() {
            self.gate.waiting.borrow_mut().remove(self.context);
            return self.answer(&Rejection::internal("the request's trailers could not be edited"));
        }
        self.go_on()
    }
}

impl Drop for GateStream {
    fn drop(&mut self) {
        if self.phase == Phase::Held {
            self.gate.waiting.borrow_mut().remove(self.context);
        }
    }
}
