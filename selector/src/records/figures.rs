//! What is known of one model from the requests that it answered: all small statistics in one record, so that a
//! decision reads one of them for each model.

use super::average::{Average, Averaging};
use super::bytes::{Reader, Record, Writer};
use super::health::{HealthRecord, HealthRules};
use super::throughput::{Completion, Throughput};
use super::ttft::{read_curve, write_curve};
use crate::ttft_curve::TtftCurve;

/// A request that a model has answered, or failed to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Answered {
    /// Whether the model failed; `None` where its part in the end of the request is not known, say because the
    /// client left.
    pub failed: Option<bool>,
    /// Seconds to the first token of an answer that was streamed.
    pub ttft: Option<f64>,
    /// Seconds to the end.
    pub seconds: f64,
    /// The tokens that were generated, where the answer tells.
    pub tokens: Option<f64>,
    /// How many requests the model served meanwhile, this one included.
    pub in_flight: f64,
}

/// Averages, speed, health and the curve of the time to the first token of one model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FiguresRecord {
    /// Seconds to the first token.
    pub ttft: Average,
    /// Seconds for each further token.
    pub tpot: Average,
    /// Tokens per second of the whole model.
    pub throughput: Throughput,
    /// How often it fails.
    pub health: HealthRecord,
    /// Time to first token against load, as [`TtftRecord`](super::TtftRecord) last computed it.
    pub curve: Option<TtftCurve>,
}

impl FiguresRecord {
    /// Adds the end of a request. Only one that succeeded says how fast a model is, and only one that was streamed
    /// when its first token came: a failure is the fastest answer of all.
    pub fn observe(&mut self, answered: &Answered, now_ns: u64, averaging: Averaging, rules: HealthRules) {
        let Answered { failed, ttft, seconds, tokens, in_flight } = *answered;
        let Some(failed) = failed else { return };
        self.health.observe(failed, now_ns, rules);
        if failed {
            return;
        }
        if let Some(ttft) = ttft {
            self.ttft.observe(ttft, now_ns, averaging);
            if let Some(tokens) = tokens.filter(|tokens| *tokens > 0.0) {
                self.tpot.observe((seconds - ttft) / tokens, now_ns, averaging);
            }
        }
        if let Some(tokens) = tokens {
            self.throughput.observe(Completion { tokens, seconds, in_flight }, now_ns);
        }
    }
}

impl Record for FiguresRecord {
    const KIND: u8 = 8;
    const VERSION: u8 = 1;
    const MAX_BYTES: usize = 2 + 36 + 36 + 24 + 32 + 56;

    fn write(&self, bytes: &mut Writer) {
        self.ttft.write(bytes);
        self.tpot.write(bytes);
        self.throughput.write(bytes);
        self.health.write(bytes);
        // The time of a curve is never 0.
        write_curve(&self.curve.unwrap_or_default(), bytes);
    }

    fn read(bytes: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            ttft: Average::read(bytes)?,
            tpot: Average::read(bytes)?,
            throughput: Throughput::read(bytes)?,
            health: HealthRecord::read(bytes)?,
            curve: Some(read_curve(bytes)?).filter(|curve| curve.at_ns > 0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::bytes::check_codec;

    const SECOND: u64 = 1_000_000_000;

    fn observe(record: &mut FiguresRecord, answered: Answered) {
        record.observe(&answered, 100 * SECOND, Averaging::EACH, HealthRules::DEFAULT);
    }

    fn good() -> Answered {
        Answered { failed: Some(false), ttft: Some(0.5), seconds: 2.5, tokens: Some(100.0), in_flight: 2.0 }
    }

    #[test]
    fn only_what_succeeds_is_a_latency() {
        let mut record = FiguresRecord::default();
        observe(&mut record, Answered { failed: Some(true), ttft: Some(0.001), ..good() });
        observe(&mut record, Answered { failed: None, ttft: Some(0.001), ..good() });
        assert_eq!((record.ttft.figure(), record.tpot.figure()), (None, None));
        assert_eq!(record.throughput.figure(), None);
        let health = record.health.health(100 * SECOND, HealthRules::DEFAULT).unwrap();
        assert_eq!((health.error_rate, health.requests), (1.0, 1.0));

        observe(&mut record, good());
        assert_eq!(record.ttft.figure().unwrap().value, 0.5);
        assert!((record.tpot.figure().unwrap().value - 0.02).abs() < 1e-12);
        assert!((record.throughput.figure().unwrap().value - 80.0).abs() < 1e-9);
    }

    #[test]
    fn only_what_is_streamed_is_a_time_to_the_first_token() {
        let mut record = FiguresRecord::default();
        observe(&mut record, Answered { ttft: None, ..good() });
        assert_eq!((record.ttft.figure(), record.tpot.figure()), (None, None));
        assert!(record.throughput.figure().is_some());
    }

    #[test]
    fn as_bytes() {
        let mut record = FiguresRecord::default();
        check_codec(&record);
        observe(&mut record, good());
        record.curve = Some(TtftCurve { floor: 0.1, at_ns: 9, ..TtftCurve::default() });
        check_codec(&record);
        assert_eq!(record.encode().len(), FiguresRecord::MAX_BYTES);
    }
}
