//! Medians of paired rounds, with intervals that assume nothing about the distribution.

/// A median and what it may as well be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Estimate {
    /// The median.
    pub(super) median: f64,
    /// The lower end of the interval.
    pub(super) low: f64,
    /// The upper end of the interval.
    pub(super) high: f64,
    /// How likely the interval has the true median: at least 0.95, if there are enough values for that.
    pub(super) coverage: f64,
}

/// What the intervals aim for.
const COVERAGE: f64 = 0.95;

impl Estimate {
    /// Of independent values of the same kind; `None` without values.
    ///
    /// The interval lies between two order statistics: each value is on either side of the true median with a
    /// probability of one half, so their number on one side is binomial. It is the narrowest symmetric one
    /// with the wanted coverage, and the whole range when there are too few values.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let mut outside = 0;
        while 2 * (outside + 1) < sorted.len() && coverage(sorted.len(), outside + 1) >= COVERAGE {
            outside += 1;
        }
        let (low, high) = (*sorted.get(outside)?, *sorted.get(sorted.len() - 1 - outside)?);
        Some(Self { median: median(&sorted)?, low, high, coverage: coverage(sorted.len(), outside) })
    }
}

/// The middle value, or the mean of the two in the middle.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get((sorted.len() - 1) / 2)?;
    Some((lower + upper) / 2.0)
}

/// How likely the true median lies between two of `count` sorted values when `outside` of them are left out
/// at either end.
fn coverage(count: usize, outside: usize) -> f64 {
    let mut term = 0.5_f64.powi(i32::try_from(count).unwrap_or(i32::MAX));
    let mut below = 0.0;
    for index in 0..=outside {
        below += term;
        term *= (count - index) as f64 / (index + 1) as f64;
    }
    1.0 - 2.0 * below
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up_to(count: u32) -> Vec<f64> {
        // Not in order.
        (1..=count).rev().map(f64::from).collect()
    }

    #[test]
    fn medians() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[4.0, 1.0]), Some(2.5));
        assert_eq!(median(&up_to(11)), Some(6.0));
    }

    /// The ranks are those of published tables for the sign test.
    #[test]
    fn intervals_have_the_published_ranks() {
        for (count, low, high, coverage) in [
            (6, 1, 6, 0.9688),
            (9, 2, 8, 0.9609),
            (11, 2, 10, 0.9883),
            (12, 3, 10, 0.9614),
            (25, 8, 18, 0.9567),
        ] {
            let estimate = Estimate::of(&up_to(count)).unwrap();
            assert_eq!((estimate.low, estimate.high), (f64::from(low), f64::from(high)), "of {count}");
            assert!((estimate.coverage - coverage).abs() < 5e-5, "{count}: {}", estimate.coverage);
        }
    }

    #[test]
    fn too_few_values_give_their_range_and_say_how_little_that_is_worth() {
        assert_eq!(Estimate::of(&[]), None);
        let one = Estimate::of(&[7.0]).unwrap();
        assert_eq!((one.low, one.high, one.coverage), (7.0, 7.0, 0.0));
        let five = Estimate::of(&up_to(5)).unwrap();
        assert_eq!((five.low, five.high, five.coverage), (1.0, 5.0, 0.9375));
    }

    #[test]
    fn one_disturbed_round_in_eleven_changes_little() {
        let mut values = vec![10.0, 10.1, 9.9, 10.2, 9.8, 10.0, 10.1, 9.9, 10.0, 10.1];
        values.push(500.0);
        let estimate = Estimate::of(&values).unwrap();
        assert!(estimate.median < 10.2 && estimate.high < 10.3, "{estimate:?}");
    }
}
