//! A body on its way through a filter: what is held, what has just come, and which of it a guest sees.

use super::status::{Answer, Status};

/// One direction's body, for one filter.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// What waits for the filter to go on.
    pub held: Option<Vec<u8>>,
    /// What has just come.
    pub chunk: Vec<u8>,
    /// Which of them a guest sees.
    pub shown: Shown,
}

/// Which bytes a guest sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    /// None: outside of a body callback, after one that continued.
    #[default]
    Nothing,
    /// What has just come (Envoy: `request_body_buffer_`). Section 1.4: "Before the first Pause it shows just the
    /// current chunk".
    Chunk,
    /// All that is held (Envoy: `buffering_request_body_`). Section 1.2: after Pause "the next callback sees the whole
    /// body so far".
    Held,
}

impl Body {
    fn bytes(&self) -> &[u8] {
        match self.shown {
            Shown::Nothing => &[],
            Shown::Chunk => &self.chunk,
            Shown::Held => self.held.as_deref().unwrap_or_default(),
        }
    }

    /// How many bytes a guest sees.
    pub fn size(&self) -> usize {
        self.bytes().len()
    }

    /// Any part can be read; what is beyond the end is left out, and a start beyond it gives nothing
    /// (`get_buffer_bytes`).
    pub(super) fn read(&self, start: usize, length: usize) -> Vec<u8> {
        read(self.bytes(), start, length)
    }

    /// Section 2.3: only a start of 0 (replace the first `length` bytes) and one at the end or beyond (append) exist;
    /// "a middle splice returns BadArgument". While the body is held this edits all of it, otherwise the current chunk.
    pub(super) fn write(&mut self, start: usize, length: usize, bytes: &[u8]) -> Answer<()> {
        let target = match self.shown {
            Shown::Nothing => return Err(Status::BadArgument),
            Shown::Chunk => &mut self.chunk,
            Shown::Held => self.held.get_or_insert_default(),
        };
        if start == 0 {
            target.splice(..length.min(target.len()), bytes.iter().copied());
        } else if start >= target.len() {
            target.extend_from_slice(bytes);
        } else {
            return Err(Status::BadArgument);
        }
        Ok(())
    }

    /// Moves what has just come behind what is held.
    pub fn hold_chunk(&mut self) {
        let chunk = std::mem::take(&mut self.chunk);
        match &mut self.held {
            Some(held) => held.extend_from_slice(&chunk),
            none => *none = Some(chunk),
        }
    }
}

/// A part of a buffer as the host cuts it out.
pub(super) fn read(bytes: &[u8], start: usize, length: usize) -> Vec<u8> {
    let end = start.saturating_add(length).min(bytes.len());
    bytes.get(start..end).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(start: usize, length: usize, bytes: &str) -> Answer<String> {
        let mut body = Body { chunk: b"0123456789abcdefghij".to_vec(), ..Body::default() };
        body.shown = Shown::Chunk;
        body.write(start, length, bytes.as_bytes())?;
        Ok(String::from_utf8(body.chunk).unwrap())
    }

    /// The table of section 2.3.
    #[test]
    fn edits_at_both_ends_and_nowhere_else() {
        assert_eq!(written(0, 5, "ZZ").unwrap(), "ZZ56789abcdefghij");
        assert_eq!(written(0, 0, "x").unwrap(), "x0123456789abcdefghij");
        assert_eq!(written(0, 20, "x").unwrap(), "x");
        assert_eq!(written(0, 99, "x").unwrap(), "x");
        assert_eq!(written(0, 20, "").unwrap(), "");
        assert_eq!(written(20, 0, "x").unwrap(), "0123456789abcdefghijx");
        assert_eq!(written(99, 5, "x").unwrap(), "0123456789abcdefghijx");
        assert_eq!(written(5, 5, "x"), Err(Status::BadArgument));
        assert_eq!(written(19, 1, "x"), Err(Status::BadArgument));
    }

    #[test]
    fn reads_never_go_beyond_the_end() {
        assert_eq!(read(b"abc", 1, 1), b"b");
        assert_eq!(read(b"abc", 1, 9), b"bc");
        assert_eq!(read(b"abc", 1, usize::MAX), b"bc");
        assert_eq!(read(b"abc", 3, 1), b"");
        assert_eq!(read(b"abc", 4, 1), b"");
    }

    #[test]
    fn nothing_is_seen_between_callbacks() {
        let mut body = Body { held: Some(b"held".to_vec()), chunk: b"chunk".to_vec(), shown: Shown::Nothing };
        assert_eq!((body.size(), body.read(0, 9)), (0, Vec::new()));
        assert_eq!(body.write(0, 0, b"x"), Err(Status::BadArgument));
        body.shown = Shown::Held;
        assert_eq!(body.read(0, 9), b"held");
        body.hold_chunk();
        assert_eq!(body.read(0, 99), b"heldchunk");
    }
}
