//! `rules-profile-picker`: which profile a request goes through, and which rules are refused.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use ipp_pipeline::stock;
use support::{pipeline, post, refused, send};

/// Profiles `a`, `b` and `other`; each sets a header of its own.
fn config(rules: &str) -> String {
    let plugin = |name: &str| {
        format!(
            "- {{type: body-field-to-header, name: {name}, parameters: {{fieldName: model, headerName: x-{name}}}}}\n"
        )
    };
    let profile =
        |name: &str| format!("- {{name: {name}, plugins: {{request: [{{pluginRef: to-{name}}}]}}}}\n");
    format!(
        "apiVersion: llm-d.ai/v1alpha1\nkind: PayloadProcessorConfig\nplugins:\n{}{}{}- type: rules-profile-picker\n  \
         parameters:\n    default: other\n    rules:\n{rules}profiles:\n{}{}{}",
        plugin("to-a"),
        plugin("to-b"),
        plugin("to-other"),
        profile("a"),
        profile("b"),
        profile("other"),
    )
}

fn one(when: &str) -> String {
    config(&format!("    - {{profile: a, when: {when}}}\n"))
}

/// The profile of a request, by the header that it has.
fn profile_of(headers: &std::collections::BTreeMap<String, String>) -> &str {
    headers.keys().find_map(|name| name.strip_prefix("x-to-")).unwrap()
}

fn check(when: &str, header: Option<(&str, &str)>, body: &str, want: bool) {
    let headers: Vec<_> = header.into_iter().collect();
    let outcome = post(&pipeline(&one(when)), &headers, body);
    assert_eq!(outcome.refused(), (200, ""), "{when} {body}");
    assert_eq!(profile_of(&outcome.headers), if want { "a" } else { "other" }, "{when} {header:?} {body}");
}

#[test]
fn conditions_on_the_body() {
    for (when, body, want) in [
        ("{body: {tier: {equals: gold}}}", r#"{"model":"m","tier":"gold"}"#, true),
        ("{body: {tier: {equals: gold}}}", r#"{"model":"m","tier":"Gold"}"#, false),
        ("{body: {tier: {equals: gold}}}", r#"{"model":"m","tier":"go\u006cd"}"#, true),
        ("{body: {n: {equals: 5}}}", r#"{"model":"m","n":5.0}"#, true),
        ("{body: {n: {equals: 5}}}", r#"{"model":"m","n":"5"}"#, false),
        ("{body: {n: {equals: '5'}}}", r#"{"model":"m","n":5}"#, false),
        ("{body: {n: {equals: true}}}", r#"{"model":"m","n":true}"#, true),
        ("{body: {n: {equals: true}}}", r#"{"model":"m","n":"true"}"#, false),
        ("{body: {n: {oneOf: [x, 7, false]}}}", r#"{"model":"m","n":7}"#, true),
        ("{body: {n: {oneOf: [x, 7, false]}}}", r#"{"model":"m","n":false}"#, true),
        ("{body: {n: {oneOf: [x, 7, false]}}}", r#"{"model":"m","n":8}"#, false),
        ("{body: {model: {prefix: auto}}}", r#"{"model":"auto/fast"}"#, true),
        ("{body: {model: {prefix: auto}}}", r#"{"model":"my-auto"}"#, false),
        ("{body: {n: {exists: true}}}", r#"{"model":"m","n":[]}"#, true),
        ("{body: {n: {exists: true}}}", r#"{"model":"m","n":null}"#, false),
        ("{body: {n: {exists: false}}}", r#"{"model":"m"}"#, true),
        ("{body: {n: {exists: false}}}", r#"{"model":"m","n":0}"#, false),
        ("{body: {n: {lessThan: 2}}}", r#"{"model":"m","n":1.9}"#, true),
        ("{body: {n: {lessThan: 2}}}", r#"{"model":"m","n":2}"#, false),
        ("{body: {n: {atMost: 2}}}", r#"{"model":"m","n":2}"#, true),
        ("{body: {n: {atLeast: 2}}}", r#"{"model":"m","n":2}"#, true),
        ("{body: {n: {greaterThan: 2}}}", r#"{"model":"m","n":2}"#, false),
        ("{body: {n: {greaterThan: 2}}}", r#"{"model":"m","n":"3"}"#, false),
        ("{body: {n: {greaterThan: 2}}}", r#"{"model":"m"}"#, false),
        ("{body: {n: {atLeast: 2, lessThan: 4}}}", r#"{"model":"m","n":3}"#, true),
        ("{body: {n: {atLeast: 2, lessThan: 4}}}", r#"{"model":"m","n":4}"#, false),
        ("{body: {n: {exists: true}, tier: {equals: x}}}", r#"{"model":"m","n":4}"#, false),
        ("{streaming: true}", r#"{"model":"m","stream":true}"#, true),
        ("{streaming: true}", r#"{"model":"m","stream":"true"}"#, false),
        ("{streaming: false}", r#"{"model":"m"}"#, true),
        ("{hasTools: true}", r#"{"model":"m","tools":[{"type":"function"}]}"#, true),
        ("{hasTools: true}", r#"{"model":"m","functions":[{"name":"f"}]}"#, true),
        ("{hasTools: true}", r#"{"model":"m","tools":[]}"#, false),
        ("{hasTools: true}", r#"{"model":"m","tools":"[{...}]......"}"#, false),
        ("{hasTools: false}", r#"{"model":"m"}"#, true),
        ("{hasResponseFormat: true}", r#"{"model":"m","response_format":{"type":"json_object"}}"#, true),
        ("{hasResponseFormat: true}", r#"{"model":"m"}"#, false),
        ("{hasImages: true}", r#"{"model":"m","messages":[{"content":[{"type":"image_url"}]}]}"#, true),
        ("{hasImages: true}", r#"{"model":"m","input":[{"content":[{"type":"input_image"}]}]}"#, true),
        ("{hasImages: true}", r#"{"model":"m","messages":[{"content":[{"type":"image"}]}]}"#, true),
        ("{hasImages: true}", r#"{"model":"m","messages":[{"content":"{\"type\":\"image_url\"}"}]}"#, false),
        ("{hasImages: true}", r#"{"model":"m","prompt":"image_url"}"#, false),
        ("{hasImages: false}", r#"{"model":"m","messages":[{"content":[{"type":"text"}]}]}"#, true),
        ("{hasImages: false}", r#"{"model":"m","input":"image"}"#, true),
        ("{hasImages: false}", r#"{"model":"m","messages":[{"content":[{"type":"image"}]}]}"#, false),
        // Two facts about one field.
        (
            "{hasImages: true, body: {input: {exists: true}}}",
            r#"{"model":"m","input":[{"content":[{"type":"input_image"}]}]}"#,
            true,
        ),
        (
            "{responseFormat: {equals: json_object}}",
            r#"{"model":"m","response_format":{"type":"json_object"}}"#,
            true,
        ),
        (
            "{responseFormat: {oneOf: [json_object, json_schema]}}",
            r#"{"model":"m","text":{"format":{"schema":{"type":"object"},"type":"json_schema"}}}"#,
            true,
        ),
        (
            "{responseFormat: {equals: json_schema}}",
            r#"{"model":"m","output_format":{"type":"json_schema"}}"#,
            true,
        ),
        (
            "{responseFormat: {equals: json_schema}}",
            r#"{"model":"m","output_config":{"format":{"type":"json_schema"}}}"#,
            true,
        ),
        (
            "{responseFormat: {equals: json_object}}",
            r#"{"model":"m","response_format":{"type":"text"}}"#,
            false,
        ),
        ("{responseFormat: {equals: json}}", r#"{"model":"m","response_format":"json"}"#, true),
        ("{responseFormat: {equals: json}}", r#"{"model":"m","text":"json"}"#, false),
        ("{responseFormat: {exists: false}}", r#"{"model":"m","text":"json"}"#, true),
        ("{responseFormat: {exists: true}}", r#"{"model":"m","response_format":{"type":"x"}}"#, true),
        ("{responseFormat: {prefix: json_}}", r#"{"model":"m","response_format":{"type":"json_x"}}"#, true),
        // `"aaaaaaaaaa"` is 12 bytes, `[]` 2.
        (
            "{estimatedPromptTokens: {equals: 3}}",
            r#"{"model":"m","prompt":"aaaaaaaaaa","messages":[]}"#,
            true,
        ),
        ("{estimatedPromptTokens: {greaterThan: 3}}", r#"{"model":"m","prompt":"aaaaaaaaaa"}"#, false),
        ("{estimatedPromptTokens: {equals: 0}}", r#"{"model":"m","user":"aaaaaaaaaaaaaaaaaaa"}"#, true),
    ] {
        check(when, None, body, want);
    }
    let long = format!(r#"{{"model":"m","messages":[{{"content":"{}"}}]}}"#, "x".repeat(200_000));
    check("{estimatedPromptTokens: {atLeast: 50000}}", None, &long, true);
    check("{estimatedPromptTokens: {atLeast: 50010}}", None, &long, false);
}

#[test]
fn conditions_on_the_head() {
    let body = r#"{"model":"m"}"#;
    for (when, header, want) in [
        ("{headers: {X-Tier: {equals: gold}}}", Some(("x-tier", "gold")), true),
        ("{headers: {x-tier: {equals: gold}}}", Some(("x-tier", "silver")), false),
        ("{headers: {x-tier: {equals: gold}}}", None, false),
        ("{headers: {x-tier: {exists: false}}}", None, true),
        ("{headers: {x-tier: {exists: false}}}", Some(("x-tier", "")), false),
        ("{headers: {x-priority: {atLeast: 5}}}", Some(("x-priority", "7")), true),
        ("{headers: {x-priority: {atLeast: 5}}}", Some(("x-priority", "high")), false),
        ("{headers: {x-priority: {equals: 7}}}", Some(("x-priority", "7")), true),
        ("{method: {equals: POST}, path: {prefix: /v1/}}", None, true),
        ("{method: {equals: PUT}}", None, false),
        ("{path: {oneOf: [/v1/completions, /v1/responses]}}", None, true),
        ("{path: {equals: /v1}}", None, false),
    ] {
        check(when, header, body, want);
    }
    let headers = [
        (":method", "POST"),
        (":path", "/v1/embeddings?x=1"),
        ("content-type", "application/json"),
        ("x-tag", "one"),
        ("x-tag", "two"),
    ];
    for when in ["{path: {equals: /v1/embeddings}}", "{headers: {x-tag: {equals: two}}}"] {
        let outcome = send(&pipeline(&one(when)), &headers, body);
        assert_eq!(profile_of(&outcome.headers), "a", "{when}");
    }
}

#[test]
fn the_first_match_wins() {
    let rules = "    - {profile: a, when: {body: {n: {atLeast: 10}}}}\n    - {profile: b, when: {body: {n: {atLeast: 5}}}}\n";
    let pipeline = pipeline(&config(rules));
    for (n, want) in [(12, "a"), (10, "a"), (7, "b"), (4, "other")] {
        let outcome = post(&pipeline, &[], &format!(r#"{{"model":"m","n":{n}}}"#));
        assert_eq!(profile_of(&outcome.headers), want, "{n}");
    }
}

#[test]
fn rules_that_are_refused() {
    let first = |config: &str| refused(config, &stock()).0.remove(0).to_string();
    for (when, want) in [
        ("{}", "a rule without a condition would take every request"),
        ("{body: {}}", "a rule without a condition would take every request"),
        ("{path: {}}", "found an empty condition"),
        ("{path: {equal: /v1}}", "unknown field \"equal\""),
        ("{path: /v1}", "expected a map"),
        ("{paths: {equals: /v1}}", "unknown field \"paths\""),
        ("{hasTools: yes please}", "expected true or false"),
        ("{hasImages: 1}", "expected true or false"),
        ("{responseFormat: json_object}", "expected a map"),
        ("{body: {n: {atLeast: many}}}", "expected a number"),
        ("{body: {n: {oneOf: []}}}", "expected one or more values"),
        ("{headers: {'a b': {exists: true}}}", "is not a header name"),
    ] {
        assert!(first(&one(when)).contains(want), "{when}: {}", first(&one(when)));
    }
    let unknown = one("{streaming: true}").replace("default: other", "default: nobody");
    assert!(
        first(&unknown).contains("names the profile \"nobody\", and there are a, b, other"),
        "{}",
        first(&unknown)
    );
    let absent = one("{streaming: true}").replace("    default: other\n", "");
    assert!(first(&absent).contains("\"default\" is missing here"), "{}", first(&absent));
}
