//! Bodies as clients could write them, made by chance: cut anywhere they mean the same, and an edit changes only
//! the bytes of its value.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

#[path = "../fuzz/src/against_serde_json.rs"]
#[allow(unreachable_pub, dead_code, reason = "the fuzz target's crate is another one")]
mod against_serde_json;
mod support;

use ipp_pipeline::config::load;
use ipp_pipeline::plugin::{Plugin, PluginType, Splice};
use ipp_pipeline::{Entered, Pipeline, Progress, stock};
use ipp_selector::{Rng, SplitMix64};
use std::fmt::Write as _;

const RENAMED: &str = "é \"new\"";

const RENAME: PluginType = PluginType {
    name: "rename",
    about: "Renames the model.",
    parameters: &[],
    example: "type: rename",
    build: |_, build| {
        let model = build.field("model");
        Ok(Plugin::new().request(move |request: &mut ipp_pipeline::plugin::Request<'_>| {
            request.set_field(model, RENAMED);
            Ok(())
        }))
    },
};

const CONFIG: &str = "
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins: [{type: rename}]
profiles: [{name: only, plugins: {request: [{pluginRef: rename}]}}]
";

/// Pieces of strings, many of them longer than what the scanner looks at in one go.
const TEXTS: [&str; 10] = [
    "a",
    "and then a longer piece of plain text, ",
    "\\n\\n",
    "\\\"",
    "\\u00e9\\ud83d\\ude00",
    "é",
    "日本語のテキスト",
    "😀",
    "\\\\",
    "[{\\\"not\\\": structure}],",
];

fn string(random: &mut SplitMix64, json: &mut String) {
    json.push('"');
    for _ in 0..random.below(6) {
        json.push_str(TEXTS[random.below(TEXTS.len())]);
    }
    json.push('"');
}

fn blank(random: &mut SplitMix64, json: &mut String) {
    json.push_str(["", "", "", " ", "\n    ", "\t\r\n"][random.below(6)]);
}

fn value(random: &mut SplitMix64, depth: usize, json: &mut String) {
    blank(random, json);
    match random.below(if depth == 0 { 4 } else { 8 }) {
        0 => string(random, json),
        1 => json.push_str(["true", "false", "null"][random.below(3)]),
        2 => json.push_str(["0", "-0.5e+10", "12345678901234567890", "1E3", "-7"][random.below(5)]),
        3 => json.push_str(["{}", "[]", "[ ]", "{\n}"][random.below(4)]),
        kind => {
            let (open, close) = if kind < 6 { ('{', '}') } else { ('[', ']') };
            json.push(open);
            for index in 0..=random.below(4) {
                if index > 0 {
                    json.push(',');
                }
                if open == '{' {
                    blank(random, json);
                    string(random, json);
                    blank(random, json);
                    json.push(':');
                }
                value(random, depth - 1, json);
            }
            json.push(close);
        }
    }
    blank(random, json);
}

/// An object with `model` somewhere among its members.
fn body(random: &mut SplitMix64) -> String {
    let mut json = "{".to_owned();
    let members = 1 + random.below(5);
    let model_at = random.below(members);
    for index in 0..members {
        if index > 0 {
            json.push(',');
        }
        blank(random, &mut json);
        let _ =
            if index == model_at { write!(json, "\"model\"") } else { write!(json, "\"member {index}\"") };
        json.push(':');
        value(random, 5, &mut json);
    }
    json.push('}');
    json
}

/// What becomes of a body whose bytes come in these pieces.
fn edits(pipeline: &Pipeline, body: &str, mut pieces: impl FnMut() -> usize) -> Vec<Splice> {
    let headers = [(&b":method"[..], &b"POST"[..]), (b":path", b"/"), (b"content-type", b"application/json")];
    let Entered::Hold(mut held) = pipeline.enter(headers.into_iter(), false).1 else { panic!("not held") };
    let mut rest = body.as_bytes();
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(pieces().clamp(1, rest.len()));
        assert_eq!(pipeline.feed(&mut held, piece), Progress::More, "{body}");
        rest = behind;
    }
    let mut env = support::TestEnv { counts: vec![0; pipeline.metrics().all().len()], now: 0 };
    pipeline.decide(held, &mut env).unwrap().body
}

#[test]
fn agreement_with_serde_json() {
    let mut random = SplitMix64::new(7);
    for _ in 0..3_000 {
        let mut bytes = body(&mut random).into_bytes();
        against_serde_json::check(&bytes, 0);
        against_serde_json::check(&bytes, 1 + random.below(90));
        let at = random.below(bytes.len());
        bytes[at] = [b'"', b'}', b',', b' ', 0x80, 0x1F, b'\\', b'x'][random.below(8)];
        against_serde_json::check(&bytes, 0);
        against_serde_json::check(&bytes, 1 + random.below(90));
    }
}

#[test]
fn an_edit_changes_only_its_value_however_the_body_is_cut() {
    let pipeline = load(CONFIG, &stock().with(RENAME), support::INFO).unwrap();
    let mut random = SplitMix64::new(11);
    for _ in 0..2_000 {
        let body = body(&mut random);
        let whole = edits(&pipeline, &body, || usize::MAX);
        assert_eq!(whole, edits(&pipeline, &body, || 1), "{body}");
        assert_eq!(whole, edits(&pipeline, &body, || 1 + random.below(60)), "{body}");

        let [splice] = whole.as_slice() else { panic!("{} edits of {body}", whole.len()) };
        let before: serde_json::Value = serde_json::from_str(&body).unwrap();
        let old: serde_json::Value = serde_json::from_str(&body[splice.range.clone()]).unwrap();
        assert_eq!(before["model"], old, "exactly the value's bytes are replaced: {body}");
        let new = std::str::from_utf8(&splice.bytes).unwrap();
        let edited = [&body[..splice.range.start], new, &body[splice.range.end..]].concat();
        let mut expected = before;
        expected["model"] = RENAMED.into();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&edited).unwrap(), expected, "{body}");
    }
}
