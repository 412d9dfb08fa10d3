//! A response through the pipeline, in chunks.

use super::{TestEnv, apply};
use ipp_pipeline::response::Need;
use ipp_pipeline::{Finished, Pipeline, Rejection, Routed};
use std::collections::BTreeMap;

/// What the client got, and what was accounted for.
#[derive(Debug)]
pub struct Passed {
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    /// What the client got with each chunk.
    pub pieces: Vec<usize>,
    pub held: bool,
    pub read: usize,
    pub rejection: Option<Rejection>,
    pub finished: Option<Finished>,
    pub metrics: BTreeMap<String, u64>,
}

impl Passed {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn metric(&self, name: &str) -> u64 {
        *self.metrics.get(name).unwrap_or_else(|| panic!("no {name} in {:#?}", self.metrics.keys()))
    }
}

pub const DONE: &[u8] = b"via_upstream";

/// A response in chunks through the pipeline, as the proxy does it. It ends unless `details` say that it was cut.
pub fn pass(
    pipeline: &Pipeline,
    mut routed: Routed,
    headers: &[(&str, &str)],
    chunks: &[&[u8]],
    details: &[u8],
) -> Passed {
    let mut env = TestEnv { counts: vec![0; pipeline.metrics().all().len()], ..TestEnv::default() };
    let cut = details != DONE;
    let all = || [(":status", "200")].into_iter().chain(headers.iter().copied());
    let bytes = || all().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let answered = pipeline.respond(&routed, bytes(), chunks.is_empty() && !cut, &mut env);
    let mut passed = Passed {
        headers: all().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        body: Vec::new(),
        pieces: Vec::new(),
        held: answered.hold,
        read: 0,
        rejection: answered.reject,
        finished: None,
        metrics: BTreeMap::new(),
    };
    apply(&mut passed.headers, pipeline.response_header_names(), &answered.headers);
    let mut answer = answered.answer;
    let mut kept: Vec<u8> = Vec::new();
    for (index, chunk) in chunks.iter().enumerate() {
        let end = !cut && index + 1 == chunks.len();
        let mut out = chunk.to_vec();
        match answer.needs() {
            Need::End => {}
            Need::Time => pipeline.arrived(&mut answer, &mut env),
            Need::Bytes => {
                passed.read += 1;
                if let Some(changed) = pipeline.pass(&routed, &mut answer, chunk, end, &mut env) {
                    out = changed;
                }
            }
            Need::Whole => {
                kept.append(&mut out);
                if pipeline.outgrew(kept.len()) {
                    pipeline.let_go(&mut answer);
                    out = std::mem::take(&mut kept);
                    passed.rejection = pipeline.unreadable(&routed, &mut env).err();
                } else if end {
                    match pipeline.whole(&routed, &mut answer, bytes(), &kept, &mut env) {
                        Ok(whole) => {
                            apply(&mut passed.headers, pipeline.response_header_names(), &whole.headers);
                            out = whole.body.unwrap_or_else(|| std::mem::take(&mut kept));
                        }
                        Err(rejection) => passed.rejection = Some(rejection),
                    }
                }
            }
        }
        if end {
            answer.end();
        }
        passed.pieces.push(out.len());
        passed.body.extend(out);
    }
    passed.finished = pipeline.account_for(&mut routed, Some(answer), details, &mut env);
    assert_eq!(pipeline.account_for(&mut routed, None, details, &mut env), None, "accounted for twice");
    let all = pipeline.metrics().all().iter().zip(env.counts);
    passed.metrics = all.map(|(metric, count)| (metric.name.clone(), count)).collect();
    passed
}

pub const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
pub const SSE: &[(&str, &str)] = &[("content-type", "text/event-stream")];

pub const HI: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n";
pub const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\n\n";
pub const END: &str = "data: [DONE]\n\n";
