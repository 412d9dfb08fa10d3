//! `/metrics` under the names that vLLM uses.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Model;
use super::slots::Queue;
use crate::answer::Answer;

/// What was generated so far, and who is served and waits where that takes a slot.
#[derive(Debug, Default)]
pub(super) struct Counts {
    queue: Option<Queue>,
    requests: AtomicU64,
    prompt_tokens: AtomicU64,
    generation_tokens: AtomicU64,
}

impl Counts {
    pub(super) fn new(queue: Option<Queue>) -> Self {
        Self { queue, ..Self::default() }
    }

    pub(super) fn add(&self, prompt_tokens: u64, generation_tokens: u64) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.prompt_tokens.fetch_add(prompt_tokens, Ordering::Relaxed);
        self.generation_tokens.fetch_add(generation_tokens, Ordering::Relaxed);
    }

    /// The answer, when its turn has come.
    pub(super) fn serve(&self, answer: Answer) -> Answer {
        match &self.queue {
            Some(queue) => queue.serve(answer),
            None => answer,
        }
    }

    /// The page.
    pub(super) fn text(&self, models: &[Model]) -> String {
        let mut page = String::new();
        let queue = |count: fn(&Queue) -> usize| self.queue.as_ref().map_or(0, count).to_string();
        for model in models {
            let label = format!("model_name=\"{}\"", model.base);
            let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed).to_string();
            let adapters = model.adapters.join(",");
            let max = model.adapters.len();
            let lora =
                format!("max_lora=\"{max}\",running_lora_adapters=\"{adapters}\",waiting_lora_adapters=\"\"");
            let cache = "block_size=\"16\",num_gpu_blocks=\"2048\"".to_owned();
            let stop = format!("finished_reason=\"stop\",{label}");
            let rows = [
                ("gauge", "vllm:num_requests_running", &label, queue(Queue::running)),
                ("gauge", "vllm:num_requests_waiting", &label, queue(Queue::waiting)),
                ("gauge", "vllm:kv_cache_usage_perc", &label, "0.0".to_owned()),
                ("gauge", "vllm:lora_requests_info", &lora, "1763000000.0".to_owned()),
                ("gauge", "vllm:cache_config_info", &cache, "1.0".to_owned()),
                ("counter", "vllm:prompt_tokens_total", &label, load(&self.prompt_tokens)),
                ("counter", "vllm:generation_tokens_total", &label, load(&self.generation_tokens)),
                ("counter", "vllm:request_success_total", &stop, load(&self.requests)),
            ];
            for (kind, name, labels, value) in rows {
                // Writing to a String cannot fail.
                let _ = writeln!(page, "# TYPE {name} {kind}\n{name}{{{labels}}} {value}");
            }
        }
        page
    }
}
