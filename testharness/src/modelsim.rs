//! A simulated vLLM server: two or more models behind the OpenAI endpoints, streaming, `/v1/models` and
//! `/metrics`.
//!
//! It answers at once, unless it has [`Slots`], and always the same, says in `x-served-by` which server it was, and refuses models that
//! it does not serve as vLLM does.

mod metrics;
mod openai;
mod slots;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use crate::answer::Answer;
use crate::upstream::{Log, Recorded, Upstream};
use metrics::Counts;
use openai::{Endpoint, Generation};
use slots::Queue;

pub use slots::Slots;

/// A base model and the LoRA adapters that are loaded beside it.
#[derive(Clone, Debug)]
pub struct Model {
    /// The name of the base model.
    pub base: String,
    /// The names of the adapters.
    pub adapters: Vec<String>,
}

/// What one server serves.
#[derive(Clone, Debug)]
pub struct Serving {
    /// The name of the server.
    pub server: String,
    /// Its models; none at all makes a server that refuses everything.
    pub models: Vec<Model>,
    /// How long it takes from one streamed event to the next.
    pub pace: Duration,
    /// What it can do at the same time; anything, where it says nothing.
    pub slots: Option<Slots>,
}

/// The header that names the server that answered.
pub const SERVED_BY: &str = "x-served-by";

impl Model {
    /// A base model with its adapters.
    pub fn new(base: &str, adapters: &[&str]) -> Self {
        Self { base: base.to_owned(), adapters: adapters.iter().map(|name| (*name).to_owned()).collect() }
    }
}

impl Serving {
    /// A server that streams at 2 ms an event.
    pub fn new(server: &str, models: Vec<Model>) -> Self {
        Self { server: server.to_owned(), models, pace: Duration::from_millis(2), slots: None }
    }

    /// The three servers that `envoy/multi-pool.yaml` expects, in the order of its clusters.
    pub fn pools() -> [Self; 3] {
        let llama = Model::new("meta-llama/Llama-3.1-8B-Instruct", &["food-review-1", "cad-fabricator"]);
        let qwen = Model::new("Qwen/Qwen2.5-1.5B-Instruct", &["qwen-summarizer", "sql-lora"]);
        [
            Self::new("llama-pool", vec![llama]),
            Self::new("qwen-pool", vec![qwen]),
            Self::new("default-pool", Vec::new()),
        ]
    }

    /// Starts it under its own name.
    pub fn start(self, log: &Log) -> Result<Upstream> {
        let name = self.server.clone();
        let counts = Arc::new(Counts::new(self.slots.map(Queue::new)));
        Upstream::start(&name, log, move |request| self.answer(&counts, request))
    }

    fn answer(&self, counts: &Counts, request: &Recorded) -> Answer {
        let path = request.path.split('?').next().unwrap_or_default();
        let answer = match (request.method.as_str(), path) {
            ("GET", "/v1/models") => Answer::json(200, &openai::models(&self.models)),
            ("GET", "/metrics") => Answer::body(200, "text/plain; version=0.0.4", counts.text(&self.models)),
            ("GET", "/health") => Answer::status(200),
            ("POST", "/v1/chat/completions") => self.generate(counts, Endpoint::Chat, request),
            ("POST", "/v1/completions") => self.generate(counts, Endpoint::Text, request),
            ("POST", "/v1/embeddings") => self.generate(counts, Endpoint::Embeddings, request),
            _ => Answer::json(404, &openai::error(404, "NotFoundError", "Not Found")),
        };
        answer.header(SERVED_BY, &self.server)
    }

    fn generate(&self, counts: &Counts, endpoint: Endpoint, request: &Recorded) -> Answer {
        let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
            return Answer::json(400, &openai::error(400, "BadRequestError", "the body is not JSON"));
        };
        let Some(model) = body["model"].as_str() else {
            return Answer::json(400, &openai::error(400, "BadRequestError", "no model was named"));
        };
        if !self
            .models
            .iter()
            .any(|served| served.base == model || served.adapters.iter().any(|name| name == model))
        {
            let message = format!("The model `{model}` does not exist.");
            return Answer::json(404, &openai::error(404, "NotFoundError", &message));
        }
        let generation = Generation::new(endpoint, &self.server, model, &body);
        counts.add(generation.prompt_tokens(), generation.completion_tokens());
        if body["stream"] == true && endpoint != Endpoint::Embeddings {
            let usage = body["stream_options"]["include_usage"] == true;
            let events = generation.events(usage).into_iter().map(|event| (self.pace, event));
            return counts.serve(Answer::events(events));
        }
        counts.serve(Answer::json(200, &generation.whole()))
    }
}
