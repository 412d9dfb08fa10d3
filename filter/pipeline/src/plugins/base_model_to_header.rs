//! `base-model-to-header`: the base model behind the name in `model` becomes a request header.

mod adapters;
mod config_maps;
mod document;
mod mapping;

use crate::head::HeaderId;
use crate::payload::{FieldId, Value};
use crate::plugin::{Parameter, Plugin, PluginType, Request, RequestPlugin};
use crate::reject::Rejection;
use crate::source::Live;
use config_maps::{ConfigMaps, Models};
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
            name: "source",
            kind: "[source](configuration.md#sources)",
            default: "none",
            about: "Where ConfigMaps are fetched from while the filter runs: a ConfigMapList of the Kubernetes API \
                    (JSON), or one ConfigMap (JSON or YAML), with the same rules. `mappings` and `configMaps` may stand \
                    beside it; a name that they have is theirs. An adapter in two objects with different base models \
                    belongs to the older object, or to the first by namespace and name; an object that is broken keeps \
                    what it said before. Both are logged, and counted in `ipp_source_problems`.",
        },
        Parameter {
            name: "whileEmpty",
            kind: "`reject` or `pass`",
            default: "reject",
            about: "What becomes of a name that `mappings` and `configMaps` do not have as long as the source has given \
                    no answer yet: 503 `models_not_loaded`, or what `unknown` says. Only with a `source`.",
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
        let live = parameters.get("source").map(|source| build.source(&source, None, ConfigMaps)).transpose();
        let rules = [("reject", WhileEmpty::Reject), ("pass", WhileEmpty::Pass)];
        let while_empty = match parameters.get("whileEmpty") {
            Some(rule) if parameters.get("source").is_none() => {
                Err(rule.invalid("there is no `source` that could be empty"))
            }
            Some(rule) => rule.choice(&rules),
            None => Ok(WhileEmpty::Reject),
        };
        if parameters.get("source").is_some() {
            build.rejection_code(NOT_LOADED);
        }
        Ok(Plugin::new().request(BaseModelToHeader {
            model: build.field("model"),
            header: build.owns_header("X-Gateway-Base-Model-Name").map_err(|why| parameters.invalid(why))?,
            mapping: mapping?,
            live: live?,
            while_empty: while_empty?,
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

/// What becomes of requests before the first answer of the source.
#[derive(Clone, Copy)]
enum WhileEmpty {
    Reject,
    Pass,
}

const NOT_LOADED: &str = "models_not_loaded";

struct BaseModelToHeader {
    model: FieldId,
    header: HeaderId,
    mapping: Mapping,
    live: Option<Live<Models>>,
    while_empty: WhileEmpty,
    unknown: Unknown,
}

impl RequestPlugin for BaseModelToHeader {
    fn process(&self, request: &mut Request<'_>) -> Result<(), Rejection> {
        let live = self.live.as_ref().map(Live::get);
        let base = match request.field(self.model) {
            Value::Array | Value::Object => return Err(super::body_field_to_header::invalid_model()),
            value => match value.text()? {
                Some(model) => {
                    let model = model.trim();
                    let fetched = live.as_ref().and_then(Option::as_ref);
                    self.mapping.base_of(model).or_else(|| fetched?.base_of(model))
                }
                None => return Ok(()),
            },
        };
        if base.is_none() && matches!((&live, self.while_empty), (Some(None), WhileEmpty::Reject)) {
            return Err(not_loaded());
        }
        match (base, self.unknown) {
            (Some(base), _) => request.set_header(self.header, base),
            (None, Unknown::Empty) => request.set_header(self.header, ""),
            (None, Unknown::Absent) => Ok(()),
            (None, Unknown::Reject) => Err(Rejection::model_not_found()),
        }
    }
}

fn not_loaded() -> Rejection {
    Rejection::new(503, NOT_LOADED, "the list of models has not been loaded yet; please try again")
        .retry_after(1)
}
