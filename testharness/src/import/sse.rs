//! Server-sent events that are nothing but data, as OpenAI's API sends them.

/// The data of each event; none unless writing it as `data: ...` and an empty line gives the same bytes again.
pub(super) fn events(body: &[u8]) -> Option<Vec<&str>> {
    let text = std::str::from_utf8(body).ok()?;
    let events: Option<Vec<_>> =
        text.strip_suffix("\n\n")?.split("\n\n").map(|event| event.strip_prefix("data: ")).collect();
    events.filter(|events| events.iter().all(|data| !data.contains(['\n', '\r'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_data_makes_events() {
        assert_eq!(events(b"data: {\"a\":1}\n\ndata: [DONE]\n\n"), Some(vec!["{\"a\":1}", "[DONE]"]));
        assert_eq!(events(b"data: \n\n"), Some(vec![""]));
        for body in [
            &b""[..],
            b"\n\n",
            b"data: a",
            b"data: a\n",
            b"data:a\n\n",
            b"data: a\r\n\r\n",
            b"data: a\n\n\n",
            b"event: x\ndata: a\n\n",
            b"data: a\ndata: b\n\n",
            b": ping\n\n",
            b"data: \xff\n\n",
        ] {
            assert_eq!(events(body), None, "{}", body.escape_ascii());
        }
    }
}
