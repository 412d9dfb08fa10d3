//! Role `direct`: notices that Envoy keeps bodies back, which it does where `allow_on_headers_stop_iteration` is missing.
//!
//! There, to hold the headers means to hold everything: no body callback ever comes, and the request hangs. A client that
//! is slow looks the same from inside. So a request counts as stalled only when all of this is true:
//! - no held stream of this root context has ever had a body callback: one is the proof that the flag is there, for good;
//! - the stream is held for [`PATIENCE`] ticks, so that another filter that reads the body first had time for it;
//! - Envoy has received a part of its body, which with the flag would have been handed over when it came.

use crate::active::Active;
use crate::host::{self, Map, Refused};
use crate::waiting::Waiting;
use ipp_pipeline::{Ending, OnStall, Rejection, Trouble};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// How often it looks, until the flag has shown itself.
const PERIOD: Duration = Duration::from_secs(1);
/// After how many ticks a held stream may count as stalled.
const PATIENCE: u32 = 3;

const MESSAGE: &str = "requests hang: Envoy keeps their bodies back while their headers are held. Set \
                       `allow_on_headers_stop_iteration: true` in the filter's `config` (Envoy 1.35 or newer, and a \
                       control plane that knows the field), or attach the module twice, with `proxyWasm.role: reader` \
                       and `gate`";

/// What became of a stream while it was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is held as it should be.
    Held,
    /// It was let go unread.
    Released,
    /// It was answered.
    Answered,
}

struct Held {
    ticks: u32,
    fate: Fate,
}

/// The held streams of one root context, as long as nothing has proved that the flag is there.
pub(crate) struct Watch {
    active: Rc<Active>,
    root: u32,
    proven: Cell<bool>,
    told: Cell<bool>,
    waiting: RefCell<Waiting<Held>>,
}

impl Watch {
    pub(crate) fn new(active: Rc<Active>, root: u32) -> Self {
        Self { active, root, proven: Cell::default(), told: Cell::default(), waiting: RefCell::default() }
    }

    pub(crate) fn active(&self) -> &Rc<Active> {
        &self.active
    }

    /// A stream is held from now on.
    pub(crate) fn hold(&self, stream: u32) {
        if !self.proven.get() {
            self.waiting.borrow_mut().add(stream, Held { ticks: 0, fate: Fate::Held });
        }
    }

    /// Something of the body of a held stream was handed over, or all of it. Says what became of the stream before.
    pub(crate) fn body_came(&self, stream: u32) -> Fate {
        let fate = self.forget(stream);
        // What comes after a stream was let go proves nothing.
        if fate == Fate::Held {
            self.proven.set(true);
        }
        fate
    }

    /// A stream has ended. Says what became of it while it was held.
    pub(crate) fn forget(&self, stream: u32) -> Fate {
        let mut waiting = self.waiting.borrow_mut();
        // Almost always: nothing is kept once the flag has shown itself.
        if waiting.is_empty() {
            return Fate::Held;
        }
        waiting.remove(stream).map_or(Fate::Held, |held| held.fate)
    }

    pub(crate) fn period(&self) -> Option<Duration> {
        (!self.proven.get()).then_some(PERIOD)
    }

    pub(crate) fn tick(&self) {
        if self.proven.get() {
            return;
        }
        for (stream, held) in self.waiting.borrow_mut().iter_mut() {
            held.ticks = held.ticks.saturating_add(1);
            if held.fate != Fate::Held || held.ticks < PATIENCE || host::act_for(stream).is_err() {
                continue;
            }
            if received().is_ok_and(|bytes| bytes > 0) {
                held.fate = self.end();
            }
        }
        // It is there as long as its callback runs.
        host::act_for(self.root).ok();
    }

    /// Lets the stream go that the host's calls are about, or answers it.
    fn end(&self) -> Fate {
        if !self.told.replace(true) {
            log::error!("{MESSAGE}");
        }
        let pipeline = &self.active.pipeline;
        pipeline.count_trouble(Trouble::DirectStalled, &mut self.active.env());
        match pipeline.options().on_stall {
            OnStall::Continue => {
                pipeline.count_ending(Ending::Bypassed, &mut self.active.env());
                host::continue_request().ok();
                Fate::Released
            }
            OnStall::Reject => {
                pipeline.count_ending(Ending::Rejected, &mut self.active.env());
                self.active.answer(&Rejection::direct_stalled());
                Fate::Answered
            }
        }
    }
}

/// How much of the body of a held request Envoy has received. It tells the size of the request so far with its headers,
/// as they are now.
pub(crate) fn received() -> Result<u64, Refused> {
    let total = host::property("request\0total_size");
    let total = total.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
    let headers = u64::try_from(host::headers_size(Map::Request)?).unwrap_or(u64::MAX);
    Ok(total.saturating_sub(headers))
}
