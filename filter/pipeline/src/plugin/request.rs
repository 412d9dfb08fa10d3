//! A request as a plugin sees it, and what the plugins want done with it.

use crate::env::Env;
use crate::head::{Head, HeaderId};
use crate::metrics::MetricId;
use crate::payload::{FieldId, MAX_VALUE_BYTES, Members, Value, encode_string};
use crate::plugin::RequestPlugin;
use crate::reject::Rejection;
use crate::state::State;
use std::ops::Range;

/// A request whose body was read. What is set here is visible to the plugins that come after.
pub struct Request<'a> {
    head: &'a Head,
    members: &'a Members,
    env: &'a mut dyn Env,
    state: State,
    edits: Edits,
    holds: Holds,
    /// When the plugin began that runs.
    began_ns: u64,
    /// Another histogram that its duration goes into.
    timed_as: Option<MetricId>,
}

/// How much of which gauges belongs to a request, until it is over.
pub(crate) type Holds = Vec<(MetricId, i64)>;

/// Takes back what a request added to gauges. More calls do nothing.
pub(crate) fn give_back(holds: &mut Holds, env: &mut dyn Env) {
    for (_, amount) in &mut *holds {
        *amount = amount.saturating_neg();
    }
    env.shift(holds);
    holds.clear();
}

/// The fields of a body, without the rest of the request.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'r> {
    members: &'r Members,
    edits: &'r Edits,
}

impl<'r> Fields<'r> {
    /// The current value of a body field.
    pub(crate) fn get(self, field: FieldId) -> Value<'r> {
        match self.edits.fields.iter().find(|(edited, _)| *edited == field) {
            Some((_, Edited::Text(text))) => Value::String(text),
            Some((_, Edited::Json(json))) => match json.as_bytes().first() {
                Some(b'{') => Value::Object,
                Some(b'[') => Value::Array,
                Some(b't') => Value::Bool(true),
                Some(b'f') => Value::Bool(false),
                Some(b'n') => Value::Null,
                _ => Value::Number(json),
            },
            None => self.members.value(field),
        }
    }
}

/// What the plugins changed, the last change of a name winning.
#[derive(Debug, Default)]
struct Edits {
    headers: Vec<HeaderEdit>,
    fields: Vec<(FieldId, Edited)>,
}

/// What a field is set to.
#[derive(Debug)]
enum Edited {
    /// A string, as text.
    Text(String),
    /// Any value, as JSON.
    Json(String),
}

/// A header that is to be set, or removed where there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderEdit {
    /// Which.
    pub header: HeaderId,
    /// Its new value.
    pub value: Option<Vec<u8>>,
}

/// Bytes of a body that are to be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splice {
    /// Which bytes; empty where something is inserted.
    pub range: Range<usize>,
    /// What takes their place.
    pub bytes: Vec<u8>,
}

impl<'a> Request<'a> {
    pub(crate) fn new(head: &'a Head, members: &'a Members, env: &'a mut dyn Env) -> Self {
        Self {
            head,
            members,
            env,
            state: State::default(),
            edits: Edits::default(),
            holds: Vec::new(),
            began_ns: 0,
            timed_as: None,
        }
    }

    /// The method, as it was sent.
    pub fn method(&self) -> &[u8] {
        self.head.method()
    }

    /// The path without its query.
    pub fn path(&self) -> &[u8] {
        self.head.path()
    }

    /// The first value that the client sent for a header. What plugins set is not seen here.
    pub fn header(&self, header: HeaderId) -> Option<&[u8]> {
        self.headers(header).next()
    }

    /// All values that the client sent for a header.
    pub fn headers(&self, header: HeaderId) -> impl Iterator<Item = &[u8]> {
        self.head.values(header)
    }

    /// The current value of a body field.
    pub fn field(&self, field: FieldId) -> Value<'_> {
        Fields { members: self.members, edits: &self.edits }.get(field)
    }

    /// How many bytes of the body a field's value takes as it was sent; 0 if it is absent.
    pub fn field_bytes(&self, field: FieldId) -> usize {
        self.members.spans(field).iter().map(ExactSizeIterator::len).fold(0, usize::saturating_add)
    }

    /// The `type` that the client wrote inside of a body field, where [`Build::inside_field`](super::Build::inside_field)
    /// asked for it.
    pub fn field_type(&self, field: FieldId) -> Option<&str> {
        self.members.told(field)
    }

    /// How many bytes the body has.
    pub fn body_bytes(&self) -> usize {
        self.members.len()
    }

    /// The fields beside the world, for what needs both at once.
    pub(crate) fn split(&mut self) -> (Fields<'_>, &mut dyn Env) {
        (Fields { members: self.members, edits: &self.edits }, self.env)
    }

    /// Adds to a gauge at once, and takes it back when the request is over, however it ends: rejected by a later
    /// plugin, answered, timed out, reset, gone.
    pub fn hold(&mut self, gauge: MetricId, amount: u32) {
        self.hold_each([(gauge, amount)]);
    }

    /// [`Self::hold`] of several gauges as one change.
    pub(crate) fn hold_each(&mut self, holds: impl IntoIterator<Item = (MetricId, u32)>) {
        let from = self.holds.len();
        self.holds.extend(holds.into_iter().map(|(gauge, amount)| (gauge, i64::from(amount))));
        self.env.shift(self.holds.get(from..).unwrap_or_default());
    }

    /// Takes back what was added to gauges: the request does not go on.
    pub(crate) fn give_back(&mut self) {
        give_back(&mut self.holds, self.env);
    }

    /// The value that the client sent for a body field, whatever plugins made of it.
    pub fn client_field(&self, field: FieldId) -> Value<'_> {
        self.members.value(field)
    }

    /// Sets a body field to a string. Only the bytes of its value change; a field that is absent comes first
    /// in the object. Setting what is there already changes nothing.
    pub fn set_field(&mut self, field: FieldId, text: impl Into<String>) {
        let text = text.into();
        if self.field(field) == Value::String(&text) {
            return;
        }
        self.edits.fields.retain(|(edited, _)| *edited != field);
        self.edits.fields.push((field, Edited::Text(text)));
    }

    /// An object or array of the client's as it is written, up to 8 KiB. It has to be declared with
    /// [`Build::whole_field`](super::Build::whole_field).
    pub fn whole_field(&self, field: FieldId) -> Option<&[u8]> {
        self.members.whole(field)
    }

    /// Sets a body field to an object or array, written as JSON. What is written is not checked.
    pub fn set_json_field(&mut self, field: FieldId, json: String) {
        self.edits.fields.retain(|(edited, _)| *edited != field);
        self.edits.fields.push((field, Edited::Json(json)));
    }

    /// Sets a header, whatever it was.
    ///
    /// # Errors
    /// A value with control characters, or longer than 8 KiB, is a 400: it came out of the payload.
    pub fn set_header(&mut self, header: HeaderId, value: impl Into<Vec<u8>>) -> Result<(), Rejection> {
        let value = value.into();
        if value.len() > MAX_VALUE_BYTES || value.iter().any(u8::is_ascii_control) {
            return Err(Rejection::invalid_header_value());
        }
        self.edit_header(header, Some(value));
        Ok(())
    }

    /// Removes a header.
    pub fn remove_header(&mut self, header: HeaderId) {
        self.edit_header(header, None);
    }

    fn edit_header(&mut self, header: HeaderId, value: Option<Vec<u8>>) {
        self.edits.headers.retain(|edit| edit.header != header);
        self.edits.headers.push(HeaderEdit { header, value });
    }

    /// Counts one.
    pub fn count(&mut self, counter: MetricId) {
        self.env.add(counter, 1);
    }

    /// Nanoseconds since the Unix epoch.
    pub fn now_ns(&mut self) -> u64 {
        self.env.now_ns()
    }

    /// When the plugin began that runs: the time without another look at the clock, which is a host call.
    pub(crate) fn began_ns(&self) -> u64 {
        self.began_ns
    }

    /// What the plugin that runs takes is recorded in this histogram, too.
    pub(crate) fn time_as(&mut self, histogram: MetricId) {
        self.timed_as = Some(histogram);
    }

    /// Runs a plugin that begins at `began_ns`, and records in `duration` how long it took. The time when it ended.
    ///
    /// # Errors
    /// Its own.
    pub(crate) fn run(
        &mut self,
        began_ns: u64,
        duration: MetricId,
        plugin: &dyn RequestPlugin,
    ) -> (u64, Result<(), Rejection>) {
        self.began_ns = began_ns;
        let result = plugin.process(self);
        let now = self.now_ns();
        let took = now.saturating_sub(began_ns);
        self.env.record(duration, took);
        if let Some(histogram) = self.timed_as.take() {
            self.env.record(histogram, took);
        }
        (now, result)
    }

    /// The next random number.
    pub fn random(&mut self) -> u64 {
        self.env.random()
    }

    /// What plugins leave for each other and for the response.
    pub fn state(&mut self) -> &mut State {
        &mut self.state
    }

    pub(crate) fn env(&mut self) -> &mut dyn Env {
        self.env
    }

    /// The edits, and what was left for the response.
    pub(crate) fn finish(
        self,
        name: impl Fn(FieldId) -> String,
    ) -> (Vec<HeaderEdit>, Vec<Splice>, State, Holds) {
        let mut splices = Vec::new();
        let mut inserted = Vec::new();
        for (field, edited) in &self.edits.fields {
            let json = match edited {
                Edited::Text(text) => encode_string(text),
                Edited::Json(json) => json.clone(),
            };
            let spans = self.members.spans(*field);
            if spans.is_empty() {
                inserted.push(format!("{}:{json}", encode_string(&name(*field))));
            }
            for span in spans {
                splices.push(Splice { range: span.clone(), bytes: json.clone().into_bytes() });
            }
        }
        if !inserted.is_empty() {
            let comma = if self.members.is_empty_object() { "" } else { "," };
            let at = self.members.first_member_at();
            splices.push(Splice { range: at..at, bytes: (inserted.join(",") + comma).into_bytes() });
        }
        splices.sort_by_key(|splice| splice.range.start);
        (self.edits.headers, splices, self.state, self.holds)
    }
}
