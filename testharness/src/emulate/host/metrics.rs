//! Metrics: found by name, one of each for the whole process, whichever VM defined them (section 4.5).

use std::collections::BTreeMap;

use super::status::{Answer, Status};

/// The lowest two bits of an id say what kind of metric it is, and ids go up in steps of four (`WasmBase::kMetricTypeMask`).
const KINDS: u32 = 3;

/// What kind of metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only goes up.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values by size.
    Histogram,
}

/// One metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Metric {
    /// How often something happened.
    Counter(u64),
    /// How much there is of something.
    Gauge(u64),
    /// The values in the order in which they were recorded.
    Histogram(Vec<u64>),
}

/// All metrics of the process.
#[derive(Debug, Default)]
pub struct Metrics(BTreeMap<Vec<u8>, Metric>);

/// The ids that one VM knows metrics by.
#[derive(Debug, Default)]
pub(super) struct MetricIds {
    names: BTreeMap<u32, Vec<u8>>,
    made: [u32; 3],
}

impl Kind {
    fn new(number: u32) -> Option<Self> {
        [Self::Counter, Self::Gauge, Self::Histogram].into_iter().find(|kind| *kind as u32 == number)
    }

    fn metric(self) -> Metric {
        match self {
            Self::Counter => Metric::Counter(0),
            Self::Gauge => Metric::Gauge(0),
            Self::Histogram => Metric::Histogram(Vec::new()),
        }
    }
}

impl Metrics {
    /// Every metric by its name.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Metric)> {
        self.0.iter().map(|(name, metric)| (name.as_slice(), metric))
    }

    /// The value of a counter or gauge, 0 if it was never defined.
    pub fn value(&self, name: &str) -> u64 {
        match self.0.get(name.as_bytes()) {
            Some(Metric::Counter(value) | Metric::Gauge(value)) => *value,
            _ => 0,
        }
    }

    /// Makes an id. Each call makes a new one, also for a name that has one, and none is ever freed
    /// (section 4.5: "define_metric allocates a new id on every call").
    pub(super) fn define(&mut self, ids: &mut MetricIds, kind: u32, name: &[u8]) -> Answer<u32> {
        let kind = Kind::new(kind).ok_or(Status::BadArgument)?;
        let made = &mut ids.made[kind as usize];
        *made += 1;
        let id = *made * (KINDS + 1) + kind as u32;
        ids.names.insert(id, name.to_vec());
        self.0.entry(name.to_vec()).or_insert_with(|| kind.metric());
        Ok(id)
    }

    fn find(&mut self, ids: &MetricIds, id: u32) -> Answer<&mut Metric> {
        let name = ids.names.get(&id).ok_or(Status::NotFound)?;
        self.0.get_mut(name).ok_or(Status::NotFound)
    }

    /// Adds to a counter or gauge.
    pub(super) fn increment(&mut self, ids: &MetricIds, id: u32, by: i64) -> Answer<()> {
        if Kind::new(id & KINDS) == Some(Kind::Histogram) {
            return Err(Status::BadArgument);
        }
        match self.find(ids, id)? {
            // Section 4.5: "counter increment with offset<=0 = BadArgument".
            Metric::Counter(value) if by > 0 => *value = value.wrapping_add(by.unsigned_abs()),
            Metric::Counter(_) | Metric::Histogram(_) => return Err(Status::BadArgument),
            // Section 4.5: "gauge decrement below zero wraps to 2^64-1".
            Metric::Gauge(value) => *value = value.wrapping_add_signed(by),
        }
        Ok(())
    }

    /// Records a value in a histogram, sets a gauge, or adds to a counter.
    pub(super) fn record(&mut self, ids: &MetricIds, id: u32, value: u64) -> Answer<()> {
        match self.find(ids, id)? {
            Metric::Counter(sum) => *sum = sum.wrapping_add(value),
            Metric::Gauge(own) => *own = value,
            Metric::Histogram(values) => values.push(value),
        }
        Ok(())
    }

    /// The value of a counter or gauge. Section 4.5: "get_metric on a histogram = BadArgument".
    pub(super) fn get(&mut self, ids: &MetricIds, id: u32) -> Answer<u64> {
        if Kind::new(id & KINDS) == Some(Kind::Histogram) {
            return Err(Status::BadArgument);
        }
        match self.find(ids, id)? {
            Metric::Counter(value) | Metric::Gauge(value) => Ok(*value),
            Metric::Histogram(_) => Err(Status::BadArgument),
        }
    }
}
