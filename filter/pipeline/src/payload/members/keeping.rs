//! What is kept of the tokens that are read: texts of wanted values, and wanted objects and arrays as they are written.

use super::{Members, Role, State};
use crate::payload::{BodyError, FieldId, MAX_VALUE_BYTES};

impl Members {
    /// A wanted scalar is complete: `chunk[..end]` holds its last bytes.
    pub(super) fn keep(
        &mut self,
        field: FieldId,
        chunk: &[u8],
        end: usize,
        read: impl FnOnce(&[u8]) -> Result<String, BodyError>,
    ) -> Result<(), BodyError> {
        let text = self.kept.value(self.base, chunk, end).map(read).transpose()?;
        if let Some(captured) = self.fields.get_mut(field.0) {
            let text = text.filter(|text| text.len() <= MAX_VALUE_BYTES);
            captured.too_long = text.is_none();
            captured.text = text.unwrap_or_default();
        }
        Ok(())
    }

    /// Keeps what `chunk[..end]` holds of the object or array that is kept.
    pub(super) fn keep_whole(&mut self, field: FieldId, chunk: &[u8], end: usize) {
        let piece = chunk.get(self.value_start.saturating_sub(self.base)..end).unwrap_or_default();
        if let Some(captured) = self.fields.get_mut(field.0) {
            captured.too_long |= captured.whole.len().saturating_add(piece.len()) > MAX_VALUE_BYTES;
            if captured.too_long {
                captured.whole = Vec::new();
            } else {
                captured.whole.extend_from_slice(piece);
            }
        }
    }

    /// The chunk ends inside a token whose text is needed: its bytes are kept.
    pub(super) fn keep_tail(&mut self, chunk: &[u8]) -> Result<(), BodyError> {
        let in_token = matches!(self.state, State::String | State::Escape | State::Hex(_) | State::Number(_));
        match self.role {
            Role::TopKey if in_token => self.kept.key_goes_on(self.base, chunk),
            Role::Wanted(_) | Role::PathKey | Role::Type if in_token => {
                self.kept.value_goes_on(self.base, chunk);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
