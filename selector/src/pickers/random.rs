//! `random-picker`: chance alone.

use crate::contender::Contender;
use crate::context::{Env, Query};
use crate::plugin::Picker;

/// Upstream's `random-picker`: each is equally likely, whatever its total.
pub struct RandomPicker;

impl RandomPicker {
    /// The type that a configuration names.
    pub const TYPE: &'static str = "random-picker";
}

impl Picker for RandomPicker {
    fn type_name(&self) -> &'static str {
        Self::TYPE
    }

    fn pick(&self, _query: &dyn Query, env: &mut Env<'_>, contenders: &[Contender<'_>]) -> Option<usize> {
        (!contenders.is_empty()).then(|| env.rng.below(contenders.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;
    use crate::testing::picks;

    #[test]
    fn totals_do_not_matter() {
        // vectors.md, pickers: each 30..70 %.
        let counts = picks(&RandomPicker, [0.99, 0.01], 1000, &mut SplitMix64::new(1));
        assert!(counts.iter().all(|count| (300..=700).contains(count)), "{counts:?}");

        let counts = picks(&RandomPicker, [f64::NAN, -1.0, 0.0, 9.0], 4000, &mut SplitMix64::new(2));
        assert!(counts.iter().all(|count| count.abs_diff(1000) < 137), "{counts:?}");
    }
}
