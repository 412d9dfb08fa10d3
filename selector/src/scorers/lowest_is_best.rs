//! The min-max scale that several scorers share.

use crate::candidate::Candidate;
use crate::contender::Scores;

/// Scores a figure of which less is better: `score = (max − v) / (max − min)`, and 1 for all when all are
/// equal.
///
/// The formula of upstream's `inflight-requests-scorer`. Only the order and the relative distances count, so
/// it stretches the smallest difference over the whole range: 100 and 101 become 1 and 0.
pub fn lowest_is_best(scores: &mut Scores<'_>, figure: impl Fn(&Candidate) -> f64) {
    scores.fill(figure);
    stretch(scores, |value| value);
}

/// Replaces the figures given so far by their place between the lowest, 1, and the highest, 0, after
/// `rank` has had a look at each.
pub(super) fn stretch(scores: &mut Scores<'_>, rank: impl Fn(f64) -> f64) {
    let min = scores.values().map(&rank).fold(f64::INFINITY, f64::min);
    let max = scores.values().map(&rank).fold(f64::NEG_INFINITY, f64::max);
    scores.map(|value| if min < max { (max - rank(value)) / (max - min) } else { 1.0 });
}
