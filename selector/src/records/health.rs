//! How often a model fails, and when it is left alone.

use super::bytes::{Reader, Record, Writer};
use crate::figure::Health;
use crate::parameter::ParameterError;

/// When a model that fails is left alone, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HealthRules {
    /// After so many nanoseconds a request counts half.
    pub half_life_ns: u64,
    /// The share of failures from which on it cools down.
    pub threshold: f64,
    /// How many requests have to count for that.
    pub min_requests: f64,
    /// For how many nanoseconds.
    pub cool_down_ns: u64,
}

impl HealthRules {
    /// Half of at least five requests, of the last half minute or so, failing is five seconds of rest.
    pub const DEFAULT: Self =
        Self { half_life_ns: 30_000_000_000, threshold: 0.5, min_requests: 5.0, cool_down_ns: 5_000_000_000 };

    /// These rules, if they make sense.
    pub fn checked(self) -> Result<Self, ParameterError> {
        let checks = [
            (self.half_life_ns > 0, "halfLife", "a duration greater than 0"),
            (self.threshold > 0.0 && self.threshold <= 1.0, "threshold", "a number above 0 and up to 1"),
            (self.min_requests >= 1.0 && self.min_requests.is_finite(), "minRequests", "1 or greater"),
        ];
        match checks.into_iter().find(|(holds, ..)| !holds) {
            Some((_, parameter, expected)) => Err(ParameterError { parameter, expected }),
            None => Ok(self),
        }
    }
}

/// Successes and failures, the older the less they count.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HealthRecord {
    successes: f64,
    failures: f64,
    at_ns: u64,
    cooling_until_ns: u64,
}

impl HealthRecord {
    /// Adds the end of a request. A failure that brings the share of failures to the threshold starts a
    /// cool-down, unless there is one; after it a single failure is enough as long as the share is what it was.
    pub fn observe(&mut self, failed: bool, now_ns: u64, rules: HealthRules) {
        let keep = self.kept(now_ns, rules);
        self.successes *= keep;
        self.failures *= keep;
        self.at_ns = now_ns.max(self.at_ns).max(1);
        if !failed {
            self.successes += 1.0;
            return;
        }
        self.failures += 1.0;
        let requests = self.successes + self.failures;
        let too_many = requests >= rules.min_requests && self.failures / requests >= rules.threshold;
        if too_many && self.cooling_until_ns <= now_ns {
            self.cooling_until_ns = now_ns.saturating_add(rules.cool_down_ns);
        }
    }

    /// What is left of the counts after the time since the last request.
    fn kept(&self, now_ns: u64, rules: HealthRules) -> f64 {
        0.5_f64.powf(now_ns.saturating_sub(self.at_ns) as f64 / rules.half_life_ns.max(1) as f64)
    }

    /// The share of failures; `None` before the first request.
    pub fn health(&self, now_ns: u64, rules: HealthRules) -> Option<Health> {
        let counted = self.successes + self.failures;
        (self.at_ns > 0 && counted > 0.0).then(|| Health {
            error_rate: self.failures / counted,
            requests: counted * self.kept(now_ns, rules),
            cooling_until_ns: self.cooling_until_ns,
            at_ns: self.at_ns,
        })
    }
}

impl Record for HealthRecord {
    const KIND: u8 = 3;
    const VERSION: u8 = 1;
    const MAX_BYTES: usize = 34;

    fn write(&self, bytes: &mut Writer) {
        bytes.f64(self.successes);
        bytes.f64(self.failures);
        bytes.u64(self.at_ns);
        bytes.u64(self.cooling_until_ns);
    }

    fn read(bytes: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            successes: bytes.f64()?,
            failures: bytes.f64()?,
            at_ns: bytes.u64()?,
            cooling_until_ns: bytes.u64()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::bytes::check_codec;

    const SECOND: u64 = 1_000_000_000;
    const RULES: HealthRules = HealthRules::DEFAULT;

    #[test]
    fn failures_lead_to_rest_and_are_forgotten() {
        let mut record = HealthRecord::default();
        assert_eq!(record.health(0, RULES), None);
        for failed in [false, false, true, true] {
            record.observe(failed, 100 * SECOND, RULES);
        }
        let health = record.health(100 * SECOND, RULES).unwrap();
        assert_eq!((health.error_rate, health.requests, health.cooling_until_ns), (0.5, 4.0, 0));
        record.observe(true, 100 * SECOND, RULES);
        let health = record.health(100 * SECOND, RULES).unwrap();
        assert_eq!((health.error_rate, health.cooling_until_ns), (0.6, 105 * SECOND));
        // More failures of requests under way do not prolong it.
        record.observe(true, 104 * SECOND, RULES);
        assert_eq!(record.health(104 * SECOND, RULES).unwrap().cooling_until_ns, 105 * SECOND);
        // After it, one failure starts the next, and successes end it.
        record.observe(true, 105 * SECOND, RULES);
        assert_eq!(record.health(105 * SECOND, RULES).unwrap().cooling_until_ns, 110 * SECOND);
        for _ in 0..10 {
            record.observe(false, 400 * SECOND, RULES);
        }
        let health = record.health(400 * SECOND, RULES).unwrap();
        assert!(health.error_rate < 0.01, "{health:?}");
        record.observe(true, 400 * SECOND, RULES);
        assert_eq!(record.health(400 * SECOND, RULES).unwrap().cooling_until_ns, 110 * SECOND);
    }

    #[test]
    fn few_requests_prove_nothing() {
        let mut record = HealthRecord::default();
        (0..4).for_each(|_| record.observe(true, SECOND, RULES));
        assert_eq!(record.health(SECOND, RULES).unwrap().cooling_until_ns, 0);
        // Half a minute later they count as two.
        (0..2).for_each(|_| record.observe(true, 31 * SECOND, RULES));
        assert_eq!(record.health(31 * SECOND, RULES).unwrap().cooling_until_ns, 0);
        assert_eq!(record.health(31 * SECOND, RULES).unwrap().requests, 4.0);
    }

    #[test]
    fn rules() {
        let refused = |rules: HealthRules| rules.checked().err().map(|error| error.parameter);
        assert_eq!(refused(HealthRules { half_life_ns: 0, ..RULES }), Some("halfLife"));
        assert_eq!(refused(HealthRules { threshold: 0.0, ..RULES }), Some("threshold"));
        assert_eq!(refused(HealthRules { min_requests: f64::NAN, ..RULES }), Some("minRequests"));
        assert_eq!(refused(RULES), None);
    }

    #[test]
    fn as_bytes() {
        let mut record = HealthRecord::default();
        check_codec(&record);
        (0..9).for_each(|_| record.observe(true, SECOND, RULES));
        check_codec(&record);
    }
}
