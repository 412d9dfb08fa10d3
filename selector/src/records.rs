//! Running statistics in a form that workers can share: small records of bytes, each with a version.
//!
//! Every worker is its own VM; what one observes, the others have to see. So a statistic is a record in memory
//! that all share, changed by compare-and-swap: read the bytes, [`decode`](Record::decode), add what was observed,
//! [`encode`](Record::encode), write; if another worker was first, start again from its bytes. Adding depends on
//! nothing but the record, the observation and the time, so that starting again is always right, and several
//! observations can be added in one go.
//!
//! Bytes that are no record of this kind and version, say of a module before an update, decode to `None`: the
//! statistic starts anew.

mod average;
mod bytes;
mod cost;
mod health;
mod sessions;
mod throughput;
mod ttft;

pub use average::{Average, Averaging};
pub use bytes::{Reader, Record, Writer};
pub use cost::{CostRecord, CostWindow};
pub use health::{HealthRecord, HealthRules};
pub use sessions::{SessionBucket, SessionTable, session_hash};
pub use throughput::{Completion, Throughput};
pub use ttft::{TtftObservation, TtftRecord, TtftSettings};
