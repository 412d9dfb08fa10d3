//! Headers in the form in which they cross between host and module: count, lengths, then names and values.

/// The headers of a message, read in place.
pub(crate) struct Pairs(Vec<u8>);

impl Pairs {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Names (in lower case) and values, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut lengths = Reader(&self.0);
        let count = lengths.number().unwrap_or(0);
        let table = count.saturating_mul(8).saturating_add(4);
        let mut data = Reader(self.0.get(table..).unwrap_or_default());
        (0..count).map_while(move |_| {
            let (name, value) = (lengths.number()?, lengths.number()?);
            Some((data.text(name)?, data.text(value)?))
        })
    }

    /// The same form of headers that go to the host.
    pub(crate) fn encode(headers: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let number = |number: usize, bytes: &mut Vec<u8>| {
            bytes.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
        };
        number(headers.len(), &mut bytes);
        for (name, value) in headers {
            number(name.len(), &mut bytes);
            number(value.len(), &mut bytes);
        }
        for (name, value) in headers {
            for text in [name, value] {
                bytes.extend_from_slice(text.as_bytes());
                bytes.push(0);
            }
        }
        bytes
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn number(&mut self) -> Option<usize> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        usize::try_from(u32::from_le_bytes(*number)).ok()
    }

    /// A text of a length, and the zero behind it.
    fn text(&mut self, length: usize) -> Option<&'a [u8]> {
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest.get(1..)?;
        Some(text)
    }
}
