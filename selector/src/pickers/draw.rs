//! One draw in proportion to something.

use crate::contender::Contender;
use crate::context::Env;

/// Takes one with `P(i) = weight_i / Σ weights` over the positive weights; if none is positive, each is equally
/// likely. `None` only for an empty list.
pub(super) fn draw<'c>(
    env: &mut Env<'_>,
    contenders: &[Contender<'c>],
    weight: impl Fn(&Contender<'c>) -> f64,
) -> Option<usize> {
    let highest = contenders.iter().map(&weight).fold(0.0, f64::max);
    if highest <= 0.0 {
        return (!contenders.is_empty()).then(|| env.rng.below(contenders.len()));
    }
    // Relative to the highest, so that the sum is finite however large the weights are.
    let share = |contender: &Contender<'c>| match weight(contender) {
        weight if weight == highest => 1.0,
        weight if weight > 0.0 => weight / highest,
        _ => 0.0,
    };
    let mut left = contenders.iter().map(share).sum::<f64>() * env.rng.unit();
    let mut chosen = None;
    for (position, contender) in contenders.iter().enumerate() {
        let share = share(contender);
        if share > 0.0 {
            // Rounding may leave a rest behind the last one: then it is the last one.
            chosen = Some(position);
            if left < share {
                break;
            }
            left -= share;
        }
    }
    chosen
}
