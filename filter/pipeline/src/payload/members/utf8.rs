//! UTF-8 that may be cut anywhere by the end of a chunk.

/// The first bytes of a character whose rest comes with the next chunk.
#[derive(Debug, Default)]
pub(super) struct Utf8 {
    carry: [u8; 4],
    len: usize,
}

impl Utf8 {
    /// Whether no character is cut at the moment.
    #[inline]
    pub(super) fn is_complete(&self) -> bool {
        self.len == 0
    }

    /// How many bytes of a cut character are still to come.
    pub(super) fn missing(&self) -> usize {
        let [first, ..] = self.carry;
        let whole = match first {
            0xF0.. => 4_usize,
            0xE0.. => 3,
            _ => 2,
        };
        whole.saturating_sub(self.len)
    }

    /// Checks the next bytes of a string. `to_chunk_end` says that the chunk ends with them, so that the last
    /// character may be cut; otherwise it has to be complete.
    pub(super) fn check(&mut self, mut bytes: &[u8], to_chunk_end: bool) -> bool {
        while self.len > 0 {
            let Some((&byte, rest)) = bytes.split_first() else {
                return to_chunk_end;
            };
            bytes = rest;
            if let Some(free) = self.carry.get_mut(self.len) {
                *free = byte;
            }
            self.len = self.len.wrapping_add(1);
            match std::str::from_utf8(self.carry.get(..self.len).unwrap_or(&[0xFF])) {
                Ok(_) => self.len = 0,
                Err(error) if error.error_len().is_some() => return false,
                Err(_) => {}
            }
        }
        let Err(error) = std::str::from_utf8(bytes) else {
            return true;
        };
        let tail = bytes.get(error.valid_up_to()..).unwrap_or_default();
        if error.error_len().is_some() || !to_chunk_end {
            return false;
        }
        for (free, byte) in self.carry.iter_mut().zip(tail) {
            *free = *byte;
        }
        self.len = tail.len();
        true
    }
}
