//! Request bodies of an exact size: a conversation, or tool schemas.

use std::fmt::Write as _;

use super::random::Random;
use super::scenario::{ModelAt, Profile, Scenario, Task};
use super::selection::ASKED;

/// What bodies ask for, unless the model is to be chosen. The upstream looks for it in the routing header.
pub(super) const MODEL: &str = "llama-3.1-8b-instruct";

/// One message of a conversation is no longer than this.
const MESSAGE: usize = 4000;

/// The body of this scenario, the same one each time.
pub(super) fn body(scenario: &Scenario) -> String {
    let mut random = Random::new(scenario.size as u64);
    let asked = if matches!(scenario.task, Task::Select(_)) { ASKED } else { MODEL };
    let model = format!(r#""model":"{asked}""#);
    let (head, tail) = match scenario.model_at {
        ModelAt::First => (format!("{{{model},"), "}".to_owned()),
        ModelAt::Last => ("{".to_owned(), format!(",{model}}}")),
    };
    let stream = match scenario.task.stream() {
        None => r#""stream":false"#,
        Some(watching) if watching.asked() => r#""stream":true,"stream_options":{"include_usage":true}"#,
        Some(_) => r#""stream":true"#,
    };
    let head = format!(r#"{head}"temperature":0.7,"max_tokens":512,{stream},"#);
    let room = scenario.size.saturating_sub(head.len() + tail.len());
    let middle = match scenario.profile {
        Profile::Prose => conversation(&mut random, room),
        Profile::Dense => tools(&mut random, room),
    };
    format!("{head}{middle}{tail}")
}

/// `"messages":[..]` of exactly this size.
fn conversation(random: &mut Random, size: usize) -> String {
    let mut json = String::with_capacity(size);
    json.push_str(r#""messages":["#);
    for index in 0.. {
        let open = format!(r#"{{"role":"{}","content":""#, ["user", "assistant"][index % 2]);
        let room = size.saturating_sub(json.len() + open.len() + r#""}]"#.len());
        // The last one takes all that is left, and never too little for another.
        let last = room < MESSAGE + 200;
        let size = if last { room } else { MESSAGE / 2 + random.below(MESSAGE / 2) };
        let text = text(random, size);
        let _ = write!(json, r#"{open}{text}"}}"#);
        if last {
            break;
        }
        json.push(',');
    }
    json.push(']');
    json
}

/// `"tools":[..],"messages":[..]` of exactly this size.
fn tools(random: &mut Random, size: usize) -> String {
    let mut json = String::with_capacity(size);
    json.push_str(r#""tools":["#);
    let mut count = 0;
    loop {
        let tool = tool(random, count);
        if json.len() + tool.len() + 200 > size {
            break;
        }
        if count > 0 {
            json.push(',');
        }
        json.push_str(&tool);
        count += 1;
    }
    json.push_str("],");
    let rest = size.saturating_sub(json.len());
    json.push_str(&conversation(random, rest));
    json
}

fn tool(random: &mut Random, index: usize) -> String {
    let parameters = schema(random, 3);
    format!(
        r#"{{"type":"function","function":{{"name":"tool_{index}","strict":true,"description":"{}","parameters":{parameters}}}}}"#,
        text(random, 24)
    )
}

/// An object schema with some properties that are objects themselves.
fn schema(random: &mut Random, depth: usize) -> String {
    let mut json = r#"{"type":"object","properties":{"#.to_owned();
    let mut required = String::new();
    for index in 0..3 + random.below(3) {
        let name = format!("{}_{index}", random.pick(&NAMES));
        let separator = if index == 0 { "" } else { "," };
        let _ = write!(json, r#"{separator}"{name}":"#);
        let _ = write!(required, r#"{separator}"{name}""#);
        match random.below(if depth > 1 { 6 } else { 5 }) {
            0 => json.push_str(r#"{"type":["string","null"],"default":null}"#),
            1 => json.push_str(r#"{"type":"integer","minimum":0,"maximum":100}"#),
            2 => json.push_str(r#"{"enum":["a","b","c",1,2.5,true]}"#),
            3 => json.push_str(r#"{"type":"array","items":{"type":"string"},"minItems":1}"#),
            4 => json.push_str(r#"{"anyOf":[{"type":"number"},{"type":"boolean"}]}"#),
            _ => json.push_str(&schema(random, depth - 1)),
        }
    }
    let _ = write!(json, r#"}},"required":[{required}],"additionalProperties":false}}"#);
    json
}

/// Escaped text of exactly this many bytes.
fn text(random: &mut Random, size: usize) -> String {
    let mut text = String::with_capacity(size);
    loop {
        // Line breaks, quotes and letters outside of ASCII are as rare as in what people write.
        let next = match random.below(60) {
            0 => ".\\n\\n",
            1 => " \\\"so\\\"",
            2 => " café",
            3..8 => ", and",
            _ => random.pick(&WORDS),
        };
        if text.len() + next.len() > size {
            break;
        }
        text.push_str(next);
    }
    text.extend(std::iter::repeat_n('.', size - text.len()));
    text
}

const NAMES: [&str; 6] = ["id", "query", "filter", "limit", "tags", "when"];

const WORDS: [&str; 24] = [
    " the",
    " of",
    " a",
    " request",
    " model",
    " which",
    " because",
    " answer",
    " please",
    " explain",
    " in",
    " document",
    " paragraph",
    " is",
    " to",
    " following",
    " with",
    " summary",
    " result",
    " it",
    " that",
    " for",
    " question",
    " not",
];

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::bench::scenario::{Profiles, scenarios};
    use crate::bench::stream::Watching;

    #[test]
    fn every_body_has_its_exact_size_and_its_model_in_place() {
        let sizes = [512, 1000, 1 << 10, 4 << 10, 5003, 16 << 10, 256 << 10, 900 << 10];
        for profiles in [Profiles::Prose, Profiles::Dense, Profiles::Stream] {
            for scenario in scenarios(Some(&sizes), profiles) {
                let body = body(&scenario);
                assert_eq!(body.len(), scenario.size, "{scenario}");
                let json: Value = serde_json::from_str(&body).unwrap();
                assert_eq!(json["model"], MODEL);
                assert!(json["messages"].is_array());
                assert_eq!(json["stream"], scenario.task.stream().is_some());
                let asked = json.pointer("/stream_options/include_usage").is_some();
                assert_eq!(asked, scenario.task.stream().is_some_and(Watching::asked));
                match scenario.model_at {
                    ModelAt::First => assert!(body.starts_with("{\"model\"")),
                    ModelAt::Last => assert!(body.ends_with(&format!("\"{MODEL}\"}}"))),
                }
            }
        }
    }

    #[test]
    fn dense_bodies_are_mostly_structure() {
        let share = |profile| {
            let body =
                body(&Scenario { size: 256 << 10, profile, model_at: ModelAt::Last, task: Task::Route });
            body.bytes().filter(|byte| b"{}[]:,\"".contains(byte)).count() as f64 / body.len() as f64
        };
        assert!(share(Profile::Dense) > 0.3, "{}", share(Profile::Dense));
        assert!(share(Profile::Prose) < 0.05, "{}", share(Profile::Prose));
    }
}
