//! What has to come out of an exchange, as a recording says it.

use bytes::Bytes;
use serde_json::Value;

/// What has to come out of an exchange. What it does not name is not checked.
#[derive(Clone, Debug, Default)]
pub struct Expectation {
    /// How the exchange ends.
    pub outcome: Option<Outcome>,
    /// The cluster that the request went to.
    pub cluster: Option<String>,
    /// What the upstream received.
    pub request: MessageExpectation,
    /// What the client received.
    pub response: MessageExpectation,
    /// One of these has to hold, too; any if there are none.
    pub one_of: Vec<Expectation>,
}

/// How an exchange ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An upstream was asked, and the client received a whole response: its own, or Envoy's where it reset before one.
    Forwarded,
    /// No upstream was asked: the filter answered, or Envoy did, as for a body over its limit.
    Replied,
    /// Somebody broke off before the client had received a whole response.
    Aborted,
}

/// What a request or a response has to be like.
#[derive(Clone, Debug, Default)]
pub struct MessageExpectation {
    /// The status of a response.
    pub status: Option<u16>,
    /// Fields that have to be there.
    pub headers: Vec<HeaderExpectation>,
    /// Names of fields that must not be there, in lower case.
    pub absent: Vec<String>,
    /// The body.
    pub body: Option<BodyExpectation>,
}

/// A field and all of its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderExpectation {
    /// The name in lower case.
    pub name: String,
    /// Its values in order, exactly; never none.
    pub values: Vec<Bytes>,
}

/// What a body has to be like.
#[derive(Clone, Debug, PartialEq)]
pub enum BodyExpectation {
    /// These bytes.
    Exact(Bytes),
    /// Bytes with this SHA-256, in lower-case hexadecimal.
    Sha256(String),
    /// Equal as JSON.
    Json(Value),
    /// What was sent.
    Unchanged,
    /// These bytes are somewhere in it.
    Contains(Bytes),
}

impl Outcome {
    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Forwarded, Self::Replied, Self::Aborted].into_iter().find(|outcome| outcome.name() == name)
    }

    /// Its name in a recording.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Replied => "replied",
            Self::Aborted => "aborted",
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name())
    }
}
