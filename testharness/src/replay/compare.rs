//! Compares what an engine saw with what a recording expects; every difference is one short sentence.

mod body;

use crate::message::Headers;
use crate::recording::{
    Abort, BodyExpectation, Exchange, Expectation, MessageExpectation, Metrics, Outcome, Reset,
};

use super::engine::{Observed, Response};

pub(super) use body::show;

/// Everything in which an exchange came out otherwise than expected; nothing if it is as it should be.
pub fn compare(exchange: &Exchange, observed: &Observed) -> Vec<String> {
    let mut found = Found { exchange, observed, reasons: Vec::new() };
    found.always();
    if let Some(expectation) = &exchange.expect {
        found.expectation(expectation);
        found.one_of(&expectation.one_of);
    }
    found.metrics(&exchange.metrics);
    found.reasons
}

struct Found<'a> {
    exchange: &'a Exchange,
    observed: &'a Observed,
    reasons: Vec<String>,
}

impl Found<'_> {
    fn add(&mut self, reason: impl Into<String>) {
        self.reasons.push(reason.into());
    }

    /// What no recording has to say.
    fn always(&mut self) {
        let observed = self.observed;
        self.reasons.extend(observed.traps.iter().map(|trap| format!("the module trapped: {trap}")));
        self.reasons.extend(observed.errors.iter().map(|line| format!("the filter logged an error: {line}")));
        if !expects_body(self.exchange.expect.as_ref(), |expectation| &expectation.request) {
            self.reasons.extend(request_changed(self.exchange, observed));
        }
        if !expects_body(self.exchange.expect.as_ref(), |expectation| &expectation.response) {
            self.reasons.extend(response_changed(self.exchange, observed));
        }
        if observed.outcome == Outcome::Aborted {
            return;
        }
        let request = observed.request.as_ref().map(|message| (&message.headers, message.body.len()));
        let response = observed.response.as_ref().filter(|response| has_body(self.exchange, response));
        let response = response.map(|response| (&response.headers, response.body.len()));
        for (side, message) in [("request", request), ("response", response)] {
            let Some((headers, length)) = message else { continue };
            let stale = headers.all("content-length").find(|value| *value != length.to_string().as_bytes());
            if let Some(stale) = stale {
                self.add(format!("{side} content-length: got {} with a body of {length} bytes", show(stale)));
            }
        }
    }

    fn expectation(&mut self, expectation: &Expectation) {
        let observed = self.observed;
        if let Some(outcome) = expectation.outcome
            && outcome != observed.outcome
        {
            let answer = observed.response.as_ref().map(answer).unwrap_or_default();
            self.add(format!("outcome: expected {outcome}, got {}{answer}", observed.outcome));
        }
        if let Some(cluster) = &expectation.cluster
            && observed.cluster.as_ref() != Some(cluster)
        {
            let got = observed.cluster.as_ref().map_or_else(|| "none".to_owned(), |name| format!("{name:?}"));
            self.add(format!("cluster: expected {cluster:?}, got {got}"));
        }
        let request = observed.request.as_ref().map(|message| (&message.headers, &message.body));
        let request = request.map(|(headers, body)| (headers, &body[..]));
        self.message("request", &expectation.request, request, &self.exchange.request.body);
        self.response(&expectation.response);
    }

    fn response(&mut self, expected: &MessageExpectation) {
        let response = self.observed.response.as_ref();
        if let (Some(status), Some(response)) = (expected.status, response)
            && status != response.status
        {
            self.add(format!(
                "response status: expected {status}, got {}{}",
                response.status,
                answer(response)
            ));
        }
        let response = response.map(|response| (&response.headers, &response.body[..]));
        self.message("response", expected, response, &self.exchange.upstream.body());
    }

    fn message(
        &mut self,
        side: &str,
        expected: &MessageExpectation,
        got: Option<(&Headers, &[u8])>,
        sent: &[u8],
    ) {
        let Some((headers, body)) = got else {
            if expected.status.is_some() || !expected.headers.is_empty() || expected.body.is_some() {
                self.add(format!("{side}: expected one, got none"));
            }
            return;
        };
        for header in &expected.headers {
            let got: Vec<_> = headers.all(&header.name).collect();
            if got != header.values {
                let (expected, got) = (values(header.values.iter().map(|value| &value[..])), values(got));
                self.add(format!("{side} header {}: expected {expected}, got {got}", header.name));
            }
        }
        for name in &expected.absent {
            if headers.contains(name) {
                self.add(format!("{side} header {name}: expected none, got {}", values(headers.all(name))));
            }
        }
        if let Some(expected) = &expected.body {
            self.reasons.extend(body::differs(expected, body, sent).map(|reason| format!("{side} {reason}")));
        }
    }

    fn one_of(&mut self, alternatives: &[Expectation]) {
        let mut closest: Option<(usize, Vec<String>)> = None;
        for (index, alternative) in alternatives.iter().enumerate() {
            let mut found = Found { exchange: self.exchange, observed: self.observed, reasons: Vec::new() };
            found.expectation(alternative);
            if found.reasons.is_empty() {
                return;
            }
            if closest.as_ref().is_none_or(|(_, reasons)| found.reasons.len() < reasons.len()) {
                closest = Some((index, found.reasons));
            }
        }
        if let Some((index, reasons)) = closest {
            let (count, reasons) = (alternatives.len(), reasons.join(", "));
            self.add(format!(
                "none of the {count} alternatives holds; the nearest is oneOf[{index}]: {reasons}"
            ));
        }
    }

    fn metrics(&mut self, expected: &Metrics) {
        for (name, expected) in expected {
            // What was never touched may be missing.
            let got = self.observed.metrics.get(name).copied().unwrap_or_default();
            if got != *expected {
                self.add(format!("metric {name}: expected {expected}, got {got}"));
            }
        }
    }
}

fn expects_body(expect: Option<&Expectation>, side: impl Fn(&Expectation) -> &MessageExpectation) -> bool {
    let names = |expectation: &Expectation| {
        side(expectation).body.as_ref().is_some_and(|body| !matches!(body, BodyExpectation::Contains(_)))
    };
    expect.is_some_and(|expect| names(expect) || expect.one_of.iter().any(names))
}

/// Whether the request's body arrived otherwise than it was sent.
pub(super) fn request_changed(exchange: &Exchange, observed: &Observed) -> Option<String> {
    let got = &observed.request.as_ref()?.body;
    changed("request", &exchange.request.body, got, observed.outcome == Outcome::Aborted)
}

/// Whether the response's body arrived otherwise than the upstream sent it.
pub(super) fn response_changed(exchange: &Exchange, observed: &Observed) -> Option<String> {
    let response = observed.response.as_ref()?;
    let own = observed.outcome != Outcome::Replied && exchange.upstream.reset != Some(Reset::Headers);
    if !own || !has_body(exchange, response) {
        return None;
    }
    let cut = observed.outcome == Outcome::Aborted
        || exchange.upstream.reset.is_some()
        || matches!(exchange.request.abort, Some(Abort::AfterResponseBytes(_)));
    changed("response", &exchange.upstream.body(), &response.body, cut)
}

fn changed(side: &str, sent: &[u8], got: &[u8], cut: bool) -> Option<String> {
    if got == sent || cut && sent.starts_with(got) {
        return None;
    }
    let difference = body::bytes(sent, got);
    Some(format!("{side} body: changed, and nothing in \"expect\" says so: {difference}"))
}

/// Whether a body can follow the head of a response.
fn has_body(exchange: &Exchange, response: &Response) -> bool {
    exchange.request.method != "HEAD" && !matches!(response.status, 204 | 304)
}

fn answer(response: &Response) -> String {
    match response.body.is_empty() || response.status < 400 {
        true => format!(" ({})", response.status),
        false => format!(" ({} {})", response.status, show(&response.body)),
    }
}

/// `"a"`, `"a" and "b"`, or `nothing`.
pub(super) fn values<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> String {
    let shown: Vec<_> = values.into_iter().map(show).collect();
    if shown.is_empty() { "nothing".to_owned() } else { shown.join(" and ") }
}
