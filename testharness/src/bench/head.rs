//! As much of HTTP/1.1 as the load needs: where a head ends, its fields, and the size of the body.

/// The size of the head with the empty line at its end, once that is there.
pub(super) fn head_size(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|end| end == b"\r\n\r\n").map(|at| at + 4)
}

/// The fields of a head.
pub(super) fn fields(head: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    head.split(|byte| *byte == b'\n').filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        Some((&line[..colon], line[colon + 1..].trim_ascii()))
    })
}

/// What a head says about the size of the body.
pub(super) fn content_length(head: &[u8]) -> Option<usize> {
    let (_, value) = fields(head).find(|(name, _)| name.eq_ignore_ascii_case(b"content-length"))?;
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// Whether the body comes in chunks, without a size of its own.
pub(super) fn is_chunked(head: &[u8]) -> bool {
    fields(head).any(|(name, value)| name.eq_ignore_ascii_case(b"transfer-encoding") && value == b"chunked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_found_and_read() {
        let bytes =
            b"POST / HTTP/1.1\r\nHost: a:80\r\nContent-Length:  12 \r\n\r\n{\"a\":\"\\r\\n\"}\r\n\r\n";
        let head = head_size(bytes).unwrap();
        assert!(bytes[head..].starts_with(b"{"));
        assert_eq!(content_length(&bytes[..head]), Some(12));
        assert_eq!(head_size(&bytes[..head - 1]), None);
        assert!(fields(&bytes[..head]).any(|field| field == (b"Host", b"a:80")));
        assert!(!is_chunked(&bytes[..head]) && is_chunked(b"a\r\nTransfer-Encoding: chunked\r\n"));
        assert_eq!(content_length(b"GET / HTTP/1.1\r\n\r\n"), None);
    }
}
