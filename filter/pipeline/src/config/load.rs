//! The envelope and the plugins of a configuration; [`profiles`](super::profiles) does what refers to them.

use super::document::{Node, parse};
use super::error::{ConfigErrors, Sink};
use super::nearest::hint;
use super::profiles::Resolver;
use super::view::{Invalid, Object, View};
use crate::attachment::Role;
use crate::head::HeaderTable;
use crate::metrics::{Metrics, is_label_value};
use crate::observation::{Observation, PriceList};
use crate::options::Options;
use crate::payload::Wanted;
use crate::pipeline::{CoreMetrics, Parts, Pipeline};
use crate::plugin::{Build, Collected, Extraction, Plugin, Registry, Selecting, SessionRules};
use crate::source::{Collecting, Live, Polled};
use ipp_selector::Candidate;
use std::rc::Rc;

/// What an empty configuration means, as in the Go service.
pub const DEFAULT_CONFIG: &str = "\
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: body-field-to-header
  parameters:
    fieldName: model
    headerName: X-Gateway-Model-Name
- type: base-model-to-header
profiles:
- name: default
  plugins:
    request:
    - pluginRef: body-field-to-header
    - pluginRef: base-model-to-header
";

const API_VERSION: &str = "llm-d.ai/v1alpha1";
const KIND: &str = "PayloadProcessorConfig";

/// Types of the Go service that this module does not have.
const UPSTREAM_TYPES: &[&str] =
    &["auto-group-model-name-filter", "median-ttft-scorer", "running-requests-scorer"];

/// Types without parameters to which the Go service's loader may give any, and which look at none. So that its documents
/// load here, they are ignored as there; a type that has some refuses those that it does not know.
const PARAMETERS_IGNORED: &[&str] = &[
    "single-profile-picker",
    "model-group-name-filter",
    "model-name-filter",
    "random-picker",
    "weighted-random-picker",
];

/// Envoy hands over a configuration of another type than a string as it is encoded.
const STRING_VALUE: &str = "; it has control characters: the filter's `configuration` has to be a \
                            google.protobuf.StringValue, not a Struct";

/// What a module reports about itself.
#[derive(Clone, Copy, Debug)]
pub struct BuildInfo {
    /// The commit it was built from.
    pub commit: &'static str,
    /// Its version.
    pub build_ref: &'static str,
}

/// A plugin of the configuration by its name.
pub(super) struct Instance {
    pub(super) name: String,
    pub(super) kind: String,
    /// Nothing where it could not be built, which was reported.
    pub(super) plugin: Option<Plugin>,
}

/// What is collected while plugins are built.
#[derive(Default)]
pub(super) struct Declared {
    pub(super) wanted: Wanted,
    pub(super) response_wanted: Wanted,
    pub(super) request_headers: HeaderTable,
    pub(super) response_headers: HeaderTable,
    pub(super) metrics: Metrics,
    pub(super) rejection_codes: Vec<&'static str>,
    pub(super) sources: Vec<Rc<Polled>>,
    pub(super) models: Vec<Candidate>,
    pub(super) live_models: Vec<Live<Vec<Candidate>>>,
    pub(super) collected: Vec<Collected>,
    pub(super) collecting: Vec<Collecting>,
    pub(super) extraction: Extraction,
    pub(super) sessions: Vec<SessionRules>,
    pub(super) responding: Vec<String>,
    /// Of the profile that is put together.
    pub(super) explains: bool,
    /// Of the profile that is put together.
    pub(super) selecting: Selecting,
}

impl Declared {
    /// For the instance of that name.
    pub(super) fn build<'a>(&'a mut self, instance: &'a str) -> Build<'a> {
        Build {
            wanted: &mut self.wanted,
            response_wanted: &mut self.response_wanted,
            request_headers: &mut self.request_headers,
            response_headers: &mut self.response_headers,
            metrics: &mut self.metrics,
            rejection_codes: &mut self.rejection_codes,
            sources: &mut self.sources,
            instance,
            models: &self.models,
            live_models: &self.live_models,
            collected: &self.collected,
            collecting: &self.collecting,
            extraction: &self.extraction,
            sessions: &mut self.sessions,
            responding: &self.responding,
            explains: self.explains,
            selecting: &self.selecting,
        }
    }
}

/// Compiles a configuration. Text that is empty stands for [`DEFAULT_CONFIG`].
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(text: &str, registry: &Registry, info: BuildInfo) -> Result<Pipeline, ConfigErrors> {
    let text = if text.trim().is_empty() { DEFAULT_CONFIG } else { text };
    let sink = Sink::new(text);
    match parse(text) {
        Ok(Node::Null) => sink.push(&[], None, format!("found nothing, expected a {KIND}")),
        Ok(node) => {
            if let Ok(pipeline) = compile(&View::root(&node, &sink), registry, info) {
                return sink.finish(pipeline);
            }
        }
        Err(error) => {
            let control = text.chars().any(|letter| letter.is_control() && !letter.is_whitespace());
            let hint = if control { STRING_VALUE } else { "" };
            sink.push(&[], error.position, format!("neither YAML nor JSON: {}{hint}", error.message));
        }
    }
    Err(sink.into_errors())
}

fn compile(root: &View<'_>, registry: &Registry, info: BuildInfo) -> Result<Pipeline, Invalid> {
    let document = root.object(&[
        "apiVersion",
        "kind",
        "plugins",
        "preProcessing",
        "profilePicker",
        "profiles",
        "postProcessing",
        "datalayer",
        "proxyWasm",
    ])?;
    constant(&document, "apiVersion", API_VERSION);
    constant(&document, "kind", KIND);
    let options = document.get("proxyWasm").map_or(Ok(Options::default()), |view| Options::read(&view));

    let mut declared = Declared::default();
    let instances = plugins(&document, registry, &mut declared);
    let mut resolver = Resolver { instances: &instances, declared: &mut declared };
    let parts = resolver.resolve(&document);
    let options = options.unwrap_or_default();
    declared.wanted.set_duplicates(options.duplicate_keys);
    for name in &options.owned_headers {
        // Names that cannot be owned were reported when the section was read.
        declared.request_headers.owns(name).ok();
    }
    if options.role == Role::Reader && parts.as_ref().is_ok_and(Parts::holds_responses) {
        root.invalid(
            "a plugin that needs the whole response holds its headers, which only the role \"direct\" can: with \"reader\" and \
             \"gate\" the response would hang",
        );
    }
    let observation = Observation::new(
        &options.responses,
        &mut declared.metrics,
        &mut declared.request_headers,
        &mut declared.wanted,
        PriceList::new(&declared.models, &declared.live_models),
    )
    .map_err(|why| document.invalid(format!("proxyWasm.attribution.header: {why}")))?;
    let core = CoreMetrics::define(&mut declared.metrics, &declared.rejection_codes, info);
    parts.map(|parts| Pipeline {
        wanted: declared.wanted,
        response_wanted: declared.response_wanted,
        request_headers: declared.request_headers,
        response_headers: declared.response_headers,
        metrics: declared.metrics,
        core,
        options,
        observation,
        parts,
        sources: declared.sources,
        collecting: declared.collecting,
    })
}

fn constant(document: &Object<'_>, name: &str, expected: &str) {
    if let Ok(view) = document.require(name)
        && view.string() != Ok(expected)
        && view.string().is_ok()
    {
        view.expected(&format!("{expected:?}"));
    }
}

fn plugins(document: &Object<'_>, registry: &Registry, declared: &mut Declared) -> Vec<Instance> {
    let mut instances: Vec<Instance> = Vec::new();
    let Ok(list) = document.require("plugins").and_then(|plugins| {
        let list = plugins.list()?;
        if list.is_empty() {
            return Err(plugins.invalid("one or more plugins must be defined"));
        }
        Ok(list)
    }) else {
        return instances;
    };
    for view in list {
        if let Ok(instance) = plugin(&view, registry, declared, &instances) {
            instances.push(instance);
        }
    }
    instances
}

fn plugin(
    view: &View<'_>,
    registry: &Registry,
    declared: &mut Declared,
    earlier: &[Instance],
) -> Result<Instance, Invalid> {
    let entry = view.object(&["name", "type", "parameters"])?;
    let kind = entry.require("type")?;
    let kind_name = kind.text()?;
    let name = match entry.get("name") {
        Some(name) => match name.string()? {
            "" => kind_name,
            given => given,
        },
        None => kind_name,
    };
    if !is_label_value(name) {
        view.invalid(format!("the name {name:?} holds control characters, ';.;' or '=.='"));
    }
    if let Some(first) = earlier.iter().position(|instance| instance.name == name) {
        entry.invalid(format!(
            "plugins[{first}] has the name {name:?} already; give one of them another name (an absent name is the type)"
        ));
    }
    let plugin = match registry.get(kind_name) {
        Some(plugin_type) => {
            let known: Vec<&str> = plugin_type.parameters.iter().map(|parameter| parameter.name).collect();
            let parameters = match entry.get("parameters") {
                Some(parameters) if !ignores_parameters(kind_name) => parameters.object(&known),
                _ => Ok(Object::empty(view)),
            };
            parameters.and_then(|parameters| (plugin_type.build)(&parameters, &mut declared.build(name)))
        }
        None => Err(unknown_type(&kind, kind_name, registry)),
    };
    Ok(Instance { name: name.to_owned(), kind: kind_name.to_owned(), plugin: plugin.ok() })
}

/// Whether the parameters of that type are not looked at.
pub fn ignores_parameters(kind: &str) -> bool {
    PARAMETERS_IGNORED.contains(&kind)
}

fn unknown_type(view: &View<'_>, name: &str, registry: &Registry) -> Invalid {
    let known: Vec<&str> = registry.all().iter().map(|known| known.name).collect();
    let list = known.join(", ");
    if UPSTREAM_TYPES.contains(&name) {
        return view.invalid(format!(
            "{name:?} is a plugin type of the Go service that this module does not have; take it and its references \
             out, or register a type of that name in a module of your own; this module has {list}"
        ));
    }
    // The list is long: it is for whoever cannot be told what he meant.
    match hint(name, known.iter().copied()) {
        near if near.is_empty() => {
            view.invalid(format!("{name:?} is not registered, expected one of {list}"))
        }
        near => view.invalid(format!("{name:?} is not registered{near}")),
    }
}
