//! Streams that wait for something, by their context ids.

/// Few as a rule, and with ids that only grow, so that a sorted list serves better than a map.
pub(crate) struct Waiting<T>(Vec<(u32, T)>);

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Waiting<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn contains(&self, stream: u32) -> bool {
        self.place(stream).is_ok()
    }

    /// Adds a stream, if it is not there.
    pub(crate) fn add(&mut self, stream: u32, state: T) {
        if let Err(place) = self.place(stream) {
            self.0.insert(place, (stream, state));
        }
    }

    pub(crate) fn remove(&mut self, stream: u32) -> Option<T> {
        let place = self.place(stream).ok()?;
        Some(self.0.remove(place).1)
    }

    pub(crate) fn get_mut(&mut self, stream: u32) -> Option<&mut T> {
        let place = self.place(stream).ok()?;
        self.0.get_mut(place).map(|(_, state)| state)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut T)> {
        self.0.iter_mut().map(|(stream, state)| (*stream, state))
    }

    pub(crate) fn streams(&self) -> Vec<u32> {
        self.0.iter().map(|(stream, _)| *stream).collect()
    }

    fn place(&self, stream: u32) -> Result<usize, usize> {
        self.0.binary_search_by_key(&stream, |(known, _)| *known)
    }
}
