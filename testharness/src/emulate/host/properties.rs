//! Properties of a stream, and functions beyond the ABI.

use super::contexts::Seen;
use super::stream::Stream;
use super::{Answer, Calls, HeaderMap, Status};

/// Where a client's connection comes from, as properties tell it.
const CLIENT: &str = "127.0.0.1:49152";

impl Calls<'_> {
    /// `proxy_get_property`: a path of names with zeros between them (section 6.4). Numbers are 64 bits in little
    /// endian, durations nanoseconds.
    pub fn get_property(&mut self, path: &[u8]) -> Answer<Vec<u8>> {
        let names: Vec<&[u8]> = path.strip_suffix(b"\0").unwrap_or(path).split(|byte| *byte == 0).collect();
        let names: Vec<&str> =
            names.iter().map(|name| std::str::from_utf8(name).unwrap_or_default()).collect();
        let vm_id = self.vm().id.clone();
        let (_, root) = self.root();
        match names.as_slice() {
            ["plugin_name"] => return Ok(root.plugin.name.clone().into_bytes()),
            ["plugin_root_id"] => return Ok(root.plugin.root_id.clone().into_bytes()),
            ["plugin_vm_id"] => return Ok(vm_id.into_bytes()),
            _ => {}
        }
        let acting = self.vm().acting();
        let context = self.host.vms[self.vm].contexts.get(&acting).ok_or(Status::NotFound)?;
        let stream =
            context.stream.and_then(|index| self.host.streams.get(&index)).ok_or(Status::NotFound)?;
        if let Some(value) = stream.filter_state.get(path) {
            return Ok(value.clone());
        }
        property(&names, stream, &context.sees).ok_or(Status::NotFound)
    }

    /// `proxy_set_property`: keeps a value with the stream, under a name that any filter of it can read (section 4.4).
    /// There is no stream in a root context.
    pub fn set_property(&mut self, path: &[u8], value: &[u8]) -> Answer<()> {
        let index = self.context().stream.ok_or(Status::NotFound)?;
        let stream = self.host.streams.get_mut(&index).ok_or(Status::NotFound)?;
        stream.filter_state.insert(path.to_vec(), value.to_vec());
        Ok(())
    }

    /// `proxy_call_foreign_function`. Of Envoy's functions there is the one that makes it look for the route again
    /// (section 2.2); it needs a stream.
    pub fn call_foreign_function(&mut self, name: &[u8]) -> Answer<Vec<u8>> {
        if name != b"clear_route_cache" {
            return Err(Status::NotFound);
        }
        let index = self.context().stream;
        if let Some(stream) = index.and_then(|index| self.host.streams.get_mut(&index)) {
            stream.route = None;
        }
        Ok(Vec::new())
    }
}

fn property(names: &[&str], stream: &Stream, sees: &Seen) -> Option<Vec<u8>> {
    let facts = &stream.facts;
    let number = |number: u64| Some(number.to_le_bytes().to_vec());
    match names {
        ["connection", "id"] | ["connection_id"] => number(facts.connection),
        ["source", "address"] => Some(CLIENT.into()),
        ["source", "port"] => number(CLIENT.rsplit(':').next()?.parse().ok()?),
        ["request", rest @ ..] => request(rest, stream, sees),
        ["response", rest @ ..] => response(rest, stream, sees),
        ["xds", "cluster_name"] => facts.cluster.clone().map(String::into_bytes),
        ["xds", "route_name" | "virtual_host_name"] => Some(Vec::new()),
        ["upstream", "address"] => facts.cluster.as_ref().map(|_| b"127.0.0.1:8080".to_vec()),
        ["upstream", "num_endpoints" | "request_attempt_count"] if facts.cluster.is_some() => number(1),
        _ => None,
    }
}

/// Names of headers among the properties of a request.
const REQUEST_HEADERS: [(&str, &str); 7] = [
    ("path", ":path"),
    ("host", ":authority"),
    ("method", ":method"),
    ("scheme", ":scheme"),
    ("id", "x-request-id"),
    ("referer", "referer"),
    ("useragent", "user-agent"),
];

fn request(names: &[&str], stream: &Stream, sees: &Seen) -> Option<Vec<u8>> {
    let facts = &stream.facts;
    let number = |number: u64| Some(number.to_le_bytes().to_vec());
    match names {
        ["time"] => return number(facts.began_ns),
        ["size"] => return number(facts.request_size),
        ["protocol"] => return Some(b"HTTP/1.1".to_vec()),
        ["duration"] => return number(facts.duration_ns?),
        _ => {}
    }
    // What stands in headers can be read as long as they can.
    let headers = Some(&stream.request_headers).filter(|_| sees.request_headers || sees.logging)?;
    match names {
        ["total_size"] => number(facts.request_size + u64::try_from(headers.byte_size()).unwrap_or(u64::MAX)),
        ["headers", name] => headers.get(name.as_bytes()).map(<[u8]>::to_vec),
        ["url_path" | "query"] => {
            let target = headers.text(":path")?;
            let (path, query) = target.split_once('?').unwrap_or((&target, ""));
            Some(if names == ["query"] { query } else { path }.as_bytes().to_vec())
        }
        [name] => {
            let (_, header) = REQUEST_HEADERS.iter().find(|(own, _)| own == name)?;
            headers.get(header.as_bytes()).map(<[u8]>::to_vec)
        }
        _ => None,
    }
}

fn response(names: &[&str], stream: &Stream, sees: &Seen) -> Option<Vec<u8>> {
    let facts = &stream.facts;
    let number = |number: u64| Some(number.to_le_bytes().to_vec());
    let status = |headers: &HeaderMap| headers.text(":status")?.parse::<u64>().ok();
    match names {
        // Final codes only at the end (rule 17).
        ["code"] if sees.logging => number(status(stream.response_headers.as_ref()?)?),
        ["code_details"] if sees.logging && !facts.details.is_empty() => {
            Some(facts.details.clone().into_bytes())
        }
        ["flags"] if sees.logging => number(facts.flags),
        ["size"] => number(facts.response_size),
        ["headers", name] => {
            let headers =
                stream.response_headers.as_ref().filter(|_| sees.response_headers || sees.logging)?;
            headers.get(name.as_bytes()).map(<[u8]>::to_vec)
        }
        _ => None,
    }
}
