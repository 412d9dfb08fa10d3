//! `exploration-max-score-picker`: the best, and now and then one whose score has not moved for long.

use super::MaxScorePicker;
use crate::contender::Contender;
use crate::context::{Env, Query};
use crate::parameter::ParameterError;
use crate::plugin::Picker;
use std::cell::RefCell;
use std::rc::Rc;

/// A fork's `exploration-max-score-picker`. A model is stale if its total is the same as it was more than
/// `staleness_threshold` ago. With chance `exploration_ratio`, and if there is a stale one, each of these is
/// equally likely; else the choice is that of [`MaxScorePicker`].
///
/// What it remembers is of one worker, who sees a part of the requests only; a model that the worker did not
/// consider for long counts as seen for the first time. It remembers [`MOST`](ExplorationMaxScorePicker::MOST)
/// models (the fork any number, for ever).
pub struct ExplorationMaxScorePicker {
    exploration_ratio: f64,
    staleness_threshold_ns: u64,
    history: RefCell<Vec<Seen>>,
}

/// A model's total, and since when it has been that.
struct Seen {
    name: Rc<str>,
    total: f64,
    since_ns: u64,
}

impl ExplorationMaxScorePicker {
    /// The type that a configuration names.
    pub const TYPE: &'static str = "exploration-max-score-picker";
    /// How many models it remembers.
    pub const MOST: usize = 1024;
    /// The fork's `explorationRatio`.
    pub const DEFAULT_RATIO: f64 = 0.05;
    /// The fork's `stalenessThreshold`: 30 seconds.
    pub const DEFAULT_THRESHOLD_NS: u64 = 30_000_000_000;

    /// `exploration_ratio` is from 0 to 1.
    pub fn new(exploration_ratio: f64, staleness_threshold_ns: u64) -> Result<Self, ParameterError> {
        if !(0.0..=1.0).contains(&exploration_ratio) {
            return Err(ParameterError { parameter: "explorationRatio", expected: "a number from 0 to 1" });
        }
        Ok(Self { exploration_ratio, staleness_threshold_ns, history: RefCell::default() })
    }

    /// Notes a total, and says whether it has been the same for too long.
    fn is_stale(&self, history: &mut Vec<Seen>, contender: &Contender<'_>, now_ns: u64) -> bool {
        let candidate = contender.candidate();
        let total = contender.total();
        match history.iter_mut().find(|seen| *seen.name == *candidate.name()) {
            Some(seen) if seen.total == total => {
                now_ns.saturating_sub(seen.since_ns) > self.staleness_threshold_ns
            }
            Some(seen) => {
                (seen.total, seen.since_ns) = (total, now_ns);
                false
            }
            None => {
                if history.len() >= Self::MOST {
                    history.remove(0);
                }
                history.push(Seen { name: candidate.shared_name(), total, since_ns: now_ns });
                false
            }
        }
    }
}

impl Picker for ExplorationMaxScorePicker {
    fn type_name(&self) -> &'static str {
        Self::TYPE
    }

    fn pick(&self, query: &dyn Query, env: &mut Env<'_>, contenders: &[Contender<'_>]) -> Option<usize> {
        let mut history = self.history.borrow_mut();
        // Noted at every pick, so that the time of a change is right when it is asked for.
        let stale: Vec<usize> = contenders
            .iter()
            .enumerate()
            .filter(|(_, contender)| self.is_stale(&mut history, contender, env.now_ns))
            .map(|(position, _)| position)
            .collect();
        if !stale.is_empty() && env.rng.unit() < self.exploration_ratio {
            return stale.get(env.rng.below(stale.len())).copied();
        }
        MaxScorePicker::default().pick(query, env, contenders)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;
    use crate::testing::pick_at;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn the_stale_one_is_tried() {
        // vectors.md, pickers: explore.
        let picker = ExplorationMaxScorePicker::new(1.0, SECOND).unwrap();
        let mut rng = SplitMix64::new(1);
        assert_eq!(pick_at(&picker, &[("high", 0.9), ("low", 0.2)], 5 * SECOND, &mut rng), Some("high"));
        assert_eq!(pick_at(&picker, &[("high", 0.9), ("low", 0.95)], 7 * SECOND, &mut rng), Some("high"));
        // Exactly the threshold is not yet stale.
        assert_eq!(pick_at(&picker, &[("high", 0.8), ("low", 0.95)], 8 * SECOND, &mut rng), Some("low"));
        // Now both are: nobody changed since 7 and 8.
        let picks: Vec<_> = (0..50)
            .map(|_| pick_at(&picker, &[("high", 0.8), ("low", 0.95)], 20 * SECOND, &mut rng).unwrap())
            .collect();
        assert!(picks.contains(&"high") && picks.contains(&"low"));
    }

    #[test]
    fn as_often_as_the_ratio_says() {
        let picker = ExplorationMaxScorePicker::new(0.05, SECOND).unwrap();
        let mut rng = SplitMix64::new(2);
        let mut tries = 0;
        for round in 0..10_000_u64 {
            // The best one's total moves, the other's does not.
            let best = 0.9 + round as f64 * 1e-6;
            let now = 5 * SECOND + round;
            let now = if round == 0 { 0 } else { now };
            tries += usize::from(
                pick_at(&picker, &[("best", best), ("still", 0.1)], now, &mut rng) == Some("still"),
            );
        }
        assert!(tries.abs_diff(500) < 109, "{tries}");
    }

    #[test]
    fn what_it_remembers_is_bounded() {
        let picker = ExplorationMaxScorePicker::new(0.0, 0).unwrap();
        let mut rng = SplitMix64::new(2);
        for model in 0..3_000 {
            pick_at(&picker, &[(&format!("m{model}"), 0.1)], 0, &mut rng);
        }
        assert_eq!(picker.history.borrow().len(), ExplorationMaxScorePicker::MOST);
        assert_eq!(pick_at(&picker, &[], 0, &mut rng), None);
        for refused in [-0.1, 1.1, f64::NAN] {
            assert!(ExplorationMaxScorePicker::new(refused, 0).is_err());
        }
    }
}
