//! Role `reader`: the headers go on at once, to a gate that holds them; the decision goes after them.
//!
//! What a reader and a gate know of a stream stands in its filter state, where no client can put anything:
//!
//! | name | written by | holds |
//! |---|---|---|
//! | [`HOLD`] | the reader, with the headers | [`HELD`] if a decision will follow, [`PASSED`] if none will |
//! | [`GATE`] | the gate, once it has the headers | the [`Address`] for the decision |
//! | [`DECISION`] | the reader, where there is no gate yet | the decision: another filter between them still holds the headers |

use crate::active::Active;
use crate::host::{self, Refused};
use crate::message::{Address, Decision};
use ipp_pipeline::Trouble;
use std::cell::Cell;
use std::rc::Rc;

pub(crate) const HOLD: &str = "ipp_hold";
pub(crate) const GATE: &str = "ipp_gate";
pub(crate) const DECISION: &str = "ipp_dec";

pub(crate) const HELD: &[u8] = b"1";
pub(crate) const PASSED: &[u8] = b"0";

/// The host's own status for an argument that it does not take.
const BAD_ARGUMENT: Refused = Refused(2);

/// What the streams of one configuration share.
pub(crate) struct Reader {
    active: Rc<Active>,
    told: Cell<bool>,
}

/// The way of one stream's decision to its gate.
pub(crate) struct Way {
    reader: Rc<Reader>,
    /// The decision was left behind for a gate that has not seen the stream.
    left: bool,
}

impl Reader {
    pub(crate) fn new(active: Rc<Active>) -> Self {
        Self { active, told: Cell::default() }
    }

    pub(crate) fn active(&self) -> &Rc<Active> {
        &self.active
    }
}

impl Way {
    pub(crate) fn new(reader: Rc<Reader>) -> Self {
        Self { reader, left: false }
    }

    /// Tells the gate whether to hold the stream.
    pub(crate) fn mark(&self, hold: bool) -> Result<(), Refused> {
        host::set_property(HOLD, if hold { HELD } else { PASSED })
    }

    /// Sends the decision. The gate resumes the stream when it hears of it from its queue, and never before the callback
    /// in which this is called has returned: a stream that is resumed inside of it loses its body.
    pub(crate) fn send(&mut self, decision: &Decision) -> Result<(), Refused> {
        match host::property(GATE) {
            Some(address) => {
                let address = Address::decode(&address).ok_or(BAD_ARGUMENT)?;
                host::enqueue(address.queue, &decision.to(address.context).ok_or(BAD_ARGUMENT)?)
            }
            None => {
                self.left = true;
                host::set_property(DECISION, &decision.encode().ok_or(BAD_ARGUMENT)?)
            }
        }
    }

    /// The response has come. If it is that of an upstream, and no gate ever was on the way there, there is none.
    /// Another filter's reply says nothing: the request may not have got to the gate.
    pub(crate) fn responded(&mut self) {
        let left = std::mem::take(&mut self.left);
        if !left || host::property(GATE).is_some() || host::property("upstream\0address").is_none() {
            return;
        }
        let active = &self.reader.active;
        active.pipeline.count_trouble(Trouble::GateMissing, &mut active.env());
        if !self.reader.told.replace(true) {
            log::error!(
                "no gate is behind this filter: its decisions are lost, and requests go on without routing headers. \
                 Attach the module a second time behind it, with the same configuration and `proxyWasm.role: gate`"
            );
        }
    }
}
