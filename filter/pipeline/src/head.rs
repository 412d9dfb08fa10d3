//! Header names that a configuration cares about, and the headers of one message.

use std::ops::Range;

/// A handle of a header that a plugin declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HeaderId(pub(crate) usize);

/// The headers that the plugins of a configuration read or set.
#[derive(Debug, Default)]
pub struct HeaderTable(Vec<Known>);

#[derive(Debug)]
struct Known {
    name: String,
    /// This filter decides on it: what a client sends under this name is removed.
    owned: bool,
    read: bool,
}

/// Headers that frame a message or say where it goes. To own one would break every request.
const FRAMING: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether a header of that name can exist.
fn check_name(name: &str) -> Result<(), String> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(format!("{name:?} is not a header name"));
    }
    Ok(())
}

/// Whether a plugin, or the configuration, can decide on a header of that name.
pub(crate) fn check_editable(name: &str) -> Result<(), String> {
    if FRAMING.iter().any(|framing| framing.eq_ignore_ascii_case(name)) {
        return Err(format!("{name:?} frames the message and cannot be changed"));
    }
    check_name(name)
}

impl HeaderTable {
    fn add(&mut self, name: &str) -> Result<&mut Known, String> {
        check_name(name)?;
        let name = name.to_ascii_lowercase();
        if let Some(at) = self.0.iter().position(|known| known.name == name) {
            return self.0.get_mut(at).ok_or_else(String::new);
        }
        self.0.push(Known { name, owned: false, read: false });
        self.0.last_mut().ok_or_else(String::new)
    }

    fn id(&self, name: &str) -> HeaderId {
        let at = self.0.iter().position(|known| known.name.eq_ignore_ascii_case(name));
        HeaderId(at.unwrap_or(usize::MAX))
    }

    /// Declares that a header is read.
    pub(crate) fn reads(&mut self, name: &str) -> Result<HeaderId, String> {
        self.add(name)?.read = true;
        Ok(self.id(name))
    }

    /// Declares that a header is set or removed, whatever the other side sent under its name.
    pub(crate) fn owns(&mut self, name: &str) -> Result<HeaderId, String> {
        check_editable(name)?;
        self.add(name)?.owned = true;
        Ok(self.id(name))
    }

    /// Declares that a header may be changed, without a claim to what the other side sends under its name.
    pub(crate) fn edits(&mut self, name: &str) -> Result<HeaderId, String> {
        check_editable(name)?;
        self.add(name)?;
        Ok(self.id(name))
    }

    /// The name behind a handle, in lower case.
    pub fn name(&self, header: HeaderId) -> &str {
        self.0.get(header.0).map_or("", |known| &known.name)
    }

    /// The names that this filter decides on.
    pub fn owned(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|known| known.owned).map(|known| known.name.as_str())
    }

    fn find(&self, name: &[u8]) -> Option<(HeaderId, &Known)> {
        self.0
            .iter()
            .enumerate()
            .find(|(_, known)| known.name.as_bytes().eq_ignore_ascii_case(name))
            .map(|(at, known)| (HeaderId(at), known))
    }
}

/// What one pass over a message's headers keeps: the pseudo-headers and what plugins asked for.
#[derive(Debug, Default)]
pub(crate) struct Head {
    text: Vec<u8>,
    method: Range<usize>,
    path: Range<usize>,
    status: Range<usize>,
    values: Vec<(HeaderId, Range<usize>)>,
    pub(crate) owned_present: Vec<HeaderId>,
}

impl Head {
    /// Takes one header.
    pub(crate) fn take(&mut self, table: &HeaderTable, name: &[u8], value: &[u8]) {
        match name {
            b":method" => self.method = self.keep(value),
            b":path" => self.path = self.keep(value),
            b":status" => self.status = self.keep(value),
            _ => {
                let Some((header, known)) = table.find(name) else { return };
                if known.owned {
                    if !self.owned_present.contains(&header) {
                        self.owned_present.push(header);
                    }
                } else if known.read {
                    let range = self.keep(value);
                    self.values.push((header, range));
                }
            }
        }
    }

    fn keep(&mut self, value: &[u8]) -> Range<usize> {
        let from = self.text.len();
        self.text.extend_from_slice(value);
        from..self.text.len()
    }

    fn get(&self, range: &Range<usize>) -> &[u8] {
        self.text.get(range.clone()).unwrap_or_default()
    }

    pub(crate) fn method(&self) -> &[u8] {
        self.get(&self.method)
    }

    /// The path without the query.
    pub(crate) fn path(&self) -> &[u8] {
        let target = self.get(&self.path);
        target.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default()
    }

    pub(crate) fn status(&self) -> Option<u16> {
        std::str::from_utf8(self.get(&self.status)).ok()?.parse().ok()
    }

    /// The values of a header, in their order. A header that this filter owns has none: it was removed.
    pub(crate) fn values(&self, header: HeaderId) -> impl Iterator<Item = &[u8]> {
        self.values.iter().filter(move |(id, _)| *id == header).map(|(_, range)| self.get(range))
    }
}
