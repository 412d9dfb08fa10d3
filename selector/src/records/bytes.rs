//! How records become bytes: little-endian, behind a kind and a version.

/// A statistic that can be kept as bytes.
pub trait Record: Sized {
    /// Which statistic: the first byte.
    const KIND: u8;
    /// Which layout of it: the second byte. A change of the layout takes a new number.
    const VERSION: u8;
    /// No record is longer.
    const MAX_BYTES: usize;

    /// Writes what [`read`](Record::read) reads.
    fn write(&self, bytes: &mut Writer);

    /// Reads what [`write`](Record::write) wrote; `None` if it is something else.
    fn read(bytes: &mut Reader<'_>) -> Option<Self>;

    /// The record as bytes.
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Writer(vec![Self::KIND, Self::VERSION]);
        self.write(&mut bytes);
        bytes.0
    }

    /// The record of these bytes, or `None` if they are not exactly one.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        if bytes.len() > Self::MAX_BYTES || reader.u8()? != Self::KIND || reader.u8()? != Self::VERSION {
            return None;
        }
        let record = Self::read(&mut reader)?;
        reader.0.is_empty().then_some(record)
    }
}

/// Bytes that grow.
pub struct Writer(Vec<u8>);

/// Bytes that are taken from the front.
pub struct Reader<'a>(&'a [u8]);

macro_rules! numbers {
    ($($name:ident: $type:ty),*) => {
        impl Writer {
            $(
                /// Appends a number.
                pub fn $name(&mut self, value: $type) {
                    self.0.extend_from_slice(&value.to_le_bytes());
                }
            )*
        }

        impl Reader<'_> {
            $(
                /// Takes a number.
                pub fn $name(&mut self) -> Option<$type> {
                    let (first, rest) = self.0.split_first_chunk()?;
                    self.0 = rest;
                    Some(<$type>::from_le_bytes(*first))
                }
            )*
        }
    };
}

numbers! { u8: u8, u16: u16, u32: u32, u64: u64, f32: f32, f64: f64 }

/// Shared by the tests of the records.
#[cfg(test)]
pub(super) fn check_codec<R: Record + PartialEq + std::fmt::Debug>(record: &R) {
    let bytes = record.encode();
    assert!(bytes.len() <= R::MAX_BYTES, "{} bytes, of at most {}", bytes.len(), R::MAX_BYTES);
    assert_eq!(R::decode(&bytes).as_ref(), Some(record));
    // Nothing but the whole is a record, and no bytes make it panic.
    for length in 0..bytes.len() {
        assert!(R::decode(&bytes[..length]).is_none(), "{length} of {} bytes", bytes.len());
    }
    let longer: Vec<u8> = bytes.iter().copied().chain([0]).collect();
    assert!(R::decode(&longer).is_none());
    for at in 0..2 {
        let mut other = bytes.clone();
        other[at] ^= 1;
        assert!(R::decode(&other).is_none(), "another kind or version");
    }
    let mut rng = crate::random::SplitMix64::new(1);
    for _ in 0..500 {
        let mut damaged = bytes.clone();
        for _ in 0..4 {
            let body = damaged.len().saturating_sub(2).max(1);
            let at = crate::random::Rng::below(&mut rng, body).saturating_add(2);
            if let Some(byte) = damaged.get_mut(at) {
                *byte = crate::random::Rng::next_u64(&mut rng) as u8;
            }
        }
        if let Some(record) = R::decode(&damaged) {
            assert!(record.encode().len() <= R::MAX_BYTES);
        }
    }
}
