//! The way of one request through a compiled configuration.

use crate::attachment::{self, Trouble};
use crate::config::BuildInfo;
use crate::entry::{self, Pass, Verdict};
use crate::env::Env;
use crate::head::{Head, HeaderId, HeaderTable};
use crate::metrics::{MetricId, MetricKind, Metrics, full_name};
use crate::observation::{Account, Observation};
use crate::options::{Options, TooLarge};
use crate::payload::{Members, Wanted};
use crate::plugin::{
    HeaderEdit, Holds, ProfilePicker, Request, RequestPlugin, ResponseBodyPlugin, ResponseEventsPlugin,
    ResponseHeadersPlugin, Splice, Unreadable, give_back,
};
use crate::reject::{CODES, OTHER, Rejection, Reply};
use crate::source::{Collecting, Polled};
use crate::state::State;
use std::rc::Rc;

/// A compiled configuration. Immutable: requests borrow it. What its plugins know from sources changes between them.
pub struct Pipeline {
    pub(crate) wanted: Wanted,
    pub(crate) response_wanted: Wanted,
    pub(crate) request_headers: HeaderTable,
    pub(crate) response_headers: HeaderTable,
    pub(crate) metrics: Metrics,
    pub(crate) core: CoreMetrics,
    pub(crate) options: Options,
    pub(crate) observation: Option<Observation>,
    pub(crate) parts: Parts,
    pub(crate) sources: Vec<Rc<Polled>>,
    pub(crate) collecting: Vec<Collecting>,
}

/// A plugin where it stands, with the histogram of its durations.
pub(crate) struct Installed<T: ?Sized> {
    pub(crate) plugin: Rc<T>,
    pub(crate) duration: MetricId,
}

/// A profile's plugins.
pub(crate) struct Profile {
    pub(crate) name: String,
    pub(crate) request: Vec<Installed<dyn RequestPlugin>>,
    pub(crate) response: ResponseChain,
}

/// The plugins on responses of a profile, or of post-processing.
#[derive(Default)]
pub(crate) struct ResponseChain {
    pub(crate) headers: Vec<Installed<dyn ResponseHeadersPlugin>>,
    pub(crate) events: Vec<Installed<dyn ResponseEventsPlugin>>,
    pub(crate) bodies: Vec<FullBody>,
    /// Whether one of them reads how a model was selected.
    pub(crate) explains: bool,
}

impl ResponseChain {
    pub(crate) fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.events.is_empty() && self.bodies.is_empty()
    }
}

/// A full-body plugin where it stands.
pub(crate) struct FullBody {
    pub(crate) installed: Installed<dyn ResponseBodyPlugin>,
    pub(crate) unreadable: Unreadable,
    /// Counts the responses that passed without it.
    pub(crate) skipped: MetricId,
}

/// All plugins in the order in which they run.
pub(crate) struct Parts {
    pub(crate) pre: Vec<Installed<dyn RequestPlugin>>,
    pub(crate) picker: Rc<dyn ProfilePicker>,
    pub(crate) profiles: Vec<Profile>,
    pub(crate) names: Vec<String>,
    pub(crate) post: ResponseChain,
}

impl Parts {
    /// Whether any response is held until it is complete.
    pub(crate) fn holds_responses(&self) -> bool {
        !self.post.bodies.is_empty()
            || self.profiles.iter().any(|profile| !profile.response.bodies.is_empty())
    }
}

/// How a request ended, as the metric `ipp_requests_total` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Its body was read and it was forwarded.
    Processed,
    /// It was not for this filter.
    Passed,
    /// It was for this filter, but went on unread: encoded, or too large.
    Bypassed,
    /// It was answered here.
    Rejected,
    /// It went away before it was complete.
    Aborted,
}

const ENDINGS: [(Ending, &str); 5] = [
    (Ending::Processed, "processed"),
    (Ending::Passed, "passed"),
    (Ending::Bypassed, "bypassed"),
    (Ending::Rejected, "rejected"),
    (Ending::Aborted, "aborted"),
];

/// The metrics that every configuration has.
pub(crate) struct CoreMetrics {
    info: MetricId,
    success: MetricId,
    body_bytes: MetricId,
    endings: Vec<(Ending, MetricId)>,
    rejections: Vec<(&'static str, MetricId)>,
    troubles: Vec<(Trouble, MetricId)>,
}

impl CoreMetrics {
    pub(crate) fn define(metrics: &mut Metrics, codes: &[&'static str], info: BuildInfo) -> Self {
        let mut counter =
            |name: &str, labels: &[(&str, &str)]| metrics.define(MetricKind::Counter, name, labels);
        let success = counter("ipp_success_total", &[]);
        let endings = ENDINGS
            .map(|(ending, label)| (ending, counter("ipp_requests_total", &[("outcome", label)])))
            .to_vec();
        let rejections = CODES
            .iter()
            .chain(codes)
            .map(|code| (*code, counter("ipp_rejections_total", &[("code", code)])))
            .collect();
        let labels = [("commit", info.commit), ("build_ref", info.build_ref)];
        Self {
            info: metrics.define(MetricKind::Gauge, "ipp_info", &labels),
            success,
            body_bytes: metrics.define(MetricKind::Histogram, "ipp_body_bytes", &[]),
            endings,
            rejections,
            troubles: attachment::define(metrics),
        }
    }
}

/// A request that is held until its body was read.
#[derive(Debug)]
pub struct Held {
    head: Head,
    /// The client's content-length. It has to stay true.
    content_length: Option<u64>,
    members: Members,
}

impl Held {
    /// Whether the whole body was read, going by its content-length. Envoy's codecs hold a client to it, so
    /// that one need not wait for the end of the stream, which HTTP/1 tells apart from the last bytes.
    pub fn is_complete(&self) -> bool {
        self.content_length.is_some_and(|length| u64::try_from(self.members.len()) == Ok(length))
    }
}

/// What is to be done with a request after its headers.
#[derive(Debug)]
pub enum Entered {
    /// Hold the headers until the body was read.
    Hold(Box<Held>),
    /// Let it go on.
    Pass(Pass),
    /// Answer it.
    Reject(Rejection),
}

/// What is to be done with a request after some of its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Hold it; more of the body is needed.
    More,
    /// Let it go on as it is.
    Bypass,
    /// Answer it.
    Reject(Rejection),
}

/// What is to be done with a request that goes on.
#[derive(Debug)]
pub struct Forward {
    /// Headers to set or remove.
    pub headers: Vec<HeaderEdit>,
    /// Changes of the body, from front to back.
    pub body: Vec<Splice>,
    /// The value that content-length needs now. Nothing where it is right, or where there is none.
    pub content_length: Option<usize>,
    /// What its response needs to know.
    pub routed: Routed,
}

/// What is known of a request when its response comes.
#[derive(Debug, Default)]
pub struct Routed {
    pub(crate) profile: Option<usize>,
    pub(crate) state: State,
    /// What is accounted for when it has ended; nothing where nothing is observed.
    pub(crate) account: Option<Box<Account>>,
    holds: Holds,
}

impl Pipeline {
    /// Looks at a request's headers: which of the client's headers are to be removed, and whether to hold it.
    ///
    /// `headers` are all headers with the pseudo-headers, names in lower case. `end_of_stream` says that no
    /// body follows.
    pub fn enter<'h>(
        &self,
        headers: impl Iterator<Item = (&'h [u8], &'h [u8])>,
        end_of_stream: bool,
    ) -> (Vec<HeaderEdit>, Entered) {
        let (mut head, verdict, content_length) =
            entry::enter(&self.request_headers, &self.options, headers, end_of_stream);
        let removals = removals(std::mem::take(&mut head.owned_present));
        let entered = match verdict {
            Verdict::Pass(pass) => Entered::Pass(pass),
            Verdict::Reject(rejection) => Entered::Reject(rejection),
            Verdict::Hold => {
                Entered::Hold(Box::new(Held { head, content_length, members: Members::new(&self.wanted) }))
            }
        };
        (removals, entered)
    }

    /// Reads the next bytes of a held request's body.
    pub fn feed(&self, held: &mut Held, chunk: &[u8]) -> Progress {
        let total = u64::try_from(held.members.len().saturating_add(chunk.len())).unwrap_or(u64::MAX);
        if total > self.options.max_bytes {
            return match self.options.too_large {
                TooLarge::Bypass => Progress::Bypass,
                TooLarge::Reject => Progress::Reject(entry::too_large(&self.options)),
            };
        }
        match held.members.feed(&self.wanted, chunk) {
            Ok(()) => Progress::More,
            Err(error) => Progress::Reject(error.into()),
        }
    }

    /// Decides about a held request whose body is complete.
    ///
    /// # Errors
    /// The rejection that the client gets.
    pub fn decide(&self, mut held: Box<Held>, env: &mut dyn Env) -> Result<Forward, Rejection> {
        let bytes = u64::try_from(held.members.len()).unwrap_or(u64::MAX);
        env.record(self.core.body_bytes, bytes);
        held.members.finish()?;

        let mut request = Request::new(&held.head, &held.members, env);
        let index = self.run(&mut request).inspect_err(|_| request.give_back())?;
        request.count(self.core.success);
        let account = self.observation.as_ref().map(|observation| observation.begin(&mut request, index));

        let (headers, body, state, holds) = request.finish(|field| self.wanted.name(field).to_owned());
        let content_length = (held.content_length.is_some() && !body.is_empty()).then(|| {
            body.iter().fold(held.members.len(), |length, splice| {
                length.saturating_sub(splice.range.len()).saturating_add(splice.bytes.len())
            })
        });
        Ok(Forward {
            headers,
            body,
            content_length,
            routed: Routed { profile: Some(index), state, account, holds },
        })
    }

    /// All plugins of a request, in their order; the index of the profile that was picked.
    fn run(&self, request: &mut Request<'_>) -> Result<usize, Rejection> {
        run(request, &self.parts.pre)?;
        let index = self.parts.picker.pick(request, &self.parts.names)?;
        let Some(profile) = self.parts.profiles.get(index) else {
            return Err(Rejection::internal("failed to pick a profile: there is none of that index"));
        };
        run(request, &profile.request)?;
        Ok(index)
    }

    /// A request that went on is over: what it held of gauges is given back. More calls do nothing.
    pub fn finish(&self, routed: &mut Routed, env: &mut dyn Env) {
        give_back(&mut routed.holds, env);
    }

    /// Counts how a request ended. Once for each request.
    pub fn count_ending(&self, ending: Ending, env: &mut dyn Env) {
        if let Some((_, metric)) = self.core.endings.iter().find(|(known, _)| *known == ending) {
            env.add(*metric, 1);
        }
    }

    /// Counts something that is wrong with how the module is attached.
    pub fn count_trouble(&self, trouble: Trouble, env: &mut dyn Env) {
        if let Some((_, metric)) = self.core.troubles.iter().find(|(known, _)| *known == trouble) {
            env.add(*metric, 1);
        }
    }

    /// Which of a message's headers this configuration decides on, for a filter that looks at nothing else of it.
    pub fn owned_among<'h>(&self, headers: impl Iterator<Item = (&'h [u8], &'h [u8])>) -> Vec<HeaderEdit> {
        let mut head = Head::default();
        for (name, value) in headers {
            head.take(&self.request_headers, name, value);
        }
        removals(head.owned_present)
    }

    /// Turns a refusal into the reply of the configured shape, and counts it.
    pub fn reply(&self, rejection: &Rejection, env: &mut dyn Env) -> Reply {
        let code = |code: &str| self.core.rejections.iter().find(|(known, _)| *known == code);
        if let Some((_, metric)) = code(rejection.code).or_else(|| code(OTHER)) {
            env.add(*metric, 1);
        }
        Reply::new(rejection, self.options.errors)
    }

    /// The ending that a pass counts as.
    pub fn ending_of(pass: Pass) -> Ending {
        match pass {
            Pass::NotApplicable => Ending::Passed,
            Pass::Encoded | Pass::TooLarge => Ending::Bypassed,
        }
    }

    /// The metrics to define before the first request.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The gauge that says which build this is; its value is always 1.
    pub fn info_metric(&self) -> MetricId {
        self.core.info
    }

    /// The names behind the request headers of edits.
    pub fn request_headers(&self) -> &HeaderTable {
        &self.request_headers
    }

    /// The names behind the response headers of edits.
    pub fn response_header_names(&self) -> &HeaderTable {
        &self.response_headers
    }

    /// The documents that have to be fetched while this configuration is in force.
    pub fn sources(&self) -> &[Rc<Polled>] {
        &self.sources
    }

    /// The documents that have to be fetched, too, because of what other documents say: all of them, in place of those of
    /// the last call. Nothing where they are the same. To be called when a document has been
    /// [put](Polled::put).
    pub fn brought(&self, env: &mut dyn Env) -> Option<Vec<Rc<Polled>>> {
        let mut define =
            |kind, name: &str, labels: &[(&str, &str)]| env.define(kind, &full_name(name, labels));
        // There is at most one collector whose models come from sources.
        self.collecting.iter().find_map(|collecting| collecting.follow(&mut define))
    }

    /// What the section `proxyWasm` says.
    pub fn options(&self) -> &Options {
        &self.options
    }
}

fn removals(headers: Vec<HeaderId>) -> Vec<HeaderEdit> {
    headers.into_iter().map(|header| HeaderEdit { header, value: None }).collect()
}

/// Runs plugins one after another. One reading of the clock serves as the end of a plugin and the start of the
/// next.
fn run(request: &mut Request<'_>, plugins: &[Installed<dyn RequestPlugin>]) -> Result<(), Rejection> {
    if plugins.is_empty() {
        return Ok(());
    }
    let mut clock = request.now_ns();
    for installed in plugins {
        let (now, result) = request.run(clock, installed.duration, &*installed.plugin);
        clock = now;
        result?;
    }
    Ok(())
}
