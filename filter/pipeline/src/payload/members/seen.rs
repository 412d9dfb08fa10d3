//! Which top-level keys were seen, without keeping them.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

/// More keys than any real request has; from here on a set is faster than looking through a list.
const FEW: usize = 64;

/// The keys seen so far, as 64-bit hashes under a key that no client knows. Two of the at most 4,096 different
/// keys of a body share one with a chance below 10^-12; the price would be a 400.
#[derive(Debug, Default)]
pub(super) struct Seen {
    few: Vec<u64>,
    many: HashSet<u64, RandomState>,
}

impl Seen {
    pub(super) fn len(&self) -> usize {
        self.few.len().saturating_add(self.many.len())
    }

    /// Adds a key. False if it was there.
    pub(super) fn insert(&mut self, hasher: &RandomState, key: &[u8]) -> bool {
        let hash = hasher.hash_one(key);
        if self.few.contains(&hash) {
            return false;
        }
        if self.few.len() < FEW {
            self.few.push(hash);
            return true;
        }
        self.many.insert(hash)
    }
}
