//! What a reader tells its gate: a decision as bytes, written by one filter and read strictly by another, whose
//! configuration may be another one for a moment.
//!
//! The first byte is the format. Numbers are in little endian, a text is its length in four bytes and then its bytes.

/// The decision about one request, without the change of its body, which is the reader's to make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// What is right about the body's length.
    pub length: Length,
    /// Headers to set, or to remove where there is no value. Names are in lower case.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// What becomes of the header `content-length`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Length {
    /// It is right, or there is none.
    #[default]
    Kept,
    /// The body has this many bytes now.
    Exact(u64),
    /// The body changed, and how long it gets is not known yet: it has to go.
    Unknown,
}

/// Of which request a gate waits for a decision, and where: what a gate leaves with the stream for the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The queue of the gate's root context.
    pub queue: u32,
    /// The context of the stream in the gate.
    pub context: u32,
}

const FORMAT: u8 = 1;
/// Far more than all headers that a configuration can name, with values of 8 KiB.
const MAX_HEADERS: usize = 1024;
const MAX_NAME_BYTES: usize = 1024;
/// As in `ipp_pipeline::payload::MAX_VALUE_BYTES`, of which a header's value is made.
const MAX_VALUE_BYTES: usize = 8192;
const MAX_BYTES: usize = 1 << 20;

const KEPT: u8 = 0;
const EXACT: u8 = 1;
const UNKNOWN: u8 = 2;

impl Address {
    /// As bytes.
    pub fn encode(self) -> Vec<u8> {
        [self.queue.to_le_bytes(), self.context.to_le_bytes()].concat()
    }

    /// Back from bytes; nothing if they are not exactly that.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let address = Self { queue: reader.number()?, context: reader.number()? };
        reader.ended().then_some(address)
    }
}

impl Decision {
    /// As bytes; nothing if it is larger than a gate takes.
    pub fn encode(&self) -> Option<Vec<u8>> {
        let mut bytes = vec![FORMAT];
        match self.length {
            Length::Kept => bytes.push(KEPT),
            Length::Exact(length) => {
                bytes.push(EXACT);
                bytes.extend_from_slice(&length.to_le_bytes());
            }
            Length::Unknown => bytes.push(UNKNOWN),
        }
        bytes.extend_from_slice(&u32::try_from(self.headers.len()).ok()?.to_le_bytes());
        for (name, value) in &self.headers {
            write(name.as_bytes(), &mut bytes)?;
            bytes.push(u8::from(value.is_some()));
            write(value.as_deref().unwrap_or_default(), &mut bytes)?;
        }
        // What could not be read must not be sent.
        Self::decode(&bytes).map(|_| bytes)
    }

    /// Back from bytes; nothing if they are not exactly that, or if a header could not have come from a reader.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_BYTES {
            return None;
        }
        let mut reader = Reader(bytes);
        if reader.byte()? != FORMAT {
            return None;
        }
        let length = match reader.byte()? {
            KEPT => Length::Kept,
            EXACT => Length::Exact(u64::from_le_bytes(reader.array()?)),
            UNKNOWN => Length::Unknown,
            _ => return None,
        };
        let count = usize::try_from(reader.number()?).ok().filter(|count| *count <= MAX_HEADERS)?;
        let headers = (0..count).map(|_| reader.header()).collect::<Option<_>>()?;
        reader.ended().then_some(Self { length, headers })
    }

    /// With the context in the gate that it is for, as it goes through a queue.
    pub fn to(&self, context: u32) -> Option<Vec<u8>> {
        let mut bytes = context.to_le_bytes().to_vec();
        bytes.extend(self.encode()?);
        Some(bytes)
    }
}

/// The context that an item of a queue is for, and the bytes of its decision.
pub fn split(item: &[u8]) -> Option<(u32, &[u8])> {
    let mut reader = Reader(item);
    Some((reader.number()?, reader.0))
}

fn write(text: &[u8], bytes: &mut Vec<u8>) -> Option<()> {
    bytes.extend_from_slice(&u32::try_from(text.len()).ok()?.to_le_bytes());
    bytes.extend_from_slice(text);
    Some(())
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn number(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn text(&mut self, most: usize) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok().filter(|length| *length <= most)?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(text)
    }

    fn header(&mut self) -> Option<(String, Option<Vec<u8>>)> {
        let name = self.text(MAX_NAME_BYTES).and_then(|name| std::str::from_utf8(name).ok())?;
        let token = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte)
        };
        if name.is_empty() || !name.bytes().all(token) {
            return None;
        }
        let set = self.byte()?;
        let value = self.text(MAX_VALUE_BYTES)?;
        let value = match set {
            0 if value.is_empty() => None,
            1 if !value.iter().any(u8::is_ascii_control) => Some(value.to_vec()),
            _ => return None,
        };
        Some((name.to_owned(), value))
    }

    fn ended(&self) -> bool {
        self.0.is_empty()
    }
}
