//! Compares what several engines saw of one exchange.

use std::collections::BTreeSet;

use crate::message::{Headers, sha256_hex};
use crate::recording::{EngineKind, Exchange, Expectation, MessageExpectation, Outcome, Plan, Recording};

use super::compare::{show, values};
use super::engine::{Observed, Ran};

/// A difference between engines: the exchange, if it is about one, and what each of them saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The exchange.
    pub exchange: Option<String>,
    /// Which engines saw what.
    pub why: String,
}

/// Everything in which engines differ from the first of them.
pub fn differences(recording: &Recording, ran: &[(EngineKind, Ran)]) -> Vec<Difference> {
    let Some(((first, of_first), others)) = ran.split_first() else { return Vec::new() };
    let mut all = Vec::new();
    for (other, of_other) in others {
        let mut found = |exchange: Option<&Exchange>, reasons: Vec<String>| {
            if !reasons.is_empty() {
                let why = format!("{first} and {other} differ: {}", reasons.join("; "));
                all.push(Difference { exchange: exchange.map(|exchange| exchange.id.clone()), why });
            }
        };
        match (of_first, of_other) {
            (Ran::Exchanges(left), Ran::Exchanges(right)) => {
                for (exchange, (left, right)) in recording.exchanges().iter().zip(left.iter().zip(right)) {
                    found(Some(exchange), exchange_differs(exchange, (*first, left), (*other, right)));
                }
            }
            (Ran::Refused(_), Ran::Refused(_)) => {}
            // Where the refusal is not expected, it has been reported as a failure of its own.
            (refused, _) if matches!(recording.plan, Plan::Exchanges(_)) => {
                let (refusing, accepting) =
                    if matches!(refused, Ran::Refused(_)) { (first, other) } else { (other, first) };
                found(None, vec![format!("{refusing} refused the configuration, {accepting} did not")]);
            }
            _ => found(None, vec!["only one of them refused the configuration".to_owned()]),
        }
    }
    all
}

fn exchange_differs(
    exchange: &Exchange,
    left: (EngineKind, &Observed),
    right: (EngineKind, &Observed),
) -> Vec<String> {
    let mut pair = Pair { names: (left.0, right.0), reasons: Vec::new() };
    let (left, right) = (left.1, right.1);
    pair.same("outcome", left.outcome.name(), right.outcome.name());
    let names = exchange.expect.as_ref().map(named).unwrap_or_default();
    // How far something came before somebody broke off is a matter of time.
    let whole = left.outcome != Outcome::Aborted && right.outcome != Outcome::Aborted;
    if whole || names.cluster {
        pair.same("cluster", &format!("{:?}", left.cluster), &format!("{:?}", right.cluster));
    }
    let status = |seen: &Observed| seen.response.as_ref().map_or(0, |response| response.status).to_string();
    if whole || names.status {
        pair.same("response status", &status(left), &status(right));
    }
    let body = |body: &[u8]| match body.len() > 200 {
        true => format!("{} bytes with the SHA-256 {}", body.len(), sha256_hex(body)),
        false => show(body),
    };
    let request = |seen: &Observed| seen.request.as_ref().map_or("none".to_owned(), |it| body(&it.body));
    if whole {
        pair.same("request body", &request(left), &request(right));
    }
    let response = |seen: &Observed| seen.response.as_ref().map_or("none".to_owned(), |it| body(&it.body));
    if names.response_body {
        pair.same("response body", &response(left), &response(right));
    }
    let fields =
        |headers: Option<&Headers>, name: &str| headers.map_or("none".to_owned(), |it| values(it.all(name)));
    for name in &names.request_headers {
        let of = |seen: &Observed| fields(seen.request.as_ref().map(|it| &it.headers), name);
        pair.same(&format!("request header {name}"), &of(left), &of(right));
    }
    for name in &names.response_headers {
        let of = |seen: &Observed| fields(seen.response.as_ref().map(|it| &it.headers), name);
        pair.same(&format!("response header {name}"), &of(left), &of(right));
    }
    for name in exchange.metrics.keys() {
        let of = |seen: &Observed| seen.metrics.get(name).copied().unwrap_or_default().to_string();
        pair.same(&format!("metric {name}"), &of(left), &of(right));
    }
    pair.reasons
}

struct Pair {
    names: (EngineKind, EngineKind),
    reasons: Vec<String>,
}

impl Pair {
    fn same(&mut self, what: &str, left: &str, right: &str) {
        if left != right {
            self.reasons.push(format!("{what}: {} {left}, {} {right}", self.names.0, self.names.1));
        }
    }
}

/// What an expectation names, its alternatives included.
#[derive(Default)]
struct Named {
    cluster: bool,
    status: bool,
    response_body: bool,
    request_headers: BTreeSet<String>,
    response_headers: BTreeSet<String>,
}

fn named(expectation: &Expectation) -> Named {
    let mut all = Named::default();
    for expectation in expectation.one_of.iter().chain([expectation]) {
        let headers = |side: &MessageExpectation| {
            let present = side.headers.iter().map(|header| header.name.clone());
            present.chain(side.absent.iter().cloned()).collect::<Vec<_>>()
        };
        all.cluster |= expectation.cluster.is_some();
        all.status |= expectation.response.status.is_some();
        all.response_body |= expectation.response.body.is_some();
        all.request_headers.extend(headers(&expectation.request));
        all.response_headers.extend(headers(&expectation.response));
    }
    all
}
