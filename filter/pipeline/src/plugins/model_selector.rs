//! `model-selector`: one of the models, chosen by the profile's filters, scorers and picker, becomes the body's
//! `model`.

mod catalogue;
mod figures;
mod scraped;
mod sessions;
mod timing;

pub(crate) use figures::Picked;
pub(super) use sessions::SessionId;

use super::base_model_to_header::not_loaded;
use super::body_field_to_header::invalid_model;
use crate::metrics::MetricId;
use crate::payload::{FieldId, Value};
use crate::plugin::{
    Build, Collected, Fields, ModelSelector, Parameter, Plugin, PluginType, Request, RequestPlugin,
};
use crate::reject::Rejection;
use crate::source::{Brought, Live};
use crate::state::{Decision, SelectedModel};
use catalogue::{Catalogue, Late, Reads};
use ipp_selector::scorers::{TOKEN_LIMITS, requested_tokens};
use ipp_selector::{
    Account, Candidate, Contender, Emptied, Env, IN_FLIGHT, Observer, Query, Requested, SelectError,
    Selected, Selector, Session,
};
use sessions::{Found, Sessions};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use timing::{Chance, Histograms, Stopwatch};

/// Every model that would suit has enough to do.
pub(super) const OVERLOADED: &str = "models_overloaded";
/// The filters left nobody, and neither an unknown name nor load is the reason.
const NONE_LEFT: &str = "no_model_available";

pub(crate) const TYPE: PluginType = PluginType {
    name: "model-selector",
    about: "Request plugin. Chooses one of the models of the data sources with the filters, scorers (each with a \
            `weight`) and the picker that the same profile lists, and writes its name into the body's `model`; the \
            body stays as it is if that is its name already. Plugins that read `model` come after it. From the choice \
            on until the request is over, however it ends, it counts in `ipp_inflight{model}`, and the tokens that it \
            asked for in `ipp_inflight_tokens{model}`. An instance belongs to one profile. Answers 404 \
            `model_not_found` for a name or group that nobody has, 400 `invalid_model` for a `model` that is no \
            string, 429 or 503 `models_overloaded` with Retry-After where all are filtered for load, and 429 \
            `no_model_available` where the filters leave nobody for another reason.",
    parameters: &[Parameter {
        name: "pluginDurations",
        kind: "boolean",
        default: "false",
        about: "Whether `ipp_plugin_duration_nanoseconds` also tells how long each filter, scorer and picker took \
                (`ModelSelectorFilter`, `ModelSelectorScorer`, `ModelSelectorPicker`). Each reads Envoy's clock, which \
                takes longer than many a scorer; without it no clock is read between them.",
    }],
    example: "type: model-selector\n",
    build: |parameters, build| {
        build.rejection_code(OVERLOADED);
        build.rejection_code(NONE_LEFT);
        let timed = parameters.get("pluginDurations").map_or(Ok(false), |view| view.boolean())?;
        Ok(Plugin::new().model_selector(Host { timed, taken: Cell::new(false) }))
    },
};

/// Makes the plugin, once.
struct Host {
    timed: bool,
    taken: Cell<bool>,
}

impl ModelSelector for Host {
    fn request_plugin(
        &self,
        selector: Selector,
        build: &mut Build<'_>,
    ) -> Result<Rc<dyn RequestPlugin>, String> {
        if self.taken.replace(true) {
            return Err(
                "a model-selector belongs to one profile, and another has this one already; add a second \
                        plugin of type \"model-selector\" with a name of its own"
                    .to_owned(),
            );
        }
        let models = build.models().to_vec();
        if models.is_empty() && build.live_models().is_empty() {
            return Err(
                "there are no models to select from: add a plugin of type \"model-config-datasource\" and \
                        name it under datalayer.datasources"
                    .to_owned(),
            );
        }
        Selection::new(selector, models, self.timed, build)
            .map(|selection| Rc::new(selection) as Rc<dyn RequestPlugin>)
    }
}

struct Selection {
    selector: Selector,
    reads: Reads,
    /// The models of the configuration itself; those of sources come behind them.
    own: Vec<Candidate>,
    sources: Vec<Live<Vec<Candidate>>>,
    collected: Vec<Collected>,
    /// What is scraped of the models that sources bring.
    brought: Vec<Brought>,
    current: RefCell<Current>,
    model: FieldId,
    fields: Vec<(String, FieldId)>,
    filtered: Vec<MetricId>,
    sessions: Vec<Sessions>,
    /// Whether a plugin on the profile's responses asks how the choice came about.
    explains: bool,
    /// Nothing where nobody asks how long each plugin takes.
    histograms: Option<Histograms>,
    success: MetricId,
    failure: MetricId,
    duration: MetricId,
}

/// The models as of now, and which documents they are of.
struct Current {
    catalogue: Catalogue,
    documents: Vec<Option<Rc<Vec<Candidate>>>>,
}

impl Selection {
    fn new(
        selector: Selector,
        models: Vec<Candidate>,
        timed: bool,
        build: &mut Build<'_>,
    ) -> Result<Self, String> {
        let selecting = build.selecting().clone();
        let filtered: Result<Vec<MetricId>, String> =
            selector.filters().map(|kind| build.counter("ipp_filtered_total", &[("plugin", kind)])).collect();
        let attempts = |build: &mut Build<'_>, status: &str| {
            build.counter("ipp_model_selector_attempt_total", &[("status", status)])
        };
        // `model` because errors speak of it, the limits because tokens in flight are counted.
        let mut names: Vec<String> = selector.body_fields().into_iter().map(str::to_owned).collect();
        names.extend(TOKEN_LIMITS.iter().chain(&["model"]).map(|name| (*name).to_owned()));
        names.sort_unstable();
        names.dedup();
        let mut attributes = selector.attributes();
        if build.explains_selection() {
            attributes.push(IN_FLIGHT.name());
        }
        let reads = Reads::new(attributes, *build.extraction());
        let (sources, collected) = (build.live_models().to_vec(), build.collected().to_vec());
        let catalogue = Catalogue::new(models.clone(), &reads, &collected, build)?;
        let sessions: Result<Vec<Sessions>, String> =
            selector.session_keys().into_iter().map(|key| Sessions::new(key, build)).collect();
        Ok(Self {
            explains: build.explains_selection(),
            histograms: timed.then(|| Histograms::new(&selecting, build)).transpose()?,
            reads,
            own: models,
            current: RefCell::new(Current { catalogue, documents: vec![None; sources.len()] }),
            sources,
            collected,
            brought: build.brought(),
            sessions: sessions?,
            model: build.field("model"),
            fields: names.into_iter().map(|name| (name.clone(), build.field(&name))).collect(),
            filtered: filtered?,
            success: attempts(build, "success")?,
            failure: attempts(build, "failure")?,
            duration: build.histogram("ipp_model_selector_e2e_duration_nanoseconds", &[])?,
            selector,
        })
    }

    /// Puts the models together anew if a source has given another list. Requests under way keep what they hold.
    fn follow(&self, current: &mut Current, world: &mut dyn crate::env::Env) -> Result<(), Rejection> {
        let documents = self.sources.iter().map(Live::get);
        let same = |(a, b): (&Option<Rc<_>>, Option<Rc<_>>)| match (a, &b) {
            (Some(a), Some(b)) => Rc::ptr_eq(a, b),
            (a, b) => a.is_none() && b.is_none(),
        };
        if current.documents.iter().zip(documents).all(same) {
            return Ok(());
        }
        let documents: Vec<_> = self.sources.iter().map(Live::get).collect();
        let mut models = self.own.clone();
        for model in documents.iter().flatten().flat_map(|list| list.iter()) {
            if !models.iter().any(|known| known.name() == model.name()) {
                models.push(model.clone());
            }
        }
        let mut collected = self.collected.clone();
        for brought in &self.brought {
            collected.extend(brought.borrow().iter().cloned());
        }
        let catalogue = Catalogue::new(models, &self.reads, &collected, &mut Late(world));
        *current = Current { catalogue: catalogue.map_err(Rejection::internal)?, documents };
        Ok(())
    }
}

impl RequestPlugin for Selection {
    fn process(&self, request: &mut Request<'_>) -> Result<(), Rejection> {
        let result = self.choose(request);
        request.count(if result.is_ok() { self.success } else { self.failure });
        result
    }
}

impl Selection {
    fn choose(&self, request: &mut Request<'_>) -> Result<(), Rejection> {
        let started = request.began_ns();
        // A plugin cannot run inside itself, so that nobody else holds the models.
        let Ok(mut current) = self.current.try_borrow_mut() else {
            return Err(Rejection::internal("the model selection is under way already"));
        };
        self.follow(&mut current, request.env())?;
        let catalogue = &mut current.catalogue;
        if catalogue.models.is_empty() {
            return Err(not_loaded());
        }
        catalogue.refresh(&self.reads, started, request.env());
        let found: Vec<Found<'_>> = self
            .sessions
            .iter()
            .map(|sessions| sessions.find(request, &catalogue.models, &catalogue.hashes))
            .collect();
        let (fields, world) = request.split();
        let world = RefCell::new(world);
        let query = Body { fields, names: &self.fields, sessions: &found };
        let watch = self.histograms.as_ref().map(|histograms| Stopwatch::new(histograms, &world));
        let seen = (Removed::default(), self.explains.then(Account::default));
        let mut observers = (seen, watch);
        let mut chance = Chance(&world);
        let mut env = Env { now_ns: started, rng: &mut chance };
        let outcome = self.selector.select_observed(&catalogue.models, &query, &mut env, &mut observers);
        let ((removed, account), watch) = observers;
        let laps = watch.map(Stopwatch::taken).unwrap_or_default();
        let world = world.into_inner();
        for (metric, lap) in laps {
            world.record(metric, lap);
        }
        for (metric, count) in self.filtered.iter().zip(removed.filters) {
            if count > 0 {
                world.add(*metric, count);
            }
        }
        let tokens = requested_tokens(&query) as u32;
        let malformed = query.model() == Requested::Malformed;
        request.time_as(self.duration);
        let selected = outcome.map_err(|error| rejection(error, malformed))?;
        let decision = account.map(|account| {
            Decision::new(account, &self.selector, &catalogue.models, selected.candidate, started)
        });
        let (index, name) = (selected.index, selected.candidate.shared_name());

        if let Some(metrics) = catalogue.metrics.get(index) {
            if let Some(figures) = &catalogue.figures {
                let in_flight = request.env().gauge(metrics.in_flight);
                request.state().put(Picked::new(figures, index, started, in_flight));
            }
            let asked = (tokens > 0).then_some((metrics.in_flight_tokens, tokens));
            request.hold_each([(metrics.in_flight, 1)].into_iter().chain(asked));
            request.count(metrics.selected);
        }
        for session in found {
            session.bind(&name, request);
        }
        request.set_field(self.model, &*name);
        if let Some(decision) = decision {
            request.state().put(decision);
        }
        request.state().put(SelectedModel(name));
        Ok(())
    }
}

fn rejection(error: SelectError, malformed: bool) -> Rejection {
    let SelectError::AllFiltered { cause, .. } = error else {
        return Rejection::internal(error.to_string());
    };
    match cause {
        Emptied::Unknown => Rejection::model_not_found(),
        Emptied::Malformed if malformed => invalid_model(),
        Emptied::Malformed => {
            Rejection::new(400, "invalid_model", "a field that names models must be a string")
        }
        Emptied::Loaded(busy) => {
            Rejection::new(busy.status, OVERLOADED, "every model that could serve this request is busy")
                .retry_after(busy.retry_after_seconds)
        }
        Emptied::Unsuitable => Rejection::new(429, NONE_LEFT, error.to_string()),
    }
}

/// The body, as the selector asks for it.
struct Body<'r> {
    fields: Fields<'r>,
    names: &'r [(String, FieldId)],
    sessions: &'r [Found<'r>],
}

impl Body<'_> {
    fn value(&self, name: &str) -> Value<'_> {
        match self.names.iter().find(|(known, _)| known == name) {
            Some((_, field)) => self.fields.get(*field),
            None => Value::Absent,
        }
    }
}

impl Query for Body<'_> {
    fn field(&self, name: &str) -> Requested<'_> {
        match self.value(name) {
            Value::Absent | Value::Null => Requested::Absent,
            Value::String(text) => Requested::text(text),
            _ => Requested::Malformed,
        }
    }

    fn number(&self, name: &str) -> Option<f64> {
        match self.value(name) {
            Value::Number(text) => text.parse().ok(),
            _ => None,
        }
    }

    fn session(&self, key: &str) -> Session<'_> {
        self.sessions.iter().find(|found| found.key() == key).map_or(Session::None, Found::session)
    }
}

/// How many candidates each filter removed.
#[derive(Default)]
struct Removed {
    before: usize,
    filters: Vec<u64>,
}

impl Observer for Removed {
    fn started(&mut self, _selector: &Selector, candidates: &[Candidate]) {
        self.before = candidates.len();
    }

    fn filtered(&mut self, _filter: usize, survivors: &[Contender<'_>]) {
        self.filters.push(self.before.saturating_sub(survivors.len()) as u64);
        self.before = survivors.len();
    }

    fn finished(&mut self, _outcome: &Result<Selected<'_>, SelectError>) {}
}
