//! A moving average: upstream's AvgTTFT and AvgTPOT.

use super::bytes::{Reader, Record, Writer};
use crate::figure::Figure;

/// How observations are averaged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Averaging {
    /// What the newest counts; the rest is the old average.
    pub alpha: f64,
    /// Observations of so many nanoseconds are averaged first and then count as one; 0 for each on its own.
    pub window_ns: u64,
}

impl Averaging {
    /// Upstream's main line: each observation counts 0.1.
    pub const EACH: Self = Self { alpha: 0.1, window_ns: 0 };
    /// Upstream's later form: windows of 5 seconds, each counting 0.1.
    pub const WINDOWED: Self = Self { alpha: 0.1, window_ns: 5_000_000_000 };
}

/// `new = α · observed + (1 − α) · old`; the first observation is taken as it is.
///
/// In windows, the mean of a window is what is observed, once an observation comes a window's length after the
/// window began. The very first comes at once.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Average {
    value: f64,
    /// When `value` changed; 0 before it ever did.
    at_ns: u64,
    sum: f64,
    count: u32,
    window_start_ns: u64,
}

impl Average {
    /// Adds an observation; what is not a finite number above 0 is ignored.
    pub fn observe(&mut self, observed: f64, now_ns: u64, averaging: Averaging) {
        if !observed.is_finite() || observed <= 0.0 {
            return;
        }
        self.sum += observed;
        self.count = self.count.saturating_add(1);
        let first = self.at_ns == 0;
        if !first && now_ns.saturating_sub(self.window_start_ns) < averaging.window_ns {
            return;
        }
        let mean = self.sum / f64::from(self.count);
        self.value = if first { mean } else { averaging.alpha * mean + (1.0 - averaging.alpha) * self.value };
        // 0 would say "never".
        self.at_ns = now_ns.max(1);
        (self.sum, self.count, self.window_start_ns) = (0.0, 0, now_ns);
    }

    /// The average and when it last changed; `None` before the first observation.
    pub fn figure(&self) -> Option<Figure> {
        (self.at_ns > 0).then_some(Figure { value: self.value, at_ns: self.at_ns })
    }
}

impl Record for Average {
    const KIND: u8 = 1;
    const VERSION: u8 = 1;
    const MAX_BYTES: usize = 38;

    fn write(&self, bytes: &mut Writer) {
        bytes.f64(self.value);
        bytes.u64(self.at_ns);
        bytes.f64(self.sum);
        bytes.u32(self.count);
        bytes.u64(self.window_start_ns);
    }

    fn read(bytes: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            value: bytes.f64()?,
            at_ns: bytes.u64()?,
            sum: bytes.f64()?,
            count: bytes.u32()?,
            window_start_ns: bytes.u64()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::bytes::check_codec;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn each_observation_counts() {
        // vectors.md, D06 and D07.
        let mut average = Average::default();
        assert_eq!(average.figure(), None);
        average.observe(0.5, 7, Averaging::EACH);
        assert_eq!(average.figure(), Some(Figure { value: 0.5, at_ns: 7 }));
        let mut average = Average::default();
        average.observe(1.0, 7, Averaging::EACH);
        average.observe(2.0, 9, Averaging::EACH);
        let figure = average.figure().unwrap();
        assert!((figure.value - 1.1).abs() < 1e-12 && figure.at_ns == 9, "{figure:?}");
    }

    #[test]
    fn a_window_counts_as_one() {
        let mut average = Average::default();
        let mut at = |seconds: u64, value| {
            average.observe(value, seconds * SECOND, Averaging::WINDOWED);
            average.figure().unwrap().value
        };
        assert_eq!(at(10, 1.0), 1.0, "the first comes at once");
        assert_eq!(at(12, 4.0), 1.0);
        assert_eq!(at(14, 2.0), 1.0);
        // 0.1 · mean(4, 2, 3) + 0.9 · 1.
        assert!((at(15, 3.0) - 1.2).abs() < 1e-12);
        assert!((at(21, 2.2) - 1.3).abs() < 1e-12);
    }

    #[test]
    fn what_is_no_duration_is_ignored() {
        let mut average = Average::default();
        for odd in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            average.observe(odd, 1, Averaging::EACH);
        }
        assert_eq!(average, Average::default());
        average.observe(1.0, 0, Averaging::EACH);
        assert_eq!(average.figure(), Some(Figure { value: 1.0, at_ns: 1 }));
    }

    #[test]
    fn as_bytes() {
        let mut average = Average::default();
        check_codec(&average);
        average.observe(0.25, 3 * SECOND, Averaging::WINDOWED);
        average.observe(0.5, 4 * SECOND, Averaging::WINDOWED);
        check_codec(&average);
        assert_eq!(average.encode().len(), Average::MAX_BYTES);
    }
}
