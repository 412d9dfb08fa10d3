//! The inner loop of the scan: how far a string runs before something in it needs a look.

/// The plain start of some string bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// How many bytes come before the first quote, backslash or control character, or all of them.
    pub(crate) len: usize,
    /// Whether none of these bytes is above 0x7F.
    pub(crate) ascii: bool,
}

/// Measures the run of plain bytes at the start of `bytes`, one by one: for the few that [`clean`] leaves.
pub(crate) fn plain_run(bytes: &[u8]) -> Run {
    let len = bytes.iter().position(|byte| is_special(*byte)).unwrap_or(bytes.len());
    Run { len, ascii: bytes.get(..len).unwrap_or_default().is_ascii() }
}

/// Behind the closing quote of the string that is read from `at` on, or how far it could be read: see [`clean`].
#[inline]
pub(super) fn closed(bytes: &[u8], at: usize) -> Result<usize, usize> {
    let end = clean(bytes, at);
    if bytes.get(end) == Some(&b'"') { Ok(end.wrapping_add(1)) } else { Err(end) }
}

/// Where the faultless part of a string ends that is read from `at` on: at its closing quote, at the first thing
/// that is wrong or that the end of `bytes` cuts, or within the last few bytes, which are not worth its while.
/// Never inside of an escape or a character.
#[inline]
pub(crate) fn clean(bytes: &[u8], mut at: usize) -> usize {
    while let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk::<16>) {
        // A branch that the processor foresees: with a sum in its place each block would wait for the one before.
        let Some(before) = first_stop(block) else {
            at = at.wrapping_add(16);
            continue;
        };
        at = at.wrapping_add(before);
        let length = match block.get(before) {
            Some(b'\\') => escape(bytes, at),
            Some(0x80..) => characters(bytes, at),
            _ => return at,
        };
        match length {
            Some(length) => at = at.wrapping_add(length),
            None => return at,
        }
    }
    at
}

/// The length of the escape sequence at `at`, if it is one.
#[inline]
fn escape(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at.wrapping_add(1))? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' => {
            let digits = bytes.get(at.wrapping_add(2)..)?.first_chunk::<4>()?;
            digits.iter().all(u8::is_ascii_hexdigit).then_some(6)
        }
        _ => None,
    }
}

/// The length of the well-formed characters above 0x7F that begin at `at`, if there is one: where one is, there
/// are often more.
#[inline]
fn characters(bytes: &[u8], at: usize) -> Option<usize> {
    let mut length = character(bytes, at)?;
    while let Some(more) = character(bytes, at.wrapping_add(length)) {
        length = length.wrapping_add(more);
    }
    Some(length)
}

/// The length of the character above 0x7F at `at`, if it is well-formed (Unicode, table 3-7).
#[inline]
fn character(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let (&[first, second], rest) = rest.split_first_chunk::<2>()?;
    let continues = |byte: u8| byte & 0xC0 == 0x80;
    let second_is_right = match first {
        0xE0 => matches!(second, 0xA0..=0xBF),
        0xED => matches!(second, 0x80..=0x9F),
        0xF0 => matches!(second, 0x90..=0xBF),
        0xF4 => matches!(second, 0x80..=0x8F),
        _ => continues(second),
    };
    let length: usize = match first {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return None,
    };
    let right = second_is_right && rest.get(..length.wrapping_sub(2))?.iter().all(|byte| continues(*byte));
    right.then_some(length)
}

#[inline]
const fn is_special(byte: u8) -> bool {
    byte == b'"' || byte == b'\\' || byte < 0x20
}

/// Where the first byte stands that is special or not ASCII, if there is one. As signed numbers, both bytes above
/// 0x7F and control characters are below the space.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline]
fn first_stop(block: &[u8; 16]) -> Option<usize> {
    use core::arch::wasm32::{i8x16_lt, i8x16_splat, u8x16, u8x16_bitmask, u8x16_eq, u8x16_splat, v128_or};
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *block;
    let bytes = u8x16(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);
    let quote = u8x16_eq(bytes, u8x16_splat(b'"'));
    let backslash = u8x16_eq(bytes, u8x16_splat(b'\\'));
    let other = i8x16_lt(bytes, i8x16_splat(0x20));
    let stops = u32::from(u8x16_bitmask(v128_or(v128_or(quote, backslash), other)));
    (stops != 0).then(|| stops.trailing_zeros() as usize)
}

/// Without vectors: eight bytes at a time in one number.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline]
fn first_stop(block: &[u8; 16]) -> Option<usize> {
    let (low, high) = block.split_at(8);
    let eight = |bytes: &[u8]| stops(bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)));
    let (stops, before) = match (eight(low), eight(high)) {
        (0, 0) => return None,
        (0, stops) => (stops, 8_usize),
        (stops, _) => (stops, 0),
    };
    Some(before.wrapping_add(stops.trailing_zeros().wrapping_shr(3) as usize))
}

/// The lowest bit that is set is the highest of the first byte that is special or not ASCII. Bits above it mean
/// nothing: a subtraction borrows from the next byte, but only where the byte itself is found.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline]
const fn stops(bytes: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xFF;
    const HIGHEST: u64 = ONES.wrapping_mul(0x80);
    const fn zero(bytes: u64) -> u64 {
        bytes.wrapping_sub(ONES) & !bytes
    }
    let quote = zero(bytes ^ ONES.wrapping_mul(b'"' as u64));
    let backslash = zero(bytes ^ ONES.wrapping_mul(b'\\' as u64));
    let control = bytes.wrapping_sub(ONES.wrapping_mul(0x20)) & !bytes;
    (quote | backslash | control | bytes) & HIGHEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_at_every_place_is_seen() {
        for at in 0..32 {
            for byte in 0..=255_u8 {
                let mut bytes = [b'a'; 64];
                bytes[at] = byte;
                let stops = !(0x20..0x80).contains(&byte) || byte == b'"' || byte == b'\\';
                let expected = if stops { at } else { 49 };
                let end = clean(&bytes, 0);
                assert!(end == expected || end > 48 && expected == 49, "byte {byte:#x} at {at}: {end}");
                let len = plain_run(&bytes).len;
                assert_eq!(len, if stops && byte < 0x80 { at } else { 64 }, "byte {byte:#x} at {at}");
            }
        }
    }

    /// Escapes and characters that are right are passed over, others stop the reading before them.
    #[test]
    fn what_is_right_is_passed_over() {
        let padding = "x".repeat(40);
        let right = [
            "\\\"",
            "\\\\",
            "\\/",
            "\\b",
            "\\f",
            "\\n",
            "\\r",
            "\\t",
            "\\u00e9",
            "é",
            "日本語",
            "😀",
            "\u{10FFFF}",
            "\u{D7FF}",
        ];
        for text in right {
            let bytes = format!("ab{text}{padding}\"{padding}");
            let end = 2 + text.len() + padding.len();
            assert_eq!(closed(bytes.as_bytes(), 0), Ok(end + 1), "{text}");
        }
        let wrong: [&[u8]; 15] = [
            b"\\x",
            b"\\u12g4",
            b"\x00",
            b"\x1f",
            b"\n",
            b"\x80",
            b"\xC1\x80",
            b"\xC3(",
            b"\xE0\x9F\x80",
            b"\xED\xA0\x80",
            b"\xE3\x81",
            b"\xF0\x8F\x80\x80",
            b"\xF4\x90\x80\x80",
            b"\xF5\x80\x80\x80",
            b"\xFF",
        ];
        for text in wrong {
            let bytes = [b"ab", text, padding.as_bytes(), b"\"", padding.as_bytes()].concat();
            assert_eq!(closed(&bytes, 0), Err(2), "{text:x?}");
        }
    }
}
