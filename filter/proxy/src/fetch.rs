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
/// How many fetches are under way at the same time, of the whole process, apart from those of groups.
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
    ticks: u32,
}

/// A source as this worker knows it.
struct Known {
    polled: Rc<Polled>,
    state_key: String,
    document_key: String,
    /// The document that the plugin here has; 0 for none.
    document: u64,
    confirmed_ns: u64,
    /// When the source is due, as of the last look at its state.
    due_ns: u64,
}

impl Known {
    fn new(polled: &Rc<Polled>) -> Self {
        Self {
            state_key: state_key(polled.identity()),
            document_key: document_key(polled.identity()),
            polled: Rc::clone(polled),
            document: 0,
            confirmed_ns: 0,
            due_ns: 0,
        }
    }

    /// Whether it is worth a look at the state. A time further off than any that is ever set was set before the clock was
    /// put back.
    fn may_be_due(&self, now_ns: u64) -> bool {
        let longest = latest(self.polled.source().interval);
        self.due_ns <= now_ns || self.due_ns >= later(now_ns, longest)
    }
}

/// A request that waits for its answer.
struct Flight {
    /// The identity of the source, which may be gone when the answer comes.
    source: u64,
    /// Whose share of the fetches at once it takes.
    group: Option<String>,
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
        // By chance, even where `proxyWasm.seed` makes choices repeatable: no other root context may have it.
        let owner = RandomState::new().hash_one(host::now_ns());
        let mut poller = Self {
            active: Rc::clone(active),
            lease: Lease::new(polled.iter().map(|polled| polled.identity()), owner),
            chance: SplitMix64::new(owner),
            sources: polled.iter().map(Known::new).collect(),
            flights: Vec::new(),
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
        let source = self.sources.iter().find(|known| known.polled.identity() == flight.source);
        if let Some(Known { polled, document_key, .. }) = source {
            let received =
                answer::receive(&self.active, polled, document_key, flight.conditional, headers, body);
            self.settle(&flight, received);
        }
        if self.lease.hold(host::now_ns()) {
            self.fetch_due();
        }
    }

    /// Begins fetches, as many as may run at once. What has been due for the longest comes first, so that all get their
    /// turn, also where there are more than can be fetched in an interval.
    fn fetch_due(&mut self) {
        let now = host::now_ns();
        let sources = self.sources.iter().enumerate();
        let mut due: Vec<(u64, usize)> = sources
            .filter(|(_, known)| known.may_be_due(now))
            .map(|(index, known)| (known.due_ns, index))
            .collect();
        // Few have room at a time: a search for each is less code than sorting, and the module's size is start-up time.
        while let Some((at, (_, index))) = due
            .iter()
            .copied()
            .enumerate()
            .filter(|(_, (_, index))| self.has_room(*index))
            .min_by_key(|(_, due)| *due)
        {
            due.swap_remove(at);
            self.fetch(index);
        }
    }

    /// Whether one more fetch of that source's group, or of those in none, may be under way.
    fn has_room(&self, index: usize) -> bool {
        let group = self.sources.get(index).and_then(|known| known.polled.group());
        let (group, most) = group.map_or((None, MOST_AT_ONCE), |(group, most)| (Some(group), most));
        self.flights.iter().filter(|(_, flight)| flight.group.as_deref() == group).count() < most
    }

    /// Fetches a source if it is due and nobody else is at it.
    fn fetch(&mut self, index: usize) {
        let active = Rc::clone(&self.active);
        let Some(known) = self.sources.get(index) else { return };
        let polled = Rc::clone(&known.polled);
        let now = host::now_ns();
        let longest = latest(polled.source().interval);
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
        let flight = Flight {
            source: polled.identity(),
            group: polled.group().map(|(group, _)| group.to_owned()),
            claim: state.claim,
            conditional: etag.is_some(),
        };
        match answer::send(polled.source(), etag) {
            Ok(token) => self.flights.push((token, flight)),
            Err(failed) => self.settle(&flight, Err(failed)),
        }
    }

    /// Writes down what came of a fetch, unless it was given up in the meantime.
    fn settle(&mut self, flight: &Flight, received: Result<Received, Failed>) {
        let index = self.sources.iter().position(|known| known.polled.identity() == flight.source);
        let Some((index, known)) = index.and_then(|index| Some((index, self.sources.get(index)?))) else {
            return;
        };
        let polled = &*known.polled;
        let (state, number) = load(&known.state_key);
        if state.claim != flight.claim {
            return;
        }
        let outcome = Outcome { active: &self.active, polled, known, random: self.chance.next_u64() };
        if let Some(state) = outcome.write(state, number, received) {
            self.follow(index, &state);
            self.take_on();
        }
    }

    fn follow_all(&mut self) {
        for index in 0..self.sources.len() {
            let Some(known) = self.sources.get(index) else { return };
            let (state, _) = load(&known.state_key);
            self.follow(index, &state);
        }
        self.take_on();
    }

    /// Takes on the sources that documents have brought, in place of those that they brought before. What is known of one
    /// that stays is taken over at once, from shared data.
    fn take_on(&mut self) {
        let Some(brought) = self.active.pipeline.brought(&mut self.active.env()) else { return };
        let own = self.active.pipeline.sources().len();
        self.sources.truncate(own);
        self.sources.extend(brought.iter().map(Known::new));
        for index in own..self.sources.len() {
            let Some(known) = self.sources.get(index) else { return };
            let (state, _) = load(&known.state_key);
            self.follow(index, &state);
        }
    }

    /// Gives the plugin the document that the state names, unless it has it.
    fn follow(&mut self, index: usize, state: &State) {
        let Some(known) = self.sources.get_mut(index) else { return };
        let polled = &known.polled;
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
