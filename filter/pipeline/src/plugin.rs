//! What a plugin is: a type that is described once, and the roles that an instance of it plays.

mod body;
mod build;
mod collect;
mod events;
mod extract;
mod request;
mod response;

pub use body::FullResponse;
pub use build::{Build, Params, Selecting};
pub use collect::{Collected, Collector, Scrape, Target};
pub(crate) use events::Fate;
pub use events::StreamEvent;
pub use extract::{CostSettings, Extraction, Extractor, SessionRules};
pub(crate) use request::{Fields, Holds, give_back};
pub use request::{HeaderEdit, Request, Splice};
pub use response::Response;

use crate::config::Invalid;
use crate::reject::Rejection;
use crate::source::Live;
use ipp_selector::{Candidate, Filter, Picker, Scorer, Selector};
use std::rc::Rc;

/// Acts on a request whose body was read: looks at fields and headers, sets headers, edits fields.
pub trait RequestPlugin {
    /// Runs once for each request, in the order of the configuration.
    ///
    /// # Errors
    /// A rejection ends the request; the client gets it as the reply, and nothing reaches an upstream.
    fn process(&self, request: &mut Request<'_>) -> Result<(), Rejection>;
}

/// Decides which profile's plugins a request goes through.
pub trait ProfilePicker {
    /// The index of one of `profiles`, which are the names in the configuration's order.
    ///
    /// # Errors
    /// As for [`RequestPlugin::process`].
    fn pick(&self, request: &mut Request<'_>, profiles: &[String]) -> Result<usize, Rejection>;

    /// Whether the picker can work with so many profiles.
    ///
    /// # Errors
    /// Why not; it becomes a configuration error.
    fn accepts(&self, profiles: usize) -> Result<(), String> {
        let _ = profiles;
        Ok(())
    }

    /// Whether these are profiles that the picker can work with: whether all that it names are there.
    ///
    /// # Errors
    /// As for [`accepts`](ProfilePicker::accepts).
    fn accepts_names(&self, profiles: &[String]) -> Result<(), String> {
        let _ = profiles;
        Ok(())
    }
}

/// Acts on the headers of a response. Its body is neither held nor delayed.
pub trait ResponseHeadersPlugin {
    /// Runs once for each response that is not this filter's own.
    fn process(&self, response: &mut Response<'_>);
}

/// Acts on the events of a streamed response. Whole events, whatever the chunks are in which they come; none is held
/// but the one that is not complete yet. Documents, and streams that are encoded, pass unseen.
pub trait ResponseEventsPlugin {
    /// Whether this response's events are to be shown. Asked once, at its headers; if nobody wants them, the stream
    /// is not touched.
    fn wants(&self, response: &Response<'_>) -> bool {
        let _ = response;
        true
    }

    /// Runs for each event. One that is longer than [`MAX_EVENT_BYTES`](crate::response::MAX_EVENT_BYTES) is not shown.
    fn process(&self, event: &mut StreamEvent<'_>);
}

/// Acts on a whole response. It is held until it is complete: the client's first byte waits for the last one.
pub trait ResponseBodyPlugin {
    /// Runs once for each response that is one JSON object.
    ///
    /// # Errors
    /// A rejection takes the response's place.
    fn process(&self, response: &mut FullResponse<'_>) -> Result<(), Rejection>;
}

/// What a full-body plugin wants done with a response that it cannot read: a stream, one that is encoded or no JSON
/// object, one that is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It passes without the plugin, and is counted.
    Skip,
    /// The client gets 502 `response_unreadable` in its place: for a guard.
    Reject,
}

impl<F: Fn(&mut Request<'_>) -> Result<(), Rejection>> RequestPlugin for F {
    fn process(&self, request: &mut Request<'_>) -> Result<(), Rejection> {
        self(request)
    }
}

impl<F: Fn(&mut Response<'_>)> ResponseHeadersPlugin for F {
    fn process(&self, response: &mut Response<'_>) {
        self(response);
    }
}

/// Makes a profile's request plugin out of the selector that the profile's filters, scorers and picker form.
pub trait ModelSelector {
    /// Called once for each profile that lists the instance. The plugin declares the fields it needs.
    ///
    /// # Errors
    /// Why it cannot work; it becomes a configuration error.
    fn request_plugin(
        &self,
        selector: Selector,
        build: &mut Build<'_>,
    ) -> Result<Rc<dyn RequestPlugin>, String>;
}

/// Brings the models that a model selector may choose.
pub trait DataSource {
    /// The models, with what the configuration says of them.
    fn models(&self) -> &[Candidate];

    /// The same, where they are fetched while the filter runs.
    fn live(&self) -> Option<Live<Vec<Candidate>>> {
        None
    }
}

/// The roles that one instance plays; most play one.
#[derive(Clone, Default)]
pub struct Plugin {
    pub(crate) request: Option<Rc<dyn RequestPlugin>>,
    pub(crate) profile_picker: Option<Rc<dyn ProfilePicker>>,
    pub(crate) response_headers: Option<Rc<dyn ResponseHeadersPlugin>>,
    pub(crate) response_events: Option<Rc<dyn ResponseEventsPlugin>>,
    pub(crate) response_body: Option<(Rc<dyn ResponseBodyPlugin>, Unreadable)>,
    pub(crate) model_selector: Option<Rc<dyn ModelSelector>>,
    pub(crate) filter: Option<Rc<dyn Filter>>,
    pub(crate) scorer: Option<Rc<dyn Scorer>>,
    pub(crate) picker: Option<Rc<dyn Picker>>,
    pub(crate) data_source: Option<Rc<dyn DataSource>>,
    pub(crate) extractor: Option<Extractor>,
    pub(crate) collector: Option<Rc<dyn Collector>>,
    pub(crate) explains_selection: bool,
}

impl Plugin {
    /// An instance with no role yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the role of a request plugin.
    #[must_use]
    pub fn request(mut self, plugin: impl RequestPlugin + 'static) -> Self {
        self.request = Some(Rc::new(plugin));
        self
    }

    /// Adds the role of a profile picker.
    #[must_use]
    pub fn profile_picker(mut self, plugin: impl ProfilePicker + 'static) -> Self {
        self.profile_picker = Some(Rc::new(plugin));
        self
    }

    /// Adds the role of a response-headers plugin.
    #[must_use]
    pub fn response_headers(mut self, plugin: impl ResponseHeadersPlugin + 'static) -> Self {
        self.response_headers = Some(Rc::new(plugin));
        self
    }

    /// Says that the plugin reads the [`Decision`](crate::Decision) of a model selection, which is made only
    /// for the responses that such a plugin acts on.
    #[must_use]
    pub fn explains_selection(mut self) -> Self {
        self.explains_selection = true;
        self
    }

    /// Adds the role of a plugin on the events of streams. Where it is a request plugin, too, it acts on the
    /// responses of the profiles whose `request` names it, and need not be named under `response`.
    #[must_use]
    pub fn response_events(mut self, plugin: impl ResponseEventsPlugin + 'static) -> Self {
        self.response_events = Some(Rc::new(plugin));
        self
    }

    /// Adds the role of a full-body plugin, with what is to become of a response that it cannot read.
    #[must_use]
    pub fn response_body(
        mut self,
        plugin: impl ResponseBodyPlugin + 'static,
        unreadable: Unreadable,
    ) -> Self {
        self.response_body = Some((Rc::new(plugin), unreadable));
        self
    }

    /// Adds the role of the one that runs a profile's model selection.
    #[must_use]
    pub fn model_selector(mut self, plugin: impl ModelSelector + 'static) -> Self {
        self.model_selector = Some(Rc::new(plugin));
        self
    }

    /// Adds the role of a filter of the model selection.
    #[must_use]
    pub fn filter(mut self, plugin: impl Filter + 'static) -> Self {
        self.filter = Some(Rc::new(plugin));
        self
    }

    /// Adds the role of a scorer of the model selection.
    #[must_use]
    pub fn scorer(mut self, plugin: impl Scorer + 'static) -> Self {
        self.scorer = Some(Rc::new(plugin));
        self
    }

    /// Adds the role of a data source.
    #[must_use]
    pub fn data_source(mut self, plugin: impl DataSource + 'static) -> Self {
        self.data_source = Some(Rc::new(plugin));
        self
    }

    /// Adds the role of a collector of the data layer.
    #[must_use]
    pub fn collector(mut self, plugin: impl Collector + 'static) -> Self {
        self.collector = Some(Rc::new(plugin));
        self
    }

    /// Adds the role of an extractor of the data layer: how figures are made. The model selector itself makes those
    /// that its filters and scorers read.
    #[must_use]
    pub fn extractor(mut self, extractor: Extractor) -> Self {
        self.extractor = Some(extractor);
        self
    }

    /// Adds the role of a picker of the model selection.
    #[must_use]
    pub fn picker(mut self, plugin: impl Picker + 'static) -> Self {
        self.picker = Some(Rc::new(plugin));
        self
    }
}

/// One parameter of a plugin type, for the reference page and for the check of a configuration.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its key under `parameters`.
    pub name: &'static str,
    /// Its type in words: "string", "list of strings".
    pub kind: &'static str,
    /// Its default as it would be written, or "required".
    pub default: &'static str,
    /// What it does.
    pub about: &'static str,
}

/// A plugin type: everything there is to know about it, in one place.
#[derive(Clone, Copy)]
pub struct PluginType {
    /// What stands as `type` in a configuration.
    pub name: &'static str,
    /// What it does and when it rejects, in Markdown.
    pub about: &'static str,
    /// Its parameters. Any other key is refused.
    pub parameters: &'static [Parameter],
    /// A complete entry of `plugins[]`, in YAML.
    pub example: &'static str,
    /// Makes an instance.
    pub build: fn(&Params<'_>, &mut Build<'_>) -> Result<Plugin, Invalid>,
}

/// The plugin types that a module knows.
#[derive(Clone, Default)]
pub struct Registry(Vec<PluginType>);

impl Registry {
    /// A registry with no type.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a type, in place of an earlier one of the same name.
    #[must_use]
    pub fn with(mut self, plugin: PluginType) -> Self {
        self.0.retain(|known| known.name != plugin.name);
        self.0.push(plugin);
        self
    }

    /// The type of a name.
    pub fn get(&self, name: &str) -> Option<&PluginType> {
        self.0.iter().find(|known| known.name == name)
    }

    /// All types, in the order in which they were added.
    pub fn all(&self) -> &[PluginType] {
        &self.0
    }
}
