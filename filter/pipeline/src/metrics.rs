//! The metrics of a configuration, by name, in the form that Istio and the shipped `stats_tags` read labels from.

/// What kind of metric a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only goes up.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values by size.
    Histogram,
}

/// A metric with its labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Counter, gauge or histogram.
    pub kind: MetricKind,
    /// The name with its labels before it: `field=.=model;.;ipp_body_field_empty_total`.
    pub name: String,
}

/// A handle of a metric of this configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MetricId(pub(crate) usize);

impl MetricId {
    /// Its place in [`Metrics::all`].
    pub fn index(self) -> usize {
        self.0
    }
}

/// All metrics of a configuration. Label values come from the configuration or the code, never from a client.
#[derive(Debug, Default)]
pub struct Metrics(Vec<Metric>);

impl Metrics {
    /// The handle of a metric, which is added unless it is there.
    pub(crate) fn define(&mut self, kind: MetricKind, name: &str, labels: &[(&str, &str)]) -> MetricId {
        let metric = Metric { kind, name: full_name(name, labels) };
        if let Some(known) = self.0.iter().position(|known| *known == metric) {
            return MetricId(known);
        }
        self.0.push(metric);
        MetricId(self.0.len().saturating_sub(1))
    }

    /// A metric that nothing else has defined or will: for the many that there are one for each pair of labels.
    pub(crate) fn define_new(&mut self, kind: MetricKind, name: &str, labels: &[(&str, &str)]) -> MetricId {
        self.0.push(Metric { kind, name: full_name(name, labels) });
        MetricId(self.0.len().saturating_sub(1))
    }

    /// In the order of their handles.
    pub fn all(&self) -> &[Metric] {
        &self.0
    }
}

/// Labels stand before the name.
fn full_name(name: &str, labels: &[(&str, &str)]) -> String {
    let mut full = String::new();
    for (label, value) in labels {
        full.push_str(&format!("{label}=.={value};.;"));
    }
    full.push_str(name);
    full
}

/// Whether a text can stand as a label value: the two separators of the name format may not be part of it.
pub(crate) fn is_label_value(text: &str) -> bool {
    !text.contains(";.;") && !text.contains("=.=") && !text.chars().any(char::is_control)
}
