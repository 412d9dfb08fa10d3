//! What an upstream answers: a head and a script of steps that send, wait, hold or break off.

use std::collections::BTreeSet;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::watch;

use crate::message::Headers;

/// One step of an answer, taken in order.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sends these bytes of the body and flushes them.
    Send(Bytes),
    /// Waits.
    Sleep(Duration),
    /// Waits until the gate is opened.
    Hold(Gate),
    /// Waits for something of the caller's.
    Await(Pause),
    /// Resets the connection (HTTP/1) or the stream (HTTP/2).
    Reset,
}

/// Something to wait for in the middle of an answer.
#[derive(Clone)]
pub struct Pause(Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>);

impl Pause {
    /// As long as the future that `begin` makes takes.
    pub fn new<F: Future<Output = ()> + Send + 'static>(
        begin: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move || Box::pin(begin())))
    }

    /// Returns when it is over.
    pub async fn over(&self) {
        (self.0)().await;
    }
}

impl fmt::Debug for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pause")
    }
}

/// A scripted answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Taken before the head is sent.
    pub before: Vec<Step>,
    /// The status code.
    pub status: u16,
    /// The fields; content-length and transfer-encoding are added where they are needed.
    pub headers: Headers,
    /// Taken after the head.
    pub steps: Vec<Step>,
    /// Sent after the body.
    pub trailers: Headers,
    /// After the head the connection is a tunnel that sends every byte back.
    pub tunnel: bool,
}

impl Answer {
    /// A status with no body.
    pub fn status(status: u16) -> Self {
        let (before, steps) = (Vec::new(), Vec::new());
        Self { before, status, headers: Headers::new(), steps, trailers: Headers::new(), tunnel: false }
    }

    /// A body of that type.
    pub fn body(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let mut answer = Self::status(status).header("content-type", content_type);
        answer.steps.push(Step::Send(body.into()));
        answer
    }

    /// A JSON document.
    pub fn json(status: u16, document: &Value) -> Self {
        Self::body(status, "application/json", document.to_string())
    }

    /// Server-sent events, each after its delay. The text of an event goes into one `data:` line.
    pub fn events<T: AsRef<str>>(events: impl IntoIterator<Item = (Duration, T)>) -> Self {
        let mut answer = Self::status(200).header("content-type", "text/event-stream");
        for (after, data) in events {
            if !after.is_zero() {
                answer.steps.push(Step::Sleep(after));
            }
            answer.steps.push(Step::Send(format!("data: {}\n\n", data.as_ref()).into()));
        }
        answer
    }

    /// With one more field.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push(name, value);
        self
    }

    /// With one more step at the end.
    #[must_use]
    pub fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// With one more step before the head.
    #[must_use]
    pub fn first(mut self, step: Step) -> Self {
        self.before.push(step);
        self
    }

    /// With one more trailer.
    #[must_use]
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        self.trailers.push(name, value);
        self
    }

    /// As a tunnel that echoes, for upgrades and CONNECT.
    #[must_use]
    pub fn tunnel(mut self) -> Self {
        self.tunnel = true;
        self
    }

    /// With the body cut at these offsets, whatever it was made of.
    #[must_use]
    pub fn split_at(mut self, offsets: &[usize]) -> Self {
        let offsets = BTreeSet::from_iter(offsets);
        let mut position = 0;
        let mut steps = Vec::new();
        for step in self.steps {
            let Step::Send(bytes) = step else {
                steps.push(step);
                continue;
            };
            let end = position + bytes.len();
            let mut rest = bytes;
            for offset in offsets.iter().filter(|offset| (position + 1..end).contains(**offset)) {
                let size = **offset - (end - rest.len());
                steps.push(Step::Send(rest.split_to(size)));
            }
            steps.push(Step::Send(rest));
            position = end;
        }
        self.steps = steps;
        self
    }

    /// The length of the body when it is sent at once and nothing follows it; else the body has to be
    /// chunked.
    pub(crate) fn known_length(&self) -> Option<usize> {
        match self.steps.as_slice() {
            [] if self.trailers.is_empty() => Some(0),
            [Step::Send(bytes)] if self.trailers.is_empty() => Some(bytes.len()),
            _ => None,
        }
    }
}

/// Holds answers back until it is opened; clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everything through, now and later.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    /// Returns once the gate is open.
    pub async fn passed(&self) {
        // The sender lives in `self`, so the channel cannot close while this waits.
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_cut_across_events() {
        let events = [(Duration::ZERO, "ab"), (Duration::from_millis(1), "cd")];
        let answer = Answer::events(events).split_at(&[13, 1, 10, 11, 11]);
        let sent: Vec<_> = answer
            .steps
            .iter()
            .map(|step| match step {
                Step::Send(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(sent, ["d", "ata: ab\n\n", "Sleep(1ms)", "d", "at", "a: cd\n\n"]);
    }
}
