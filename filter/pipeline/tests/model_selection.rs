//! Model selection through a whole configuration: what is chosen, what the body becomes, what is counted and given back.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod support;

use ipp_pipeline::config::load;
use ipp_pipeline::{Routed, stock};
use support::selecting::{Process, config};
use support::{INFO, pipeline, refused};

const COST: (&str, &str) = ("- type: cost-scorer\n", "    - {pluginRef: cost-scorer, weight: 1}\n");
const LOAD: (&str, &str) =
    ("- type: inflight-requests-scorer\n", "    - {pluginRef: inflight-requests-scorer, weight: 1}\n");

#[test]
fn names_groups_and_auto() {
    let mut process = Process::new(&config(COST.0, COST.1));
    for (body, want) in [
        (r#"{"model":"auto"}"#, Ok("small")),
        (r#"{"messages":[]}"#, Ok("small")),
        (r#"{"model":null}"#, Ok("small")),
        (r#"{"model":""}"#, Ok("small")),
        (r#"{"model":"auto/good"}"#, Ok("medium")),
        (r#"{"model":"auto/cheap"}"#, Ok("small")),
        (r#"{"model":"large"}"#, Ok("large")),
        (r#"{"model":"gpt-4"}"#, Err((404, "model_not_found"))),
        (r#"{"model":"auto/none"}"#, Err((404, "model_not_found"))),
        (r#"{"model":"auto/"}"#, Err((404, "model_not_found"))),
        (r#"{"model":42}"#, Err((400, "invalid_model"))),
        (r#"{"model":["small"]}"#, Err((400, "invalid_model"))),
    ] {
        assert_eq!(process.model(body), want.map(str::to_owned), "{body}");
    }
    assert_eq!(process.metric("status=.=success;.;ipp_model_selector_attempt_total"), 7);
    assert_eq!(process.metric("status=.=failure;.;ipp_model_selector_attempt_total"), 5);
    assert_eq!(process.metric("model=.=small;.;ipp_model_selected_total"), 5);
    // One of three twice, two of three once, all three five times.
    assert_eq!(process.metric("plugin=.=model-group-name-filter;.;ipp_filtered_total"), 2 + 2 + 15);
    assert_eq!(process.in_flight(), [0, 0, 0]);
}

#[test]
fn only_the_model_changes_and_only_if_it_has_to() {
    let config = config(COST.0, COST.1);
    for (body, want) in [
        (
            r#"{ "seed": 9007199254740993, "model" : "auto", "a":"<b>"}"#,
            r#"{ "seed": 9007199254740993, "model" : "small", "a":"<b>"}"#,
        ),
        (r#"{"model":"medium","n":1.0}"#, r#"{"model":"medium","n":1.0}"#),
        (r#"{"m\u006fdel":42e1,"n":1}"#, ""),
        (r#"{"messages":[]}"#, r#"{"model":"small","messages":[]}"#),
        (r#"{"model":null}"#, r#"{"model":"small"}"#),
    ] {
        let outcome = support::post(&pipeline(&config), &[], body);
        if want.is_empty() {
            assert_eq!(outcome.refused(), (400, "invalid_model"));
        } else {
            assert_eq!((outcome.refused(), outcome.body.as_str()), ((200, ""), want), "{body}");
            assert_eq!(outcome.content_length, (body != want).then_some(want.len()), "{body}");
        }
    }
}

#[test]
fn requests_in_flight_are_counted_from_the_choice_to_the_end() {
    let mut process = Process::new(&config(LOAD.0, LOAD.1));
    // All idle: chance. Then each goes to an idle one, until all have one.
    let body = r#"{"model":"auto","max_tokens":100}"#;
    let mut open: Vec<Routed> = (0..30).map(|_| process.choose(body).unwrap().1).collect();
    assert_eq!(process.in_flight(), [10, 10, 10]);
    assert_eq!(process.metric("model=.=large;.;ipp_inflight_tokens"), 1000);
    // However often a request ends, it counts once.
    for routed in &mut open {
        process.pipeline.finish(routed, &mut process.env);
        process.pipeline.finish(routed, &mut process.env);
    }
    assert_eq!(process.in_flight(), [0, 0, 0]);
    assert_eq!(process.metric("model=.=large;.;ipp_inflight_tokens"), 0);
    // What is refused holds nothing.
    assert!(process.decide(r#"{"model":"none"}"#).is_err());
    assert_eq!(process.in_flight(), [0, 0, 0]);
}

#[test]
fn a_refusal_by_a_later_plugin_gives_back() {
    let late = "- {type: base-model-to-header, parameters: {unknown: reject}}\n";
    let config = config(&(COST.0.to_owned() + late), COST.1)
        .replace("    - pluginRef: body-field-to-header\n", "    - pluginRef: base-model-to-header\n");
    let mut process = Process::new(&config);
    assert_eq!(process.decide(r#"{"model":"auto"}"#).unwrap_err().code, "model_not_found");
    assert_eq!(process.metric("model=.=small;.;ipp_model_selected_total"), 1);
    assert_eq!(process.in_flight(), [0, 0, 0]);
}

#[test]
fn numbers_of_tokens_are_what_the_apis_call_them() {
    let mut process = Process::new(&config(COST.0, COST.1));
    for (limit, want) in [
        (r#""max_tokens":7"#, 7),
        (r#""max_completion_tokens":8.9"#, 8),
        (r#""max_output_tokens":9"#, 9),
        (r#""max_tokens":"9""#, 0),
        (r#""max_tokens":-9"#, 0),
        (r#""max_tokens":1e999"#, 0),
        (r#""max_tokens":1e99"#, u64::from(u32::MAX)),
    ] {
        let (_, mut routed) = process.choose(&format!(r#"{{"model":"small",{limit}}}"#)).unwrap();
        assert_eq!(process.metric("model=.=small;.;ipp_inflight_tokens"), want, "{limit}");
        process.pipeline.finish(&mut routed, &mut process.env);
        assert_eq!(process.metric("model=.=small;.;ipp_inflight_tokens"), 0);
    }
}

#[test]
fn all_loaded_says_when_to_come_back() {
    let plugins = "- {type: load-filter, parameters: {maxLoad: 1, status: 503, retryAfterSeconds: 7}}\n";
    let mut process = Process::new(&config(plugins, "    - pluginRef: load-filter\n"));
    let open: Vec<Routed> = (0..10).map(|_| process.choose(r#"{"model":"auto"}"#).unwrap().1).collect();
    assert_eq!(process.in_flight(), [4, 4, 2], "each as many as it can serve");
    let refused = process.decide(r#"{"model":"auto"}"#).unwrap_err();
    assert_eq!((refused.status, refused.code), (503, "models_overloaded"));
    let reply = process.pipeline.reply(&refused, &mut process.env);
    assert_eq!(reply.retry_after_seconds, Some(7));
    // A name that exists is busy, one that does not is unknown, whatever the load.
    assert_eq!(process.decide(r#"{"model":"small"}"#).unwrap_err().code, "models_overloaded");
    assert_eq!(process.decide(r#"{"model":"gpt-4"}"#).unwrap_err().code, "model_not_found");
    for mut routed in open {
        process.pipeline.finish(&mut routed, &mut process.env);
    }
    assert!(process.model(r#"{"model":"auto"}"#).is_ok());
}

#[test]
fn filters_and_scorers_by_attributes() {
    for (plugin, reference, body, want) in [
        (
            "{type: attribute-filter, name: x, parameters: {attribute: quality, operator: '>=', value: 50, missing: remove}}",
            "{pluginRef: x}",
            r#"{"model":"auto"}"#,
            Ok("medium"),
        ),
        (
            "{type: attribute-filter, name: x, parameters: {attribute: region, operator: in, values: [us], missing: remove}}",
            "{pluginRef: x}",
            r#"{"model":"auto"}"#,
            Ok("medium"),
        ),
        (
            "{type: attribute-filter, name: x, parameters: {attribute: tags, operator: notIn, values: [code], missing: remove}}",
            "{pluginRef: x}",
            r#"{"model":"auto"}"#,
            Err((429, "no_model_available")),
        ),
        (
            "{type: attribute-filter, name: x, parameters: {attribute: tags, operator: notIn, values: [code], missing: remove, fallbackOnEmpty: true}}",
            "{pluginRef: x}",
            r#"{"model":"auto"}"#,
            Ok("small"),
        ),
        (
            "{type: attribute-scorer, name: x, parameters: {attribute: quality, prefer: high}}",
            "{pluginRef: x, weight: 5}",
            r#"{"model":"auto"}"#,
            Ok("large"),
        ),
        (
            "{type: attribute-scorer, name: x, parameters: {attribute: token_prices.output, prefer: low}}",
            "{pluginRef: x, weight: 5}",
            r#"{"model":"auto"}"#,
            Ok("medium"),
        ),
        (
            "{type: by-field-filter, name: x, parameters: {fieldName: region, byField: region}}",
            "{pluginRef: x}",
            r#"{"model":"auto","region":"us"}"#,
            Ok("medium"),
        ),
        (
            "{type: by-field-filter, name: x, parameters: {fieldName: region, byField: region}}",
            "{pluginRef: x}",
            r#"{"model":"auto","region":"asia"}"#,
            Err((404, "model_not_found")),
        ),
        (
            "{type: by-field-filter, name: x, parameters: {fieldName: region, byField: region}}",
            "{pluginRef: x}",
            r#"{"model":"auto","region":[1]}"#,
            Err((400, "invalid_model")),
        ),
        ("{type: model-name-filter, name: x}", "{pluginRef: x}", r#"{"model":"large"}"#, Ok("large")),
        (
            "{type: model-name-filter, name: x}",
            "{pluginRef: x}",
            r#"{"model":"auto"}"#,
            Err((404, "model_not_found")),
        ),
        (
            "{type: weighted-split-picker, name: x, parameters: {weights: {large: 1}}}",
            "{pluginRef: x}",
            r#"{"model":"auto"}"#,
            Ok("large"),
        ),
    ] {
        let plugins = format!("- {plugin}\n{}", COST.0);
        let mut process = Process::new(&config(&plugins, &format!("    - {reference}\n{}", COST.1)));
        assert_eq!(process.model(body), want.map(str::to_owned), "{plugin}");
    }
}

#[test]
fn how_long_each_plugin_takes_where_that_is_asked_for() {
    let series = |point: &str, plugin: &str, name: &str| {
        format!(
            "extension_point=.={point};.;plugin_type=.={plugin};.;plugin_name=.={name};.;ipp_plugin_duration_nanoseconds"
        )
    };
    let off = config(
        "- {type: cost-scorer, name: cheap}\n- {type: inflight-requests-scorer}\n",
        "    - {pluginRef: cheap, weight: 1}\n    - {pluginRef: inflight-requests-scorer, weight: 1}\n",
    );
    let on = off.replace(
        "- type: model-selector\n-",
        "- {type: model-selector, parameters: {pluginDurations: true}}\n-",
    );
    // In the test's world the clock goes on by one at each look: the times between looks add up to them.
    let looks = |config: &str, body: &str| {
        let mut process = Process::new(config);
        let chosen = process.model(body);
        (process.env.now, chosen.is_ok(), process)
    };
    let (without, ..) = looks(&off, r#"{"model":"auto"}"#);
    let (with, _, process) = looks(&on, r#"{"model":"auto"}"#);
    assert_eq!(with, without + 5, "the start, a filter, two scorers, the picker");
    for (point, plugin, name) in [
        ("ModelSelectorFilter", "model-group-name-filter", "model-group-name-filter"),
        ("ModelSelectorScorer", "cost-scorer", "cheap"),
        ("ModelSelectorScorer", "inflight-requests-scorer", "inflight-requests-scorer"),
        ("ModelSelectorPicker", "max-score-picker", "max-score-picker"),
    ] {
        assert_eq!(process.metric(&series(point, plugin, name)), 1, "{name}");
    }
    assert_eq!(process.metric("ipp_model_selector_e2e_duration_nanoseconds"), 1);
    // A picker of one's own has its own name, and where nobody is left there is nothing for it to do.
    let named =
        on.replace("- type: body-field", "- {type: random-picker, name: dice}\n- type: body-field").replace(
            "    - pluginRef: model-selector\n",
            "    - pluginRef: dice\n    - pluginRef: model-selector\n",
        );
    let (_, chosen, process) = looks(&named, r#"{"model":"nobody"}"#);
    assert!(!chosen);
    assert_eq!(process.metric(&series("ModelSelectorPicker", "random-picker", "dice")), 0);
    assert_eq!(process.metric(&series("ModelSelectorScorer", "cost-scorer", "cheap")), 0);
    let filter = series("ModelSelectorFilter", "model-group-name-filter", "model-group-name-filter");
    assert_eq!(process.metric(&filter), 1);
    assert_eq!(process.metric("ipp_model_selector_e2e_duration_nanoseconds"), 1);
    // Without it there is not even a series.
    assert!(pipeline(&off).metrics().all().iter().all(|metric| !metric.name.contains("ModelSelector")));
}

#[test]
fn the_response_says_who_answered() {
    let mut process = Process::new(&config(COST.0, COST.1));
    let (_, routed) = process.choose(r#"{"model":"auto"}"#).unwrap();
    let headers = [(&b":status"[..], &b"200"[..]), (b"x-selected", b"a lie")];
    let edits = process.pipeline.respond(&routed, headers.into_iter(), false, &mut process.env).headers;
    assert_eq!(edits.len(), 1);
    assert_eq!(edits[0].value.as_deref(), Some(&b"small"[..]));
    let none =
        process.pipeline.respond(&Routed::default(), headers.into_iter(), false, &mut process.env).headers;
    assert!(none.is_empty());
}

#[test]
fn what_is_refused_when_it_is_loaded() {
    let error = |config: &str| {
        refused(config, &stock()).0.iter().map(|error| format!("{error}\n")).collect::<String>()
    };
    let fine = config(COST.0, COST.1);
    load(&fine, &stock(), INFO).unwrap_or_else(|errors| panic!("{errors}"));
    let unsourced = fine.replace("[{pluginRef: model-config-datasource}]", "[]");
    assert!(error(&unsourced).contains("there are no models to select from"), "{}", error(&unsourced));
    let path = fine.replace(
        "    models:\n    - name: small",
        "    modelsPath: /etc/models.json\n    models:\n    - name: small",
    );
    assert!(error(&path).contains("put the content of the file here"), "{}", error(&path));
    let shared = fine.clone() + "- name: other\n  plugins: {request: [{pluginRef: model-selector}]}\n";
    assert!(error(&shared).contains("belongs to one profile"), "{}", error(&shared));
    for (from, to, want) in [
        ("name: medium", "name: small", "the model \"small\" stands here a second time"),
        ("name: medium", "name: ''", "expected a string that is not empty"),
        ("name: medium", "name: 'a=.=b'", "a model's name has at most 256 bytes"),
        ("input_per_million: 0.5", "input_per_million: -1", "expected a price that is not negative"),
        ("input_per_million: 0.5", "inputPerMillion: 1", "unknown field \"inputPerMillion\""),
        ("capacity: 2", "capacity: 0", "expected a number greater than 0"),
        ("quality: 90", "capacity: 90", "is no name for an attribute of one's own"),
        ("quality: 90", "quality: {a: 1}", "expected a number"),
        ("models: [medium, large]", "models: [medium, huge]", "\"huge\" is none of the models"),
        ("models: [medium, large]", "models: []", "the group \"good\" has no members"),
        ("name: good", "name: cheap", "the group \"cheap\" stands here a second time"),
        ("name: good", "name: ''", "expected a string that is not empty"),
    ] {
        let wrong = fine.replacen(from, to, 1);
        assert!(error(&wrong).contains(want), "{to}: {}", error(&wrong));
    }
    // vectors.md, by_field_filter and pickers: any parameters, and none is looked at.
    for kind in [
        "single-profile-picker",
        "model-group-name-filter, name: x",
        "model-name-filter",
        "random-picker",
        "weighted-random-picker",
    ] {
        for parameters in ["{fieldName: other, a: [1]}", "text", "[]", "null", "{}"] {
            let config = config(&format!("- {{type: {kind}, parameters: {parameters}}}\n"), "");
            load(&config, &stock(), INFO).unwrap_or_else(|errors| panic!("{kind} {parameters}: {errors}"));
        }
    }
    for (plugin, want) in [
        (
            "{type: max-score-picker, parameters: {tieBand: -1}}",
            "tieBand (line 26, column 50): must be a finite number",
        ),
        ("{type: load-filter}", "maxInFlight: must be there, or maxLoad"),
        ("{type: load-filter, parameters: {maxLoad: 1, status: 500}}", "must be 429 or 503"),
        ("{type: power-of-two-picker, parameters: {choices: 1}}", "expected a whole number from 2 to 64"),
        (
            "{type: exploration-max-score-picker, parameters: {stalenessThreshold: 30}}",
            "expected a duration such as",
        ),
        (
            "{type: weighted-split-picker, parameters: {weights: {a: 0}}}",
            "must be greater than 0 for at least one model",
        ),
        ("{type: weighted-split-picker, parameters: {weights: {a: x}}}", "expected a number"),
        (
            "{type: attribute-filter, parameters: {attribute: a, operator: '<', values: [x], missing: keep}}",
            "no `values`",
        ),
        (
            "{type: attribute-filter, parameters: {attribute: a, operator: in, missing: keep}}",
            "\"values\" is missing",
        ),
        ("{type: inflight-requests-scorer, parameters: {defaultCapacity: 3}}", "use `scale: capacity`"),
        (
            "{type: inflight-requests-scorer, parameters: {scale: capacity, defaultCapacity: 0}}",
            "must be a finite number greater than 0",
        ),
        ("{type: by-field-filter, parameters: {}}", "\"fieldName\" is missing here"),
        ("{type: model-selector, name: x, parameters: {a: 1}}", "unknown field \"a\""),
        ("{type: cool-down-filter, parameters: {a: 1}}", "unknown field \"a\", expected nothing here"),
        ("{type: inflight-requests-scorer, parameters: {maxSessions: 1}}", "unknown field \"maxSessions\""),
        ("{type: model-selector, name: x, parameters: {pluginDurations: 1}}", "expected true or false"),
        ("{type: cost-scorer, parameters: {normalisation: minmax}}", "did you mean \"min-max\""),
        ("{type: cost-scorer, parameters: {price: both}}", "expected input or output or blended"),
        ("{type: cost-scorer, parameters: {inputWeight: 3}}", "only `price: blended` has weights"),
        (
            "{type: cost-scorer, parameters: {price: output, outputWeight: 3}}",
            "only `price: blended` has weights",
        ),
        (
            "{type: cost-scorer, parameters: {price: blended, inputWeight: 0, outputWeight: 0}}",
            "must be greater than 0, or `outputWeight` has to be",
        ),
        ("{type: cost-scorer, parameters: {price: blended, outputWeight: -1}}", "must be a finite number"),
    ] {
        let wrong = config(&format!("- {plugin}\n"), "");
        assert!(error(&wrong).contains(want), "{plugin}: {}", error(&wrong));
    }
}
