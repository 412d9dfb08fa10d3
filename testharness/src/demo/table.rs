//! What the demonstration prints.

use std::net::SocketAddr;
use std::time::Duration;

use super::samples::{BASE, MODEL, Sample, Seen};

/// Prints rows as they come, so the widths are fixed.
pub(super) struct Table {
    rows: usize,
}

const TITLES: [&str; 7] = ["request", "model in the body", MODEL, BASE, "cluster", "status", "time"];
const WIDTHS: [usize; 7] = [17, 33, 33, 33, 13, 6, 9];

impl Table {
    pub(super) fn new() -> Self {
        Self { rows: 0 }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn head(&self) -> String {
        let rule = WIDTHS.map(|width| "-".repeat(width));
        format!("{}\n{}", line(TITLES), line(rule.each_ref().map(String::as_str)))
    }

    /// The routing headers are shown as the model server received them: `""` is an empty one, `-` is none.
    pub(super) fn row(&mut self, sample: &Sample, seen: &Seen, time: Duration, good: bool) -> String {
        self.rows += 1;
        let header = |name: &str| match seen.arrived.as_ref().map(|arrived| arrived.header(name)) {
            Some(Some(value)) if value.is_empty() => "\"\"".to_owned(),
            Some(Some(value)) => value,
            Some(None) | None => "-".to_owned(),
        };
        let cluster = seen.arrived.as_ref().map_or("-", |arrived| &arrived.upstream);
        let (model, base) = (header(MODEL), header(BASE));
        let status = seen.response.status.to_string();
        let time = format!("{:.1} ms", time.as_secs_f64() * 1000.0);
        let asked = if sample.model.is_empty() { "-" } else { sample.model };
        let row = line([sample.what, asked, &model, &base, cluster, &status, &time]);
        if good { row } else { format!("{row}  <- not as expected") }
    }
}

fn line(cells: [&str; 7]) -> String {
    let padded = cells.iter().zip(WIDTHS).map(|(cell, width)| format!("{cell:<width$}"));
    padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

/// What to try next.
pub(super) fn invitation(address: SocketAddr, admin: SocketAddr) -> String {
    format!(
        r#"
Envoy keeps serving on http://{address}. Try:

  # an adapter: the answer's x-served-by is the pool of its base model
  curl -i http://{address}/v1/chat/completions -H 'content-type: application/json' \
    -d '{{"model": "sql-lora", "messages": [{{"role": "user", "content": "Hello"}}]}}'

  # streaming, with usage at the end
  curl -N http://{address}/v1/chat/completions -H 'content-type: application/json' \
    -d '{{"model": "food-review-1", "stream": true, "stream_options": {{"include_usage": true}}, "messages": []}}'

  # a routing header of your own is removed: this still goes to llama-pool
  curl -i http://{address}/v1/completions -H 'content-type: application/json' \
    -H 'X-Gateway-Base-Model-Name: Qwen/Qwen2.5-1.5B-Instruct' -d '{{"model": "cad-fabricator", "prompt": "A cube"}}'

  # refused before it reaches any model server
  curl -i http://{address}/v1/completions -H 'content-type: application/json' -d '{{"model": '

  # what the filter counted
  curl -s http://{admin}/stats/prometheus | grep '^ipp_'

Ctrl-C stops Envoy and the model servers."#
    )
}
