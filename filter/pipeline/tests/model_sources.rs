//! Models and figures that are fetched while the filter runs.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod support;

use ipp_pipeline::source::Answer;
use ipp_pipeline::stock;
use support::process::{Process, selection};
use support::refused;

const SECOND: u64 = 1_000_000_000;
const AUTO: &str = r#"{"model":"auto","max_tokens":5}"#;

fn config(datasource: &str, more: &str, request: &str, collectors: &str) -> String {
    selection(datasource, &format!("  collectors: [{collectors}]"), more, request, "")
}

fn live() -> String {
    config(
        "    source: {cluster: config, path: /models}",
        "- type: cost-scorer",
        "    - {pluginRef: cost-scorer, weight: 1}",
        "",
    )
}

/// A source answers; one worker reads it, and all take it over.
fn fetch(process: &mut Process, source: usize, body: &str) -> Result<(), String> {
    let answer =
        Answer { status: 200, content_type: "application/json", body: body.as_bytes(), previous: None };
    let now = process.env.now;
    let condensed = process.workers[0].sources()[source].condense(&answer)?;
    for worker in &process.workers {
        worker.sources()[source].put(&condensed.bytes, now)?;
    }
    Ok(())
}

#[test]
fn models_come_and_go() {
    let mut process = Process::new(&live());
    let error = process.try_send(0, &[], AUTO).unwrap_err();
    assert_eq!((error.status, error.code), (503, "models_not_loaded"));
    assert_eq!(process.metric("status=.=failure;.;ipp_model_selector_attempt_total"), 1);

    let two = r#"{"models":[{"name":"a","pricing":{"input_per_million":2}},{"name":"b","pricing":{"input_per_million":1}}],
                  "groups":[{"name":"g","models":["a"]}]}"#;
    fetch(&mut process, 0, two).unwrap();
    let (model, mut of_b) = process.send(0, &[], AUTO);
    assert_eq!(model, "b");
    assert_eq!(process.send(1, &[], r#"{"model":"auto/g"}"#).0, "a");
    assert_eq!(process.metric("model=.=b;.;ipp_inflight"), 1);
    assert_eq!(process.metric("model=.=b;.;ipp_inflight_tokens"), 5);

    // `b` is no more, and what it had under way still comes back to zero.
    fetch(&mut process, 0, "models: [{name: a}, {name: c}]").unwrap();
    for worker in 0..2 {
        for _ in 0..20 {
            assert_ne!(process.send(worker, &[], AUTO).0, "b");
        }
        assert_eq!(process.try_send(worker, &[], r#"{"model":"b"}"#).unwrap_err().code, "model_not_found");
        assert_eq!(
            process.try_send(worker, &[], r#"{"model":"auto/g"}"#).unwrap_err().code,
            "model_not_found"
        );
    }
    process.workers[0].finish(&mut of_b, &mut process.env);
    assert_eq!(process.metric("model=.=b;.;ipp_inflight"), 0);
    assert_eq!(process.metric("model=.=b;.;ipp_inflight_tokens"), 0);
}

#[test]
fn a_list_with_anything_wrong_in_it_changes_nothing() {
    let mut process = Process::new(&live());
    fetch(&mut process, 0, "models: [{name: a}]").unwrap();
    for (body, want) in [
        ("", "found nothing"),
        ("[]", "expected a map"),
        ("{\"models\":[]}", "one or more models"),
        ("{\"models\":[{\"name\":\"\"}]}", "models[0].name"),
        ("{\"models\":[{\"name\":\"a\"},{\"name\":\"a\"}]}", "a second time"),
        ("{\"models\":[{\"name\":\"x;.;y\"}]}", "control characters"),
        ("{\"models\":[{\"name\":\"x\",\"pricing\":{\"input_per_million\":-1}}]}", "not negative"),
        (
            "{\"models\":[{\"name\":\"x\"}],\"groups\":[{\"name\":\"g\",\"models\":[\"y\"]}]}",
            "none of the models",
        ),
        ("{\"models\":", "neither JSON nor YAML"),
        ("kind: ConfigMap\ndata: {other: x}", "has no data[\"models.json\"]"),
    ] {
        let error = fetch(&mut process, 0, body).unwrap_err();
        assert!(error.contains(want), "{body}: {error}");
        assert_eq!(process.send(1, &[], AUTO).0, "a");
    }
    let many: Vec<String> = (0..1001).map(|number| format!("{{name: m{number}}}")).collect();
    assert!(fetch(&mut process, 0, &format!("models: [{}]", many.join(","))).unwrap_err().contains("1000"));
    let long = format!("# {}\nmodels: [{{name: a}}]", "x".repeat(1 << 20));
    assert!(fetch(&mut process, 0, &long).unwrap_err().contains("longer"));
}

#[test]
fn a_config_map_holds_the_list() {
    let mut process = Process::new(&live());
    let body = r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"x"},
                   "data":{"models.json":"{\"models\":[{\"name\":\"inside\"}]}"}}"#;
    fetch(&mut process, 0, body).unwrap();
    assert_eq!(process.send(0, &[], AUTO).0, "inside");
}

const QUEUE: &str = "- {type: router-metrics-collector, parameters: {cluster: 'outbound|{port}||{host}', interval: 5s}}\n\
                     - {type: attribute-scorer, parameters: {attribute: waiting-requests, prefer: low, missing: worst, maxAge: 1m}}";
const QUEUE_REQUEST: &str = "    - {pluginRef: attribute-scorer, weight: 1}";
const SERVERS: &str = "    models:\n    - {name: a, metricsURL: 'http://a.ns.svc:8000/metrics'}\n    \
                       - {name: b, metricsURL: 'http://b.ns.svc/metrics'}";

#[test]
fn what_servers_tell_decides_until_it_is_old() {
    let mut process =
        Process::new(&config(SERVERS, QUEUE, QUEUE_REQUEST, "{pluginRef: router-metrics-collector}"));
    let sources: Vec<(String, String, String, String)> = process.workers[0]
        .sources()
        .iter()
        .map(|polled| {
            let source = polled.source();
            (polled.name().to_owned(), source.cluster.clone(), source.authority.clone(), source.path.clone())
        })
        .collect();
    let text = |words: [&str; 4]| {
        (words[0].to_owned(), words[1].to_owned(), words[2].to_owned(), words[3].to_owned())
    };
    assert_eq!(
        sources,
        [
            text(["router-metrics-collector/a", "outbound|8000||a.ns.svc", "a.ns.svc:8000", "/metrics"]),
            text(["router-metrics-collector/b", "outbound|80||b.ns.svc", "b.ns.svc", "/metrics"]),
        ]
    );
    let waiting =
        |count: u32| format!("# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting {count}\n");
    let choose = |process: &mut Process| {
        process.pass(SECOND);
        process.send(1, &[], AUTO).0
    };
    fetch(&mut process, 0, &waiting(9)).unwrap();
    fetch(&mut process, 1, &waiting(1)).unwrap();
    assert_eq!(choose(&mut process), "b");
    fetch(&mut process, 1, &waiting(20)).unwrap();
    assert_eq!(choose(&mut process), "a");
    // `a` tells no more: what it said is too old after a minute, and missing is worst.
    process.pass(61 * SECOND);
    fetch(&mut process, 1, &waiting(20)).unwrap();
    assert_eq!(choose(&mut process), "b");
    // What a server does not tell is missing, and not 0.
    fetch(&mut process, 0, "vllm:num_requests_running 1\n").unwrap();
    assert_eq!(choose(&mut process), "b");
    assert!(fetch(&mut process, 0, "<html>").is_err());
}

/// What `brought` gives a worker, by name.
fn brought(process: &mut Process, worker: usize) -> Option<Vec<std::rc::Rc<ipp_pipeline::source::Polled>>> {
    process.workers[worker].brought(&mut process.env)
}

#[test]
fn models_of_a_source_are_scraped_as_they_come_and_go() {
    let mut process = Process::new(&config(
        "    source: {cluster: config, path: /models}",
        QUEUE,
        QUEUE_REQUEST,
        "{pluginRef: router-metrics-collector}",
    ));
    assert_eq!(process.workers[0].sources().len(), 1, "the models; nobody is known who could be scraped");
    assert!(brought(&mut process, 0).is_none());
    let list =
        "models: [{name: a, metricsURL: 'http://a:1/m'}, {name: b, metricsURL: 'http://b:2/m'}, {name: c}]";
    fetch(&mut process, 0, list).unwrap();
    let names = |polled: &[std::rc::Rc<ipp_pipeline::source::Polled>]| -> Vec<(String, String)> {
        polled.iter().map(|one| (one.name().to_owned(), one.source().cluster.clone())).collect()
    };
    let mut workers: Vec<_> = (0..2).map(|worker| brought(&mut process, worker).unwrap()).collect();
    let pair = |name: &str, cluster: &str| (name.to_owned(), cluster.to_owned());
    let want = [
        pair("router-metrics-collector/a", "outbound|1||a"),
        pair("router-metrics-collector/b", "outbound|2||b"),
    ];
    for polled in &workers {
        assert_eq!(names(polled), want);
        assert_eq!(polled[0].group(), Some(("router-metrics-collector", 8)));
    }
    assert!(brought(&mut process, 0).is_none(), "the same list");
    // One worker fetched, all take it over; `c` tells nothing, which is worst.
    let scrape = |process: &mut Process,
                  workers: &[Vec<std::rc::Rc<ipp_pipeline::source::Polled>>],
                  waiting: [u32; 2]| {
        for polled in workers {
            for (polled, waiting) in polled.iter().zip(waiting) {
                let body = format!("vllm:num_requests_waiting {waiting}\n");
                let answer =
                    Answer { status: 200, content_type: "text/plain", body: body.as_bytes(), previous: None };
                polled.put(&polled.condense(&answer).unwrap().bytes, process.env.now).unwrap();
            }
        }
        process.pass(SECOND);
    };
    scrape(&mut process, &workers, [9, 1]);
    for worker in [0, 1] {
        assert_eq!(process.send(worker, &[], AUTO).0, "b");
    }
    scrape(&mut process, &workers, [2, 7]);
    assert_eq!(process.send(1, &[], AUTO).0, "a");
    // `a` goes, `d` comes; `b` keeps its identity, so that what is in shared data is taken over.
    let identity = workers[0][1].identity();
    fetch(
        &mut process,
        0,
        "models: [{name: d, metricsURL: 'http://d:4/m'}, {name: b, metricsURL: 'http://b:2/m'}]",
    )
    .unwrap();
    workers = (0..2).map(|worker| brought(&mut process, worker).unwrap()).collect();
    assert_eq!(
        names(&workers[0]),
        [
            pair("router-metrics-collector/d", "outbound|4||d"),
            pair("router-metrics-collector/b", "outbound|2||b")
        ]
    );
    assert_eq!(workers[0][1].identity(), identity);
    scrape(&mut process, &workers, [1, 7]);
    assert_eq!(process.send(0, &[], AUTO).0, "d");
    assert_eq!(process.metric("source=.=router-metrics-collector/d;.;ipp_source_fetches_total"), 0);
}

#[test]
fn how_many_are_asked_at_once() {
    for (parameters, want) in [
        ("{}", 8),
        ("{maxConcurrent: 0}", 8),
        ("{maxConcurrent: 1}", 1),
        ("{maxConcurrent: 9}", 9),
        ("{maxConcurrent: 100000}", 64),
    ] {
        let plugin = format!("- {{type: kv-cache-collector, parameters: {parameters}}}");
        let process = Process::new(&config(SERVERS, &plugin, "", "{pluginRef: kv-cache-collector}"));
        for polled in process.workers[0].sources() {
            assert_eq!(polled.group(), Some(("kv-cache-collector", want)), "{parameters}");
        }
    }
}

#[test]
fn what_a_configuration_may_not_say() {
    let source = "    source: {cluster: config, path: /models}";
    for (datasource, more, collectors, want) in [
        (
            &*format!("{source}\n    models: [{{name: a}}]"),
            "",
            "",
            "`models` are either here or come from the `source`",
        ),
        (
            "    models: [{name: a}]\n    configMapKey: x",
            "",
            "",
            "there is no `source` that could be a ConfigMap",
        ),
        ("    models: [{name: a, metricsURL: 'a:1/m'}]", "", "", "expected an http or https URL with a host"),
        (
            "    models: [{name: a}]",
            "- type: kv-cache-collector",
            "{pluginRef: kv-cache-collector}",
            "no model of the data sources has a `metricsURL`",
        ),
        (
            SERVERS,
            "- type: kv-cache-collector\n- type: router-metrics-collector",
            "{pluginRef: kv-cache-collector}, {pluginRef: router-metrics-collector}",
            "another collector scrapes the model \"a\" already",
        ),
        (
            source,
            "- type: kv-cache-collector\n- type: router-metrics-collector",
            "{pluginRef: kv-cache-collector}, {pluginRef: router-metrics-collector}",
            "another collector scrapes the models of the sources already",
        ),
        (
            SERVERS,
            "- {type: kv-cache-collector, parameters: {maxConcurrent: -1}}",
            "{pluginRef: kv-cache-collector}",
            "expected a whole number from 0",
        ),
        (SERVERS, "", "{pluginRef: model-selector}", "is not a Collector"),
    ] {
        let errors = refused(&config(datasource, more, "", collectors), &stock()).to_string();
        assert!(errors.contains(want), "{datasource} {more}: {errors}");
    }
}
