//! Host calls on headers and trailers.

use super::contexts::{Context, Seen};
use super::stream::Stream;
use super::{Answer, Calls, HeaderMap, Status, to_guest};

/// Which headers (the ABI's `WasmHeaderMapType`).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Map {
    RequestHeaders,
    RequestTrailers,
    ResponseHeaders,
    ResponseTrailers,
    Grpc,
    CalloutHeaders,
    CalloutTrailers,
}

impl Map {
    fn new(number: u32) -> Answer<Self> {
        Ok(match number {
            0 => Self::RequestHeaders,
            1 => Self::RequestTrailers,
            2 => Self::ResponseHeaders,
            3 => Self::ResponseTrailers,
            4 | 5 => Self::Grpc,
            6 => Self::CalloutHeaders,
            7 => Self::CalloutTrailers,
            _ => return Err(Status::BadArgument),
        })
    }
}

/// `getConstMap` of a stream: in `on_log` what there is, otherwise what the phase allows.
fn readable<'s>(map: Map, sees: &Seen, stream: &'s Stream) -> Option<&'s HeaderMap> {
    let (shown, there) = match map {
        Map::RequestHeaders => (sees.request_headers, Some(&stream.request_headers)),
        // Request trailers are the one thing that on_log does not show.
        Map::RequestTrailers => {
            return stream.request_trailers.as_ref().filter(|_| sees.request_trailers && !sees.logging);
        }
        Map::ResponseHeaders => (sees.response_headers, stream.response_headers.as_ref()),
        Map::ResponseTrailers => (sees.response_trailers, stream.response_trailers.as_ref()),
        Map::Grpc | Map::CalloutHeaders | Map::CalloutTrailers => return None,
    };
    there.filter(|_| shown || sees.logging)
}

impl Calls<'_> {
    fn readable<T>(&mut self, map: Map, read: impl FnOnce(Option<&HeaderMap>) -> T) -> T {
        match map {
            Map::CalloutHeaders => read(self.root().1.answer.as_ref().map(|answer| &answer.headers)),
            Map::CalloutTrailers => read(self.root().1.answer.as_ref().map(|answer| &answer.trailers)),
            _ => {
                let acting = self.vm().acting();
                let context = self.host.vms[self.vm].contexts.get(&acting);
                let stream = |context: &Context| self.host.streams.get(&context.stream?);
                read(context.and_then(|context| readable(map, &context.sees, stream(context)?)))
            }
        }
    }

    /// `getMap`: what can be written. Outside of its phase nothing can (sections 2.1, 6.3), and what a callout got
    /// never can.
    fn writable<T>(&mut self, number: u32, write: impl FnOnce(&mut HeaderMap) -> T) -> Answer<T> {
        let map = Map::new(number)?;
        let acting = self.vm().acting();
        let context = self.host.vms[self.vm].contexts.get_mut(&acting).ok_or(Status::BadArgument)?;
        let index = context.stream.ok_or(Status::BadArgument)?;
        let stream = self.host.streams.get_mut(&index).ok_or(Status::BadArgument)?;
        let sees = &mut context.sees;
        let target = match map {
            Map::RequestHeaders => {
                // Section 2.2: with ABI 0.2.1 each change of a request header makes Envoy look for the route again.
                Some(&mut stream.request_headers)
                    .filter(|_| sees.request_headers)
                    .inspect(|_| stream.route = None)
            }
            Map::ResponseHeaders => stream.response_headers.as_mut().filter(|_| sees.response_headers),
            Map::RequestTrailers => {
                // Asking for trailers in the last body callback makes some (`addDecodedTrailers`).
                if !sees.request_trailers && sees.end && sees.request.shown != super::Shown::Nothing {
                    stream.request_trailers.get_or_insert_default();
                    sees.request_trailers = true;
                }
                stream.request_trailers.as_mut().filter(|_| sees.request_trailers)
            }
            Map::ResponseTrailers => {
                if !sees.response_trailers && sees.end && sees.response.shown != super::Shown::Nothing {
                    stream.response_trailers.get_or_insert_default();
                    sees.response_trailers = true;
                }
                stream.response_trailers.as_mut().filter(|_| sees.response_trailers)
            }
            Map::Grpc | Map::CalloutHeaders | Map::CalloutTrailers => None,
        };
        target.map(write).ok_or(Status::BadArgument)
    }

    /// `proxy_get_header_map_value`: the first value. What is not there is `NotFound`; what is not there yet or not any
    /// more is `BadArgument`, except in `on_log`, where it is `NotFound` (section 6.3).
    pub fn get_header(&mut self, map: u32, name: &[u8]) -> Answer<Vec<u8>> {
        let map = Map::new(map)?;
        let logging = self.context().sees.logging;
        self.readable(map, |headers| match headers {
            Some(headers) => headers.get(name).map(<[u8]>::to_vec).ok_or(Status::NotFound),
            None if logging => Err(Status::NotFound),
            None => Err(Status::BadArgument),
        })
    }

    /// `proxy_get_header_map_pairs`. Outside of its phase this one gives nothing instead of an error: Envoy's
    /// `getHeaderMapPairs` makes pairs of a null map.
    pub fn get_headers(&mut self, map: u32) -> Answer<Vec<u8>> {
        let map = Map::new(map)?;
        Ok(self.readable(map, |headers| match headers {
            Some(headers) if !headers.is_empty() => {
                let fields: Vec<_> = headers.iter().collect();
                to_guest(fields.into_iter())
            }
            _ => Vec::new(),
        }))
    }

    /// `proxy_get_header_map_size`: bytes, not fields (section 8).
    pub fn get_headers_size(&mut self, map: u32) -> Answer<u32> {
        self.writable(map, |headers| u32::try_from(headers.byte_size()).unwrap_or(u32::MAX))
    }

    /// `proxy_set_header_map_pairs`.
    pub fn set_headers(&mut self, map: u32, fields: Vec<super::Field>) -> Answer<()> {
        self.writable(map, |headers| {
            headers.clear();
            for (name, value) in &fields {
                headers.add(name, value);
            }
        })
    }

    /// `proxy_add_header_map_value`.
    pub fn add_header(&mut self, map: u32, name: &[u8], value: &[u8]) -> Answer<()> {
        self.writable(map, |headers| headers.add(name, value))
    }

    /// `proxy_replace_header_map_value`.
    pub fn replace_header(&mut self, map: u32, name: &[u8], value: &[u8]) -> Answer<()> {
        self.writable(map, |headers| headers.set(name, value))
    }

    /// `proxy_remove_header_map_value`. One that is not there is no error.
    pub fn remove_header(&mut self, map: u32, name: &[u8]) -> Answer<()> {
        self.writable(map, |headers| headers.remove(name))
    }
}
