//! A stream that is open: where each filter stands, what the upstream got, what the client got.

use std::time::{Instant, SystemTime};

use bytes::Bytes;

use super::{Ended, wire};
use crate::emulate::guest::{Callback, Side};
use crate::emulate::host::{HeaderMap, VmIndex};
use crate::recording::{Exchange, Request, Upstream};

/// One exchange on its way.
pub(super) struct Live {
    pub(super) request: Request,
    /// The request's body in the pieces in which it is read.
    pub(super) pieces: Vec<Bytes>,
    pub(super) upstream: Upstream,
    pub(super) until: Option<usize>,
    /// It has begun, or the time of its beginning is set.
    pub(super) started: bool,
    /// When, on the clock of this machine and on that of the run.
    pub(super) began: Option<(Instant, SystemTime)>,
    /// The filters, in the order of the chain.
    pub(super) stages: Vec<Stage>,
    /// All of the request has come from the client, and all of the response from the upstream.
    pub(super) complete: [bool; 2],
    /// The callback of the end of the request's body, or of its trailers, runs.
    pub(super) in_last_callback: bool,
    /// Nothing of the request goes on: it was answered (`decoder_filter_chain_aborted_`).
    pub(super) request_dead: bool,
    /// Nothing of the response goes through filters any more: it was replaced.
    pub(super) response_dead: bool,
    /// The response's headers have entered the chain.
    pub(super) response_started: bool,
    /// What the upstream got; nothing before the request's headers have reached it.
    pub(super) sent: Option<Sent>,
    /// What the client got; nothing before the response's headers have reached it.
    pub(super) got: Option<Got>,
    /// The answer is not an upstream's.
    pub(super) replied: bool,
    /// It was reset.
    pub(super) cut: bool,
    /// The last callbacks run.
    pub(super) finishing: bool,
    /// The answer waits for another exchange.
    pub(super) held_back: bool,
    /// Something of it went on last.
    pub(super) active: SystemTime,
    /// When the route's timeout strikes.
    pub(super) deadline: Option<SystemTime>,
    pub(super) faults: Faults,
    pub(super) callbacks: Vec<(VmIndex, Callback)>,
    pub(super) ended: Option<Ended>,
}

/// What went wrong.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) traps: Vec<String>,
    pub(super) errors: Vec<String>,
}

/// A request as the upstream gets it.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) trailers: HeaderMap,
    pub(super) complete: bool,
}

/// A response as the client gets it.
#[derive(Debug, Default)]
pub(super) struct Got {
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) complete: bool,
}

/// One filter of the chain, for one stream.
#[derive(Debug, Default)]
pub(super) struct Stage {
    pub(super) vm: VmIndex,
    /// Which of the VMs that were in that place one after the other.
    pub(super) generation: u32,
    pub(super) context: u32,
    /// The guest knows the context (`in_vm_context_created_`).
    pub(super) created: bool,
    /// The stream was answered in the place of a VM that has trapped (`failure_local_reply_sent_`).
    pub(super) failed: bool,
    pub(super) holds: [Hold; 2],
}

/// What a filter does with one side of a stream.
#[derive(Debug, Default)]
pub(super) struct Hold {
    pub(super) stopped: Stopped,
    /// The headers went on to the next filter.
    pub(super) passed: bool,
    /// The last body callback returned Pause: the next one sees all that is held (`buffering_request_body_`).
    pub(super) keeps: bool,
}

/// Envoy's `IterationState`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stopped {
    /// It goes on.
    #[default]
    No,
    /// It stops here, and this filter's callbacks still run.
    Here,
    /// It stops here, and no callback runs.
    Entirely,
}

/// A place in a stream: before the filter of this number in the order of the side. The number after the last filter is
/// the end: the upstream of a request, the client of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) stream: usize,
    pub(super) of: Side,
    pub(super) number: usize,
}

impl Place {
    pub(super) fn first(stream: usize, of: Side) -> Self {
        Self { stream, of, number: 0 }
    }

    pub(super) fn next(self) -> Self {
        Self { number: self.number + 1, ..self }
    }

    /// The index of the filter among `filters`; responses take the chain backwards. None at the end.
    pub(super) fn filter(self, filters: usize) -> Option<usize> {
        let left = filters.checked_sub(self.number + 1)?;
        Some(if self.of == Side::Request { self.number } else { left })
    }
}

impl Faults {
    pub(super) fn append(&mut self, other: &mut Self) {
        self.traps.append(&mut other.traps);
        self.errors.append(&mut other.errors);
    }
}

impl Stage {
    pub(super) fn hold(&mut self, of: Side) -> &mut Hold {
        &mut self.holds[of as usize]
    }
}

impl Live {
    pub(super) fn new(exchange: &Exchange) -> Self {
        Self {
            request: exchange.request.clone(),
            pieces: wire::pieces(&exchange.request),
            upstream: exchange.upstream.clone(),
            until: exchange.until,
            started: exchange.at.is_some(),
            began: None,
            stages: Vec::new(),
            complete: [false; 2],
            in_last_callback: false,
            request_dead: false,
            response_dead: false,
            response_started: false,
            sent: None,
            got: None,
            replied: false,
            cut: false,
            finishing: false,
            held_back: false,
            active: SystemTime::UNIX_EPOCH,
            deadline: None,
            faults: Faults::default(),
            callbacks: Vec::new(),
            ended: None,
        }
    }

    /// It has begun and not ended.
    pub(super) fn open(&self) -> bool {
        self.began.is_some() && self.ended.is_none()
    }

    /// Whether that side still goes through the chain.
    pub(super) fn flows(&self, of: Side) -> bool {
        self.open() && !if of == Side::Request { self.request_dead } else { self.response_dead }
    }

    /// Where the filter with that context stands in the order of a side.
    pub(super) fn number_of(&self, vm: VmIndex, context: u32, of: Side) -> Option<usize> {
        let own = |stage: &Stage| stage.vm == vm && stage.context == context;
        let filter = self.stages.iter().position(own)?;
        Some(if of == Side::Request { filter } else { self.stages.len() - 1 - filter })
    }

    pub(super) fn is_head(&self) -> bool {
        self.request.method == "HEAD"
    }
}
