//! Tokens per second of a model, which upstream's `expected-wait-scorer` divides by and nobody there computes.

use super::bytes::{Reader, Record, Writer};
use crate::figure::Figure;

/// A request that has ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Completion {
    /// The tokens that were generated.
    pub tokens: f64,
    /// The seconds from the pick to the end.
    pub seconds: f64,
    /// How many requests the model served meanwhile, this one included.
    pub in_flight: f64,
}

/// The speed of the model as a whole: `Σ tokens · in flight / Σ seconds`, where what is old counts less: half for
/// each [`HALF_LIFE_NS`](Throughput::HALF_LIFE_NS).
///
/// Tokens over seconds is the speed at which one request is served; so many of them at once is the speed of the
/// model at the load that it has. Upstream's proposal divides by the speed of one request, which makes the wait
/// of a loaded model too long by the number of its requests.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Throughput {
    tokens: f64,
    seconds: f64,
    at_ns: u64,
}

impl Throughput {
    /// One minute.
    pub const HALF_LIFE_NS: u64 = 60_000_000_000;

    /// Adds a request; one without tokens or time is ignored.
    pub fn observe(&mut self, completion: Completion, now_ns: u64) {
        let Completion { tokens, seconds, in_flight } = completion;
        let positive = |value: f64| value.is_finite() && value > 0.0;
        if !positive(tokens) || !positive(seconds) {
            return;
        }
        let in_flight = if in_flight.is_finite() { in_flight.max(1.0) } else { 1.0 };
        let age = now_ns.saturating_sub(self.at_ns) as f64 / Self::HALF_LIFE_NS as f64;
        let keep = 0.5_f64.powf(age);
        self.tokens = self.tokens * keep + tokens * in_flight;
        self.seconds = self.seconds * keep + seconds;
        self.at_ns = now_ns.max(self.at_ns).max(1);
    }

    /// Tokens per second and when a request last ended; `None` before the first.
    pub fn figure(&self) -> Option<Figure> {
        let value = self.tokens / self.seconds;
        (value.is_finite() && value > 0.0).then_some(Figure { value, at_ns: self.at_ns })
    }
}

impl Record for Throughput {
    const KIND: u8 = 2;
    const VERSION: u8 = 1;
    const MAX_BYTES: usize = 26;

    fn write(&self, bytes: &mut Writer) {
        bytes.f64(self.tokens);
        bytes.f64(self.seconds);
        bytes.u64(self.at_ns);
    }

    fn read(bytes: &mut Reader<'_>) -> Option<Self> {
        Some(Self { tokens: bytes.f64()?, seconds: bytes.f64()?, at_ns: bytes.u64()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::bytes::check_codec;

    fn completion(tokens: f64, seconds: f64, in_flight: f64) -> Completion {
        Completion { tokens, seconds, in_flight }
    }

    #[test]
    fn the_speed_of_the_whole() {
        let mut speed = Throughput::default();
        assert_eq!(speed.figure(), None);
        // Eight at once, each at 25 tokens per second.
        for _ in 0..8 {
            speed.observe(completion(100.0, 4.0, 8.0), 5);
        }
        assert_eq!(speed.figure(), Some(Figure { value: 200.0, at_ns: 5 }));
        // Two minutes later one alone at 50: what was then counts a quarter.
        speed.observe(completion(200.0, 4.0, 1.0), 5 + 2 * Throughput::HALF_LIFE_NS);
        let want = (6400.0 / 4.0 + 200.0) / (32.0 / 4.0 + 4.0);
        assert!((speed.figure().unwrap().value - want).abs() < 1e-9);
    }

    #[test]
    fn what_is_no_request_is_ignored() {
        let mut speed = Throughput::default();
        for odd in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            speed.observe(completion(odd, 1.0, 1.0), 1);
            speed.observe(completion(1.0, odd, 1.0), 1);
        }
        assert_eq!(speed.figure(), None);
        speed.observe(completion(10.0, 1.0, f64::NAN), 1);
        assert_eq!(speed.figure().unwrap().value, 10.0);
        // A clock that goes back adds without making anything older.
        speed.observe(completion(30.0, 1.0, 0.0), 0);
        assert_eq!(speed.figure(), Some(Figure { value: 20.0, at_ns: 1 }));
    }

    #[test]
    fn as_bytes() {
        let mut speed = Throughput::default();
        check_codec(&speed);
        speed.observe(completion(100.0, 4.0, 8.0), 5);
        check_codec(&speed);
    }
}
