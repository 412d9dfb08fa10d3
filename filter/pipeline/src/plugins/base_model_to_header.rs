//! `base-model-to-header`: the base model behind the name in `model` becomes a request header.

mod mapping;

use crate::head::HeaderId;
use crate::payload::{FieldId, Value};
use crate::plugin::{Parameter, Plugin, PluginType, Request, RequestPlugin};
use crate::reject::Rejection;
use mapping::Mapping;

pub(crate) const TYPE: PluginType = PluginType {
    name: "base-model-to-header",
    about: "Request plugin. Looks up the body's `model` and sets `X-Gateway-Base-Model-Name` to the base model that \
            serves it: an adapter's base model, a base model itself. Names are compared exactly, without white space \
            around them. Nothing is set where `model` is absent or `null`. It reads the current `model`: after a \
            plugin that changes the field it sees the new name. Answers 400 `invalid_model` where `model` is an \
            array or object.",
    parameters: &[
        Parameter {
            name: "mappings",
            kind: "list of {baseModel, adapters}",
            default: "[]",
            about: "Base models and the names of their adapters.",
        },
        Parameter {
            name: "configMaps",
            kind: "list of ConfigMaps",
            default: "[]",
            about: "The same as the ConfigMaps that the Go service watches, pasted as they are. One without the \
                    label `inference.llm-d.ai/ipp-managed: \"true\"` is ignored. `data.baseModel` is required, \
                    `data.adapters` is a string that holds a YAML list.",
        },
        Parameter {
            name: "unknown",
            kind: "`empty`, `absent` or `reject`",
            default: "empty",
            about: "What a name that no mapping has leads to: an empty header, none, or 404 `model_not_found`.",
        },
    ],
    example: "\
type: base-model-to-header
parameters:
  mappings:
  - baseModel: meta-llama/Llama-3.1-8B-Instruct
    adapters: [food-review-1, cad-fabricator]
  configMaps:
  - apiVersion: v1
    kind: ConfigMap
    metadata:
      name: qwen
      labels:
        inference.llm-d.ai/ipp-managed: \"true\"
    data:
      baseModel: Qwen/Qwen2.5-1.5B-Instruct
      adapters: |
        - qwen-summarizer
        - sql-lora
",
    build: |parameters, build| {
        let rules = [("empty", Unknown::Empty), ("absent", Unknown::Absent), ("reject", Unknown::Reject)];
        let unknown = parameters.get("unknown").map_or(Ok(Unknown::Empty), |rule| rule.choice(&rules));
        let mapping = Mapping::read(parameters);
        Ok(Plugin::new().request(BaseModelToHeader {
            model: build.field("model"),
            header: build.owns_header("X-Gateway-Base-Model-Name").map_err(|why| parameters.invalid(why))?,
            mapping: mapping?,
            unknown: unknown?,
        }))
    },
};

#[derive(Clone, Copy)]
enum Unknown {
    Empty,
    Absent,
    Reject,
}

struct BaseModelToHeader {
    model: FieldId,
    header: HeaderId,
    mapping: Mapping,
    unknown: Unknown,
}

impl RequestPlugin for BaseModelToHeader {
    fn process(&self, request: &mut Request<'_>) -> Result<(), Rejection> {
        let base = match request.field(self.model) {
            Value::Array | Value::Object => return Err(super::body_field_to_header::invalid_model()),
            value => match value.text()? {
                Some(model) => self.mapping.base_of(model.trim()),
                None => return Ok(()),
            },
        };
        match (base, self.unknown) {
            (Some(base), _) => request.set_header(self.header, base),
            (None, Unknown::Empty) => request.set_header(self.header, ""),
            (None, Unknown::Absent) => Ok(()),
            (None, Unknown::Reject) => Err(Rejection::model_not_found()),
        }
    }
}
