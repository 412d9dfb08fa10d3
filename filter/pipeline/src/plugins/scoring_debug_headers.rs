//! `scoring-debug-headers`: the response says how the model selection came to its choice.

use crate::head::HeaderId;
use crate::plugin::{Plugin, PluginType, Response, ResponseHeadersPlugin};
use crate::state::Decision;
use ipp_selector::{Account, CandidateAccount, ExpectedTtft, Prediction};

pub(crate) const TYPE: PluginType = PluginType {
    name: "scoring-debug-headers",
    about: "Response plugin, on headers: nothing is held for it, and streams are not delayed. Says how the profile's \
            model selection came to its choice. The account of the choice is made only in profiles whose responses it \
            acts on. Headers, in place of what the model server sent under these names: `X-IPP-Scorer-Model`, the \
            chosen model; `X-IPP-Scorer-Inflight`, its requests in flight just before; `X-IPP-Scorer-Scores`, what each \
            scorer gave it, from 0 to 1, and that scorer's weight; `X-IPP-Scorer-Candidates`, every model in the order \
            of the configuration with its total or the filter that removed it. Where a scorer goes by the time to the \
            first token, also `X-IPP-Scorer-State` (`cold`, `seed`, `trusted`, or `stale`), `X-IPP-Scorer-RecentN`, \
            and if they are greater than 0 the seconds `X-IPP-Scorer-Floor`, `X-IPP-Scorer-P50` and \
            `X-IPP-Scorer-EffectiveTTFT`; and `X-IPP-Scorer-ExplorationSuppressed`, `true` where that scorer might have \
            tried the chosen model, which it knows too little of, and did not. Numbers have three decimals, counts none; lists have the form of RFC 9651, \
            and at most 1024 bytes: `more;count=N` is for what did not fit. Where no model was selected it does \
            nothing. It stands under `response` or in `postProcessing`. Clients see the names of all models: for \
            debugging. How long the first token took is not known yet when headers are sent: the access log has it \
            (`wasm.ipp_ttft_milliseconds`).",
    parameters: &[],
    example: "type: scoring-debug-headers\n",
    build: |parameters, build| {
        let mut header = |name: &str| {
            build
                .edits_response_header(&format!("X-IPP-Scorer-{name}"))
                .map_err(|why| parameters.invalid(why))
        };
        Ok(Plugin::new().explains_selection().response_headers(ScoringDebugHeaders {
            model: header("Model")?,
            in_flight: header("Inflight")?,
            scores: header("Scores")?,
            candidates: header("Candidates")?,
            state: header("State")?,
            recent: header("RecentN")?,
            floor: header("Floor")?,
            median: header("P50")?,
            effective: header("EffectiveTTFT")?,
            suppressed: header("ExplorationSuppressed")?,
        }))
    },
};

/// The longest value of a header, in bytes. Names of models have at most a quarter of that.
const MAX_BYTES: usize = 1024;
/// Room for the item that says how many more there are.
const MORE_BYTES: usize = 40;

struct ScoringDebugHeaders {
    model: HeaderId,
    in_flight: HeaderId,
    scores: HeaderId,
    candidates: HeaderId,
    state: HeaderId,
    recent: HeaderId,
    floor: HeaderId,
    median: HeaderId,
    effective: HeaderId,
    suppressed: HeaderId,
}

impl ResponseHeadersPlugin for ScoringDebugHeaders {
    fn process(&self, response: &mut Response<'_>) {
        let Some(decision) = response.state().get::<Decision>() else { return };
        let Some(chosen) = decision.account.selected() else { return };
        // What is not known is removed: the model server's word for it would pass for ours.
        let mut tell = |header, value: Option<String>| {
            response.remove_header(header);
            if let Some(value) = value.filter(|value| value.len() <= MAX_BYTES) {
                response.set_header(header, value);
            }
        };
        tell(self.model, Some(chosen.name.to_string()));
        tell(self.in_flight, decision.in_flight.map(|count| format!("{count:.0}")));
        tell(self.scores, list(scores(&decision.account, chosen)));
        tell(self.candidates, list(candidates(&decision.account)));
        let expected = decision.expected;
        let curve = decision.curve.filter(|_| expected.is_some());
        tell(self.state, expected.map(|expected| state(expected).to_owned()));
        tell(self.recent, expected.map(|_| curve.map_or(0, |curve| curve.recent).to_string()));
        tell(self.floor, curve.and_then(|curve| seconds(curve.floor)));
        tell(self.median, curve.and_then(|curve| seconds(curve.high.ttft)));
        tell(self.effective, expected.and_then(effective));
        tell(self.suppressed, decision.exploration_suppressed.then(|| "true".to_owned()));
    }
}

fn state(expected: ExpectedTtft) -> &'static str {
    match expected {
        ExpectedTtft::Stale => "stale",
        ExpectedTtft::Fresh(Prediction::Cold) => "cold",
        ExpectedTtft::Fresh(Prediction::Seed(_)) => "seed",
        ExpectedTtft::Fresh(Prediction::Trusted(_)) => "trusted",
    }
}

fn effective(expected: ExpectedTtft) -> Option<String> {
    match expected {
        ExpectedTtft::Fresh(Prediction::Seed(value) | Prediction::Trusted(value)) => seconds(value),
        ExpectedTtft::Stale | ExpectedTtft::Fresh(Prediction::Cold) => None,
    }
}

fn seconds(value: f64) -> Option<String> {
    (value > 0.0 && value.is_finite()).then(|| format!("{value:.3}"))
}

fn scores<'a>(account: &'a Account, chosen: &'a CandidateAccount) -> impl Iterator<Item = String> + 'a {
    account.scorers.iter().zip(&chosen.scores).map(|((kind, weight), score)| match score {
        Some(score) => format!("{kind};score={:.3};weight={weight:.3}", score.clamped),
        None => format!("{kind};score=none;weight={weight:.3}"),
    })
}

fn candidates(account: &Account) -> impl Iterator<Item = String> + '_ {
    account.candidates.iter().map(|candidate| {
        let name = quoted(&candidate.name);
        match candidate.removed_by.map(|filter| account.filters.get(filter).copied().unwrap_or_default()) {
            Some(filter) => format!("{name};removed-by={filter}"),
            None => format!("{name};total={:.3}", candidate.total),
        }
    })
}

/// A string of RFC 9651, which has printable ASCII only: `?` stands for another character.
fn quoted(name: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in name.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            ' '..='~' => quoted.push(letter),
            _ => quoted.push('?'),
        }
    }
    quoted.push('"');
    quoted
}

/// Whole items up to the limit, and how many did not fit; nothing for none.
fn list(items: impl Iterator<Item = String>) -> Option<String> {
    let (mut text, mut more) = (String::new(), 0_usize);
    for item in items {
        let length = text.len().saturating_add(item.len()).saturating_add(MORE_BYTES);
        if more > 0 || length > MAX_BYTES {
            more = more.saturating_add(1);
            continue;
        }
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(&item);
    }
    match (text.is_empty(), more) {
        (true, 0) => None,
        (_, 0) => Some(text),
        (true, more) => Some(format!("more;count={more}")),
        (false, more) => Some(format!("{text}, more;count={more}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_bounded_and_says_what_did_not_fit() {
        assert_eq!(list(std::iter::empty()), None);
        assert_eq!(list(["a".to_owned(), "b".to_owned()].into_iter()).as_deref(), Some("a, b"));
        let many = list((0..1000).map(|n| format!("\"model-{n}\";total=0.500"))).unwrap_or_default();
        assert!(many.len() <= MAX_BYTES, "{}", many.len());
        let shown = many.matches("total=").count();
        assert!(shown > 30 && many.ends_with(&format!(", more;count={}", 1000 - shown)), "{many}");
        assert_eq!(list(["x".repeat(2000)].into_iter()).as_deref(), Some("more;count=1"));
    }

    #[test]
    fn a_name_cannot_end_its_quotes_or_the_header() {
        assert_eq!(quoted("a\"b\\c\r\nd\u{e9}"), r#""a\"b\\c??d?""#);
    }

    #[test]
    fn only_numbers_of_seconds_are_told() {
        assert_eq!(seconds(0.2754).as_deref(), Some("0.275"));
        for none in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(seconds(none), None);
        }
    }
}
