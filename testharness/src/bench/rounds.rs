//! Rounds of requests in turns: what each Envoy needed for the same work at nearly the same time.

use std::io::IsTerminal;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::accounting::Usage;
use super::body::body;
use super::client::request;
use super::options::{Effort, Options};
use super::random::Random;
use super::scenario::{Scenario, Task};
use super::stage::{Side, Variant, place};
use super::statistics::median;
use super::stream::Watching;
use super::upstream::Seen;

/// Requests ahead of a turn that are not measured: caches and TCP windows get used to the other body and the
/// other Envoy.
const LEAD: usize = 5;

/// The fewest requests of a turn, however little time there is.
const FEWEST: usize = 3;

/// Everything that is to be measured.
pub(super) struct Measurement {
    scenarios: Vec<Scenario>,
    sides: Vec<Side>,
    rounds: usize,
    warm_up: usize,
    effort: Effort,
    /// Whether each request must arrive with its model in the routing header, or else the benchmark would
    /// measure a bypass.
    must_route: bool,
}

/// What each Envoy needed per request, or per chunk of a stream: microseconds, in the order of [`Variant::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Round {
    /// CPU time.
    pub(super) cpu: [f64; 3],
    /// The median of the latencies.
    pub(super) latency: [f64; 3],
}

/// All rounds of one scenario.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) scenario: Scenario,
    /// How many requests are behind the figures, in the order of [`Variant::ALL`].
    pub(super) requests: [usize; 3],
    pub(super) rounds: Vec<Round>,
}

/// All that was measured.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) measured: Vec<Measured>,
    /// Of all Envoys in the measured rounds together.
    pub(super) usage: Usage,
    /// Streams that told of tokens at the Envoy with the filter, those that were not measured among them.
    pub(super) told: u64,
}

/// A scenario with what is needed to run it.
struct Work {
    measured: Measured,
    job: Job,
}

/// The load of a scenario.
struct Job {
    request: Vec<u8>,
    /// The client that sends it.
    place: usize,
    /// What the figures of one request are divided by.
    units: f64,
    task: Task,
    /// Whether the one with the filter must route each request.
    must_route: bool,
}

impl Measurement {
    pub(super) fn new(options: &Options, sides: Vec<Side>) -> Self {
        Self {
            scenarios: options.scenarios.clone(),
            sides,
            rounds: options.rounds,
            warm_up: (options.rounds / 8).max(2),
            effort: options.effort,
            must_route: options.config.is_none(),
        }
    }

    /// Warms everything up, then measures. Blocks for minutes.
    pub(super) fn run(&mut self) -> Result<Outcome> {
        let mut load = Load { sides: &mut self.sides, random: Random::new(1) };
        let mut all = Vec::new();
        for scenario in &self.scenarios {
            let measured = Measured { scenario: *scenario, requests: [0; 3], rounds: Vec::new() };
            let job = Job {
                request: request(&body(scenario), scenario.task.stream().map(Watching::told)),
                place: place(scenario),
                units: scenario.units() as f64,
                task: scenario.task,
                must_route: self.must_route || scenario.task != Task::Route,
            };
            all.push(Work { measured, job });
        }
        let mut usage = Usage::default();
        for number in 0..self.warm_up + self.rounds {
            progress(number.checked_sub(self.warm_up), self.rounds);
            for index in load.random.order(all.len()) {
                let work = &mut all[index];
                let outcome = load.round(&work.job, self.effort);
                let (round, used, requests) = outcome.with_context(|| work.measured.scenario.to_string())?;
                if number >= self.warm_up {
                    work.measured.rounds.push(round);
                    work.measured.requests.iter_mut().zip(requests).for_each(|(sum, more)| *sum += more);
                    usage += used;
                }
            }
        }
        let filtered = self.sides.iter().filter(|side| side.variant == Variant::Filtered);
        let told = filtered.map(|side| side.link.told()).sum();
        Ok(Outcome { told, measured: all.into_iter().map(|work| work.measured).collect(), usage })
    }
}

/// A status line on a terminal, a few lines in a log.
fn progress(round: Option<usize>, rounds: usize) {
    let text = match round {
        None => "warming up".to_owned(),
        Some(round) => format!("round {} of {rounds}", round + 1),
    };
    if std::io::stderr().is_terminal() {
        let end = if round == Some(rounds - 1) { "\n" } else { "" };
        eprint!("\r\x1b[K{text}{end}");
    } else if round.is_none_or(|round| round.is_multiple_of(10)) {
        eprintln!("{text}");
    }
}

impl Effort {
    /// Whether a turn that began then and has had this many requests is over. Figures are per request, so the
    /// Envoys need not get equally many.
    fn is_enough(self, requests: usize, start: Instant) -> bool {
        match self {
            Self::Requests(wanted) => requests >= wanted,
            Self::Seconds(wanted) => requests >= FEWEST && start.elapsed().as_secs_f64() >= wanted,
        }
    }
}

impl Job {
    /// Whether the upstream saw of so many requests what it should.
    fn check(&self, variant: Variant, sent: u64, seen: Seen) -> Result<()> {
        let Seen { requests, routed, chosen } = seen;
        ensure!(requests == sent, "{sent} requests were answered, but the upstream saw {requests}");
        let filtered = variant == Variant::Filtered;
        let (to_route, to_choose) = match self.task {
            Task::Select(_) => (sent, if filtered { sent } else { 0 }),
            Task::Route | Task::Watch(_) => (if filtered { sent } else { 0 }, 0),
        };
        if filtered && !self.must_route {
            return Ok(());
        }
        ensure!(
            routed == to_route,
            "of {sent} requests {to_route} should have come with their model in the routing header, not {routed}"
        );
        ensure!(chosen == to_choose, "of {sent} requests {to_choose} should have had a choice, not {chosen}");
        Ok(())
    }
}

/// The connections to the Envoys, and what else it takes to put load on them.
struct Load<'a> {
    sides: &'a mut [Side],
    random: Random,
}

impl Load<'_> {
    /// Puts this much load on each Envoy: what they needed per unit, what they used together, and how many
    /// requests each of them got.
    fn round(&mut self, job: &Job, effort: Effort) -> Result<(Round, Usage, [usize; 3])> {
        let (mut round, mut total, mut requests) = (Round::default(), Usage::default(), [0; 3]);
        for index in self.random.order(self.sides.len()) {
            let (used, times) = self.turn(index, job, effort)?;
            round.cpu[index] = used.ran as f64 / 1000.0 / times.len() as f64 / job.units;
            round.latency[index] = median(&times).context("no request was made")? / job.units;
            requests[index] = times.len();
            total += used;
        }
        Ok((round, total, requests))
    }

    /// Puts this much load on one Envoy: what it used, and the latencies in microseconds.
    fn turn(&mut self, index: usize, job: &Job, effort: Effort) -> Result<(Usage, Vec<f64>)> {
        let side = &mut self.sides[index];
        let seen_before = side.link.seen();
        for _ in 0..LEAD {
            side.link.exchange(job.place, &job.request)?;
        }
        let before = Usage::of(side.process)?;
        let mut times = Vec::with_capacity(4096);
        let start = Instant::now();
        while !effort.is_enough(times.len(), start) {
            times.push(side.link.exchange(job.place, &job.request)?.as_nanos() as f64 / 1000.0);
        }
        let used = Usage::of(side.process)? - before;

        let seen = side.link.seen();
        job.check(side.variant, (LEAD + times.len()) as u64, seen - seen_before)?;
        Ok((used, times))
    }
}
