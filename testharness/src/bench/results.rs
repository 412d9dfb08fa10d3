//! What the rounds say: medians of the differences within each round.

use super::rounds::{Measured, Outcome, Round};
use super::scenario::Scenario;
use super::statistics::{Estimate, median};

/// One scenario. Times are microseconds per request, of streams per chunk.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) scenario: Scenario,
    /// How many requests are behind the figures, per Envoy.
    pub(super) requests: [usize; 3],
    /// CPU time without the filter.
    pub(super) unfiltered: f64,
    /// By how much the control differs from that.
    pub(super) control: Estimate,
    /// CPU time that the filter adds.
    pub(super) added: Estimate,
    /// CPU time with the filter over that without.
    pub(super) ratio: Estimate,
    /// The p50 of the latency without the filter.
    pub(super) latency: f64,
    /// By how much the control differs from that.
    pub(super) control_latency: Estimate,
    /// What the filter adds to it.
    pub(super) added_latency: Estimate,
    /// What all of this comes from.
    pub(super) rounds: Vec<Round>,
}

/// All scenarios.
#[derive(Clone, Debug)]
pub(super) struct Results {
    pub(super) rows: Vec<Row>,
    /// The part of their time that the Envoys were ready to run and something else had the core.
    pub(super) waiting: f64,
}

impl Results {
    pub(super) fn of(outcome: Outcome) -> Self {
        let rows = outcome.measured.into_iter().filter_map(Row::of).collect();
        Self { rows, waiting: outcome.usage.waiting_share() }
    }
}

impl Row {
    /// `None` without rounds.
    pub(super) fn of(measured: Measured) -> Option<Self> {
        let Measured { scenario, requests, rounds } = measured;
        let each = |figure: fn(&Round) -> f64| rounds.iter().map(figure).collect::<Vec<_>>();
        Some(Self {
            scenario,
            requests,
            unfiltered: median(&each(|round| without(&round.cpu)))?,
            control: Estimate::of(&each(|round| control(&round.cpu)))?,
            added: Estimate::of(&each(|round| round.cpu[2] - without(&round.cpu)))?,
            ratio: Estimate::of(&each(|round| round.cpu[2] / without(&round.cpu)))?,
            latency: median(&each(|round| without(&round.latency)))?,
            control_latency: Estimate::of(&each(|round| control(&round.latency)))?,
            added_latency: Estimate::of(&each(|round| round.latency[2] - without(&round.latency)))?,
            rounds,
        })
    }

    /// Whether the two Envoys without the filter agree, so that what the third one adds is the filter.
    pub(super) fn is_comparable(&self) -> bool {
        self.control.median.abs() <= self.unfiltered * ALIKE
    }
}

/// Above this part of the CPU time, the two Envoys without the filter are not the same: that happens, by
/// where a process lies in memory.
const ALIKE: f64 = 0.1;

/// Of both Envoys without the filter: half of what tells them apart is noise of one of them.
fn without(figures: &[f64; 3]) -> f64 {
    (figures[0] + figures[1]) / 2.0
}

fn control(figures: &[f64; 3]) -> f64 {
    figures[1] - figures[0]
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::bench::scenario::{ModelAt, Profile, Task};
    use crate::bench::stream::Watching;

    /// Rounds of 1 KB with this much CPU time on top of 40 us and some drift that all three share.
    pub(in crate::bench) fn row(added: &[f64]) -> Row {
        let round = |(index, added): (usize, &f64)| {
            let base = 40.0 + index as f64;
            Round { cpu: [base - 0.5, base + 0.5, base + added], latency: [90.0, 91.0, 100.5] }
        };
        let scenario =
            Scenario { size: 1 << 10, profile: Profile::Prose, model_at: ModelAt::First, task: Task::Route };
        Row::of(Measured {
            scenario,
            requests: [600; 3],
            rounds: added.iter().enumerate().map(round).collect(),
        })
        .unwrap()
    }

    /// The same of a stream, with an A/A of nothing.
    pub(in crate::bench) fn stream_row(watching: Watching, added: &[f64]) -> Row {
        let mut row = row(added);
        row.scenario.task = Task::Watch(watching);
        row.control = Estimate::of(&vec![0.0; added.len()]).unwrap();
        row
    }

    #[test]
    fn drift_that_all_share_does_not_count() {
        let row = row(&[9.0, 10.0, 11.0, 10.0, 10.0, 10.0]);
        assert_eq!(row.unfiltered, 42.5);
        assert_eq!((row.added.median, row.added.low, row.added.high), (10.0, 9.0, 11.0));
        assert_eq!(row.control.median, 1.0);
        assert_eq!((row.latency, row.added_latency.median, row.control_latency.median), (90.5, 10.0, 1.0));
        assert!((row.ratio.median - (1.0 + 10.0 / 42.5)).abs() < 0.01, "{:?}", row.ratio);
    }

    #[test]
    fn nothing_measured_gives_no_row() {
        let scenario = row(&[1.0]).scenario;
        assert!(Row::of(Measured { scenario, requests: [0; 3], rounds: Vec::new() }).is_none());
    }
}
