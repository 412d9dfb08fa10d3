//! What a plugin declares while it is built: the fields and headers it uses, the figures it keeps.

use super::collect::Collected;
use super::extract::{Extraction, SessionRules};
use crate::config::{Invalid, Object, View};
use crate::head::{HeaderId, HeaderTable};
use crate::metrics::{MetricId, MetricKind, Metrics, is_label_value};
use crate::payload::{FieldId, Inside, Wanted};
use crate::source::{Brought, Collecting, Format, Live, Polled, Source};
use ipp_selector::Candidate;
use ipp_selector::records::SessionTable;
use std::rc::Rc;

/// The parameters of an instance; its keys are those that its type declares.
pub type Params<'a> = Object<'a>;

impl<'a> Params<'a> {
    /// A string parameter that has to be there and not be empty.
    ///
    /// # Errors
    /// It is absent, empty or something else.
    pub fn required_text(&self, name: &str) -> Result<&'a str, Invalid> {
        self.require(name)?.text()
    }

    /// The elements of a list parameter; none if it is absent.
    ///
    /// # Errors
    /// It is something else.
    pub fn elements(&self, name: &str) -> Result<Vec<View<'a>>, Invalid> {
        self.get(name).map_or(Ok(Vec::new()), |value| value.list())
    }
}

/// The types and names of the instances that select a model in a profile, in the order in which they run.
#[derive(Clone, Debug, Default)]
pub struct Selecting {
    /// Of the filters.
    pub filters: Vec<(String, String)>,
    /// Of the scorers.
    pub scorers: Vec<(String, String)>,
    /// Of the picker.
    pub picker: (String, String),
}

/// Collects what the plugins of a configuration declare; the union decides how much of a request is read.
pub struct Build<'a> {
    pub(crate) wanted: &'a mut Wanted,
    pub(crate) response_wanted: &'a mut Wanted,
    pub(crate) request_headers: &'a mut HeaderTable,
    pub(crate) response_headers: &'a mut HeaderTable,
    pub(crate) metrics: &'a mut Metrics,
    pub(crate) rejection_codes: &'a mut Vec<&'static str>,
    pub(crate) sources: &'a mut Vec<Rc<Polled>>,
    /// The name of the instance that is built.
    pub(crate) instance: &'a str,
    pub(crate) models: &'a [Candidate],
    pub(crate) live_models: &'a [Live<Vec<Candidate>>],
    pub(crate) collected: &'a [Collected],
    pub(crate) collecting: &'a [Collecting],
    pub(crate) extraction: &'a Extraction,
    pub(crate) sessions: &'a mut Vec<SessionRules>,
    /// The instances in the `response` list of the profile that is put together.
    pub(crate) responding: &'a [String],
    /// Whether the profile that is put together is to leave the account of its model selection.
    pub(crate) explains: bool,
    /// What selects a model in the profile that is put together.
    pub(crate) selecting: &'a Selecting,
}

impl Build<'_> {
    /// Declares a top-level body field that is read or written.
    pub fn field(&mut self, name: &str) -> FieldId {
        self.wanted.add(name)
    }

    /// As [`Self::field`]; an object or array can be read as it is written.
    pub fn whole_field(&mut self, name: &str) -> FieldId {
        self.wanted.add_whole(name)
    }

    /// As [`Self::field`], where only the kind and the size of the value matter: a text is not kept.
    pub fn place_of_field(&mut self, name: &str) -> FieldId {
        self.wanted.add_place(name)
    }

    /// As [`Self::place_of_field`]; a `type` inside of the field is looked for while the body is scanned, which makes that slower
    /// in this field. [`Request::field_type`](super::Request::field_type) gives it.
    pub fn inside_field(&mut self, name: &str, inside: Inside) -> FieldId {
        self.wanted.add_inside(name, inside)
    }

    /// Declares a top-level field of a response's body that is read. Only full-body plugins get to see it.
    pub fn response_field(&mut self, name: &str) -> FieldId {
        self.response_wanted.add(name)
    }

    /// Declares a request header that is read.
    ///
    /// # Errors
    /// What is wrong with the name.
    pub fn reads_header(&mut self, name: &str) -> Result<HeaderId, String> {
        self.request_headers.reads(name)
    }

    /// Declares a request header that the plugin sets. What clients send under its name is removed.
    ///
    /// # Errors
    /// What is wrong with the name.
    pub fn owns_header(&mut self, name: &str) -> Result<HeaderId, String> {
        self.request_headers.owns(name)
    }

    /// Declares a request header of the client that the plugin changes or removes.
    ///
    /// # Errors
    /// What is wrong with the name.
    pub fn edits_header(&mut self, name: &str) -> Result<HeaderId, String> {
        self.request_headers.edits(name)
    }

    /// Declares a response header that is read.
    ///
    /// # Errors
    /// What is wrong with the name.
    pub fn reads_response_header(&mut self, name: &str) -> Result<HeaderId, String> {
        self.response_headers.reads(name)
    }

    /// Declares a response header that the plugin sets or removes.
    ///
    /// # Errors
    /// What is wrong with the name.
    pub fn edits_response_header(&mut self, name: &str) -> Result<HeaderId, String> {
        self.response_headers.edits(name)
    }

    /// The models of the data sources, in their order. Known while profiles are put together, which is after all
    /// plugins were built: for [`ModelSelector::request_plugin`](super::ModelSelector::request_plugin).
    pub fn models(&self) -> &[Candidate] {
        self.models
    }

    /// Lists of models that are fetched while the filter runs. Known when [`models`](Build::models) are.
    pub fn live_models(&self) -> &[Live<Vec<Candidate>>] {
        self.live_models
    }

    /// What collectors scrape of the models. Known when [`models`](Build::models) are.
    pub fn collected(&self) -> &[Collected] {
        self.collected
    }

    /// What collectors scrape of the models that sources bring. Known when [`models`](Build::models) are.
    pub(crate) fn brought(&self) -> Vec<Brought> {
        self.collecting.iter().map(Collecting::brought).collect()
    }

    /// How figures are made of the ends of requests. Known when [`models`](Build::models) are.
    pub fn extraction(&self) -> &Extraction {
        self.extraction
    }

    /// Declares that the request header `key` names a session.
    ///
    /// # Errors
    /// What is wrong with the name, or another plugin has the header already.
    pub(crate) fn session(&mut self, key: &str, table: SessionTable, ttl_ns: u64) -> Result<(), String> {
        let key = key.to_ascii_lowercase();
        if let Some(other) = self.sessions.iter().find(|known| known.key == key) {
            return Err(format!(
                "the plugin {:?} has the header {key:?} for its sessions already",
                other.instance
            ));
        }
        let header = self.reads_header(&key)?;
        self.sessions.push(SessionRules { instance: self.instance.to_owned(), key, header, table, ttl_ns });
        Ok(())
    }

    /// The sessions of that header, and whether the profile tells clients of them.
    pub(crate) fn sessions(&self, key: &str) -> Option<(SessionRules, bool)> {
        let rules = self.sessions.iter().find(|known| known.key == key)?;
        Some((rules.clone(), self.responding.contains(&rules.instance)))
    }

    /// Whether a plugin on the responses of the profile that is put together asks for the
    /// [`Decision`](crate::Decision): for [`ModelSelector::request_plugin`](super::ModelSelector::request_plugin).
    pub fn explains_selection(&self) -> bool {
        self.explains
    }

    /// The instances behind the selector's filters, scorers and picker: for
    /// [`ModelSelector::request_plugin`](super::ModelSelector::request_plugin).
    pub fn selecting(&self) -> &Selecting {
        self.selecting
    }

    /// Declares a counter. Label values have to come from the configuration.
    ///
    /// # Errors
    /// A label value that cannot be told from the syntax of metric names.
    pub fn counter(&mut self, name: &str, labels: &[(&str, &str)]) -> Result<MetricId, String> {
        self.metric(MetricKind::Counter, name, labels)
    }

    /// Declares a gauge, as [`counter`](Build::counter) does a counter. One atomic number for the whole process:
    /// all workers change and read it, and it outlives this configuration.
    ///
    /// # Errors
    /// As for a counter.
    pub fn gauge(&mut self, name: &str, labels: &[(&str, &str)]) -> Result<MetricId, String> {
        self.metric(MetricKind::Gauge, name, labels)
    }

    /// Declares a histogram, as [`counter`](Build::counter) does a counter.
    ///
    /// # Errors
    /// As for a counter.
    pub fn histogram(&mut self, name: &str, labels: &[(&str, &str)]) -> Result<MetricId, String> {
        self.metric(MetricKind::Histogram, name, labels)
    }

    pub(crate) fn metric(
        &mut self,
        kind: MetricKind,
        name: &str,
        labels: &[(&str, &str)],
    ) -> Result<MetricId, String> {
        match labels.iter().find(|(_, value)| !is_label_value(value)) {
            Some((_, value)) => Err(format!("{value:?} cannot be a metric label")),
            None => Ok(self.metrics.define(kind, name, labels)),
        }
    }

    /// Declares a code of the plugin's own rejections, so that `ipp_rejections_total` has a series for it. One
    /// that is not declared is counted as `other`.
    pub fn rejection_code(&mut self, code: &'static str) {
        self.rejection_codes.push(code);
    }

    /// Declares a document that is fetched while the filter runs, from the `source` that stands at `view`. A plugin
    /// with several names each of them by a `part`; the plugin's name and that are the label of its metrics.
    ///
    /// # Errors
    /// What is wrong with the source, or the part's name is none for a label or taken.
    pub fn source<F: Format + 'static>(
        &mut self,
        view: &View<'_>,
        part: Option<&str>,
        format: F,
    ) -> Result<Live<F::Document>, Invalid> {
        let source = Source::read(view)?;
        self.source_of(source, part, format).map_err(|message| view.invalid(message))
    }

    /// The same for a source that is put together of something else.
    fn source_of<F: Format + 'static>(
        &mut self,
        source: Source,
        part: Option<&str>,
        format: F,
    ) -> Result<Live<F::Document>, String> {
        let name = match part {
            Some(part) => format!("{}/{part}", self.instance),
            None => self.instance.to_owned(),
        };
        if !is_label_value(&name) {
            return Err(format!("{name:?} cannot be a metric label"));
        }
        if self.sources.iter().any(|known| known.name() == name) {
            return Err(format!("there is a source of the name {name:?} already"));
        }
        let mut define = |kind, name: &str, labels: &[(&str, &str)]| self.metrics.define(kind, name, labels);
        let (polled, live) = Polled::new(name, source, format, &mut define);
        self.sources.push(Rc::new(polled));
        Ok(live)
    }
}
