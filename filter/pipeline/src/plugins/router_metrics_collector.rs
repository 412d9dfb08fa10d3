//! `router-metrics-collector`: load and caches as the models' own servers tell them.

mod exposition;

use crate::config::Invalid;
use crate::plugin::{Build, Collector, Parameter, Params, Plugin, PluginType, Scrape, Target};
use crate::source::{Answer, Condensed, DEFAULT_TIMEOUT, Format, Source};
use exposition::{Fold, gauges};
use ipp_selector::Candidate;
use std::borrow::Cow;
use std::rc::Rc;
use std::time::Duration;

/// The Go service's.
const INTERVAL: Duration = Duration::from_secs(30);
/// What a server tells in one scrape at most. vLLM tells some 100 KiB.
const MOST_BYTES: u64 = 4 << 20;
/// The Go service's, as its documentation says; its code asks one after the other.
const AT_ONCE: usize = 8;
/// Each is a request of Envoy under way.
const MOST_AT_ONCE: usize = 64;
const HOUR: Duration = Duration::from_secs(3600);

/// Parameters, defaults, and how series are put together; in the order of [`Scrape::ATTRIBUTES`].
const GAUGES: [(&str, &str, Fold); 4] = [
    ("utilizationMetric", "vllm:kv_cache_usage_perc", Fold::Max),
    ("cpuCacheUsageMetric", "vllm:cpu_cache_usage_perc", Fold::Max),
    ("queueDepthMetric", "vllm:num_requests_waiting", Fold::Sum),
    ("runningRequestsMetric", "vllm:num_requests_running", Fold::Sum),
];

pub(crate) const TYPE: PluginType = PluginType {
    name: "router-metrics-collector",
    about: "Collector of the data layer: scrapes each model that has a `metricsURL` (`model-config-datasource`), by one \
            worker of the process, whether they stand in the configuration or come from a `source`, all at their own times, and `maxConcurrent` at most at once. What it finds are attributes of the \
            model for `attribute-scorer` and `attribute-filter`, with the time of the scrape: `kv-cache-utilization`, \
            `cpu-cache-utilization`, `waiting-requests`, `running-requests`. Prometheus' text format; gauges, and series \
            without a type, as `/federate` gives them. Of several series the greatest ratio counts, and the sum of \
            counts. What a server does not tell is missing, and not 0; what fails is counted by reason in \
            `ipp_source_fetch_failures_total`, and what was known before grows old.",
    parameters: &[
        Parameter {
            name: "cluster",
            kind: "string",
            default: "{host}",
            about: "The cluster of Envoy that a `metricsURL` is asked through: `{host}` and `{port}` stand for those of \
                    the URL. The example has it as Istio names the cluster of a Service.",
        },
        Parameter {
            name: "interval",
            kind: "duration",
            default: "30s",
            about: "From one scrape of a model to the next, a second or more.",
        },
        Parameter { name: "timeout", kind: "duration", default: "5s", about: "How long an answer may take." },
        Parameter {
            name: "maxConcurrent",
            kind: "number",
            default: "8",
            about: "How many models are asked at the same time; 0 means the default, and above 64 it is 64.",
        },
        Parameter {
            name: "utilizationMetric",
            kind: "string",
            default: "vllm:kv_cache_usage_perc",
            about: "What `kv-cache-utilization` is read from, a ratio.",
        },
        Parameter {
            name: "cpuCacheUsageMetric",
            kind: "string",
            default: "vllm:cpu_cache_usage_perc",
            about: "`cpu-cache-utilization`, a ratio.",
        },
        Parameter {
            name: "queueDepthMetric",
            kind: "string",
            default: "vllm:num_requests_waiting",
            about: "`waiting-requests`.",
        },
        Parameter {
            name: "runningRequestsMetric",
            kind: "string",
            default: "vllm:num_requests_running",
            about: "`running-requests`.",
        },
    ],
    example: "\
type: router-metrics-collector
parameters:
  cluster: outbound|{port}||{host}
  interval: 5s
",
    build,
};

/// The name that it had before.
pub(crate) const KV_CACHE: PluginType = PluginType {
    name: "kv-cache-collector",
    about: "An earlier name of `router-metrics-collector`, with the same parameters.",
    example: "type: kv-cache-collector\n",
    ..TYPE
};

fn build(parameters: &Params<'_>, _: &mut Build<'_>) -> Result<Plugin, Invalid> {
    let cluster = parameters.get("cluster").map_or(Ok("{host}"), |view| view.text());
    let length =
        |name, default, least| parameters.get(name).map_or(Ok(default), |value| value.duration(least, HOUR));
    let interval = length("interval", INTERVAL, Duration::from_secs(1));
    let timeout = length("timeout", DEFAULT_TIMEOUT, Duration::from_millis(10));
    let concurrent = parameters.get("maxConcurrent").map_or(Ok(0), |view| view.integer(0, u64::MAX));
    let names = GAUGES.map(|(parameter, default, _)| {
        let name = parameters.get(parameter).map_or(Ok(""), |view| view.string())?;
        Ok(if name.is_empty() { default } else { name }.to_owned())
    });
    let most_at_once = match usize::try_from(concurrent?).unwrap_or(usize::MAX) {
        0 => AT_ONCE,
        most => most.min(MOST_AT_ONCE),
    };
    let mut metrics = Vec::new();
    for name in names {
        metrics.push(name?);
    }
    Ok(Plugin::new().collector(RouterMetrics {
        cluster: cluster?.to_owned(),
        interval: interval?,
        timeout: timeout?,
        most_at_once,
        metrics,
    }))
}

struct RouterMetrics {
    cluster: String,
    interval: Duration,
    timeout: Duration,
    most_at_once: usize,
    metrics: Vec<String>,
}

impl Collector for RouterMetrics {
    fn target(&self, model: &Candidate) -> Option<Target> {
        // A URL that is none was refused where the model was read.
        let endpoint = Endpoint::parse(model.get(&super::model_config_datasource::METRICS_ENDPOINT)?)?;
        let source = Source {
            cluster: self.cluster.replace("{host}", endpoint.host).replace("{port}", endpoint.port),
            authority: endpoint.authority.to_owned(),
            path: endpoint.path.to_owned(),
            headers: Vec::new(),
            interval: self.interval,
            timeout: self.timeout,
            max_bytes: MOST_BYTES,
        };
        Some(Target { source, format: Rc::new(Gauges(self.metrics.clone())) })
    }

    fn most_at_once(&self) -> usize {
        self.most_at_once
    }
}

/// The parts of a `metricsURL`.
pub(super) struct Endpoint<'a> {
    authority: &'a str,
    host: &'a str,
    port: &'a str,
    path: &'a str,
}

impl<'a> Endpoint<'a> {
    /// Nothing if it is no URL of http or https with a host, or has what cannot stand in a request.
    pub(super) fn parse(url: &'a str) -> Option<Self> {
        let (rest, port) = match url.strip_prefix("http://") {
            Some(rest) => (rest, "80"),
            None => (url.strip_prefix("https://")?, "443"),
        };
        let (authority, path) = rest.split_at_checked(rest.find('/').unwrap_or(rest.len()))?;
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() => (host, port),
            Some(_) if !authority.ends_with(']') => return None,
            _ => (authority, port),
        };
        let plain = url.bytes().all(|byte| byte.is_ascii_graphic()) && url.len() <= 2048;
        let sound = plain && !host.is_empty() && !authority.contains(['@', '?', '#']) && !path.contains('#');
        let path = if path.is_empty() { "/" } else { path };
        sound.then_some(Self { authority, host, port, path })
    }
}

/// The gauges of these names.
struct Gauges(Vec<String>);

impl Format for Gauges {
    type Document = Scrape;

    fn name(&self) -> Cow<'_, str> {
        Cow::Owned(format!("gauges/1/{}", self.0.join("/")))
    }

    fn condense(&self, answer: &Answer<'_>) -> Result<Condensed, String> {
        let text = std::str::from_utf8(answer.body).map_err(|_| "the answer is not UTF-8".to_owned())?;
        let wanted: Vec<(&str, Fold)> =
            self.0.iter().zip(GAUGES).map(|(name, (_, _, fold))| (name.as_str(), fold)).collect();
        let found = gauges(text, &wanted);
        if found.iter().all(Option::is_none) {
            return Err("the answer has none of the gauges that are looked for".to_owned());
        }
        let mut bytes = Vec::new();
        for number in found {
            bytes.push(u8::from(number.is_some()));
            bytes.extend_from_slice(&number.unwrap_or(0.0).to_le_bytes());
        }
        Ok(Condensed { bytes, problems: Vec::new() })
    }

    fn read(&self, condensed: &[u8]) -> Result<Scrape, String> {
        let mut scrape = Scrape::default();
        let (chunks, rest) = condensed.as_chunks::<9>();
        if chunks.len() != scrape.0.len() || !rest.is_empty() {
            return Err("not as many gauges as there should be".to_owned());
        }
        for (slot, [there, number @ ..]) in scrape.0.iter_mut().zip(chunks) {
            *slot = (*there == 1).then_some(f64::from_le_bytes(*number));
        }
        Ok(scrape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let parts = |url| {
            Endpoint::parse(url)
                .map(|endpoint| (endpoint.authority, endpoint.host, endpoint.port, endpoint.path))
        };
        for (url, want) in [
            ("http://a/metrics", Some(("a", "a", "80", "/metrics"))),
            ("https://a.b", Some(("a.b", "a.b", "443", "/"))),
            ("http://a:8000/m?x=1", Some(("a:8000", "a", "8000", "/m?x=1"))),
            ("http://[::1]:9/m", Some(("[::1]:9", "[::1]", "9", "/m"))),
            ("http://[::1]/m", Some(("[::1]", "[::1]", "80", "/m"))),
            ("http://a:b/m", None),
            ("http:///m", None),
            ("ftp://a/m", None),
            ("a/m", None),
            ("http://u@a/m", None),
            ("http://a/m#x", None),
            ("http://a/ m", None),
            ("http://a/m\n", None),
        ] {
            assert_eq!(parts(url), want, "{url}");
        }
    }

    #[test]
    fn scrapes_through_shared_data() {
        let format = Gauges(GAUGES.map(|(_, name, _)| name.to_owned()).to_vec());
        let answer = |body: &'static str| Answer {
            status: 200,
            content_type: "text/plain",
            body: body.as_bytes(),
            previous: None,
        };
        let body = "vllm:num_requests_waiting{engine=\"0\"} 3\nvllm:num_requests_waiting{engine=\"1\"} 4\n\
                    vllm:kv_cache_usage_perc 0.5\n";
        let scrape = format.read(&format.condense(&answer(body)).unwrap().bytes).unwrap();
        assert_eq!(scrape.value("waiting-requests"), Some(7.0));
        assert_eq!(scrape.value("kv-cache-utilization"), Some(0.5));
        assert_eq!(scrape.value("running-requests"), None);
        assert!(format.condense(&answer("<html>")).is_err());
        assert!(format.read(b"").is_err());
    }
}
