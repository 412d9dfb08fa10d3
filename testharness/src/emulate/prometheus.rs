//! Metrics as Envoy's admin endpoint would tell them in Prometheus text.

use super::host::{Metric, Metrics};
use crate::bootstrap::STATS_TAGS;
use crate::recording;

/// Envoy's default upper bounds of a histogram's buckets (section 4.5).
const BOUNDS: [f64; 19] = [
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1_000.0,
    2_500.0,
    5_000.0,
    10_000.0,
    30_000.0,
    60_000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
];

/// Every metric that begins with `ipp_`, labels in the order of their names.
pub fn text(metrics: &Metrics) -> recording::Metrics {
    let mut told = recording::Metrics::new();
    for (name, metric) in metrics.iter() {
        let (name, labels) = split(&String::from_utf8_lossy(name));
        if !name.starts_with("ipp_") {
            continue;
        }
        match metric {
            Metric::Counter(value) | Metric::Gauge(value) => {
                told.insert(series(&name, &labels, None), *value as f64);
            }
            Metric::Histogram(values) => {
                let count = |bound: f64| values.iter().filter(|value| **value as f64 <= bound).count() as f64;
                for bound in BOUNDS {
                    told.insert(
                        series(&format!("{name}_bucket"), &labels, Some(&bound.to_string())),
                        count(bound),
                    );
                }
                let all = values.len() as f64;
                told.insert(series(&format!("{name}_bucket"), &labels, Some("+Inf")), all);
                told.insert(series(&format!("{name}_count"), &labels, None), all);
                let sum = values.iter().map(|value| *value as f64).sum();
                told.insert(series(&format!("{name}_sum"), &labels, None), sum);
            }
        }
    }
    told
}

/// Takes the labels out of a name: `TAG=.=VALUE;.;` of each tag that the harness's Envoy knows (section 4.6).
fn split(name: &str) -> (String, Vec<(String, String)>) {
    let mut name = name.to_owned();
    let mut labels = Vec::new();
    for tag in STATS_TAGS {
        let begin = format!("{tag}=.=");
        let Some(from) = name.find(&begin) else { continue };
        let Some(length) = name[from..].find(";.;") else { continue };
        labels.push((tag.to_owned(), name[from + begin.len()..from + length].to_owned()));
        name.replace_range(from..from + length + ";.;".len(), "");
    }
    labels.sort();
    (name.chars().map(|own| if own.is_ascii_alphanumeric() { own } else { '_' }).collect(), labels)
}

fn series(name: &str, labels: &[(String, String)], bound: Option<&str>) -> String {
    let bound = bound.map(|bound| ("le", bound));
    let mut all: Vec<(&str, &str)> =
        labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(bound).collect();
    all.sort_unstable();
    if all.is_empty() {
        return name.to_owned();
    }
    let all: Vec<String> = all.into_iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{name}{{{}}}", all.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_stand_in_names() {
        let (name, labels) = split("model=.=gpt-4.1;.;code=.=a/b;.;ipp_requests_total");
        assert_eq!(series(&name, &labels, None), r#"ipp_requests_total{code="a/b",model="gpt-4.1"}"#);
        assert_eq!(series(&name, &[], Some("0.5")), r#"ipp_requests_total{le="0.5"}"#);
        assert_eq!(split("stranger=.=a;.;ipp_x").0, "stranger___a___ipp_x");
    }
}
