//! What is accounted for of each request that was read, once, when it has ended: tokens, times, money.

mod prices;

pub(crate) use prices::PriceList;

use crate::env::Env;
use crate::head::{HeaderId, HeaderTable};
use crate::metrics::{MetricId, MetricKind, Metrics};
use crate::options::{Prices, Responses};
use crate::payload::{FieldId, Value, Wanted};
use crate::plugin::Request;
use crate::response::{Seen, Unobserved, Usage};

/// The label of everything that the configuration does not list.
const OTHER: &str = "other";
/// The served model where a response does not name it.
const UNKNOWN: &str = "unknown";
const NANOS_A_MILLISECOND: u64 = 1_000_000;
/// Between the first and the last token there has to be this much time for a rate to mean something.
const SHORTEST_GENERATION_NS: u64 = 10 * NANOS_A_MILLISECOND;

/// How a request that went on to a model server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The response was complete, its status below 400, and no error stood in it.
    Ok,
    /// The response was complete, and told of an error.
    Error,
    /// The response began and was cut: the model server reset it, or a time-out did.
    Reset,
    /// The client left.
    Aborted,
    /// There was no response of a model server: a local reply took its place.
    Unanswered,
}

const OUTCOMES: [(Outcome, &str); 5] = [
    (Outcome::Ok, "ok"),
    (Outcome::Error, "error"),
    (Outcome::Reset, "reset"),
    (Outcome::Aborted, "aborted"),
    (Outcome::Unanswered, "unanswered"),
];

impl Outcome {
    /// Its label in metrics, and its code in access logs.
    pub fn label(self) -> &'static str {
        OUTCOMES.iter().find(|(known, _)| *known == self).map_or("", |(_, label)| label)
    }
}

/// What is known of a request when it goes on.
#[derive(Clone, Debug)]
pub struct Account {
    /// The model that the client asked for.
    requested: Option<String>,
    /// The model that the request names now.
    model: Option<String>,
    profile: usize,
    tenant: usize,
    /// When the request was released, in nanoseconds since the epoch.
    released_ns: u64,
}

/// What is known of a request when it has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// How.
    pub outcome: Outcome,
    /// The model that the client asked for.
    pub requested_model: Option<String>,
    /// The model that the request named when it went on.
    pub model: Option<String>,
    /// The model that answered, by its own account.
    pub served_model: Option<String>,
    /// The index of the profile.
    pub profile: usize,
    /// The status of the model server's response.
    pub status: Option<u16>,
    /// Its tokens.
    pub usage: Option<Usage>,
    /// From the release of the request to the first content, in nanoseconds.
    pub ttft_ns: Option<u64>,
    /// From the release of the request to its end, in nanoseconds.
    pub duration_ns: u64,
}

/// What the response showed, as the way of the response kept it.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) status: Option<u16>,
    pub(crate) seen: Option<Seen>,
    pub(crate) first_content_ns: Option<u64>,
}

struct Model {
    name: String,
    prices: Option<Prices>,
    ttft: MetricId,
    /// With tokens, like the two below.
    rate: Option<MetricId>,
    durations: Vec<MetricId>,
    responses: Vec<MetricId>,
    /// By served model: the listed ones, other, unknown.
    served: Vec<MetricId>,
    /// By tenant.
    tokens: Vec<Tokens>,
}

struct Tokens {
    prompt: MetricId,
    completion: MetricId,
    cached: MetricId,
    cost: Option<MetricId>,
}

/// The figures of a configuration that observes responses.
pub(crate) struct Observation {
    /// The listed ones, and one for all others behind them.
    models: Vec<Model>,
    tenants: Vec<String>,
    tenant_header: Option<HeaderId>,
    unobserved: Vec<(Unobserved, MetricId)>,
    field: FieldId,
    /// For models whose prices do not stand beside their names.
    prices: PriceList,
}

impl Observation {
    /// Defines the metrics. Nothing if nothing is observed.
    ///
    /// # Errors
    /// What is wrong with the name of the attribution's header.
    pub(crate) fn new(
        options: &Responses,
        metrics: &mut Metrics,
        headers: &mut HeaderTable,
        wanted: &mut Wanted,
        prices: PriceList,
    ) -> Result<Option<Self>, String> {
        let attribution = options.attribution.as_ref();
        let tenant_header = attribution.map(|who| headers.reads(&who.header)).transpose()?;
        if !options.observe {
            return Ok(None);
        }
        let mut tenants = attribution.map_or(Vec::new(), |who| who.trusted.clone());
        tenants.push(attribution.map_or(OTHER, |who| &who.other).to_owned());
        let listed = options.models.iter().map(|model| (model.name.as_str(), model.prices));
        let listed: Vec<_> = listed.chain([(OTHER, None)]).collect();
        let names: Vec<&str> = listed.iter().map(|(name, _)| *name).collect();
        let models = listed
            .iter()
            .map(|(name, own)| {
                let counts = options.tokens.then_some((&names[..], &tenants[..]));
                Model::define(metrics, name, *own, own.is_some() || prices.may_price(), counts)
            })
            .collect();
        let unobserved = Unobserved::ALL
            .iter()
            .filter(|_| options.tokens)
            .map(|(why, label)| {
                let labels = [("reason", *label)];
                (*why, metrics.define(MetricKind::Counter, "ipp_usage_unobserved_total", &labels))
            })
            .collect();
        Ok(Some(Self { models, tenants, tenant_header, unobserved, field: wanted.add("model"), prices }))
    }

    /// A request goes on.
    pub(crate) fn begin(&self, request: &mut Request<'_>, profile: usize) -> Box<Account> {
        let text = |value: Value<'_>| match value {
            Value::String(text) if !text.is_empty() => Some(text.to_owned()),
            _ => None,
        };
        let tenant = self.tenant_header.and_then(|header| {
            let value = request.header(header)?;
            self.tenants.iter().position(|tenant| tenant.as_bytes() == value)
        });
        Box::new(Account {
            requested: text(request.client_field(self.field)),
            model: text(request.field(self.field)),
            profile,
            tenant: tenant.unwrap_or(self.tenants.len().saturating_sub(1)),
            released_ns: request.now_ns(),
        })
    }

    fn index_of(&self, model: Option<&str>) -> usize {
        let other = self.models.len().saturating_sub(1);
        let listed = self.models.iter().take(other);
        model
            .and_then(|model| listed.map(|known| known.name.as_str()).position(|name| name == model))
            .unwrap_or(other)
    }

    /// A request has ended: everything that is counted of it, once.
    pub(crate) fn end(
        &self,
        account: Account,
        outcome: Outcome,
        shown: Shown,
        env: &mut dyn Env,
    ) -> Finished {
        let now = env.now_ns();
        let since = |from: u64, to: u64| to.saturating_sub(from);
        let (reading, unobserved) = match shown.seen {
            Some(seen) => (Some(seen.reading), seen.unobserved),
            None => (None, None),
        };
        let usage = reading.as_ref().and_then(crate::response::Reading::usage);
        let served = reading.and_then(|reading| reading.model);
        let finished = Finished {
            outcome,
            ttft_ns: shown.first_content_ns.map(|first| since(account.released_ns, first)),
            duration_ns: since(account.released_ns, now),
            requested_model: account.requested,
            model: account.model,
            served_model: served,
            profile: account.profile,
            status: shown.status,
            usage,
        };
        if let Some(model) = self.models.get(self.index_of(finished.model.as_deref())) {
            let generated = shown.first_content_ns.map_or(0, |first| since(first, now));
            model.times(&finished, generated, env);
            if matches!(outcome, Outcome::Ok) {
                let served = match finished.served_model.as_deref() {
                    Some(served) => self.index_of(Some(served)),
                    None => self.models.len(),
                };
                add(env, model.served.get(served).copied(), 1);
            }
            if let (Some(usage), Some(tokens)) = (usage, model.tokens.get(account.tenant)) {
                let listed = || finished.model.as_deref().and_then(|name| self.prices.get(name));
                tokens.count(usage, model.prices.or_else(listed), env);
            }
        }
        // Failures have no tokens to tell of.
        if let (Outcome::Ok, Some(why)) = (outcome, unobserved) {
            add(env, self.unobserved.iter().find(|(known, _)| *known == why).map(|(_, metric)| *metric), 1);
        }
        finished
    }
}

fn add(env: &mut dyn Env, metric: Option<MetricId>, by: u64) {
    if let Some(metric) = metric {
        env.add(metric, by);
    }
}

impl Model {
    /// `counts` are the models that may have served it and the tenants, where bodies are read for that.
    fn define(
        metrics: &mut Metrics,
        name: &str,
        prices: Option<Prices>,
        costs: bool,
        counts: Option<(&[&str], &[String])>,
    ) -> Self {
        use MetricKind::{Counter, Histogram};
        let model = ("model", name);
        let mut define = |kind, name: &str, more: Option<(&str, &str)>| {
            let labels: Vec<(&str, &str)> = [model].into_iter().chain(more).collect();
            metrics.define_new(kind, name, &labels)
        };
        let (served, tenants) = counts.unwrap_or_default();
        Self {
            name: name.to_owned(),
            prices,
            ttft: define(Histogram, "ipp_request_ttft_milliseconds", None),
            rate: counts.map(|_| define(Histogram, "ipp_output_tokens_per_second", None)),
            durations: OUTCOMES
                .map(|(_, label)| {
                    define(Histogram, "ipp_request_duration_milliseconds", Some(("result", label)))
                })
                .to_vec(),
            responses: OUTCOMES
                .map(|(_, label)| define(Counter, "ipp_responses_total", Some(("result", label))))
                .to_vec(),
            served: served
                .iter()
                .chain(counts.map(|_| &UNKNOWN))
                .map(|served| define(Counter, "ipp_served_total", Some(("served", served))))
                .collect(),
            tokens: tenants
                .iter()
                .map(|tenant| {
                    let mut counter = |name| define(Counter, name, Some(("tenant", tenant)));
                    Tokens {
                        prompt: counter("ipp_prompt_tokens_total"),
                        completion: counter("ipp_completion_tokens_total"),
                        cached: counter("ipp_cached_tokens_total"),
                        cost: costs.then(|| counter("ipp_cost_nanousd_total")),
                    }
                })
                .collect(),
        }
    }

    fn times(&self, finished: &Finished, generated_ns: u64, env: &mut dyn Env) {
        let index = OUTCOMES.iter().position(|(outcome, _)| *outcome == finished.outcome).unwrap_or(0);
        add(env, self.responses.get(index).copied(), 1);
        let milliseconds = |nanos: u64| nanos.checked_div(NANOS_A_MILLISECOND).unwrap_or(0);
        if let Some(metric) = self.durations.get(index) {
            env.record(*metric, milliseconds(finished.duration_ns));
        }
        if finished.outcome != Outcome::Ok {
            return;
        }
        if let Some(ttft) = finished.ttft_ns {
            env.record(self.ttft, milliseconds(ttft));
        }
        // The first token marks the time from which the others are counted.
        let after_the_first =
            finished.usage.and_then(|usage| usage.completion).unwrap_or(0).saturating_sub(1);
        if let Some(metric) = self.rate
            && after_the_first > 0
            && generated_ns >= SHORTEST_GENERATION_NS
        {
            let rate = after_the_first.saturating_mul(1000).checked_div(milliseconds(generated_ns));
            env.record(metric, rate.unwrap_or(0));
        }
    }
}

impl Tokens {
    fn count(&self, usage: Usage, prices: Option<Prices>, env: &mut dyn Env) {
        let (prompt, completion) = (usage.prompt.unwrap_or(0), usage.completion.unwrap_or(0));
        let cached = usage.cached.unwrap_or(0).min(prompt);
        for (metric, tokens) in [(self.prompt, prompt), (self.completion, completion), (self.cached, cached)]
        {
            if tokens > 0 {
                env.add(metric, tokens);
            }
        }
        if let (Some(metric), Some(prices)) = (self.cost, prices) {
            let fresh = prompt.saturating_sub(cached);
            let cost = fresh as f64 * prices.prompt
                + cached as f64 * prices.cached
                + completion as f64 * prices.completion;
            env.add(metric, cost.round() as u64);
        }
    }
}
