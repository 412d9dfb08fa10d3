//! Lines of the access log: that a request has ended, and how.

/// One request has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// What its trace has in the field [`ID`].
    pub(super) id: String,
    /// Envoy's letters for what went wrong.
    flags: String,
    status: u16,
    /// Bytes of the body that came from the client.
    pub(super) received: usize,
    /// Bytes of the body that went to the client.
    pub(super) sent: usize,
    /// Where the answer came from.
    details: String,
    /// Method and path.
    pub(super) request: String,
}

/// The field that is added to requests before they are traced, and taken away before they leave.
pub(super) const ID: &str = "x-ipp-record-id";

/// Its value, which is another one for each request, and which the access log can tell again.
pub(super) const ID_FORMAT: &str = "%CONNECTION_ID%-%START_TIME(%s%9f)%";

/// The rest of a line.
pub(super) const FORMAT: &str = "%RESPONSE_FLAGS% %RESPONSE_CODE% %BYTES_RECEIVED% %BYTES_SENT% %RESPONSE_CODE_DETAILS% \
                                 %REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%";

impl Ended {
    /// Reads a line; none if it is something else.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let mut parts = line.splitn(7, ' ');
        let mut part = || parts.next();
        Some(Self {
            id: part()?.to_owned(),
            flags: part()?.to_owned(),
            status: part()?.parse().ok()?,
            received: part()?.parse().ok()?,
            sent: part()?.parse().ok()?,
            details: part()?.to_owned(),
            request: part()?.to_owned(),
        })
    }

    /// Why nothing whole came of it; none if the server has answered and the client has got all of it.
    pub(super) fn unusable(&self) -> Option<String> {
        let details = self.details.replace('_', " ");
        match (self.flags.as_str(), self.details.as_str(), self.status) {
            (_, _, 101) => Some("it became something else than HTTP, such as a WebSocket".to_owned()),
            ("-", "via_upstream", _) => None,
            ("DC", ..) => Some("the client went away before it had all of the answer".to_owned()),
            ("-", ..) => Some(format!("Envoy answered it itself: {details}")),
            (flags, ..) => Some(format!("the server did not answer it whole: {details} ({flags})")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_how_a_request_ended() {
        let ended = |line: &str| Ended::parse(line).unwrap();
        let good = ended("5-179 - 200 25 26 via_upstream POST /v1/x?a=b");
        assert_eq!((good.id.as_str(), good.received, good.sent, good.unusable()), ("5-179", 25, 26, None));
        assert_eq!(good.request, "POST /v1/x?a=b");
        for (line, expected) in [
            (
                "1-1 DC 200 6 30 downstream_remote_disconnect POST /",
                "the client went away before it had all of the answer",
            ),
            (
                "1-1 UF 503 1 98 upstream_reset_before_response_started{x} POST /",
                "the server did not answer it whole: upstream reset before response started{x} (UF)",
            ),
            ("1-1 - 101 0 0 via_upstream GET /", "it became something else than HTTP, such as a WebSocket"),
            ("1-1 - 403 0 0 upgrade_failed GET /", "Envoy answered it itself: upgrade failed"),
        ] {
            assert_eq!(ended(line).unusable().as_deref(), Some(expected));
        }
        assert_eq!(Ended::parse("[2026] something else entirely, of course"), None);
    }
}
