//! Which model a session is bound to: a bounded table in buckets of a few, each with its own least recently used.

use super::bytes::{Reader, Record, Writer};

/// How many sessions a bucket holds at most: the record stays small, and few sessions compete for it.
const BUCKET: usize = 16;

/// Where a session is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTable {
    buckets: u64,
    slots: usize,
}

impl SessionTable {
    /// A table for so many sessions, and never more. Up to sixteen it is exactly least recently used; a larger
    /// one is that in each of its buckets.
    pub fn new(max_sessions: usize) -> Self {
        let most = max_sessions.max(1);
        let buckets = most.div_ceil(BUCKET);
        Self { buckets: buckets as u64, slots: most.checked_div(buckets).unwrap_or(1) }
    }

    /// How many buckets there are.
    pub fn buckets(&self) -> u64 {
        self.buckets
    }

    /// How many sessions one holds.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// The bucket of a session, by the upper half of its hash.
    pub fn bucket_of(&self, session: u64) -> u64 {
        (session >> 32).checked_rem(self.buckets).unwrap_or(0)
    }
}

/// 64 bits of a session's identifier or of a model's name: FNV-1a, then mixed (Steele and others' finaliser).
///
/// Who finds another identifier with the same bits only gets his own requests to the other's model, which he
/// could also ask for by name.
pub fn session_hash(text: &[u8]) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for byte in text {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    hash ^ (hash >> 31)
}

/// A session and the model that serves it, both by their [`session_hash`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    session: u64,
    model: u64,
    expires_ns: u64,
}

/// One bucket: sessions in the order of their last use, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionBucket(Vec<Slot>);

impl SessionBucket {
    /// The model of a session, unless that has expired. The session becomes the most recently used; `true`
    /// says that this changed the bucket.
    pub fn get(&mut self, session: u64, now_ns: u64) -> (Option<u64>, bool) {
        let Some(at) = self.0.iter().position(|slot| slot.session == session && slot.expires_ns > now_ns)
        else {
            return (None, false);
        };
        let last = self.0.len().saturating_sub(1);
        if let Some(rest) = self.0.get_mut(at..) {
            rest.rotate_left(1);
        }
        (self.0.last().map(|slot| slot.model), at != last)
    }

    /// Binds a session to a model until then. Makes room by what has expired, or by the least recently used; so many
    /// other sessions are gone then.
    pub fn put(
        &mut self,
        session: u64,
        model: u64,
        now_ns: u64,
        expires_ns: u64,
        table: SessionTable,
    ) -> usize {
        self.0.retain(|slot| slot.session != session);
        let others = self.0.len();
        self.0.retain(|slot| slot.expires_ns > now_ns);
        while self.0.len() >= table.slots.clamp(1, BUCKET) {
            self.0.remove(0);
        }
        let gone = others.saturating_sub(self.0.len());
        self.0.push(Slot { session, model, expires_ns });
        gone
    }

    /// How many sessions it holds.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Record for SessionBucket {
    const KIND: u8 = 5;
    const VERSION: u8 = 1;
    const MAX_BYTES: usize = 3 + 24 * BUCKET;

    fn write(&self, bytes: &mut Writer) {
        bytes.u8(u8::try_from(self.0.len()).unwrap_or(u8::MAX));
        for slot in self.0.iter().take(BUCKET) {
            bytes.u64(slot.session);
            bytes.u64(slot.model);
            bytes.u64(slot.expires_ns);
        }
    }

    fn read(bytes: &mut Reader<'_>) -> Option<Self> {
        let count = usize::from(bytes.u8()?);
        let mut slots = Vec::new();
        for _ in 0..count {
            slots.push(Slot { session: bytes.u64()?, model: bytes.u64()?, expires_ns: bytes.u64()? });
        }
        Some(Self(slots))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::bytes::check_codec;

    fn hash(name: &str) -> u64 {
        session_hash(name.as_bytes())
    }

    #[test]
    fn the_least_recently_used_makes_room() {
        // vectors.md, session_affinity: maxSessions 3.
        let table = SessionTable::new(3);
        let mut bucket = SessionBucket::default();
        for session in ["a", "b", "c"] {
            assert_eq!(bucket.put(hash(session), hash("m"), 0, 100, table), 0);
        }
        assert_eq!(bucket.get(hash("a"), 1), (Some(hash("m")), true));
        assert_eq!(bucket.get(hash("a"), 1), (Some(hash("m")), false), "it is the last one already");
        assert_eq!(bucket.put(hash("d"), hash("n"), 1, 100, table), 1);
        assert_eq!(bucket.put(hash("d"), hash("n"), 1, 100, table), 0, "it takes its own place");
        assert_eq!(bucket.get(hash("b"), 1), (None, false));
        for (session, model) in [("a", "m"), ("c", "m"), ("d", "n")] {
            assert_eq!(bucket.get(hash(session), 1).0, Some(hash(model)), "{session}");
        }
        check_codec(&bucket);
    }

    #[test]
    fn never_more_than_allowed() {
        // vectors.md, session_affinity: maxSessions 10.
        let table = SessionTable::new(10);
        let mut bucket = SessionBucket::default();
        for session in 0..20 {
            bucket.put(session, 1, 0, 100, table);
        }
        assert_eq!((table.buckets(), bucket.len()), (1, 10));
        for most in [0, 1, 2, 15, 16, 17, 33, 500, 9_999, 10_000, 1_000_000] {
            let table = SessionTable::new(most);
            let kept = usize::try_from(table.buckets()).unwrap() * table.slots();
            assert!(kept <= most.max(1) && kept * 10 >= most * 9, "{most}: {table:?}");
            assert!((0..1000_u64).all(|n| table.bucket_of(session_hash(&n.to_le_bytes())) < table.buckets()));
        }
    }

    #[test]
    fn a_session_expires() {
        let table = SessionTable::new(2);
        let mut bucket = SessionBucket::default();
        bucket.put(1, 7, 0, 100, table);
        bucket.put(2, 7, 0, 50, table);
        assert_eq!(bucket.get(1, 99).0, Some(7));
        assert_eq!(bucket.get(1, 100).0, None);
        // Session 2 has expired, so that it makes room and 1 does not.
        assert_eq!(bucket.put(3, 8, 60, 200, table), 1);
        assert_eq!((bucket.get(1, 60).0, bucket.get(2, 60).0, bucket.get(3, 60).0), (Some(7), None, Some(8)));
        // Bound anew: the model changes, the time starts again.
        bucket.put(1, 9, 60, 300, table);
        assert_eq!((bucket.get(1, 250).0, bucket.len()), (Some(9), 2));
    }

    #[test]
    fn sessions_spread_over_the_buckets() {
        let table = SessionTable::new(160);
        let mut counts = vec![0_usize; 10];
        for n in 0..10_000 {
            counts[usize::try_from(table.bucket_of(hash(&format!("conversation-{n}")))).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| count.abs_diff(1000) < 150), "{counts:?}");
    }

    #[test]
    fn as_bytes() {
        check_codec(&SessionBucket::default());
        let mut bucket = SessionBucket::default();
        for n in 0..99 {
            bucket.put(n, n, 0, u64::MAX, SessionTable::new(10_000));
        }
        assert_eq!(bucket.encode().len(), SessionBucket::MAX_BYTES);
        check_codec(&bucket);
    }
}
