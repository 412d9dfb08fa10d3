//! Headers as Envoy keeps them: lower-case names, pseudo-headers first, and some that are one value however often they came.

use crate::message::Headers;

/// One field.
pub type Field = (Vec<u8>, Vec<u8>);

/// The headers or trailers of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderMap {
    fields: Vec<Field>,
    /// Names of which there can be one value only: a second one is appended to the first with a comma, so that no
    /// filter ever sees two. Envoy calls them inline headers. Trailers have none.
    joined: &'static [&'static str],
}

/// Those of requests, among what clients send: found by sending every name twice through Envoy 1.40.
const JOINED_IN_REQUESTS: &[&str] = &[
    "accept",
    "accept-encoding",
    "access-control-request-method",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-type",
    "expect",
    "grpc-accept-encoding",
    "grpc-timeout",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "keep-alive",
    "origin",
    "pragma",
    "proxy-connection",
    "referer",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-client-trace-id",
    "x-envoy-decorator-operation",
    "x-envoy-downstream-service-cluster",
    "x-envoy-external-address",
    "x-envoy-original-path",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-request-id",
    ":authority",
];

/// Those of responses, found in the same way.
const JOINED_IN_RESPONSES: &[&str] = &[
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-max-age",
    "age",
    "cache-control",
    "connection",
    "content-encoding",
    "content-type",
    "date",
    "etag",
    "expires",
    "grpc-message",
    "grpc-status",
    "keep-alive",
    "last-modified",
    "location",
    "proxy-connection",
    "proxy-status",
    "server",
    "transfer-encoding",
    "upgrade",
    "vary",
    "via",
    "x-envoy-attempt-count",
    "x-envoy-decorator-operation",
    "x-envoy-degraded",
    "x-envoy-upstream-service-time",
    "x-request-id",
];

impl HeaderMap {
    /// Headers of a request.
    pub fn of_request() -> Self {
        Self { fields: Vec::new(), joined: JOINED_IN_REQUESTS }
    }

    /// Headers of a response.
    pub fn of_response() -> Self {
        Self { fields: Vec::new(), joined: JOINED_IN_RESPONSES }
    }

    /// Trailers.
    pub fn trailers() -> Self {
        Self::default()
    }

    /// With these fields behind the others.
    #[must_use]
    pub fn with<N: AsRef<[u8]>, V: AsRef<[u8]>>(mut self, fields: impl IntoIterator<Item = (N, V)>) -> Self {
        for (name, value) in fields {
            self.add(name.as_ref(), value.as_ref());
        }
        self
    }

    /// As the other side of an HTTP/1 connection reads it: white space around a value is none of the value.
    pub fn trim(&mut self) {
        for (_, value) in &mut self.fields {
            *value = trimmed(value).to_vec();
        }
    }

    /// With fields behind the others that are read from an HTTP/1 connection.
    #[must_use]
    pub fn with_read<'a>(self, fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        self.with(fields.into_iter().map(|(name, value)| (name, trimmed(value))))
    }

    /// No fields any more.
    pub fn clear(&mut self) {
        self.fields.clear();
    }

    /// The first value of a field. A guest can get no other one by name (section 8: "get returns the first only").
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// All values of a field in their order.
    pub fn all(&self, name: &[u8]) -> impl Iterator<Item = &[u8]> {
        self.fields
            .iter()
            .filter(move |(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }

    /// Adds a value (Envoy: `HeaderMapImpl::addCopy`).
    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        let name = name.to_ascii_lowercase();
        if self.joined.iter().any(|joined| joined.as_bytes() == name)
            && let Some((_, known)) = self.fields.iter_mut().find(|(own, _)| *own == name)
        {
            if !known.is_empty() && !value.is_empty() {
                known.push(b',');
            }
            known.extend_from_slice(value);
            return;
        }
        let at = match name.first() {
            Some(b':') => self.fields.iter().take_while(|(own, _)| own.first() == Some(&b':')).count(),
            _ => self.fields.len(),
        };
        self.fields.insert(at, (name, value.to_vec()));
    }

    /// Sets a field to one value, whatever it had. It moves to the end (Envoy: `setCopy` removes and adds).
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        self.remove(name);
        self.add(name, value);
    }

    /// Removes all values of a field.
    pub fn remove(&mut self, name: &[u8]) {
        self.fields.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
    }

    /// All fields in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Bytes of all names and values. What `proxy_get_header_map_size` gives, not a count (section 8).
    pub fn byte_size(&self) -> usize {
        self.fields.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// The fields without the pseudo-headers.
    pub fn fields(&self) -> Headers {
        self.iter().filter(|(name, _)| name.first() != Some(&b':')).collect()
    }

    /// One field as text, for what is decided here.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name.as_bytes()).map(|value| String::from_utf8_lossy(value).into_owned())
    }
}

fn trimmed(value: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let end = value.iter().rposition(|byte| !blank(byte)).map_or(0, |last| last + 1);
    let start = value[..end].iter().position(|byte| !blank(byte)).unwrap_or_default();
    &value[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(map: &HeaderMap) -> Vec<String> {
        map.iter().map(|(name, value)| String::from_utf8([name, b"=", value].concat()).unwrap()).collect()
    }

    #[test]
    fn some_fields_are_one() {
        let twice =
            [("Accept", "a"), ("x-own", "1"), ("accept", "b"), ("etag", "c"), ("etag", "d"), ("X-Own", "2")];
        let request = HeaderMap::of_request().with(twice);
        assert_eq!(shown(&request), ["accept=a,b", "x-own=1", "etag=c", "etag=d", "x-own=2"]);
        let response = HeaderMap::of_response().with(twice);
        assert_eq!(shown(&response), ["accept=a", "x-own=1", "accept=b", "etag=c,d", "x-own=2"]);
    }

    #[test]
    fn pseudo_headers_stand_first() {
        let mut map = HeaderMap::of_request().with([("b", "1"), (":path", "/"), ("a", "2"), ("b", "3")]);
        assert_eq!(shown(&map), [":path=/", "b=1", "a=2", "b=3"]);
        map.set(b"B", b"4");
        map.set(b":path", b"/x");
        assert_eq!(shown(&map), [":path=/x", "a=2", "b=4"]);
        assert_eq!((map.byte_size(), map.fields().len()), (11, 2));
    }
}
