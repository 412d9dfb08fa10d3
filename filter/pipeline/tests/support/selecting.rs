//! A choice among three models.

use super::{TestEnv, apply, decide, pipeline};
use ipp_pipeline::{Forward, Pipeline, Rejection, Routed};
use std::collections::BTreeMap;

/// Three models; `plugins` and `request` are more lines of the two lists.
pub fn config(plugins: &str, request: &str) -> String {
    format!(
        r#"
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: model-selector
- type: model-group-name-filter
- type: body-field-to-header
  parameters: {{fieldName: model, headerName: X-Gateway-Model-Name}}
- type: model-name-to-header
  parameters: {{headerName: X-Selected}}
- type: model-config-datasource
  parameters:
    models:
    - name: small
      pricing: {{input_per_million: 0.1, output_per_million: 0.4}}
      capacity: 4
      attributes: {{quality: 10, region: eu, tags: [code, chat]}}
    - name: medium
      pricing: {{input_per_million: 0.5}}
      capacity: 4
      attributes: {{quality: 50, region: us}}
    - {{name: large, pricing: {{input_per_million: 2.0, output_per_million: 8.0}}, capacity: 2, attributes: {{quality: 90}}}}
    groups:
    - {{name: cheap, models: [small, medium]}}
    - {{name: good, models: [medium, large]}}
{plugins}
datalayer:
  datasources: [{{pluginRef: model-config-datasource}}]
profiles:
- name: default
  plugins:
    request:
    - pluginRef: model-group-name-filter
{request}
    - pluginRef: model-selector
    - pluginRef: body-field-to-header
    response:
    - pluginRef: model-name-to-header
"#
    )
}

/// A process with gauges that outlive requests.
pub struct Process {
    pub pipeline: Pipeline,
    pub env: TestEnv,
}

impl Process {
    pub fn new(config: &str) -> Self {
        let pipeline = pipeline(config);
        let env = TestEnv { counts: vec![0; pipeline.metrics().all().len()], ..TestEnv::default() };
        Self { pipeline, env }
    }

    pub fn decide(&mut self, body: &str) -> Result<Forward, Rejection> {
        decide(&self.pipeline, &mut self.env, &[], body)
    }

    /// The model that a body is sent to, and what its end needs.
    pub fn choose(&mut self, body: &str) -> Result<(String, Routed), (u16, &'static str)> {
        let forward = self.decide(body).map_err(|rejection| (rejection.status, rejection.code))?;
        let mut headers = BTreeMap::new();
        apply(&mut headers, self.pipeline.request_headers(), &forward.headers);
        Ok((headers.remove("x-gateway-model-name").unwrap(), forward.routed))
    }

    pub fn model(&mut self, body: &str) -> Result<String, (u16, &'static str)> {
        let (model, mut routed) = self.choose(body)?;
        self.pipeline.finish(&mut routed, &mut self.env);
        Ok(model)
    }

    pub fn metric(&self, name: &str) -> u64 {
        let at = self.pipeline.metrics().all().iter().position(|metric| metric.name == name);
        self.env.counts[at.unwrap_or_else(|| panic!("no metric {name}"))]
    }

    pub fn in_flight(&self) -> [u64; 3] {
        ["small", "medium", "large"].map(|model| self.metric(&format!("model=.={model};.;ipp_inflight")))
    }
}
