//! The results as JSON: every figure of the table, every round behind it, and what was measured where.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::aims::{aim, prototype};
use super::cores::Cores;
use super::options::Options;
use super::results::{Results, Row};
use super::rounds::Round;
use super::stage::Variant;
use super::statistics::Estimate;
use crate::message::sha256_hex;

/// The document.
pub(super) fn document(options: &Options, cores: &Cores, envoy: &str, results: &Results) -> Result<Value> {
    let module =
        fs::read(&options.module).with_context(|| format!("reading {}", options.module.display()))?;
    Ok(json!({
        "module": {"path": options.module, "bytes": module.len(), "sha256": sha256_hex(&module)},
        "config": options.config.as_deref().unwrap_or_default(),
        "envoy": {"path": options.envoy, "version": envoy},
        "machine": {"processor": processor(), "envoy_core": cores.envoy, "client_core": cores.client},
        "waiting_share": results.waiting,
        "unit": "microseconds per request, of streams per chunk",
        "scenarios": results.rows.iter().map(scenario).collect::<Vec<_>>(),
    }))
}

/// Writes it, with the folders above it.
pub(super) fn write(path: &Path, document: &Value) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    }
    fs::write(path, format!("{document:#}\n")).with_context(|| format!("writing {}", path.display()))
}

fn scenario(row: &Row) -> Value {
    json!({
        "name": row.scenario.to_string(),
        "per": row.scenario.unit(),
        "bytes": row.scenario.size,
        "profile": row.scenario.profile.name(),
        "model_at": row.scenario.model_at.name(),
        "requests": named(&row.requests),
        "cpu": {
            "unfiltered": row.unfiltered,
            "control": estimate(&row.control),
            "added": estimate(&row.added),
            "ratio": estimate(&row.ratio),
        },
        "p50": {
            "unfiltered": row.latency,
            "control": estimate(&row.control_latency),
            "added": estimate(&row.added_latency),
        },
        "aim": aim(&row.scenario).map(|aim| json!({(aim.name()): aim.most(), "met": aim.figure(row).median <= aim.most()})),
        "prototype_ratio": prototype(&row.scenario),
        "rounds": row.rounds.iter().map(round).collect::<Vec<_>>(),
    })
}

fn estimate(estimate: &Estimate) -> Value {
    json!({"median": estimate.median, "low": estimate.low, "high": estimate.high, "coverage": estimate.coverage})
}

fn round(round: &Round) -> Value {
    json!({"cpu": named(&round.cpu), "p50": named(&round.latency)})
}

/// One figure of each Envoy.
fn named<T: Copy + Into<Value>>(figures: &[T; 3]) -> Value {
    let pairs = Variant::ALL
        .iter()
        .zip(figures)
        .map(|(variant, figure)| (variant.name().to_owned(), (*figure).into()));
    Value::Object(pairs.collect())
}

/// What the kernel calls it; the figures of two processors do not compare.
fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::results::tests::{row, stream_row};
    use crate::bench::stream::Watching;

    #[test]
    fn a_scenario_has_its_figures_and_its_rounds() {
        let document = scenario(&row(&[9.0; 6]));
        assert_eq!(document["name"], "1 KB, model first");
        assert_eq!(document["cpu"]["added"]["median"], 9.0);
        assert_eq!(document["aim"], json!({"ratio_at_most": 1.25, "met": true}));
        assert_eq!(document["per"], "request");
        let document = scenario(&stream_row(Watching::Observe, &[2.5; 6]));
        assert_eq!((&document["name"], &document["per"]), (&json!("chunk, observe"), &json!("chunk")));
        assert_eq!(document["aim"], json!({"added_at_most": 2.0, "met": false}));
        let document = scenario(&row(&[9.0; 6]));
        assert_eq!(document["rounds"].as_array().unwrap().len(), 6);
        assert_eq!(document["rounds"][0]["cpu"], json!({"plain": 39.5, "control": 40.5, "filtered": 49.0}));
    }
}
