//! Takes the callbacks that a module does not act on out of its exports: Envoy crosses into the VM for each one
//! that is exported, several times a request.

/// Names the callbacks that are acted on, separated by spaces. `ipp-proxy` puts it into every module.
const LIST: &str = "ipp.callbacks";
const CUSTOM_SECTION: u8 = 0;
const EXPORT_SECTION: u8 = 7;
/// The magic number and the version of a WebAssembly module.
const HEADER: usize = 8;

/// The module without the exports that begin with `proxy_on_` and are not in its own list. A module without a
/// list is left as it is.
pub fn prune(module: &[u8]) -> Result<Vec<u8>, String> {
    let (header, body) = module.split_at_checked(HEADER).ok_or("too short for a WebAssembly module")?;
    let sections = sections(body)?;
    let Some(list) = sections.iter().find_map(|section| listed(section)) else {
        return Ok(module.to_vec());
    };
    let list: Vec<&str> = list.split(' ').collect();
    let keep = |name: &str| {
        !name.starts_with("proxy_on_") || name == "proxy_on_memory_allocate" || list.contains(&name)
    };
    let mut pruned = header.to_vec();
    for section in sections {
        pruned.push(section.id);
        let content = match section.id {
            EXPORT_SECTION => exports(section.content, keep)?,
            _ => section.content.to_vec(),
        };
        number(content.len(), &mut pruned);
        pruned.extend(content);
    }
    Ok(pruned)
}

struct Section<'a> {
    id: u8,
    content: &'a [u8],
}

fn sections(body: &[u8]) -> Result<Vec<Section<'_>>, String> {
    let mut reader = Reader(body);
    let mut sections = Vec::new();
    while let Some(id) = reader.byte() {
        let content = reader.sized().ok_or("a section is cut off")?;
        sections.push(Section { id, content });
    }
    Ok(sections)
}

fn listed<'a>(section: &Section<'a>) -> Option<&'a str> {
    let mut reader = Reader(section.content);
    let named = section.id == CUSTOM_SECTION && reader.sized()? == LIST.as_bytes();
    named.then(|| std::str::from_utf8(reader.0).ok())?
}

/// The content of the export section with only those names that `keep` says.
fn exports(content: &[u8], keep: impl Fn(&str) -> bool) -> Result<Vec<u8>, String> {
    let mut reader = Reader(content);
    let mut kept = Vec::new();
    let mut count = 0;
    for _ in 0..reader.number().ok_or("the exports are cut off")? {
        let before = reader.0;
        let (Some(name), Some(_kind), Some(_index)) = (reader.sized(), reader.byte(), reader.number()) else {
            return Err("an export is cut off".to_owned());
        };
        if std::str::from_utf8(name).is_ok_and(&keep) {
            kept.extend_from_slice(&before[..before.len() - reader.0.len()]);
            count += 1;
        }
    }
    let mut content = Vec::new();
    number(count, &mut content);
    content.extend(kept);
    Ok(content)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    /// An unsigned number in LEB128, of at most 32 bits.
    fn number(&mut self) -> Option<usize> {
        let mut value = 0_u64;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return usize::try_from(value).ok();
            }
        }
        None
    }

    /// Bytes with their number before them.
    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }
}

fn number(mut value: usize, out: &mut Vec<u8>) {
    loop {
        let low = (value & 0x7F) as u8;
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module that exports functions by their numbers, with a list if there is one.
    fn module(functions: &[(&str, usize)], list: Option<&str>) -> Vec<u8> {
        let sized = |bytes: &[u8]| {
            let mut sized = Vec::new();
            number(bytes.len(), &mut sized);
            sized.extend_from_slice(bytes);
            sized
        };
        let mut exports = Vec::new();
        number(functions.len(), &mut exports);
        for (name, index) in functions {
            exports.extend(sized(name.as_bytes()));
            exports.push(0);
            number(*index, &mut exports);
        }
        let mut module = b"\0asm\x01\0\0\0\x05\x01\0".to_vec();
        module.push(EXPORT_SECTION);
        module.extend(sized(&exports));
        if let Some(list) = list {
            module.push(CUSTOM_SECTION);
            module.extend(sized(&[sized(LIST.as_bytes()), list.as_bytes().to_vec()].concat()));
        }
        module
    }

    #[test]
    fn only_listed_callbacks_stay() {
        let list = Some("proxy_on_configure proxy_on_log");
        let all =
            [("memory", 0), ("proxy_on_tick", 1), ("proxy_on_log", 300), ("proxy_on_memory_allocate", 2)];
        let kept = [all[0], all[2], all[3]];
        assert_eq!(prune(&module(&all, list)).unwrap(), module(&kept, list));
    }

    #[test]
    fn a_module_without_a_list_is_left_alone() {
        let module = module(&[("proxy_on_tick", 1)], None);
        assert_eq!(prune(&module).unwrap(), module);
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        let module = module(&[("proxy_on_tick", 1)], Some("x"));
        assert!(prune(&module[..4]).is_err());
        assert!(prune(&module[..module.len() - 1]).is_err());
    }
}
