//! What the filter may cost at most, and what an earlier prototype did cost.

use super::results::Row;
use super::scenario::{ModelAt, Profile, Scenario, Task};
use super::selection::By;
use super::statistics::Estimate;
use super::stream::Watching;

const KB: usize = 1 << 10;

/// What a figure is to be at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Aim {
    /// The CPU time with the filter over that without.
    Ratio(f64),
    /// The CPU time that the filter adds, in microseconds. Only machines of a kind compare: the verdict names
    /// the ratio as well.
    Added(f64),
}

impl Aim {
    /// In the results.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ratio(_) => "ratio_at_most",
            Self::Added(_) => "added_at_most",
        }
    }

    pub(super) fn most(self) -> f64 {
        match self {
            Self::Ratio(most) | Self::Added(most) => most,
        }
    }

    /// What it is about.
    pub(super) fn figure(self, row: &Row) -> &Estimate {
        match self {
            Self::Ratio(_) => &row.ratio,
            Self::Added(_) => &row.added,
        }
    }

    /// Whether the two Envoys without the filter agree well enough to tell.
    fn is_comparable(self, row: &Row) -> bool {
        // Half of what they differ by is in the figure.
        row.is_comparable()
            && match self {
                Self::Ratio(_) => true,
                Self::Added(most) => row.control.median.abs() <= most / 2.0,
            }
    }
}

/// The aim of a scenario that has one.
pub(super) fn aim(scenario: &Scenario) -> Option<Aim> {
    match (scenario.task, scenario.profile, scenario.size) {
        (Task::Watch(Watching::Nothing), ..) => None,
        (Task::Watch(Watching::Observe), ..) => Some(Aim::Added(2.0)),
        (Task::Watch(Watching::Usage | Watching::StreamUsage), ..) => Some(Aim::Added(4.0)),
        (Task::Select(By::Load), ..) => Some(Aim::Added(5.0)),
        (Task::Select(By::Figures), ..) => None,
        (Task::Route, Profile::Prose, KB) => Some(Aim::Ratio(1.25)),
        (Task::Route, Profile::Prose, size) if size == 256 * KB => Some(Aim::Ratio(1.9)),
        (Task::Route, ..) => None,
    }
}

/// The same figure of the prototype that validated every body with a serde_json visitor; the product is to be
/// better. Ratios carry over to other machines, times do not.
pub(super) fn prototype(scenario: &Scenario) -> Option<f64> {
    let (without, added) = match (scenario.profile, scenario.size / KB, scenario.model_at) {
        _ if scenario.task != Task::Route || !scenario.size.is_multiple_of(KB) => return None,
        (Profile::Prose, 1, ModelAt::First) => (39.0, 9.5),
        (Profile::Prose, 16, ModelAt::First) => (41.0, 15.0),
        (Profile::Prose, 256, ModelAt::First) => (87.0, 73.5),
        (Profile::Prose, 900, ModelAt::First) => (215.0, 216.0),
        (Profile::Prose, 900, ModelAt::Last) => (214.0, 246.0),
        (Profile::Prose, 8192, ModelAt::First) => (3459.0, 3302.5),
        (Profile::Dense, 256, _) => (89.0, 244.0),
        _ => return None,
    };
    Some((without + added) / without)
}

/// Whether there is an aim, even the best end of the interval misses it, and the control says that the
/// figures mean something.
pub(super) fn certainly_missed(row: &Row) -> bool {
    aim(&row.scenario).is_some_and(|aim| aim.is_comparable(row) && aim.figure(row).low > aim.most())
}

/// One line about the aim, when there is one.
pub(super) fn verdict(row: &Row) -> Option<String> {
    let aim = aim(&row.scenario)?;
    let (figure, most) = (aim.figure(row), aim.most());
    let word = if figure.median <= most { "met   " } else { "missed" };
    let digits = if row.scenario.task.stream().is_some() { 2 } else { 1 };
    let doubt = if !aim.is_comparable(row) {
        format!(
            ", not certain: the Envoys without the filter differ by {:+.digits$} us themselves",
            row.control.median
        )
    } else if figure.low <= most && most < figure.high {
        format!(", not certain: the interval is {:.2} to {:.2}", figure.low, figure.high)
    } else {
        String::new()
    };
    let said = match aim {
        Aim::Ratio(_) => format!("{:.2} times, at most {most:.2}", figure.median),
        Aim::Added(_) => {
            format!("{:+.2} us, at most {most} ({:.2} times the unfiltered)", figure.median, row.ratio.median)
        }
    };
    Some(format!("aim {word}  {}: {said}{doubt}", row.scenario))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::results::tests::{row, stream_row};

    #[test]
    fn only_a_whole_interval_on_the_wrong_side_is_certain() {
        let good = row(&[5.0; 6]);
        assert!(!certainly_missed(&good));
        assert!(
            verdict(&good).unwrap().starts_with("aim met     1 KB, model first: 1.12 times, at most 1.25")
        );
        let doubtful = row(&[5.0, 12.0, 12.0, 12.0, 12.0, 12.0]);
        assert!(!certainly_missed(&doubtful));
        let text = verdict(&doubtful).unwrap();
        assert!(
            text.starts_with("aim missed") && text.contains("not certain: the interval is 1.12 to"),
            "{text}"
        );
        let bad = row(&[15.0; 6]);
        assert!(certainly_missed(&bad));
        assert!(verdict(&bad).unwrap().ends_with("at most 1.25"), "{:?}", verdict(&bad));
    }

    #[test]
    fn nothing_is_certain_when_the_control_is_off() {
        let mut bad = row(&[15.0; 6]);
        bad.control.median = -5.0;
        assert!(!certainly_missed(&bad));
        assert!(
            verdict(&bad).unwrap().ends_with("the Envoys without the filter differ by -5.0 us themselves")
        );
    }

    #[test]
    fn streams_are_judged_by_what_is_added_and_say_the_ratio_as_well() {
        let good = stream_row(Watching::Observe, &[1.5; 6]);
        assert_eq!(
            verdict(&good).unwrap(),
            "aim met     chunk, observe: +1.50 us, at most 2 (1.04 times the unfiltered)"
        );
        assert!(!certainly_missed(&good));
        assert_eq!(verdict(&stream_row(Watching::Nothing, &[9.0; 6])), None);
        assert!(certainly_missed(&stream_row(Watching::Observe, &[3.0; 6])));
        for watching in [Watching::Usage, Watching::StreamUsage] {
            assert!(!certainly_missed(&stream_row(watching, &[3.0; 6])));
            assert!(certainly_missed(&stream_row(watching, &[4.5; 6])));
        }
        // One in forty is alike enough for a ratio, and too much for an aim of two.
        let mut unclear = stream_row(Watching::Observe, &[3.0; 6]);
        unclear.control.median = 1.1;
        assert!(unclear.is_comparable() && !certainly_missed(&unclear));
        assert!(verdict(&unclear).unwrap().ends_with("differ by +1.10 us themselves"));
    }

    #[test]
    fn only_two_sizes_have_an_aim() {
        let prose =
            |size| Scenario { size, profile: Profile::Prose, model_at: ModelAt::Last, task: Task::Route };
        assert_eq!((aim(&prose(KB)), aim(&prose(256 * KB))), (Some(Aim::Ratio(1.25)), Some(Aim::Ratio(1.9))));
        assert_eq!((aim(&prose(16 * KB)), aim(&prose(KB + 1))), (None, None));
        assert_eq!(aim(&Scenario { profile: Profile::Dense, ..prose(256 * KB) }), None);
        assert_eq!(prototype(&prose(256 * KB)), None);
    }
}
