//! The response of a request that went on: watched while it passes, changed by whole events, or held, as its
//! configuration has it; and its account, once, when all has ended.

use crate::active::Active;
use crate::apply;
use crate::host::{self, Buffer, Map};
use ipp_pipeline::response::{Answer, Need, Usage};
use ipp_pipeline::{Finished, Rejection, Routed};
use proxy_wasm::types::Action;

/// What a callback comes to.
pub(crate) enum Next {
    /// Envoy goes on.
    Go(Action),
    /// The response is replaced.
    Reject(Rejection),
}

const GO: Next = Next::Go(Action::Continue);
const HOLD: Next = Next::Go(Action::Pause);

/// Response headers came. The response from here on; nothing if it is of no interest.
pub(crate) fn headers(active: &Active, routed: &Routed, end_of_stream: bool) -> (Option<Answer>, Next) {
    let pipeline = &active.pipeline;
    if !pipeline.follows(routed) {
        return (None, GO);
    }
    let Ok(headers) = host::headers(Map::Response) else { return (None, GO) };
    let answered = pipeline.respond(routed, headers.iter(), end_of_stream, &mut active.env());
    if let Some(rejection) = answered.reject {
        return (Some(answered.answer), Next::Reject(rejection));
    }
    // A response that cannot be edited is not ours to fail.
    apply::headers(Map::Response, pipeline.response_header_names(), &answered.headers).ok();
    if answered.unframe {
        host::remove_header(Map::Response, "content-length").ok();
    }
    (Some(answered.answer), if answered.hold { HOLD } else { GO })
}

/// Some of the body came: `size` bytes, of which a response that is held has all that came so far.
pub(crate) fn body(
    active: &Active,
    routed: &Routed,
    answer: &mut Answer,
    size: usize,
    end_of_stream: bool,
) -> Next {
    let pipeline = &active.pipeline;
    let need = answer.needs();
    if end_of_stream {
        answer.end();
    }
    match need {
        Need::End => {}
        Need::Time if size > 0 => pipeline.arrived(answer, &mut active.env()),
        Need::Time => {}
        Need::Bytes => return chunk(active, routed, answer, size, end_of_stream),
        Need::Whole if end_of_stream => return whole(active, routed, answer),
        Need::Whole if pipeline.outgrew(size) => {
            pipeline.let_go(answer);
            if let Err(rejection) = pipeline.unreadable(routed, &mut active.env()) {
                return Next::Reject(rejection);
            }
        }
        Need::Whole => return HOLD,
    }
    GO
}

fn chunk(active: &Active, routed: &Routed, answer: &mut Answer, size: usize, end_of_stream: bool) -> Next {
    let bytes = match size {
        0 => Vec::new(),
        _ => match host::read(Buffer::ResponseBody, 0, size) {
            Ok(bytes) => bytes,
            Err(_) => return GO,
        },
    };
    let changed = active.pipeline.pass(routed, answer, &bytes, end_of_stream, &mut active.env());
    if let Some(changed) = changed
        && let Err(refused) = host::replace_start(Buffer::ResponseBody, size, &changed)
    {
        log::warn!("the host refused a change of a response's body (status {})", refused.0);
    }
    GO
}

/// A held response is complete.
pub(crate) fn whole(active: &Active, routed: &Routed, answer: &mut Answer) -> Next {
    let pipeline = &active.pipeline;
    // Held bytes are all there is, however many; an empty body has none to be read.
    let bytes = host::read(Buffer::ResponseBody, 0, usize::MAX >> 1).unwrap_or_default();
    let Ok(headers) = host::headers(Map::Response) else { return GO };
    let whole = match pipeline.whole(routed, answer, headers.iter(), &bytes, &mut active.env()) {
        Ok(whole) => whole,
        Err(rejection) => return Next::Reject(rejection),
    };
    apply::headers(Map::Response, pipeline.response_header_names(), &whole.headers).ok();
    if let Some(body) = whole.body {
        let length = body.len().to_string();
        let replaced = host::set_header(Map::Response, "content-length", length.as_bytes())
            .and_then(|()| host::replace_start(Buffer::ResponseBody, bytes.len(), &body));
        if replaced.is_err() {
            return Next::Reject(Rejection::internal("the response could not be edited"));
        }
    }
    GO
}

/// Accounts for a request that has ended, if that was not done. The access log can be told while it is written.
pub(crate) fn finish(active: &Active, routed: &mut Routed, answer: Option<Answer>, logging: bool) {
    let pipeline = &active.pipeline;
    if !pipeline.accounts(routed) {
        return;
    }
    let details = host::property("response\0code_details").unwrap_or_default();
    let finished = pipeline.account_for(routed, answer, &details, &mut active.env());
    if let Some(finished) = finished
        && logging
        && pipeline.options().responses.access_log
    {
        tell(&finished, pipeline.profile_name(finished.profile));
    }
}

/// Leaves what is known as filter state: `%FILTER_STATE(wasm.ipp_outcome:PLAIN)%` in an access log.
fn tell(finished: &Finished, profile: &str) {
    let number = |number: Option<u64>| number.map(|number| number.to_string());
    let usage =
        finished.usage.unwrap_or(Usage { prompt: None, completion: None, cached: None, reasoning: None });
    let milliseconds = |nanos: u64| nanos.checked_div(1_000_000).unwrap_or(0);
    let texts = [
        ("ipp_outcome", Some(finished.outcome.label().to_owned())),
        ("ipp_profile", Some(profile.to_owned())),
        ("ipp_requested_model", finished.requested_model.clone()),
        ("ipp_model", finished.model.clone()),
        ("ipp_served_model", finished.served_model.clone()),
        ("ipp_prompt_tokens", number(usage.prompt)),
        ("ipp_completion_tokens", number(usage.completion)),
        ("ipp_cached_tokens", number(usage.cached)),
        ("ipp_reasoning_tokens", number(usage.reasoning)),
        ("ipp_ttft_milliseconds", number(finished.ttft_ns.map(milliseconds))),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            // Without it a log line says a little less.
            host::set_property(name, text.as_bytes()).ok();
        }
    }
}
