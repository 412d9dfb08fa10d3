//! The payload processor as an Envoy HTTP filter.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::recording::with_role;

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
    /// A role that goes into it.
    pub role: Option<&'static str>,
    /// How that reaches Envoy.
    pub delivery: Delivery,
    /// What happens after a crash.
    pub on_failure: OnFailure,
    /// Filters with the same module and the same id share a VM in each worker.
    pub vm_id: String,
    /// `allow_on_headers_stop_iteration`, without which a filter that holds headers gets no body.
    pub hold_headers: bool,
    /// Host calls and callbacks that Envoy keeps from the module, as if it did not have them.
    pub withheld: Vec<&'static str>,
    /// Variables of the VM's environment with their values.
    pub environment: Vec<(String, String)>,
}

/// What a module may be allowed: all that one of this workspace imports and exports.
const CAPABILITIES: [&str; 39] = [
    "_initialize",
    "_start",
    "malloc",
    "proxy_on_memory_allocate",
    "proxy_on_context_create",
    "proxy_on_configure",
    "proxy_on_delete",
    "proxy_on_request_headers",
    "proxy_on_request_body",
    "proxy_on_request_trailers",
    "proxy_on_response_headers",
    "proxy_on_tick",
    "proxy_on_queue_ready",
    "proxy_on_http_call_response",
    "proxy_log",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_header_map_pairs",
    "proxy_get_header_map_size",
    "proxy_replace_header_map_value",
    "proxy_remove_header_map_value",
    "proxy_get_buffer_bytes",
    "proxy_set_buffer_bytes",
    "proxy_get_property",
    "proxy_set_property",
    "proxy_register_shared_queue",
    "proxy_enqueue_shared_queue",
    "proxy_dequeue_shared_queue",
    "proxy_set_effective_context",
    "proxy_continue_stream",
    "proxy_send_local_response",
    "proxy_set_tick_period_milliseconds",
    "proxy_get_shared_data",
    "proxy_set_shared_data",
    "proxy_http_call",
    "proxy_define_metric",
    "proxy_increment_metric",
    "proxy_record_metric",
    "fd_write",
    "random_get",
];

impl Filter {
    /// A filter whose configuration stands in the listener.
    pub fn new(module: &Path, config: &str) -> Self {
        let (name, config) = ("ipp".to_owned(), config.to_owned());
        let (on_failure, vm_id) = (OnFailure::default(), "ipp".to_owned());
        Self {
            name,
            module: module.to_owned(),
            config,
            role: None,
            delivery: Delivery::Inline,
            on_failure,
            vm_id,
            hold_headers: true,
            withheld: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// With another rule for crashes.
    #[must_use]
    pub fn on_failure(mut self, rule: OnFailure) -> Self {
        self.on_failure = rule;
        self
    }

    /// Without `allow_on_headers_stop_iteration`, as the control planes that cannot set it leave it.
    #[must_use]
    pub fn without_flag(mut self) -> Self {
        self.hold_headers = false;
        self
    }

    /// Without these host calls and callbacks.
    #[must_use]
    pub fn withhold(mut self, names: &[&'static str]) -> Self {
        self.withheld = names.to_vec();
        self
    }

    /// In VMs of that id.
    #[must_use]
    pub fn in_vm(mut self, id: &str) -> Self {
        id.clone_into(&mut self.vm_id);
        self
    }

    /// With that role in its configuration, and with the name of the role at the end of its own.
    #[must_use]
    pub fn in_role(mut self, role: &'static str) -> Self {
        self.role = Some(role);
        self.name = format!("{}-{role}", self.name);
        self
    }

    /// The same filter twice, as reader and as gate, without the flag.
    pub fn pair(self) -> Vec<Self> {
        let filter = self.without_flag();
        vec![filter.clone().in_role("reader"), filter.in_role("gate")]
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
        let config = self.role.map_or_else(|| self.config.clone(), |role| with_role(&self.config, role));
        let mut document = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": self.name,
                "root_id": self.name,
                "vm_config": {
                    "vm_id": self.vm_id,
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": self.module}},
                },
                "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": config,
                },
            },
        });
        if !self.withheld.is_empty() {
            let allowed = CAPABILITIES.iter().filter(|name| !self.withheld.contains(name));
            let allowed: Value = allowed.map(|name| ((*name).to_owned(), json!({}))).collect();
            document["config"]["vm_config"]["capability_restriction_config"] =
                json!({"allowed_capabilities": allowed});
        }
        if self.hold_headers {
            document["config"]["allow_on_headers_stop_iteration"] = true.into();
        }
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
