//! What is found inside of fields: the same however the body is cut, and the same as a reader finds who has it all.

use super::{IMAGES, Inside};
use crate::payload::{DuplicateKeys, FieldId, Members, Value, Wanted};
use ipp_selector::{Rng, SplitMix64};
use serde_json::Value as Json;

const FIELDS: [(&str, Inside); 4] = [
    ("messages", Inside::Parts),
    ("input", Inside::Parts),
    ("response_format", Inside::Format),
    ("text", Inside::InnerFormat),
];

fn wanted() -> (Wanted, [FieldId; 4]) {
    let mut wanted = Wanted::default();
    wanted.add("model");
    let fields = FIELDS.map(|(name, inside)| wanted.add_inside(name, inside));
    (wanted, fields)
}

fn read<'b>(wanted: &Wanted, pieces: impl Iterator<Item = &'b [u8]>) -> Members {
    let mut members = Members::new(wanted);
    for piece in pieces {
        members.feed(wanted, piece).unwrap();
    }
    members.finish().unwrap();
    members
}

/// What is told of each field, in one piece, in every two, and byte by byte.
fn told(body: &str) -> [Option<String>; 4] {
    let (wanted, fields) = wanted();
    let of = |members: Members| fields.map(|field| members.told(field).map(str::to_owned));
    let bytes = body.as_bytes();
    let whole = of(read(&wanted, std::iter::once(bytes)));
    assert_eq!(whole, of(read(&wanted, bytes.chunks(1))), "{body}");
    for at in 0..bytes.len() {
        let pieces = [&bytes[..at], &bytes[at..]];
        assert_eq!(whole, of(read(&wanted, pieces.into_iter())), "cut at {at}: {body}");
    }
    whole
}

fn check(body: &str, want: Option<&str>) {
    let found = told(body);
    let found: Vec<&str> = found.iter().flatten().map(String::as_str).collect();
    assert_eq!(found, want.into_iter().collect::<Vec<_>>(), "{body}");
}

#[test]
fn parts_that_are_images() {
    for (body, want) in [
        // OpenAI's chat.
        (
            r#"{"messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"data:"}}]}]}"#,
            Some("image_url"),
        ),
        (
            r#"{"messages":[{"content":"x"},{"content":[{"image_url":{"url":"u"},"type":"image_url"}]}]}"#,
            Some("image_url"),
        ),
        // OpenAI's Responses, and what a function gave.
        (
            r#"{"input":[{"role":"user","content":[{"type":"input_image","image_url":"u"}]}]}"#,
            Some("input_image"),
        ),
        (
            r#"{"input":[{"type":"function_call_output","output":[{"type":"input_image"}]}]}"#,
            Some("input_image"),
        ),
        // Anthropic's messages, and what a tool gave.
        (
            r#"{"messages":[{"content":[{"type":"image","source":{"type":"base64","data":"aa"}}]}]}"#,
            Some("image"),
        ),
        (
            r#"{"messages":[{"content":[{"type":"tool_result","content":[{"type":"text"},{"type":"image"}]}]}]}"#,
            Some("image"),
        ),
        // Escapes are no hiding place, in keys and in values.
        (r#"{"m\u0065ssages":[{"c\u006fntent":[{"t\u0079pe":"im\u0061ge"}]}]}"#, Some("image")),
        // White space, empty parts, members before and behind.
        (
            "{ \"a\" : [ [ ] ] , \"messages\" : [ { } , { \"content\" : [ { } , { \"a\" : 1 , \"type\" : \"image\" , \"b\" : [ ] } ] } ] , \"c\" : { } }",
            Some("image"),
        ),
        // A word in a text is none.
        (
            r#"{"messages":[{"content":"\"type\":\"image_url\""},{"content":[{"type":"text","text":"type: image_url {\"type\":\"image_url\"}"}]}]}"#,
            None,
        ),
        (r#"{"messages":[{"content":"image_url"},{"content":["image_url","type","image"]}]}"#, None),
        (r#"{"messages":[{"content":[{"text":"image","kind":"image_url"}]}]}"#, None),
        (r#"{"input":"{\"type\":\"input_image\"}"}"#, None),
        // Nor is one somewhere else: a tool's own arguments, a schema, a key, another field, another depth.
        (
            r#"{"messages":[{"content":[{"type":"tool_use","input":{"type":"image","content":[{"type":"image"}]}}]}]}"#,
            None,
        ),
        (r#"{"messages":[{"content":[{"source":{"type":"image"}}]}]}"#, None),
        (r#"{"messages":[{"tool_calls":[{"type":"image"}]}]}"#, None),
        (r#"{"messages":[{"type":"image","content":"x"}]}"#, None),
        (r#"{"messages":{"content":[{"type":"image"}]}}"#, None),
        (r#"{"messages":[[{"content":[{"type":"image"}]}]]}"#, None),
        (r#"{"messages":[{"content":{"type":"image"}}]}"#, None),
        (r#"{"messages":[{"content":[[{"type":"image"}]]}]}"#, None),
        (r#"{"messages":[{"content":[{"content":[{"content":[{"type":"image"}]}]}]}]}"#, None),
        (r#"{"tools":[{"content":[{"type":"image"}]}],"messages":[]}"#, None),
        (r#"{"messages":[],"tools":[{"content":[{"type":"image"}]}]}"#, None),
        (
            r#"{"messages":[{"content":[{"image":"type"},{"type":["image"]},{"type":{"type":"image"}}]}]}"#,
            None,
        ),
        (
            r#"{"messages":[{"content":[{"type":"Image"},{"type":"images"},{"type":"image_ur"},{"type":""}]}]}"#,
            None,
        ),
        // The key stays that of its own level.
        (r#"{"messages":[{"content":[{"type":{"a":1},"x":"image"}]}]}"#, None),
        (r#"{"messages":[{"content":[{"a":{"type":"text"},"b":"image"}]}]}"#, None),
        (r#"{"messages":[{"content":[{"type":"text"},"image"]}]}"#, None),
    ] {
        check(body, want);
    }
}

#[test]
fn formats() {
    for (body, want) in [
        (r#"{"response_format":{"type":"json_object"}}"#, Some("json_object")),
        (
            r#"{"response_format":{"json_schema":{"type":"object","format":{"type":"x"}},"type":"json_schema"}}"#,
            Some("json_schema"),
        ),
        (r#"{"response_format":{"ty\u0070e":"te\u0078t"}}"#, Some("text")),
        (r#"{"text":{"format":{"type":"json_schema","schema":{"type":"object"}}}}"#, Some("json_schema")),
        (r#"{"text":{"verbosity":"low"}}"#, None),
        (r#"{"text":{"type":"json_schema"}}"#, None),
        (r#"{"response_format":{"format":{"type":"x"}}}"#, None),
        (r#"{"response_format":[{"type":"x"}]}"#, None),
        (r#"{"response_format":{"type":7}}"#, None),
        (r#"{"response_format":"text","text":"{}"}"#, None),
    ] {
        check(body, want);
    }
    // What is longer than any format is none, and is not kept.
    let long = "x".repeat(65);
    check(&format!(r#"{{"response_format":{{"type":"{long}"}}}}"#), None);
    check(&format!(r#"{{"response_format":{{"type":"{}"}}}}"#, &long[1..]), Some(&long[1..]));
}

#[test]
fn of_a_field_that_stands_twice_the_last_counts() {
    let (mut wanted, [messages, ..]) = wanted();
    wanted.set_duplicates(DuplicateKeys::Last);
    for (body, want) in [
        (r#"{"messages":[{"content":[{"type":"image"}]}],"messages":[]}"#, None),
        (r#"{"messages":[],"messages":[{"content":[{"type":"image"}]}]}"#, Some("image")),
        (r#"{"messages":[{"content":[{"type":"image"}]}],"messages":1}"#, None),
    ] {
        assert_eq!(read(&wanted, body.as_bytes().chunks(3)).told(messages), want, "{body}");
    }
}

#[test]
fn texts_that_nobody_wants_are_not_looked_at() {
    let (wanted, [_, input, ..]) = wanted();
    // Half a character in a text that is read is refused; in one that is only passed by it is the server's business.
    let body = format!(r#"{{"input":"\ud800{}"}}"#, "x".repeat(100_000));
    let members = read(&wanted, body.as_bytes().chunks(1000));
    assert_eq!((members.value(input), members.spans(input)[0].len()), (Value::TooLong, 100_008));
    let mut both = Wanted::default();
    let input = both.add_inside("input", Inside::Parts);
    assert_eq!(both.add("input"), input);
    assert_eq!(read(&both, br#"{"input":"x"}"#.chunks(4)).value(input), Value::String("x"));
}

/// The same by a reader who has it all.
fn expected(body: &Json) -> [bool; 2] {
    fn image(parts: &Json, deeper: bool) -> bool {
        parts.as_array().into_iter().flatten().any(|part| {
            let kind = part["type"].as_str().unwrap_or_default();
            part.is_object()
                && (IMAGES.contains(&kind.as_bytes()) || (deeper && image(&part["content"], false)))
        })
    }
    ["messages", "input"].map(|field| {
        let items = body[field].as_array();
        items.into_iter().flatten().any(|item| {
            item.is_object() && ["content", "output"].into_iter().any(|key| image(&item[key], true))
        })
    })
}

/// A value made of the words that matter, at depths around those that matter.
fn value(random: &mut SplitMix64, depth: usize) -> Json {
    const KEYS: [&str; 6] = ["type", "content", "output", "text", "type", "content"];
    const TEXTS: [&str; 6] = ["image", "image_url", "input_image", "text", "type", "content \"image\""];
    match random.below(if depth == 0 { 2 } else { 8 }) {
        0 => Json::from(TEXTS[random.below(TEXTS.len())]),
        1 => [Json::Null, Json::from(1.5), Json::Bool(true), Json::from("image")][random.below(4)].clone(),
        2..=4 => (0..random.below(4)).map(|_| value(random, depth.saturating_sub(1))).collect(),
        _ => {
            let members = (0..random.below(4)).map(|_| {
                let key = KEYS[random.below(KEYS.len())];
                (key.to_owned(), value(random, depth.saturating_sub(1)))
            });
            Json::Object(members.collect())
        }
    }
}

/// Mostly messages with parts, and anything in their place.
fn messages(random: &mut SplitMix64) -> Json {
    let item = |random: &mut SplitMix64| match random.below(3) {
        0 => value(random, 5),
        _ => {
            let parts: Vec<Json> = (0..random.below(3)).map(|_| value(random, 3)).collect();
            let inner = serde_json::json!({"type": value(random, 1), "content": parts});
            serde_json::json!({"role": "user", ["content", "output"][random.below(2)]: [inner, value(random, 3)]})
        }
    };
    match random.below(4) {
        0 => value(random, 7),
        _ => (0..random.below(4)).map(|_| item(random)).collect(),
    }
}

#[test]
fn as_a_reader_finds_it_who_has_it_all() {
    let mut random = SplitMix64::new(3);
    let mut found = 0;
    for _ in 0..20_000 {
        let members = [
            ("a", value(&mut random, 6)),
            ("messages", messages(&mut random)),
            ("input", messages(&mut random)),
        ];
        let body = Json::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect());
        let text = if random.below(2) == 0 { body.to_string() } else { format!("{body:#}") };
        let (wanted, [messages, input, ..]) = wanted();
        let members = read(&wanted, text.as_bytes().chunks(1 + random.below(60)));
        let got = [members.told(messages).is_some(), members.told(input).is_some()];
        assert_eq!(got, expected(&body), "{text}");
        found += usize::from(got != [false; 2]);
    }
    assert!(found > 1_000, "{found}");
}
