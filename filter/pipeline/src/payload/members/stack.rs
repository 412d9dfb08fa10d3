//! Which of the open brackets are objects: one bit a level, so that depth costs nothing.

use crate::payload::MAX_DEPTH;

const WORDS: usize = MAX_DEPTH.div_ceil(64);

/// The open arrays and objects, at most [`MAX_DEPTH`].
#[derive(Debug, Default)]
pub(super) struct Stack {
    depth: usize,
    /// The innermost level is an object.
    object: bool,
    levels: [u64; WORDS],
}

impl Stack {
    #[inline]
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    #[inline]
    pub(super) fn in_object(&self) -> bool {
        self.object
    }

    /// Opens a level. False if there is none left.
    #[inline]
    pub(super) fn push(&mut self, object: bool) -> bool {
        if self.depth >= MAX_DEPTH {
            return false;
        }
        if let Some(word) = self.levels.get_mut(self.depth >> 6) {
            let bit = 1_u64.wrapping_shl((self.depth & 63) as u32);
            *word = if object { *word | bit } else { *word & !bit };
        }
        self.depth = self.depth.wrapping_add(1);
        self.object = object;
        true
    }

    /// Closes the innermost level.
    #[inline]
    pub(super) fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        let below = self.depth.saturating_sub(1);
        let word = self.levels.get(below >> 6).copied().unwrap_or(0);
        self.object = self.depth > 0 && word.wrapping_shr((below & 63) as u32) & 1 == 1;
    }
}
