//! `cool-down-filter`: a model that fails is left alone for a while.

use crate::attribute::HEALTH;
use crate::candidate::Candidate;
use crate::contender::Survivors;
use crate::context::{Env, Query};
use crate::plugin::Filter;

/// Not in upstream: removes the models that cool down ([`HEALTH`]). If all do, all stay: an answer that fails is
/// no worse than none, and one of them may be well again.
pub struct CoolDownFilter;

impl CoolDownFilter {
    /// The type that a configuration names.
    pub const TYPE: &'static str = "cool-down-filter";
}

fn well(candidate: &Candidate, now_ns: u64) -> bool {
    candidate.get(&HEALTH).is_none_or(|health| health.cooling_until_ns <= now_ns)
}

impl Filter for CoolDownFilter {
    fn type_name(&self) -> &'static str {
        Self::TYPE
    }

    fn attributes(&self) -> Vec<&str> {
        vec![HEALTH.name()]
    }

    fn filter(&self, _query: &dyn Query, env: &mut Env<'_>, survivors: &mut Survivors<'_>) {
        let now = env.now_ns;
        if survivors.candidates().any(|candidate| well(candidate, now)) {
            survivors.retain(|candidate| well(candidate, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Health;
    use crate::testing::{Fields, kept_at};

    #[test]
    fn who_cools_down_is_out_unless_all_do() {
        let model = |name: &str, cooling_until_ns| {
            Candidate::new(name).with(&HEALTH, Health { cooling_until_ns, ..Health::default() })
        };
        let models = [model("a", 10), model("b", 20), Candidate::new("c")];
        let kept = |models, now| kept_at(&CoolDownFilter, &Fields::default(), models, now);
        assert_eq!(kept(&models, 5), ["c"]);
        assert_eq!(kept(&models, 10), ["a", "c"]);
        assert_eq!(kept(&models[..2], 5), ["a", "b"]);
    }
}
