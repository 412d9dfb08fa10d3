//! A process with two workers, that share what workers of Envoy share.

use super::{TestEnv, apply, decide, pipeline};
use ipp_pipeline::{Observed, Pipeline, Rejection, Routed};
use std::collections::BTreeMap;

const SECOND: u64 = 1_000_000_000;

/// A configuration that selects: the parameters of its data source, more lines of the data layer and of the lists of
/// plugins and of the profile's request, and what is in the list of its response.
pub fn selection(datasource: &str, data_layer: &str, plugins: &str, request: &str, response: &str) -> String {
    format!(
        "\
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: model-selector
- type: model-group-name-filter
- {{type: body-field-to-header, parameters: {{fieldName: model, headerName: X-Model}}}}
- type: model-config-datasource
  parameters:
{datasource}
{plugins}
datalayer:
  datasources: [{{pluginRef: model-config-datasource}}]
{data_layer}
profiles:
- name: default
  plugins:
    request:
    - pluginRef: model-group-name-filter
{request}
    - pluginRef: model-selector
    - pluginRef: body-field-to-header
    response: [{response}]
"
    )
}

/// Workers of one process: each has its own pipeline, all have the same metrics and records.
pub struct Process {
    pub workers: Vec<Pipeline>,
    pub env: TestEnv,
}

impl Process {
    pub fn new(config: &str) -> Self {
        let workers = vec![pipeline(config), pipeline(config)];
        let counts = vec![0; workers[0].metrics().all().len()];
        let metrics = workers[0].metrics().clone();
        Self { workers, env: TestEnv { counts, metrics, now: 1000 * SECOND, ..TestEnv::default() } }
    }

    pub fn pass(&mut self, nanos: u64) {
        self.env.now += nanos;
    }

    /// The model that a worker gives a request to; the request is not over.
    pub fn send(&mut self, worker: usize, headers: &[(&str, &str)], body: &str) -> (String, Routed) {
        self.try_send(worker, headers, body).unwrap()
    }

    /// The same, or the refusal.
    pub fn try_send(
        &mut self,
        worker: usize,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<(String, Routed), Rejection> {
        let pipeline = &self.workers[worker];
        let forward = decide(pipeline, &mut self.env, headers, body)?;
        let mut headers = BTreeMap::new();
        apply(&mut headers, pipeline.request_headers(), &forward.headers);
        Ok((headers.remove("x-model").unwrap(), forward.routed))
    }

    /// One request to a model by name, which ends like that.
    pub fn serve(&mut self, worker: usize, model: &str, observed: Observed) {
        let (chosen, mut routed) = self.send(worker, &[], &format!(r#"{{"model":"{model}"}}"#));
        assert_eq!(chosen, model);
        self.pass(observed.duration_ns);
        self.workers[worker].observed(&mut routed, &observed, &mut self.env);
        self.workers[worker].finish(&mut routed, &mut self.env);
    }

    /// How many of 40 requests go to `a` in a worker, a second later.
    pub fn sent_to_a(&mut self, worker: usize) -> usize {
        self.pass(SECOND);
        let mut count = 0;
        for _ in 0..40 {
            let (model, mut routed) = self.send(worker, &[], r#"{"model":"auto"}"#);
            count += usize::from(model == "a");
            self.workers[worker].finish(&mut routed, &mut self.env);
        }
        count
    }

    pub fn metric(&self, name: &str) -> u64 {
        let at = self.env.metrics.all().iter().position(|metric| metric.name == name);
        self.env.counts[at.unwrap_or_else(|| panic!("no metric {name}"))]
    }

    /// Headers of a response to a request that worker 0 sent.
    pub fn response(&mut self, routed: &Routed) -> BTreeMap<String, String> {
        let none: [(&[u8], &[u8]); 0] = [];
        let edits = self.workers[0].respond(routed, none.into_iter(), true, &mut self.env).headers;
        let mut headers = BTreeMap::new();
        apply(&mut headers, self.workers[0].response_header_names(), &edits);
        headers
    }
}
