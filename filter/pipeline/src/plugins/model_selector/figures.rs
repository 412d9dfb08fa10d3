//! The figures that are made of responses: one record for each model in what all workers share, changed at the end of
//! each request, and copied into the candidates before a choice.

use super::catalogue::{Define, Reads};
use crate::env::{self, Env};
use crate::metrics::{MetricId, MetricKind};
use crate::observed::{Observed, Served};
use crate::plugin::Extraction;
use ipp_selector::records::{Answered, CostRecord, FiguresRecord, TtftObservation, TtftRecord};
use ipp_selector::{
    AVG_TPOT, AVG_TTFT, COST_DIGEST, Candidate, HEALTH, TOKEN_PRICES, TOKENS_PER_SECOND, TTFT_CURVE,
    TokenPrices,
};
use std::cell::RefCell;
use std::rc::Rc;

/// How long a choice may go without what other workers have learned. A record takes about a microsecond to get, so
/// that the records of twenty models, five times in a second, are no cost worth speaking of.
const REFRESH_NS: u64 = 200_000_000;

const SECOND_NS: f64 = 1e9;

/// The figures of a selector's models.
pub(super) struct Figures {
    models: Vec<Model>,
    curve: bool,
    digest: bool,
    /// Whether anything is read that is made of more than times.
    bodies: bool,
    settings: Extraction,
    lost: MetricId,
    taken: RefCell<Taken>,
}

/// Where a model's figures are.
struct Model {
    figures: String,
    ttft: String,
    cost: String,
    prices: TokenPrices,
    in_flight: MetricId,
    /// Counts the changes of the records, so that those that are as they were need not be read.
    observations: MetricId,
}

/// What the candidates here have.
#[derive(Default)]
struct Taken {
    at_ns: u64,
    digests_at_ns: u64,
    /// How many observations the figures and the digest of each model are made of.
    versions: Vec<Option<u64>>,
    digest_versions: Vec<Option<u64>>,
}

/// The model that a request was given to, until the end of the request is known.
pub(crate) struct Picked {
    figures: Rc<Figures>,
    index: usize,
    /// When it was chosen: nanoseconds since the Unix epoch.
    at_ns: u64,
    /// Requests in flight at the choice, without this one.
    in_flight: u64,
}

impl Picked {
    pub(super) fn new(figures: &Rc<Figures>, index: usize, at_ns: u64, in_flight: u64) -> Self {
        Self { figures: Rc::clone(figures), index, at_ns, in_flight }
    }

    /// When it was chosen.
    pub(crate) fn at_ns(&self) -> u64 {
        self.at_ns
    }

    /// Whether what is learned stands in the response: tokens, or an error in spite of a good status.
    pub(crate) fn reads_bodies(&self) -> bool {
        self.figures.bodies
    }

    /// The request has ended.
    pub(crate) fn learn(&self, observed: &Observed, env: &mut dyn Env) {
        self.figures.learn(self, observed, env);
    }
}

/// By the model's name: a configuration that replaces another one goes on with what is known of the models that stay.
fn key(record: &str, model: &str) -> String {
    format!("model/{record}/{model}")
}

impl Figures {
    /// Nothing where no filter or scorer reads a figure of responses: then nothing is kept. `in_flight` are the gauges
    /// of the models.
    pub(super) fn new(
        reads: &Reads,
        models: &[Candidate],
        in_flight: impl Iterator<Item = MetricId>,
        define: &mut dyn Define,
    ) -> Result<Option<Self>, String> {
        let extraction = reads.extraction();
        let reads = |name: &str| reads.has(name);
        let (curve, digest) = (reads(TTFT_CURVE.name()), reads(COST_DIGEST.name()));
        let bodies =
            digest || [AVG_TPOT.name(), TOKENS_PER_SECOND.name(), HEALTH.name()].into_iter().any(reads);
        if !(curve || bodies || reads(AVG_TTFT.name())) {
            return Ok(None);
        }
        let mut known = Vec::new();
        for (model, in_flight) in models.iter().zip(in_flight) {
            let name = model.name();
            known.push(Model {
                figures: key("figures", name),
                ttft: key("ttft", name),
                cost: key("cost", name),
                prices: model.get(&TOKEN_PRICES).copied().unwrap_or_default(),
                in_flight,
                observations: define.define(
                    MetricKind::Counter,
                    "ipp_model_observations_total",
                    &[("model", name)],
                )?,
            });
        }
        let versions = vec![None; known.len()];
        Ok(Some(Self {
            taken: RefCell::new(Taken { digest_versions: versions.clone(), versions, ..Taken::default() }),
            models: known,
            curve,
            digest,
            bodies,
            settings: extraction,
            lost: define.define(MetricKind::Counter, "ipp_model_observations_lost_total", &[])?,
        }))
    }

    /// Brings the candidates up to date, unless they were a moment ago.
    pub(super) fn refresh(&self, candidates: &mut [Candidate], now_ns: u64, env: &mut dyn Env) {
        let Ok(mut taken) = self.taken.try_borrow_mut() else { return };
        let due = |at_ns: u64, period_ns: u64| at_ns == 0 || now_ns.abs_diff(at_ns) >= period_ns;
        if !due(taken.at_ns, REFRESH_NS) {
            return;
        }
        taken.at_ns = now_ns;
        let digests = self.digest && due(taken.digests_at_ns, self.settings.cost.flush_ns);
        if digests {
            taken.digests_at_ns = now_ns;
        }
        let Taken { versions, digest_versions, .. } = &mut *taken;
        let versions = versions.iter_mut().zip(digest_versions);
        for ((model, candidate), (version, digest_version)) in
            self.models.iter().zip(candidates).zip(versions)
        {
            // Counted after the records were written: what is read is no older than the count.
            let there = Some(env.counter(model.observations));
            if *version != there {
                *version = there;
                self.take(model, candidate, now_ns, env);
            }
            if digests && *digest_version != there {
                *digest_version = there;
                let record: CostRecord = env::read(&env.shared(&model.cost));
                candidate.set(&COST_DIGEST, Rc::new(record.digest().clone()));
            }
        }
    }

    fn take(&self, model: &Model, candidate: &mut Candidate, now_ns: u64, env: &mut dyn Env) {
        let record: FiguresRecord = env::read(&env.shared(&model.figures));
        if let Some(figure) = record.ttft.figure() {
            candidate.set(&AVG_TTFT, figure);
        }
        if let Some(figure) = record.tpot.figure() {
            candidate.set(&AVG_TPOT, figure);
        }
        if let Some(figure) = record.throughput.figure() {
            candidate.set(&TOKENS_PER_SECOND, figure);
        }
        if let Some(health) = record.health.health(now_ns, self.settings.health) {
            candidate.set(&HEALTH, health);
        }
        if let Some(curve) = record.curve {
            candidate.set(&TTFT_CURVE, curve);
        }
    }

    fn learn(&self, picked: &Picked, observed: &Observed, env: &mut dyn Env) {
        let Some(model) = self.models.get(picked.index) else { return };
        let Observed { served, ttft_ns, duration_ns, prompt_tokens, completion_tokens } = *observed;
        let failed = match served {
            Served::Well => false,
            Served::Failed => true,
            Served::Unsaid => return,
        };
        let now = env.now_ns();
        let ttft = ttft_ns.map(|nanos| nanos as f64 / SECOND_NS).filter(|_| !failed);
        let mut kept = true;

        let curve = ttft.filter(|_| self.curve).and_then(|ttft| {
            let observation = TtftObservation {
                ttft: ttft as f32,
                in_flight: u32::try_from(picked.in_flight).unwrap_or(u32::MAX),
                at_ns: now,
            };
            let curve = env::update(env, &model.ttft, |record: &mut TtftRecord| {
                record.observe(observation, &self.settings.ttft);
                record.curve()
            });
            kept &= curve.is_some();
            curve.flatten()
        });

        let now_in_flight = env.gauge(model.in_flight) as f64;
        let answered = Answered {
            failed: Some(failed),
            ttft,
            seconds: duration_ns as f64 / SECOND_NS,
            tokens: completion_tokens.map(|tokens| tokens as f64),
            // What it was at the choice and what it is at the end, this request being in both.
            in_flight: (picked.in_flight as f64 + 1.0 + now_in_flight) / 2.0,
        };
        let changed = env::update(env, &model.figures, |record: &mut FiguresRecord| {
            record.observe(&answered, now, self.settings.averaging, self.settings.health);
            // Of two curves the newer one stays, whichever worker comes last.
            if curve.is_some_and(|curve| record.curve.is_none_or(|there| there.at_ns <= curve.at_ns)) {
                record.curve = curve;
            }
        });
        kept &= changed.is_some();

        if let (true, false, Some(prompt), Some(completion)) =
            (self.digest, failed, prompt_tokens, completion_tokens)
        {
            let cost = model.prices.cost(prompt as f64, completion as f64);
            let window = self.settings.cost.window;
            // As in the Go service: an answer of no tokens, or an embedding, says nothing of the price of a chat.
            if prompt > 0 && completion > 0 {
                let changed = env::update(env, &model.cost, |record: &mut CostRecord| {
                    record.observe([cost], now, window);
                });
                kept &= changed.is_some();
            }
        }
        if !kept {
            env.add(self.lost, 1);
        }
        env.add(model.observations, 1);
    }
}
