//! A world for tests: a clock that stands still between ticks, counters that can be read, edits that are applied.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

pub mod answer;
pub mod process;
pub mod selecting;

use ipp_pipeline::config::{BuildInfo, ConfigErrors, load};
use ipp_pipeline::plugin::{HeaderEdit, Registry, Splice};
use ipp_pipeline::{
    Entered, Env, Forward, HeaderTable, MetricId, MetricKind, Metrics, Pipeline, Progress, Rejection, Routed,
    Shared, stock,
};
use std::collections::BTreeMap;

pub const INFO: BuildInfo = BuildInfo { commit: "c0ffee", build_ref: "1.2.3" };

/// A configuration that defines every metric but those of model selection and of sources.
pub const METRICS_OF_RESPONSES: &str = "
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: body-field-to-header
  parameters: {fieldName: model, headerName: X-Model}
- type: response-field-to-header
  parameters: {fieldName: id, headerName: X-Id}
profiles:
- name: default
  plugins: {request: [{pluginRef: body-field-to-header}], response: [{pluginRef: response-field-to-header}]}
proxyWasm:
  responses: {models: [{name: a, inputPerMillion: 1, outputPerMillion: 1}]}
";

/// Everything that happened to a request.
#[derive(Debug)]
pub struct Outcome {
    /// Headers that the upstream sees, names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
    pub content_length: Option<usize>,
    pub rejection: Option<Rejection>,
    pub held: bool,
    pub routed: Routed,
    pub metrics: BTreeMap<String, u64>,
}

impl Outcome {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub fn metric(&self, name: &str) -> u64 {
        self.metrics.get(name).copied().unwrap_or(0)
    }

    pub fn refused(&self) -> (u16, &str) {
        self.rejection.as_ref().map_or((200, ""), |rejection| (rejection.status, rejection.code))
    }
}

#[derive(Default)]
pub struct TestEnv {
    pub counts: Vec<u64>,
    pub now: u64,
    /// What workers share, with the number of each state.
    pub records: BTreeMap<String, (Vec<u8>, u32)>,
    /// So many writes come too late: another worker was first.
    pub late: u32,
    /// The configuration's metrics, and behind them what sources brought.
    pub metrics: Metrics,
}

impl Env for TestEnv {
    fn now_ns(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    fn random(&mut self) -> u64 {
        4
    }

    fn add(&mut self, metric: MetricId, by: u64) {
        self.counts[metric.index()] += by;
    }

    fn record(&mut self, metric: MetricId, _: u64) {
        self.counts[metric.index()] += 1;
    }

    fn shift(&mut self, shifts: &[(MetricId, i64)]) {
        for (gauge, by) in shifts {
            let count = &mut self.counts[gauge.index()];
            *count = count.checked_add_signed(*by).expect("a gauge below 0");
        }
    }

    fn gauge(&mut self, gauge: MetricId) -> u64 {
        self.counts[gauge.index()]
    }

    fn counter(&mut self, counter: MetricId) -> u64 {
        self.counts[counter.index()]
    }

    fn define(&mut self, kind: MetricKind, full_name: &str) -> MetricId {
        let metric = self.metrics.add(kind, full_name);
        let count = self.counts.len().max(metric.index() + 1);
        self.counts.resize(count, 0);
        metric
    }

    fn shared(&mut self, key: &str) -> Shared {
        match self.records.get(key) {
            Some((bytes, number)) => Shared { bytes: Some(bytes.clone()), number: *number },
            None => Shared::default(),
        }
    }

    fn write_shared(&mut self, key: &str, bytes: &[u8], seen: &Shared) -> bool {
        let number = self.records.get(key).map_or(0, |(_, number)| *number);
        if self.late > 0 {
            self.late -= 1;
            return false;
        }
        if number != seen.number {
            return false;
        }
        self.records.insert(key.to_owned(), (bytes.to_vec(), number + 1));
        true
    }
}

pub fn pipeline(config: &str) -> Pipeline {
    load(config, &stock(), INFO).unwrap_or_else(|errors| panic!("{errors}"))
}

pub fn refused(config: &str, registry: &Registry) -> ConfigErrors {
    match load(config, registry, INFO) {
        Ok(_) => panic!("accepted: {config}"),
        Err(errors) => errors,
    }
}

/// A POST of a JSON body to /v1/completions with more headers of the client, in one piece.
pub fn post(pipeline: &Pipeline, headers: &[(&str, &str)], body: &str) -> Outcome {
    let mut all =
        vec![(":method", "POST"), (":path", "/v1/completions"), ("content-type", "application/json")];
    all.extend(headers);
    let length = body.len().to_string();
    all.push(("content-length", &length));
    send(pipeline, &all, body)
}

/// What is decided about a POST of a JSON body with more headers of the client, in one piece. It has to be held.
pub fn decide(
    pipeline: &Pipeline,
    env: &mut TestEnv,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Forward, Rejection> {
    let mut all =
        vec![(":method", "POST"), (":path", "/v1/completions"), ("content-type", "application/json")];
    all.extend(headers);
    let bytes = all.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let Entered::Hold(mut held) = pipeline.enter(bytes, false).1 else { panic!("not held") };
    assert_eq!(pipeline.feed(&mut held, body.as_bytes()), Progress::More);
    pipeline.decide(held, env)
}

pub fn send(pipeline: &Pipeline, headers: &[(&str, &str)], body: &str) -> Outcome {
    let mut env = TestEnv { counts: vec![0; pipeline.metrics().all().len()], ..TestEnv::default() };
    let bytes = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let (removals, entered) = pipeline.enter(bytes, body.is_empty());
    let mut seen: BTreeMap<String, String> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    apply(&mut seen, pipeline.request_headers(), &removals);
    let mut outcome = Outcome {
        headers: BTreeMap::new(),
        body: body.to_owned(),
        content_length: None,
        rejection: None,
        held: matches!(entered, Entered::Hold(_)),
        routed: Routed::default(),
        metrics: BTreeMap::new(),
    };
    match entered {
        Entered::Reject(rejection) => outcome.rejection = Some(rejection),
        Entered::Pass(_) => {}
        Entered::Hold(mut held) => match pipeline.feed(&mut held, body.as_bytes()) {
            Progress::Reject(rejection) => outcome.rejection = Some(rejection),
            Progress::Bypass => {}
            Progress::More => match pipeline.decide(held, &mut env) {
                Err(rejection) => outcome.rejection = Some(rejection),
                Ok(forward) => {
                    apply(&mut seen, pipeline.request_headers(), &forward.headers);
                    outcome.body = splice(body, &forward.body);
                    outcome.content_length = forward.content_length;
                    outcome.routed = forward.routed;
                }
            },
        },
    }
    outcome.headers = seen;
    outcome.metrics = pipeline
        .metrics()
        .all()
        .iter()
        .zip(env.counts)
        .map(|(metric, count)| (metric.name.clone(), count))
        .collect();
    outcome
}

pub fn apply(headers: &mut BTreeMap<String, String>, names: &HeaderTable, edits: &[HeaderEdit]) {
    for edit in edits {
        let name = names.name(edit.header).to_owned();
        match &edit.value {
            Some(value) => drop(headers.insert(name, String::from_utf8(value.clone()).unwrap())),
            None => drop(headers.remove(&name)),
        }
    }
}

fn splice(body: &str, splices: &[Splice]) -> String {
    let mut changed = String::new();
    let mut copied = 0;
    for splice in splices {
        changed.push_str(&body[copied..splice.range.start]);
        changed.push_str(std::str::from_utf8(&splice.bytes).unwrap());
        copied = splice.range.end;
    }
    changed.push_str(&body[copied..]);
    changed
}
