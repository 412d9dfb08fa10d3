//! What a case says about labels and buckets of metrics, as Envoy's bootstrap has it.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::case::Case;

/// The section `stats_config`; null where the case has none.
pub(crate) fn config(case: &Case) -> Result<Value> {
    if let Some(proxy) = case.of_kind("EnvoyProxy").next() {
        return Ok(proxy["parsed"]["stats_config"].clone());
    }
    let options = case.of_kind("ConfigMap").find(|map| map["parsed"]["deployment"].is_object());
    let Some(options) = options else { return Ok(Value::Null) };
    let annotations = &options["parsed"]["deployment"]["spec"]["template"]["metadata"]["annotations"];
    let field = |name: &str| annotations.get(name).and_then(Value::as_str).with_context(|| name.to_owned());
    let proxy: Value = serde_json::from_str(field("proxy.istio.io/config")?)?;
    let buckets: Value = serde_json::from_str(field("sidecar.istio.io/statsHistogramBuckets")?)?;
    // Istio's templates for both: a tag inside the name, and buckets by a prefix of it.
    let tags = proxy["extraStatTags"].as_array().context("extraStatTags")?.iter();
    let tags: Vec<Value> = tags
        .filter_map(Value::as_str)
        .map(|tag| json!({"tag_name": tag, "regex": format!(r"({tag}=\.=(.*?);\.;)")}))
        .collect();
    let buckets = buckets.as_object().context("statsHistogramBuckets")?.iter();
    let buckets: Vec<Value> =
        buckets.map(|(prefix, limits)| json!({"match": {"prefix": prefix}, "buckets": limits})).collect();
    Ok(json!({"stats_tags": tags, "histogram_bucket_settings": buckets}))
}
