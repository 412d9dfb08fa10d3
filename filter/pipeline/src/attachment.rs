//! How the module is attached to the proxy, and what can be wrong with that: which filters there are, and how each is
//! configured by the proxy. The pipeline acts on none of it; whoever runs the pipeline does.

use crate::metrics::{MetricId, MetricKind, Metrics};
use crate::reject::Rejection;
use std::time::Duration;

/// What a filter with this module does of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Role {
    /// All of it: it holds the headers while it reads the body.
    #[default]
    Direct,
    /// Reads the body of a request whose headers a gate behind it holds.
    Reader,
    /// Holds the headers until a reader before it has decided.
    Gate,
}

/// What becomes of a request that the proxy holds in a way of which it could not get out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnStall {
    /// Answer 503.
    #[default]
    Reject,
    /// Let it go on unread, with the routing headers removed.
    Continue,
}

/// How long a gate waits unless the configuration says otherwise.
pub const DEFAULT_GATE_TIMEOUT: Duration = Duration::from_secs(30);
/// The bounds of that.
pub(crate) const GATE_TIMEOUTS: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(3600)];

/// Something about the attachment that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A request got past the place where a gate should be, and there was none.
    GateMissing,
    /// A request came to a gate, and no reader had seen it.
    ReaderMissing,
    /// A gate got no decision about a request in time.
    GateTimeout,
    /// The proxy held a request's headers in the way in which its body does not come.
    DirectStalled,
}

const NAMES: [(Trouble, &str); 4] = [
    (Trouble::GateMissing, "ipp_gate_missing_total"),
    (Trouble::ReaderMissing, "ipp_reader_missing_total"),
    (Trouble::GateTimeout, "ipp_gate_timeouts_total"),
    (Trouble::DirectStalled, "ipp_direct_stalled_total"),
];

/// A counter for each.
pub(crate) fn define(metrics: &mut Metrics) -> Vec<(Trouble, MetricId)> {
    NAMES.iter().map(|(trouble, name)| (*trouble, metrics.define(MetricKind::Counter, name, &[]))).collect()
}

impl Rejection {
    /// A gate got no decision in time.
    pub fn gate_timeout() -> Self {
        Self::new(503, "gate_timeout", "the payload processor did not decide about the request in time")
    }

    /// The proxy cannot hold a request while its body is read.
    pub fn direct_stalled() -> Self {
        Self::new(
            503,
            "direct_stalled",
            "the payload processor cannot read the request: the proxy keeps the body back; its operator has to change \
             its configuration",
        )
    }
}
