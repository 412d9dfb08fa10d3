//! Which of the process's workers fetches: a lease in shared data that one of them holds and renews.

use crate::host::{self, NOT_THERE};
use ipp_pipeline::source::later;
use std::time::Duration;

/// A worker that is gone is replaced after so long.
const TERM: Duration = Duration::from_secs(3);
/// With less than this left, its holder renews it.
const RENEWED: Duration = Duration::from_millis(1500);

/// The lease of a set of sources. Configurations with another set elect for themselves.
pub(super) struct Lease {
    key: String,
    owner: u64,
}

impl Lease {
    pub(super) fn new(sources: impl Iterator<Item = u64>, owner: u64) -> Self {
        // A sum, so that the order of the plugins does not matter.
        let set = sources.fold(0, u64::wrapping_add);
        Self { key: format!("ipp/fetch/lease/{set:016x}"), owner }
    }

    /// Whether this root context has the lease. It is renewed when half of its term is over, and taken when it is free.
    pub(super) fn hold(&self, now_ns: u64) -> bool {
        let end = later(now_ns, TERM);
        let number = match host::shared(&self.key) {
            Ok((value, number)) => {
                let (owner, until) = decode(&value);
                // One that runs longer than a term was written before the clock was put back.
                let valid = until > now_ns && until <= end;
                match (valid, owner == self.owner) {
                    (true, false) => return false,
                    (true, true) if until > later(now_ns, RENEWED) => return true,
                    _ => number,
                }
            }
            Err(_) => NOT_THERE,
        };
        let value = [self.owner.to_le_bytes(), end.to_le_bytes()].concat();
        host::write_shared(&self.key, &value, number).is_ok()
    }
}

/// The owner and the end, in nanoseconds since the Unix epoch. What cannot be read is nobody's.
fn decode(value: &[u8]) -> (u64, u64) {
    let number = |at: usize| {
        value.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u64::from_le_bytes(*bytes))
    };
    (number(0), number(8))
}
