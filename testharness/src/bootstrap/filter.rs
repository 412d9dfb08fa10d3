//! The payload processor as an Envoy HTTP filter.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// How the filter's configuration reaches Envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// As a part of the listener.
    Inline,
    /// From a file of its own that can be replaced while Envoy runs (ECDS).
    File,
}

/// What Envoy does about a worker whose module has crashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// `FAIL_RELOAD`: a new module, after a pause.
    #[default]
    Reload,
    /// `FAIL_CLOSED`, Envoy's default: every request is refused.
    Closed,
    /// `FAIL_OPEN`: requests pass as if there were no filter.
    Open,
    /// The deprecated field `fail_open`.
    LegacyOpen,
}

/// One payload processor in the chain of a listener.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The name of the filter, and of its file if it has one.
    pub name: String,
    /// The compiled module.
    pub module: PathBuf,
    /// The PayloadProcessorConfig.
    pub config: String,
    /// How that reaches Envoy.
    pub delivery: Delivery,
    /// What happens after a crash.
    pub on_failure: OnFailure,
    /// Filters with the same module and the same id share a VM in each worker.
    pub vm_id: String,
    /// Variables of the VM's environment with their values.
    pub environment: Vec<(String, String)>,
}

impl Filter {
    /// A filter whose configuration stands in the listener.
    pub fn new(module: &Path, config: &str) -> Self {
        let (name, config) = ("ipp".to_owned(), config.to_owned());
        let (on_failure, vm_id) = (OnFailure::default(), "ipp".to_owned());
        let (module, delivery, environment) = (module.to_owned(), Delivery::Inline, Vec::new());
        Self { name, module, config, delivery, on_failure, vm_id, environment }
    }

    /// With another rule for crashes.
    #[must_use]
    pub fn on_failure(mut self, rule: OnFailure) -> Self {
        self.on_failure = rule;
        self
    }

    /// Under this name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// With one more variable in the environment of its VM.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With its configuration in a file of its own.
    #[must_use]
    pub fn from_file(mut self) -> Self {
        self.delivery = Delivery::File;
        self
    }

    /// The name of that file.
    pub fn file_name(&self) -> String {
        format!("filter-{}.json", self.name)
    }

    /// What goes into that file.
    pub fn file(&self, version: u64) -> Value {
        let resource = json!({
            "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            "name": self.name,
            "typed_config": self.typed_config(),
        });
        json!({"version_info": version.to_string(), "resources": [resource]})
    }

    pub(super) fn document(&self, folder: &Path) -> Value {
        match self.delivery {
            Delivery::Inline => json!({"name": self.name, "typed_config": self.typed_config()}),
            Delivery::File => json!({"name": self.name, "config_discovery": {
                "config_source": {
                    "resource_api_version": "V3",
                    "path_config_source": {"path": folder.join(self.file_name())},
                },
                "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
            }}),
        }
    }

    fn typed_config(&self) -> Value {
        let mut document = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": self.name,
                "root_id": self.name,
                "allow_on_headers_stop_iteration": true,
                "vm_config": {
                    "vm_id": self.vm_id,
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": self.module}},
                },
                "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": self.config,
                },
            },
        });
        let (field, value) = match self.on_failure {
            OnFailure::Reload => ("failure_policy", json!("FAIL_RELOAD")),
            OnFailure::Closed => ("failure_policy", json!("FAIL_CLOSED")),
            OnFailure::Open => ("failure_policy", json!("FAIL_OPEN")),
            OnFailure::LegacyOpen => ("fail_open", json!(true)),
        };
        document["config"][field] = value;
        if !self.environment.is_empty() {
            let variables: Value =
                self.environment.iter().cloned().map(|(name, value)| (name, json!(value))).collect();
            document["config"]["vm_config"]["environment_variables"] = json!({"key_values": variables});
        }
        document
    }
}
