//! `load-filter`: who has enough to do gets no more, and if that is everybody, the client is told to come back.

use crate::attribute::{CAPACITY, IN_FLIGHT};
use crate::candidate::Candidate;
use crate::contender::Survivors;
use crate::context::{Env, Query};
use crate::parameter::ParameterError;
use crate::plugin::{Busy, Emptied, Filter};

/// Not in upstream: removes models with `max_in_flight` requests in flight or more, and those with `max_load`
/// requests or more for each that they can serve at once ([`IN_FLIGHT`] over [`CAPACITY`]; a model that declares no
/// capacity is not held to `max_load`). A model whose figure is missing stays.
///
/// If nobody is left, and somebody were but for load, the answer is `busy`: 429 or 503 with Retry-After.
pub struct LoadFilter {
    max_in_flight: Option<f64>,
    max_load: Option<f64>,
    busy: Busy,
}

impl LoadFilter {
    /// The type that a configuration names.
    pub const TYPE: &'static str = "load-filter";

    /// At least one of the two limits has to be there.
    pub fn new(
        max_in_flight: Option<f64>,
        max_load: Option<f64>,
        busy: Busy,
    ) -> Result<Self, ParameterError> {
        let positive = |limit: Option<f64>| limit.is_none_or(|limit| limit.is_finite() && limit > 0.0);
        let checks = [
            (positive(max_in_flight), "maxInFlight", "greater than 0"),
            (positive(max_load), "maxLoad", "greater than 0"),
            (max_in_flight.is_some() || max_load.is_some(), "maxInFlight", "there, or maxLoad"),
            ([429, 503].contains(&busy.status), "status", "429 or 503"),
        ];
        match checks.into_iter().find(|(holds, ..)| !holds) {
            Some((_, parameter, expected)) => Err(ParameterError { parameter, expected }),
            None => Ok(Self { max_in_flight, max_load, busy }),
        }
    }

    fn has_room(&self, candidate: &Candidate) -> bool {
        let in_flight = candidate.get(&IN_FLIGHT).copied().unwrap_or(0.0);
        let capacity = candidate.get(&CAPACITY).copied().filter(|capacity| *capacity > 0.0);
        let below = |limit: Option<f64>| limit.is_none_or(|limit| in_flight < limit);
        below(self.max_in_flight)
            && below(self.max_load.zip(capacity).map(|(load, capacity)| load * capacity))
    }
}

impl Filter for LoadFilter {
    fn type_name(&self) -> &'static str {
        Self::TYPE
    }

    fn attributes(&self) -> Vec<&str> {
        vec![IN_FLIGHT.name(), CAPACITY.name()]
    }

    fn emptied(&self, _query: &dyn Query) -> Emptied {
        Emptied::Loaded(self.busy)
    }

    fn filter(&self, _query: &dyn Query, _env: &mut Env<'_>, survivors: &mut Survivors<'_>) {
        survivors.retain(|candidate| self.has_room(candidate));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fields, kept};

    const BUSY: Busy = Busy { status: 429, retry_after_seconds: 1 };

    #[test]
    fn by_count_and_by_share() {
        let model = |name: &str, in_flight, capacity| {
            Candidate::new(name).with(&IN_FLIGHT, in_flight).with(&CAPACITY, capacity)
        };
        let models = [
            model("idle", 0.0, 4.0),
            model("full", 4.0, 4.0),
            model("large", 9.0, 40.0),
            Candidate::new("no capacity").with(&IN_FLIGHT, 8.0),
            Candidate::new("unknown"),
        ];
        let run = |max_in_flight, max_load| {
            kept(&LoadFilter::new(max_in_flight, max_load, BUSY).unwrap(), &Fields::default(), &models)
        };
        assert_eq!(run(Some(4.0), None), ["idle", "unknown"]);
        assert_eq!(run(None, Some(1.0)), ["idle", "large", "no capacity", "unknown"]);
        assert_eq!(run(Some(9.0), Some(1.0)), ["idle", "no capacity", "unknown"]);
    }

    #[test]
    fn parameters() {
        let refused = |max_in_flight, max_load, status| {
            LoadFilter::new(max_in_flight, max_load, Busy { status, ..BUSY })
                .err()
                .map(|error| error.parameter)
        };
        assert_eq!(refused(None, None, 429), Some("maxInFlight"));
        assert_eq!(refused(Some(0.0), None, 429), Some("maxInFlight"));
        assert_eq!(refused(None, Some(f64::NAN), 503), Some("maxLoad"));
        assert_eq!(refused(None, Some(1.0), 500), Some("status"));
        assert_eq!(refused(None, Some(1.0), 503), None);
    }
}
