//! Figures that were observed, and how old one may be before it says nothing any more.

/// A number that was observed, with the time of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figure {
    /// The number, in the unit of its attribute.
    pub value: f64,
    /// When it was last observed: nanoseconds since the Unix epoch.
    pub at_ns: u64,
}

/// How often a model fails.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Health {
    /// The share of requests that failed lately, from 0 to 1.
    pub error_rate: f64,
    /// How many requests that share is of, older ones counting less.
    pub requests: f64,
    /// Until when the model is to be left alone: nanoseconds since the Unix epoch, 0 for not at all.
    pub cooling_until_ns: u64,
    /// When a request was last counted: nanoseconds since the Unix epoch.
    pub at_ns: u64,
}

/// How old a figure may be, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxAge(pub u64);

impl MaxAge {
    /// Long enough for a rare request, short enough to forget yesterday: five minutes. Not in upstream, where
    /// a figure is good for ever.
    pub const DEFAULT: Self = Self(300_000_000_000);

    /// No figure is ever too old: upstream's behaviour.
    pub const NONE: Self = Self(u64::MAX);

    /// Whether a figure observed then still counts now. One from the future does: clocks differ.
    pub fn admits(self, at_ns: u64, now_ns: u64) -> bool {
        now_ns.saturating_sub(at_ns) <= self.0
    }
}

/// The score of a model of which nothing current is known: neither for nor against it.
pub const NEUTRAL: f64 = 0.5;

/// What a model scores that lacks a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// As much as the best: 1.
    Best,
    /// 0.5.
    Neutral,
    /// As little as the worst: 0.
    Worst,
}

impl Missing {
    /// The score.
    pub fn score(self) -> f64 {
        match self {
            Self::Best => 1.0,
            Self::Neutral => NEUTRAL,
            Self::Worst => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_has_a_limit() {
        let age = MaxAge(100);
        assert!(age.admits(0, 100) && !age.admits(0, 101) && age.admits(500, 100));
        assert!(MaxAge::NONE.admits(0, u64::MAX));
    }
}
