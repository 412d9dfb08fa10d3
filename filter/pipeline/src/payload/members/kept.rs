//! The text of the token being read, where it is a top-level key or a wanted value.

use crate::payload::{BodyError, MAX_KEY_BYTES, MAX_VALUE_BYTES};

/// An escape makes six bytes of one, so more raw bytes than this are more text than is kept.
const MAX_RAW_BYTES: usize = MAX_VALUE_BYTES.saturating_mul(6);

/// Raw bytes of a token, gathered over as many chunks as it spans. A token that lies in one chunk is not copied.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Offset in the body of the first byte that is not in `text` yet.
    from: usize,
    /// The bytes from earlier chunks.
    text: Vec<u8>,
    /// There were more than [`MAX_RAW_BYTES`]; `text` is empty since.
    overflow: bool,
}

impl Kept {
    /// A token begins at an offset of the body.
    pub(super) fn begin(&mut self, at: usize) {
        self.from = at;
        self.text.clear();
        self.overflow = false;
    }

    /// The key that ends in `chunk[..end]`, the chunk standing at `base`.
    pub(super) fn key<'a>(
        &'a mut self,
        base: usize,
        chunk: &'a [u8],
        end: usize,
    ) -> Result<&'a [u8], BodyError> {
        let piece = self.piece(base, chunk, end);
        if self.text.len().saturating_add(piece.len()) > MAX_KEY_BYTES {
            return Err(self.key_too_long());
        }
        Ok(self.whole(piece))
    }

    /// The key goes on behind this chunk.
    pub(super) fn key_goes_on(&mut self, base: usize, chunk: &[u8]) -> Result<(), BodyError> {
        let piece = self.piece(base, chunk, chunk.len());
        if self.text.len().saturating_add(piece.len()) > MAX_KEY_BYTES {
            return Err(self.key_too_long());
        }
        self.append(base, chunk, piece);
        Ok(())
    }

    /// The value that ends in `chunk[..end]`; nothing if it is too long.
    pub(super) fn value<'a>(&'a mut self, base: usize, chunk: &'a [u8], end: usize) -> Option<&'a [u8]> {
        let piece = self.piece(base, chunk, end);
        if self.overflow || self.text.len().saturating_add(piece.len()) > MAX_RAW_BYTES {
            return None;
        }
        Some(self.whole(piece))
    }

    /// The value goes on behind this chunk.
    pub(super) fn value_goes_on(&mut self, base: usize, chunk: &[u8]) {
        let piece = self.piece(base, chunk, chunk.len());
        if self.overflow || self.text.len().saturating_add(piece.len()) > MAX_RAW_BYTES {
            self.overflow = true;
            self.text.clear();
            return;
        }
        self.append(base, chunk, piece);
    }

    fn piece<'a>(&self, base: usize, chunk: &'a [u8], end: usize) -> &'a [u8] {
        chunk.get(self.from.saturating_sub(base)..end).unwrap_or_default()
    }

    fn append(&mut self, base: usize, chunk: &[u8], piece: &[u8]) {
        self.text.extend_from_slice(piece);
        self.from = base.saturating_add(chunk.len());
    }

    /// What earlier chunks held and `piece`.
    fn whole<'a>(&'a mut self, piece: &'a [u8]) -> &'a [u8] {
        if self.text.is_empty() {
            return piece;
        }
        self.text.extend_from_slice(piece);
        &self.text
    }

    #[cold]
    fn key_too_long(&self) -> BodyError {
        BodyError::KeyTooLong { offset: self.from.saturating_sub(self.text.len()) }
    }
}
