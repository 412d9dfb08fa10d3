//! What refers to plugins: profiles, their picker, pre- and post-processing. [`data_layer`](super::data_layer) does the
//! rest.

use super::load::{Declared, Instance};
use super::nearest::hint;
use super::view::{Invalid, Object, View};
use crate::metrics::MetricKind;
use crate::pipeline::{FullBody, Installed, Parts, Profile, ResponseChain};
use crate::plugin::{Plugin, ProfilePicker, RequestPlugin, Selecting};
use crate::plugins::SingleProfilePicker;
use ipp_selector::{BuildError, Selector, SelectorBuilder};
use std::rc::Rc;

/// Resolves references to the plugins that were built.
pub(super) struct Resolver<'a> {
    pub(super) instances: &'a [Instance],
    pub(super) declared: &'a mut Declared,
}

/// A reference whose target exists. The plugin is absent where it could not be built.
pub(super) struct Reference<'a, 'd> {
    pub(super) view: View<'d>,
    pub(super) instance: &'a Instance,
    weight: Option<f64>,
}

impl Reference<'_, '_> {
    /// Reports that the plugin cannot stand here.
    pub(super) fn misplaced(&self, what_it_is_not: &str) -> Invalid {
        let Instance { name, kind, .. } = self.instance;
        self.view.invalid(format!("the plugin {name:?} of type {kind:?} is not {what_it_is_not}"))
    }
}

impl<'a> Resolver<'a> {
    /// Everything that refers to plugins.
    pub(super) fn resolve(&mut self, document: &Object<'_>) -> Result<Parts, Invalid> {
        let pre = self.section(document, "preProcessing").map(|references| self.pre_processors(&references));
        let post = self
            .section(document, "postProcessing")
            .map(|references| self.response_plugins(&references, "post-processor: it acts on no responses"));
        self.data_layer(document);
        let profiles = self.profiles(document, post.as_ref().ok());
        let names = profiles
            .as_ref()
            .map(|profiles| profiles.iter().map(|profile| profile.name.clone()).collect::<Vec<String>>());
        let picker = self.profile_picker(document, names.as_deref().ok());
        let (profiles, picker) = (profiles?, picker?);
        Ok(Parts {
            names: profiles.iter().map(|profile| profile.name.clone()).collect(),
            pre: pre?,
            picker,
            profiles,
            post: post?,
        })
    }

    fn reference<'d>(&self, view: &View<'d>) -> Result<Reference<'a, 'd>, Invalid> {
        let object = view.object(&["pluginRef", "weight"])?;
        let target = object.require("pluginRef")?;
        let name = target.text()?;
        let weight = object.get("weight").map(|weight| weight.number()).transpose()?;
        match self.instances.iter().find(|instance| instance.name == name) {
            Some(instance) => Ok(Reference { view: view.clone(), instance, weight }),
            None => {
                let names = self.instances.iter().map(|instance| instance.name.as_str());
                Err(target
                    .invalid(format!("no plugin in plugins[] has the name {name:?}{}", hint(name, names))))
            }
        }
    }

    pub(super) fn references<'d>(&self, list: Option<View<'d>>) -> Result<Vec<Reference<'a, 'd>>, Invalid> {
        let views = list.map_or(Ok(Vec::new()), |list| list.list())?;
        Ok(views.iter().filter_map(|view| self.reference(view).ok()).collect())
    }

    /// The references of `preProcessing` or `postProcessing`.
    fn section<'d>(&self, document: &Object<'d>, name: &str) -> Result<Vec<Reference<'a, 'd>>, Invalid> {
        let Some(section) = document.get(name) else { return Ok(Vec::new()) };
        if section.is_list() {
            // The Go service's own documentation shows it so, and its loader refuses it.
            return Err(section.invalid(format!(
                "found a list, expected a map with the key \"plugins\": write `{name}: {{plugins: [...]}}`"
            )));
        }
        self.references(section.object(&["plugins"])?.get("plugins"))
    }

    fn pre_processors(&mut self, references: &[Reference<'_, '_>]) -> Vec<Installed<dyn RequestPlugin>> {
        let mut installed = Vec::new();
        for reference in references {
            let Some(plugin) = &reference.instance.plugin else { continue };
            match &plugin.request {
                Some(request) => installed.push(self.install(reference.instance, "request", request)),
                None => drop(reference.misplaced("a RequestProcessor, so it cannot pre-process")),
            }
        }
        installed
    }

    /// Sorts references to plugins on responses by what they act on.
    fn response_plugins(&mut self, references: &[Reference<'_, '_>], otherwise: &str) -> ResponseChain {
        let mut chain = ResponseChain::default();
        for reference in references {
            let Some(plugin) = &reference.instance.plugin else { continue };
            chain.explains |= plugin.explains_selection;
            if let Some(headers) = &plugin.response_headers {
                chain.headers.push(self.install(reference.instance, "response", headers));
            }
            if let Some((body, unreadable)) = &plugin.response_body {
                let Instance { name, kind, .. } = reference.instance;
                let labels = [("plugin_type", kind.as_str()), ("plugin_name", name.as_str())];
                let skipped = "ipp_response_plugin_skipped_total";
                chain.bodies.push(FullBody {
                    installed: self.install(reference.instance, "response_body", body),
                    unreadable: *unreadable,
                    skipped: self.declared.metrics.define(MetricKind::Counter, skipped, &labels),
                });
            } else if let Some(events) = &plugin.response_events {
                chain.events.push(self.install(reference.instance, "response_event", events));
            } else if plugin.response_headers.is_none() {
                reference.misplaced(&format!("a {otherwise}"));
            }
        }
        chain
    }

    fn install<T: ?Sized>(&mut self, instance: &Instance, point: &str, plugin: &Rc<T>) -> Installed<T> {
        let labels =
            [("extension_point", point), ("plugin_type", &instance.kind), ("plugin_name", &instance.name)];
        let name = "ipp_plugin_duration_nanoseconds";
        let duration = self.declared.metrics.define(MetricKind::Histogram, name, &labels);
        Installed { plugin: Rc::clone(plugin), duration }
    }

    fn profiles(
        &mut self,
        document: &Object<'_>,
        post: Option<&ResponseChain>,
    ) -> Result<Vec<Profile>, Invalid> {
        let section = document.require("profiles")?;
        let list = section.list()?;
        if list.is_empty() {
            return Err(section.invalid("one or more profiles must be defined"));
        }
        let mut profiles: Vec<Profile> = Vec::new();
        for view in &list {
            let Ok(profile) = self.profile(view, post) else { continue };
            if let Some(first) = profiles.iter().position(|earlier| earlier.name == profile.name) {
                view.invalid(format!("profiles[{first}] has the name {:?} already", profile.name));
            }
            profiles.push(profile);
        }
        // All or none: a count that is off would make errors about the picker that are none.
        if profiles.len() == list.len() { Ok(profiles) } else { Err(Invalid) }
    }

    fn profile(&mut self, view: &View<'_>, post: Option<&ResponseChain>) -> Result<Profile, Invalid> {
        let object = view.object(&["name", "plugins"])?;
        let name = object.require("name").and_then(|name| name.text());
        let section = object.require("plugins")?;
        let plugins = section.object(&["request", "response"])?;
        let request = self.references(plugins.get("request"));
        let response = self.references(plugins.get("response"));
        let (request, response) = (request?, response?);
        let listed =
            |name| plugins.get(name).and_then(|list| list.list().ok()).is_some_and(|list| !list.is_empty());
        if !listed("request") && !listed("response") {
            return Err(
                section.invalid("request and response are both empty; a profile needs at least one plugin")
            );
        }
        self.declared.responding = response.iter().map(|reference| reference.instance.name.clone()).collect();
        let mut answer = self.response_plugins(
            &response,
            "ResponseProcessor or ResponseChunkProcessor, nor does it act on response headers",
        );
        // A plugin that changes the request and has to change the stream that comes of it.
        for reference in &request {
            if let Some(plugin) = &reference.instance.plugin
                && let (Some(_), Some(events)) = (&plugin.request, &plugin.response_events)
                && !response.iter().any(|named| std::ptr::eq(named.instance, reference.instance))
            {
                answer.events.push(self.install(reference.instance, "response_event", events));
            }
        }
        let post_reads_bodies = post.is_some_and(|post| !post.bodies.is_empty());
        if !answer.events.is_empty() && (post_reads_bodies || !answer.bodies.is_empty()) {
            section.invalid(
                "plugins that act on the events of streams and plugins that need the whole body cannot be mixed, in a \
                 profile or with postProcessing: the one must not hold what the other has to",
            );
        }
        self.declared.explains = answer.explains || post.is_some_and(|post| post.explains);
        let request = self.request_chain(&request);
        Ok(Profile { name: name?.to_owned(), request, response: answer })
    }

    /// Sorts a profile's `request` list by what the plugins are: those that act on the request keep their
    /// order, and filters, scorers and a picker become the selector of the profile's model selector.
    fn request_chain(&mut self, references: &[Reference<'_, '_>]) -> Vec<Installed<dyn RequestPlugin>> {
        let mut chain = Vec::new();
        let mut selector = Selector::builder();
        let mut host = None;
        let mut selecting = Vec::new();
        let mut complete = true;
        for reference in references {
            let Some(plugin) = &reference.instance.plugin else { continue };
            if let Some(request) = &plugin.request {
                chain.push(self.install(reference.instance, "request", request));
            } else if let Some(model_selector) = &plugin.model_selector {
                if host.is_some() {
                    reference.view.invalid("a profile can have one model-selector; this is the second");
                }
                host = Some((chain.len(), reference, model_selector));
            } else {
                let (more, added) = add_to_selector(selector, plugin, reference);
                selector = more;
                complete &= added.is_ok();
                selecting.push(reference);
            }
        }
        let Some((position, reference, model_selector)) = host else {
            for reference in selecting.iter().filter(|_| complete) {
                reference.view.invalid(format!(
                    "the plugin {:?} takes part in model selection, but this profile has no model-selector, so it would \
                     do nothing; add a plugin of type \"model-selector\" to the profile, or take this one out",
                    reference.instance.name
                ));
            }
            return chain;
        };
        if !complete {
            return chain;
        }
        let selector = selector.build();
        self.declared.selecting = instances(&selecting, selector.picker());
        match model_selector.request_plugin(selector, &mut self.declared.build(&reference.instance.name)) {
            Ok(plugin) => chain.insert(position, self.install(reference.instance, "request", &plugin)),
            Err(message) => drop(reference.view.invalid(message)),
        }
        chain
    }

    /// The profile picker of section 1.4 of the reference: the one referred to, the only one there is, or the
    /// one for a single profile.
    fn profile_picker(
        &self,
        document: &Object<'_>,
        names: Option<&[String]>,
    ) -> Result<Rc<dyn ProfilePicker>, Invalid> {
        let profiles = names.map_or(0, <[String]>::len);
        // Which names there are is only known if all profiles are fine.
        let accepts = |picker: &Rc<dyn ProfilePicker>| {
            picker.accepts(profiles).and_then(|()| names.map_or(Ok(()), |names| picker.accepts_names(names)))
        };
        let section = document.get("profilePicker");
        let named = section.as_ref().and_then(|section| {
            let object = section.object(&["pluginRef", "weight"]).ok()?;
            object.get("pluginRef").filter(|name| name.string() != Ok(""))
        });
        if let (Some(section), Some(_)) = (&section, named) {
            let reference = self.reference(section)?;
            let plugin = reference.instance.plugin.as_ref().ok_or(Invalid)?;
            let picker =
                plugin.profile_picker.as_ref().ok_or_else(|| reference.misplaced("a ProfilePicker"))?;
            accepts(picker).map_err(|message| section.invalid(message))?;
            return Ok(Rc::clone(picker));
        }
        let pickers: Vec<_> = self
            .instances
            .iter()
            .filter_map(|instance| Some((instance, instance.plugin.as_ref()?.profile_picker.as_ref()?)))
            .collect();
        match pickers.as_slice() {
            [(_, picker)] => {
                accepts(picker).map_err(|message| document.invalid(message))?;
                Ok(Rc::clone(picker))
            }
            [] if profiles <= 1 => Ok(Rc::new(SingleProfilePicker)),
            // Perhaps it is a picker that could not be built, which was reported.
            [] if self.instances.iter().any(|instance| instance.plugin.is_none()) => Err(Invalid),
            [] => Err(document.invalid(format!(
                "{profiles} profiles need a profile picker: add a plugin that is one, and profilePicker: {{pluginRef: NAME}}"
            ))),
            many => {
                let names: Vec<&str> = many.iter().map(|(instance, _)| instance.name.as_str()).collect();
                Err(document.invalid(format!(
                    "multiple profile pickers ({}): say which one with profilePicker: {{pluginRef: NAME}}",
                    names.join(", ")
                )))
            }
        }
    }
}

/// The instances behind a selector, which has `picker` where none of them is one.
fn instances(references: &[&Reference<'_, '_>], picker: &str) -> Selecting {
    let mut selecting = Selecting { picker: (picker.to_owned(), picker.to_owned()), ..Selecting::default() };
    for Reference { instance: Instance { name, kind, plugin }, .. } in references {
        let Some(plugin) = plugin else { continue };
        let one = || (kind.clone(), name.clone());
        selecting.filters.extend(plugin.filter.is_some().then(one));
        selecting.scorers.extend(plugin.scorer.is_some().then(one));
        if plugin.picker.is_some() {
            selecting.picker = one();
        }
    }
    selecting
}

/// Adds a plugin in each selection role that it has; what cannot be added is reported.
fn add_to_selector(
    mut selector: SelectorBuilder,
    plugin: &Plugin,
    reference: &Reference<'_, '_>,
) -> (SelectorBuilder, Result<(), Invalid>) {
    let Instance { name, .. } = reference.instance;
    if plugin.filter.is_none() && plugin.scorer.is_none() && plugin.picker.is_none() {
        return (selector, Err(reference.misplaced("a RequestProcessor, Filter, Scorer, or Picker")));
    }
    if let Some(filter) = &plugin.filter {
        selector = selector.filter(Rc::clone(filter));
    }
    // A refusal takes the builder with it. The configuration is refused then, and the rest of it still checked.
    let refused = |why: BuildError| (Selector::builder(), Err(reference.view.invalid(why.to_string())));
    if let Some(scorer) = &plugin.scorer {
        let Some(weight) = reference.weight else {
            let message = format!("the scorer {name:?} requires a weight: add `weight: 1`");
            return (selector, Err(reference.view.invalid(message)));
        };
        selector = match selector.scorer(weight, Rc::clone(scorer)) {
            Ok(more) => more,
            Err(why) => return refused(why),
        };
    }
    if let Some(picker) = &plugin.picker {
        selector = match selector.picker(Rc::clone(picker)) {
            Ok(more) => more,
            Err(why) => return refused(why),
        };
    }
    (selector, Ok(()))
}
