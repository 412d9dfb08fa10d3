//! What the filter may cost at most, and what an earlier prototype did cost.

use super::results::Row;
use super::scenario::{ModelAt, Profile, Scenario};

const KB: usize = 1 << 10;

/// The CPU time with the filter is to be at most this many times that without.
pub(super) fn aim(scenario: &Scenario) -> Option<f64> {
    match (scenario.profile, scenario.size) {
        (Profile::Prose, KB) => Some(1.25),
        (Profile::Prose, size) if size == 256 * KB => Some(1.9),
        _ => None,
    }
}

/// The same figure of the prototype that validated every body with a serde_json visitor; the product is to be
/// better. Ratios carry over to other machines, times do not.
pub(super) fn prototype(scenario: &Scenario) -> Option<f64> {
    let (without, added) = match (scenario.profile, scenario.size / KB, scenario.model_at) {
        _ if !scenario.size.is_multiple_of(KB) => return None,
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
    row.is_comparable() && aim(&row.scenario).is_some_and(|aim| row.ratio.low > aim)
}

/// One line about the aim, when there is one.
pub(super) fn verdict(row: &Row) -> Option<String> {
    let aim = aim(&row.scenario)?;
    let ratio = &row.ratio;
    let word = if ratio.median <= aim { "met   " } else { "missed" };
    let doubt = if !row.is_comparable() {
        format!(
            ", not certain: the Envoys without the filter differ by {:+.1} us themselves",
            row.control.median
        )
    } else if ratio.low <= aim && aim < ratio.high {
        format!(", not certain: the interval is {:.2} to {:.2}", ratio.low, ratio.high)
    } else {
        String::new()
    };
    Some(format!("aim {word}  {}: {:.2} times, at most {aim:.2}{doubt}", row.scenario, ratio.median))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::results::tests::row;

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
    fn only_two_sizes_have_an_aim() {
        let prose = |size| Scenario { size, profile: Profile::Prose, model_at: ModelAt::Last };
        assert_eq!((aim(&prose(KB)), aim(&prose(256 * KB))), (Some(1.25), Some(1.9)));
        assert_eq!((aim(&prose(16 * KB)), aim(&prose(KB + 1))), (None, None));
        assert_eq!(aim(&Scenario { profile: Profile::Dense, ..prose(256 * KB) }), None);
        assert_eq!(prototype(&prose(256 * KB)), None);
    }
}
