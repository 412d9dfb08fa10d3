//! What came of a fetch, written where all workers see it: state and document, metrics, and a line in the log when
//! something begins or ends.

use super::Known;
use super::answer::Received;
use super::shared::{store, write_document};
use crate::active::Active;
use crate::host;
use ipp_pipeline::source::{Failed, Failure, Polled, State, after_failure, after_success, later};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// How many problems of a document are told in the log.
const MOST_PROBLEMS: usize = 10;
/// How much of a failure's detail is told. It may have parts of the answer in it.
const LONGEST_DETAIL: usize = 300;

/// A fetch that has ended.
pub(super) struct Outcome<'a> {
    pub(super) active: &'a Active,
    pub(super) polled: &'a Polled,
    pub(super) known: &'a Known,
    pub(super) random: u64,
}

impl Outcome<'_> {
    /// The state after it; nothing where somebody else has taken the source over.
    pub(super) fn write(
        &self,
        state: State,
        number: u32,
        received: Result<Received, Failed>,
    ) -> Option<State> {
        let now = host::now_ns();
        match received.and_then(|received| self.good(&state, received, now)) {
            Ok(next) => {
                store(&next, &self.known.state_key, number).ok()?;
                let seconds = now.checked_div(1_000_000_000).unwrap_or(0);
                self.active.record(self.polled.metrics().last_success, seconds);
                if next.document != state.document {
                    self.active.add(self.polled.metrics().documents, 1);
                }
                if state.failures > 0 {
                    log::info!(
                        "source {:?} answers again, after {} failures",
                        self.polled.name(),
                        state.failures
                    );
                }
                Some(next)
            }
            Err(failed) => {
                let next = self.failed(&state, now);
                store(&next, &self.known.state_key, number).ok()?;
                if let Some(metric) = self.polled.metrics().failures(failed.reason) {
                    self.active.add(metric, 1);
                }
                if state.failures == 0 {
                    self.tell(&state, &failed, now);
                }
                Some(next)
            }
        }
    }

    /// The state after a good answer. A document that is new is there before its state is.
    fn good(&self, state: &State, received: Received, now: u64) -> Result<State, Failed> {
        let pause = after_success(self.polled.source().interval, self.random);
        let mut next = State {
            confirmed_ns: now,
            due_ns: later(now, pause),
            claim: 0,
            claimed_until_ns: 0,
            failures: 0,
            ..state.clone()
        };
        let Received::Document(condensed, etag) = received else { return Ok(next) };
        next.document = hash(&condensed.bytes);
        next.problems = if condensed.problems.is_empty() { 0 } else { hash(&condensed.problems) };
        next.etag = etag;
        if next.document != state.document
            && let Err(refused) = write_document(&self.known.document_key, next.document, &condensed.bytes)
        {
            let detail = format!("Envoy does not keep the document (status {})", refused.0);
            return Err(Failed::new(Failure::Host, detail));
        }
        let count = u64::try_from(condensed.problems.len()).unwrap_or(u64::MAX);
        self.active.record(self.polled.metrics().problems, count);
        if next.problems != 0 && next.problems != state.problems {
            let shown = condensed.problems.iter().take(MOST_PROBLEMS);
            let list: String = shown.map(|problem| format!("\n  {}", printable(problem))).collect();
            log::warn!("source {:?}: {count} problems in its document:{list}", self.polled.name());
        }
        Ok(next)
    }

    fn failed(&self, state: &State, now: u64) -> State {
        let failures = state.failures.saturating_add(1);
        let count = u32::try_from(failures).unwrap_or(u32::MAX);
        let pause = after_failure(count, self.polled.source().interval, self.random);
        State { due_ns: later(now, pause), claim: 0, claimed_until_ns: 0, failures, ..state.clone() }
    }

    fn tell(&self, state: &State, failed: &Failed, now: u64) {
        let kept = match state.document {
            0 => "there is no document yet".to_owned(),
            _ => {
                let age = Duration::from_nanos(now.saturating_sub(state.confirmed_ns));
                format!("the last good document stays in force, {} s old", age.as_secs())
            }
        };
        log::warn!(
            "source {:?} cannot be fetched ({}): {}; it is tried again, and {kept}",
            self.polled.name(),
            failed.reason.label(),
            printable(&failed.detail)
        );
    }
}

fn printable(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(LONGEST_DETAIL).collect()
}

/// The same for the same value, never 0.
fn hash(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish().max(1)
}
