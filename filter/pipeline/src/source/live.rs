//! The handle that a plugin keeps of a document: the last good one, and its age.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// The last good document of a source. Empty until the first answer. It belongs to one worker; clones are the same.
///
/// It changes between requests only, never during one.
pub struct Live<T>(Rc<RefCell<Option<Held<T>>>>);

struct Held<T> {
    document: Rc<T>,
    /// Nanoseconds since the Unix epoch.
    confirmed_ns: u64,
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T> Default for Live<T> {
    fn default() -> Self {
        Self(Rc::default())
    }
}

impl<T> Live<T> {
    /// The document, or nothing before the first answer.
    pub fn get(&self) -> Option<Rc<T>> {
        self.0.borrow().as_ref().map(|held| Rc::clone(&held.document))
    }

    /// How long ago the source last gave it, changed or not.
    pub fn age(&self, now_ns: u64) -> Option<Duration> {
        let confirmed = self.0.borrow().as_ref().map(|held| held.confirmed_ns)?;
        Some(Duration::from_nanos(now_ns.saturating_sub(confirmed)))
    }

    pub(super) fn put(&self, document: T, confirmed_ns: u64) {
        *self.0.borrow_mut() = Some(Held { document: Rc::new(document), confirmed_ns });
    }

    pub(super) fn confirm(&self, confirmed_ns: u64) {
        if let Some(held) = self.0.borrow_mut().as_mut() {
            held.confirmed_ns = confirmed_ns;
        }
    }
}
