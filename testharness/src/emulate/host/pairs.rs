//! Headers in the form in which they cross between host and guest.

use super::headers::Field;

/// What the host takes at most from a guest (section 2.1; proxy-wasm-cpp-host: `limits.h`).
const MOST_PAIRS: usize = 1024;
const MOST_BYTES: usize = 1 << 20;

/// What a guest gets. There is no limit in this direction: `PairsUtil::marshalPairs` checks none.
pub fn to_guest<'a>(pairs: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone) -> Vec<u8> {
    let mut bytes = Vec::new();
    number(pairs.clone().count(), &mut bytes);
    for (name, value) in pairs.clone() {
        number(name.len(), &mut bytes);
        number(value.len(), &mut bytes);
    }
    for (name, value) in pairs {
        for text in [name, value] {
            bytes.extend_from_slice(text);
            bytes.push(0);
        }
    }
    bytes
}

/// What a guest gave. Like the host, which says nothing about it, this takes what is malformed or too much as no
/// pairs at all (`PairsUtil::toPairs`).
pub fn from_guest(bytes: &[u8]) -> Vec<Field> {
    if bytes.len() > MOST_BYTES {
        return Vec::new();
    }
    parse(bytes).unwrap_or_default()
}

fn number(number: usize, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
}

fn parse(bytes: &[u8]) -> Option<Vec<Field>> {
    let mut rest = bytes;
    let count = take_number(&mut rest)?;
    if count > MOST_PAIRS {
        return None;
    }
    let mut sizes = Vec::with_capacity(count);
    for _ in 0..count {
        sizes.push((take_number(&mut rest)?, take_number(&mut rest)?));
    }
    let mut pairs = Vec::with_capacity(count);
    for (name, value) in sizes {
        pairs.push((take_text(&mut rest, name)?, take_text(&mut rest, value)?));
    }
    rest.is_empty().then_some(pairs)
}

fn take_number(rest: &mut &[u8]) -> Option<usize> {
    let (number, after) = rest.split_first_chunk()?;
    *rest = after;
    usize::try_from(u32::from_le_bytes(*number)).ok()
}

fn take_text(rest: &mut &[u8], size: usize) -> Option<Vec<u8>> {
    let (text, after) = rest.split_at_checked(size)?;
    let (end, after) = after.split_first()?;
    *rest = after;
    (*end == 0).then(|| text.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let pairs: Vec<Field> = vec![(b":path".to_vec(), b"/".to_vec()), (b"a".to_vec(), b"\xff\0".to_vec())];
        let bytes = to_guest(pairs.iter().map(|(name, value)| (name.as_slice(), value.as_slice())));
        assert_eq!(from_guest(&bytes), pairs);
    }

    #[test]
    fn what_is_malformed_is_nothing() {
        let bytes = to_guest([(b"name".as_slice(), b"value".as_slice())].into_iter());
        for cut in 0..bytes.len() {
            assert!(from_guest(&bytes[..cut]).is_empty());
        }
        assert!(from_guest(&[bytes.as_slice(), b"x"].concat()).is_empty());
        let many = vec![(b"a".as_slice(), b"".as_slice()); MOST_PAIRS + 1];
        assert_eq!(from_guest(&to_guest(many[1..].iter().copied())).len(), MOST_PAIRS);
        assert!(from_guest(&to_guest(many.iter().copied())).is_empty());
        let large = vec![b'x'; MOST_BYTES];
        assert!(from_guest(&to_guest([(b"a".as_slice(), large.as_slice())].into_iter())).is_empty());
    }
}
