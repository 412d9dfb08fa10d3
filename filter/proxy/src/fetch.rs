//! Polls the sources of a configuration: one worker of the process fetches, all of them take over what it got.
//!
//! Every worker, and the main thread, runs this on its ticks. The one that holds the [`Lease`] sends requests for the
//! sources that are due; what it gets goes into shared data, where the others see that a source's [`State`] names
//! another document than theirs.

mod answer;
mod lease;
mod outcome;
mod shared;

use crate::active::Active;
use crate::host;
use answer::Received;
use ipp_pipeline::source::{Failed, Failure, Polled, State, later, latest};
use ipp_selector::{Rng, SplitMix64};
use lease::Lease;
use outcome::Outcome;
use shared::{document_key, load, state_key, store};
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::time::Duration;

/// From a new document in shared data to its use in another worker it takes at most this long.
const TICK: Duration = Duration::from_millis(500);
/// The same as long as a source is empty, for the first ticks.
const FIRST_TICK: Duration = Duration::from_millis(100);
const FIRST_TICKS: u32 = 50;
/// How many fetches are under way at the same time, of the whole process.
const MOST_AT_ONCE: usize = 8;
/// How much later than its timeout an answer is given up.
const GRACE: Duration = Duration::from_secs(1);

/// What one root context knows of its sources.
pub(crate) struct Poller {
    active: Rc<Active>,
    lease: Lease,
    chance: SplitMix64,
    sources: Vec<Known>,
    /// By the number of their call.
    flights: Vec<(u32, Flight)>,
    /// Where the search for a source that is due begins, so that all get their turn.
    next: usize,
    ticks: u32,
}

/// A source as this worker knows it.
struct Known {
    state_key: String,
    document_key: String,
    /// The document that the plugin here has; 0 for none.
    document: u64,
    confirmed_ns: u64,
    /// When the source is due, as of the last look at its state.
    due_ns: u64,
}

/// A request that waits for its answer.
struct Flight {
    source: usize,
    claim: u64,
    conditional: bool,
}

impl Poller {
    /// Nothing where the configuration has no source. Documents that are there already, as after an update of the
    /// configuration, are in use at once. Nothing is fetched: this also runs where a configuration is only tried.
    pub(crate) fn new(active: &Rc<Active>) -> Option<Self> {
        let polled = active.pipeline.sources();
        if polled.is_empty() {
            return None;
        }
        let known = |polled: &Polled| Known {
            state_key: state_key(polled.identity()),
            document_key: document_key(polled.identity()),
            document: 0,
            confirmed_ns: 0,
            due_ns: 0,
        };
        // By chance, even where `proxyWasm.seed` makes choices repeatable: no other root context may have it.
        let owner = RandomState::new().hash_one(host::now_ns());
        let mut poller = Self {
            active: Rc::clone(active),
            lease: Lease::new(polled.iter().map(Polled::identity), owner),
            chance: SplitMix64::new(owner),
            sources: polled.iter().map(known).collect(),
            flights: Vec::new(),
            next: 0,
            ticks: 0,
        };
        poller.follow_all();
        Some(poller)
    }

    /// The time to the next tick.
    pub(crate) fn period(&self) -> Duration {
        let empty = self.sources.iter().any(|known| known.document == 0);
        if empty && self.ticks < FIRST_TICKS { FIRST_TICK } else { TICK }
    }

    /// Takes over what is new, and fetches what is due if that is this worker's task.
    pub(crate) fn tick(&mut self) {
        self.ticks = self.ticks.saturating_add(1);
        self.follow_all();
        if self.lease.hold(host::now_ns()) {
            self.fetch_due();
        }
    }

    /// The answer to a request, with its number of headers and the size of its body.
    pub(crate) fn answer(&mut self, token: u32, headers: usize, body: usize) {
        let Some(at) = self.flights.iter().position(|(known, _)| *known == token) else { return };
        let (_, flight) = self.flights.swap_remove(at);
        let active = Rc::clone(&self.active);
        let Some(polled) = active.pipeline.sources().get(flight.source) else { return };
        let Some(known) = self.sources.get(flight.source) else { return };
        let received =
            answer::receive(&active, polled, &known.document_key, flight.conditional, headers, body);
        self.settle(&flight, polled, received);
        if self.lease.hold(host::now_ns()) {
            self.fetch_due();
        }
    }

    /// Begins fetches, as many as may run at once.
    fn fetch_due(&mut self) {
        let count = self.sources.len();
        let first = self.next;
        for offset in 0..count {
            if self.flights.len() >= MOST_AT_ONCE {
                return;
            }
            let index = first.saturating_add(offset).checked_rem(count).unwrap_or(0);
            self.next = index.saturating_add(1);
            self.fetch(index);
        }
    }

    /// Fetches a source if it is due and nobody else is at it.
    fn fetch(&mut self, index: usize) {
        let active = Rc::clone(&self.active);
        let (Some(polled), Some(known)) = (active.pipeline.sources().get(index), self.sources.get(index))
        else {
            return;
        };
        let now = host::now_ns();
        let longest = latest(polled.source().interval);
        if known.due_ns > now && known.due_ns < later(now, longest) {
            return;
        }
        let (mut state, number) = load(&known.state_key);
        let patience = polled.source().timeout.saturating_add(GRACE);
        if !state.is_due(now, longest, patience) {
            return;
        }
        let lost = state.claim != 0;
        state.claim = self.chance.next_u64().max(1);
        state.claimed_until_ns = later(now, patience);
        if store(&state, &known.state_key, number).is_err() {
            // Somebody was faster.
            return;
        }
        active.add(polled.metrics().fetches, 1);
        if lost && let Some(metric) = polled.metrics().failures(Failure::Lost) {
            active.add(metric, 1);
        }
        let etag = (state.document != 0).then_some(state.etag.as_str()).filter(|etag| !etag.is_empty());
        let flight = Flight { source: index, claim: state.claim, conditional: etag.is_some() };
        match answer::send(polled.source(), etag) {
            Ok(token) => self.flights.push((token, flight)),
            Err(failed) => self.settle(&flight, polled, Err(failed)),
        }
    }

    /// Writes down what came of a fetch, unless it was given up in the meantime.
    fn settle(&mut self, flight: &Flight, polled: &Polled, received: Result<Received, Failed>) {
        let Some(known) = self.sources.get(flight.source) else { return };
        let (state, number) = load(&known.state_key);
        if state.claim != flight.claim {
            return;
        }
        let outcome = Outcome { active: &self.active, polled, known, random: self.chance.next_u64() };
        if let Some(state) = outcome.write(state, number, received) {
            self.follow(flight.source, &state);
        }
    }

    fn follow_all(&mut self) {
        for index in 0..self.sources.len() {
            let Some(known) = self.sources.get(index) else { return };
            let (state, _) = load(&known.state_key);
            self.follow(index, &state);
        }
    }

    /// Gives the plugin the document that the state names, unless it has it.
    fn follow(&mut self, index: usize, state: &State) {
        let Some(known) = self.sources.get_mut(index) else { return };
        let Some(polled) = self.active.pipeline.sources().get(index) else { return };
        known.due_ns = state.due_ns;
        if state.document == 0 {
            return;
        }
        if state.document != known.document {
            // It may be a newer one already than the state says; then the next look finds the state to agree.
            let Some((document, bytes)) = shared::document(&known.document_key) else { return };
            let began = host::now_ns();
            if let Err(why) = polled.put(&bytes, state.confirmed_ns) {
                log::error!(
                    "source {:?}: a document that was good in another worker is not in this one: {why}",
                    polled.name()
                );
            }
            let took = host::now_ns().saturating_sub(began);
            self.active.record(polled.metrics().reading, took.checked_div(1000).unwrap_or(0));
            known.document = document;
        } else if state.confirmed_ns != known.confirmed_ns {
            polled.confirm(state.confirmed_ns);
        }
        known.confirmed_ns = state.confirmed_ns;
    }
}
