//! What came back from a source, and whether it can be used.

/// A usable answer, as a plugin sees it.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// HTTP status, from 200 to 299.
    pub status: u16,
    /// `content-type`, empty where there is none.
    pub content_type: &'a str,
    /// The body.
    pub body: &'a [u8],
    /// What `condense` made of the last good answer, if there was one.
    pub previous: Option<&'a [u8]>,
}

/// Why a fetch failed: the label `reason` of `ipp_source_fetch_failures_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Envoy knows no such cluster.
    Cluster,
    /// A header needs a variable that the VM's environment lacks.
    Environment,
    /// Nobody could be reached.
    Connect,
    /// The answer did not come in time.
    Timeout,
    /// The answer broke off, or Envoy did not keep it for its size.
    Reset,
    /// 401 or 403.
    Unauthorized,
    /// Another status outside 200 to 299.
    Status,
    /// The answer is larger than `maxBytes`.
    TooLarge,
    /// The plugin cannot read it.
    Invalid,
    /// The worker that waited for the answer is gone.
    Lost,
    /// Envoy refused to send the request, or to hand over or keep the answer.
    Host,
}

impl Failure {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Cluster,
        Self::Environment,
        Self::Connect,
        Self::Timeout,
        Self::Reset,
        Self::Unauthorized,
        Self::Status,
        Self::TooLarge,
        Self::Invalid,
        Self::Lost,
        Self::Host,
    ];

    /// The label's value.
    pub fn label(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Environment => "environment",
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Unauthorized => "unauthorized",
            Self::Status => "status",
            Self::TooLarge => "too_large",
            Self::Invalid => "invalid",
            Self::Lost => "lost",
            Self::Host => "host",
        }
    }
}

/// A failure with what there is to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The reason.
    pub reason: Failure,
    /// For the log.
    pub detail: String,
}

impl Failed {
    /// A failure and what to say about it.
    pub fn new(reason: Failure, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }

    /// What the status of an answer says. The body is needed to tell Envoy's own answers from a server's.
    ///
    /// # Errors
    /// Every status but 200 to 299, and 304 of which the caller knows that it asked for it.
    pub fn by_status(status: u16, body: &[u8]) -> Result<(), Self> {
        let envoys = |text: &str| body.starts_with(text.as_bytes());
        match status {
            200..=299 => Ok(()),
            // What Envoy's asynchronous client makes up for a failure, seen on 1.40.
            504 if envoys("upstream request timeout") => {
                Err(Self::new(Failure::Timeout, "no answer within its timeout"))
            }
            503 if envoys("upstream connect error") || envoys("no healthy upstream") => {
                Err(Self::new(Failure::Connect, "no endpoint of the cluster could be reached"))
            }
            401 | 403 => Err(Self::new(Failure::Unauthorized, format!("status {status}"))),
            _ => Err(Self::new(Failure::Status, format!("status {status}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_envoy_makes_up_is_told_from_what_a_server_says() {
        let reason =
            |status, body: &str| Failed::by_status(status, body.as_bytes()).map_err(|failed| failed.reason);
        assert_eq!(reason(200, ""), Ok(()));
        assert_eq!(reason(504, "upstream request timeout"), Err(Failure::Timeout));
        assert_eq!(reason(504, "{}"), Err(Failure::Status));
        assert_eq!(
            reason(503, "upstream connect error or disconnect/reset before headers"),
            Err(Failure::Connect)
        );
        assert_eq!(reason(503, "no healthy upstream"), Err(Failure::Connect));
        assert_eq!(reason(503, "busy"), Err(Failure::Status));
        assert_eq!(reason(401, ""), Err(Failure::Unauthorized));
        assert_eq!(reason(410, ""), Err(Failure::Status));
        assert_eq!(reason(0, ""), Err(Failure::Status));
    }
}
