//! The inner loop of the scan: how far a string runs before something in it needs a look.

/// The plain start of some string bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// How many bytes come before the first quote, backslash or control character, or all of them.
    pub(super) len: usize,
    /// Whether none of these bytes is above 0x7F.
    pub(super) ascii: bool,
}

/// Bit i is set where byte i needs a look, and where it is not ASCII.
#[derive(Clone, Copy)]
struct Masks {
    special: u32,
    high: u32,
}

/// Measures the run of plain bytes at the start of `bytes`: sixteen at a time, the rest one by one.
#[inline]
pub(super) fn plain_run(bytes: &[u8]) -> Run {
    let (blocks, tail) = bytes.as_chunks::<16>();
    let mut len = 0_usize;
    let mut high = 0_u32;
    for block in blocks {
        let masks = masks(block);
        if masks.special != 0 {
            let before = masks.special.trailing_zeros();
            // Bits of this block that stand before the special byte.
            let seen = masks.high & !(u32::MAX.checked_shl(before).unwrap_or(0));
            return Run { len: len.wrapping_add(before as usize), ascii: (high | seen) == 0 };
        }
        high |= masks.high;
        len = len.wrapping_add(16);
    }
    for &byte in tail {
        if is_special(byte) {
            break;
        }
        high |= u32::from(byte & 0x80);
        len = len.wrapping_add(1);
    }
    Run { len, ascii: high == 0 }
}

#[inline]
const fn is_special(byte: u8) -> bool {
    byte == b'"' || byte == b'\\' || byte < 0x20
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline]
fn masks(block: &[u8; 16]) -> Masks {
    use core::arch::wasm32::{u8x16, u8x16_bitmask, u8x16_eq, u8x16_lt, u8x16_splat, v128_or};
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *block;
    let bytes = u8x16(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);
    let quote = u8x16_eq(bytes, u8x16_splat(b'"'));
    let backslash = u8x16_eq(bytes, u8x16_splat(b'\\'));
    let control = u8x16_lt(bytes, u8x16_splat(0x20));
    let special = v128_or(v128_or(quote, backslash), control);
    Masks { special: u32::from(u8x16_bitmask(special)), high: u32::from(u8x16_bitmask(bytes)) }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline]
fn masks(block: &[u8; 16]) -> Masks {
    let mut masks = Masks { special: 0, high: 0 };
    let mut bit = 1_u32;
    for &byte in block {
        masks.special |= if is_special(byte) { bit } else { 0 };
        masks.high |= if byte >= 0x80 { bit } else { 0 };
        bit = bit.wrapping_shl(1);
    }
    masks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slow(bytes: &[u8]) -> Run {
        let len = bytes.iter().position(|&byte| is_special(byte)).unwrap_or(bytes.len());
        Run { len, ascii: bytes[..len].is_ascii() }
    }

    #[test]
    fn every_byte_at_every_place_is_seen() {
        for len in 0..50 {
            for at in 0..len {
                for byte in 0..=255 {
                    let mut bytes = vec![b'a'; len];
                    bytes[at] = byte;
                    assert_eq!(plain_run(&bytes), slow(&bytes), "byte {byte} at {at} of {len}");
                    // Something above 0x7F behind the first special byte must not count.
                    bytes[len - 1] = 0xC3;
                    assert_eq!(plain_run(&bytes), slow(&bytes), "byte {byte} at {at} of {len}, then 0xC3");
                }
            }
        }
    }
}
