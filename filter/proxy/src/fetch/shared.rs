//! The shared data of a source: its state, and its document.

use crate::host::{self, NOT_THERE, Refused};
use ipp_pipeline::source::State;

pub(super) fn state_key(identity: u64) -> String {
    format!("ipp/fetch/state/{identity:016x}")
}

pub(super) fn document_key(identity: u64) -> String {
    format!("ipp/fetch/document/{identity:016x}")
}

/// The document with its hash.
pub(super) fn document(key: &str) -> Option<(u64, Vec<u8>)> {
    let (mut value, _) = host::shared(key).ok()?;
    let hash = u64::from_le_bytes(*value.first_chunk()?);
    value.drain(..8);
    Some((hash, value))
}

/// Writes the document.
pub(super) fn write_document(key: &str, hash: u64, bytes: &[u8]) -> Result<(), Refused> {
    host::write_shared(key, &[&hash.to_le_bytes(), bytes].concat(), 0)
}

/// The state and the number that [`store`] needs. A source that nobody has looked at has an empty one.
pub(super) fn load(key: &str) -> (State, u32) {
    match host::shared(key) {
        Ok((value, number)) => (State::decode(&value).unwrap_or_default(), number),
        Err(_) => (State::default(), NOT_THERE),
    }
}

/// Writes a state, if nobody has since it was loaded.
pub(super) fn store(state: &State, key: &str, number: u32) -> Result<(), Refused> {
    host::write_shared(key, &state.encode(), number)
}
