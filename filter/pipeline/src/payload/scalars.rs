//! White space, numbers and literals of JSON, each at once: for the fast lanes, which have whole tokens at hand.

use super::members::number::Number;

/// Behind the white space that begins at `at`. With `LINE` a line's end is none of it.
#[inline]
pub(crate) fn blank<const LINE: bool>(chunk: &[u8], mut at: usize) -> usize {
    while let Some(byte) = chunk.get(at) {
        match byte {
            b' ' | b'\t' => {}
            b'\n' | b'\r' if !LINE => {}
            _ => break,
        }
        at = at.wrapping_add(1);
    }
    at
}

/// Behind the number or literal that begins with `first` at `at`, if it is one and the chunk does not end with it.
#[inline]
pub(crate) fn scalar(chunk: &[u8], at: usize, first: u8) -> Option<usize> {
    let rest = chunk.get(at..)?;
    match first {
        b't' if rest.first_chunk() == Some(b"true") => Some(at.wrapping_add(4)),
        b'f' if rest.first_chunk() == Some(b"false") => Some(at.wrapping_add(5)),
        b'n' if rest.first_chunk() == Some(b"null") => Some(at.wrapping_add(4)),
        _ => number(chunk, at, first),
    }
}

#[inline]
fn number(chunk: &[u8], at: usize, first: u8) -> Option<usize> {
    let mut number = Number::begin(first)?;
    let mut end = at.wrapping_add(1);
    loop {
        match number.next(*chunk.get(end)?) {
            Some(longer) => number = longer,
            None => return number.is_complete().then_some(end),
        }
        end = end.wrapping_add(1);
    }
}
