//! The reader against serde_json, for every way of cutting the bytes.

use super::*;
use crate::payload::{MAX_KEY_BYTES, MAX_VALUE_BYTES};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

fn wanted() -> (Wanted, FieldId, FieldId) {
    let mut wanted = Wanted::default();
    let model = wanted.add("model");
    let seed = wanted.add("seed");
    (wanted, model, seed)
}

fn read(wanted: &Wanted, pieces: &[&[u8]]) -> Result<Members, BodyError> {
    let mut members = Members::new(wanted);
    for piece in pieces {
        members.feed(wanted, piece)?;
    }
    members.finish()?;
    Ok(members)
}

/// A body, its outcome in one piece, and the same in every two pieces and byte by byte.
fn every_cut(body: &[u8]) -> Result<Members, BodyError> {
    let (wanted, model, seed) = wanted();
    let whole = read(&wanted, &[body]);
    let mut cuts: Vec<Vec<&[u8]>> = (0..=body.len()).map(|at| vec![&body[..at], &body[at..]]).collect();
    cuts.push(body.chunks(1).collect());
    for pieces in cuts {
        match (&whole, read(&wanted, &pieces)) {
            (Ok(whole), Ok(cut)) => {
                for field in [model, seed] {
                    assert_eq!(whole.value(field), cut.value(field), "{pieces:?}");
                    assert_eq!(whole.spans(field), cut.spans(field), "{pieces:?}");
                }
            }
            (Err(whole), Err(cut)) => {
                assert_eq!(std::mem::discriminant(whole), std::mem::discriminant(&cut), "{pieces:?}");
            }
            (whole, cut) => panic!("{whole:?} in one piece, {cut:?} in {pieces:?}"),
        }
    }
    whole
}

#[test]
fn values_and_their_spans() {
    let (_, model, seed) = wanted();
    let body =
        br#" { "a" : [1, {"model": "inner"}], "mod\u0065l" : "Lla\u006da/3\n" , "seed":9007199254740993 } "#;
    let members = every_cut(body).unwrap();
    assert_eq!(members.value(model), Value::String("Llama/3\n"));
    assert_eq!(members.value(seed), Value::Number("9007199254740993"));
    assert_eq!(&body[members.spans(model)[0].clone()], br#""Lla\u006da/3\n""#);
    assert_eq!(&body[members.spans(seed)[0].clone()], b"9007199254740993");
}

#[test]
fn every_kind_of_value() {
    let (_, model, _) = wanted();
    for (json, value) in [
        ("null", Value::Null),
        ("true", Value::Bool(true)),
        ("false", Value::Bool(false)),
        ("-1.50e+7", Value::Number("-1.50e+7")),
        ("\"\"", Value::String("")),
        ("\"\u{20ac}\u{1f600}é\"", Value::String("\u{20ac}\u{1f600}é")),
        ("[]", Value::Array),
        ("[{\"a\":[[]]}]", Value::Array),
        ("{}", Value::Object),
        ("{\"model\":1}", Value::Object),
    ] {
        let body = format!("{{\"model\":{json}}}");
        let members = every_cut(body.as_bytes()).unwrap();
        assert_eq!(members.value(model), value);
        assert_eq!(&body[members.spans(model)[0].clone()], json);
    }
    assert_eq!(every_cut(b"{}").unwrap().value(model), Value::Absent);
}

#[test]
fn agrees_with_serde_json_on_what_is_a_json_object() {
    let bodies: &[&[u8]] = &[
        b"{}",
        b" {\t} \r\n",
        b"{\"a\":1}",
        b"{\"a\":1,}",
        b"{,}",
        b"{\"a\"}",
        b"{\"a\":}",
        b"{\"a\":1 \"b\":2}",
        b"{\"a\":01}",
        b"{\"a\":-}",
        b"{\"a\":-0}",
        b"{\"a\":1.}",
        b"{\"a\":.5}",
        b"{\"a\":1e}",
        b"{\"a\":1e+}",
        b"{\"a\":1E-05}",
        b"{\"a\":+1}",
        b"{\"a\":1e999}",
        b"{\"a\":NaN}",
        b"{\"a\":tru}",
        b"{\"a\":truex}",
        b"{\"a\":nul}",
        b"{\"a\":[1,2,]}",
        b"{\"a\":[}",
        b"{\"a\":[1}",
        b"{\"a\":{]}",
        b"{\"a\":[[],{}]}",
        b"{a:1}",
        b"{'a':1}",
        b"{\"a\":\"\x01\"}",
        b"{\"a\":\"\t\"}",
        b"{\"a\":\"\x7f\"}",
        b"{\"a\":\"\\x\"}",
        b"{\"a\":\"\\u12g4\"}",
        b"{\"a\":\"\\u1234\"}",
        b"{\"a\":\"\\ud800\"}",
        b"{\"\\ud800\":1}",
        b"{\"a\":\"\xff\"}",
        b"{\"a\":\"\xc3\xa9\"}",
        b"{\"a\":\"\xc3\"}",
        b"{\"a\":\"\xe2\x82\"}",
        b"{\"a\":\"\xe2\x82\xac\"}",
        b"{\"a\":\"\xed\xa0\x80\"}",
        b"{\"a\":\"\xc0\xaf\"}",
        b"{\"a\":\"\xf0\x9f\x98\x80\"}",
        b"{\"a\":\"\xf4\x90\x80\x80\"}",
        b"{\"\xff\":1}",
        b"{\"a\":1}x",
        b"{\"a\":1}{}",
        b"{\"a\":1}\0",
        b"{\"a\":1",
        b"{\"a\":\"",
        b"{\"a",
        b"{",
        b"",
        b"  ",
        b"[]",
        b"1",
        b"null",
        b"\"a\"",
        b"}",
        b"\xef\xbb\xbf{}",
        b"{\"a\":\x0b1}",
        b"{\"a\":1/*x*/}",
        b"{\"a\":\"\\\"\"}",
        b"{\"a\":\"\\\\\"}",
        b"{\"a\":\"\\",
        b"{\"a\":0x1}",
        b"{\"a\":1_0}",
        b"{\"a\":--1}",
        b"{\"a\":1.2.3}",
        b"{\"a\" 1}",
        b"{\"a\"::1}",
        b"{:1}",
        b"{\"a\":[,]}",
        b"{\"a\":[1 2]}",
        b"\xc3\xa9{}",
        b"{\xc3\xa9}",
    ];
    for body in bodies {
        let theirs = serde_json::from_slice::<BTreeMap<String, &RawValue>>(body).is_ok();
        let ours = every_cut(body);
        assert_eq!(ours.is_ok(), theirs, "{} gave {ours:?}", String::from_utf8_lossy(body));
    }
}

#[test]
fn errors_name_the_place_and_never_the_text() {
    let (wanted, ..) = wanted();
    let error = |body: &[u8]| read(&wanted, &[body]).unwrap_err().to_string();
    assert_eq!(error(b"{\"secret\" 1}"), "the body is not valid JSON: expected ':' at byte 10");
    assert_eq!(error(b"{\"secret\":1"), "the body is not valid JSON: it ends at byte 11, inside a value");
    assert_eq!(error(b"{} secret"), "the body is not valid JSON: data after the object at byte 3");
    assert_eq!(error(b""), "the body is empty; a JSON object was expected");
    assert_eq!(error(b"[]"), "the body is not a JSON object");
    assert_eq!(
        error(b"{\"a\":1,\"a\":2}"),
        "the body names a top-level key twice, the second time at byte 9"
    );
}

#[test]
fn keys_are_compared_decoded() {
    let twice = br#"{"model":"a","mod\u0065l":"b"}"#;
    assert!(matches!(every_cut(twice), Err(BodyError::DuplicateKey { .. })));
    // Only the top level counts.
    every_cut(br#"{"a":{"x":1,"x":2},"x":3}"#).unwrap();
}

#[test]
fn the_last_duplicate_wins_where_they_are_allowed() {
    let (mut wanted, model, _) = wanted();
    wanted.set_duplicates(DuplicateKeys::Last);
    let body = br#"{"model":"a","model":7,"model":"c"}"#;
    let members = read(&wanted, &[body]).unwrap();
    assert_eq!(members.value(model), Value::String("c"));
    assert_eq!(members.spans(model), [9..12, 21..22, 31..34]);
}

#[test]
fn hostile_sizes_are_bounded() {
    let (wanted, model, _) = wanted();
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    read(&wanted, &[nested(super::super::MAX_DEPTH - 1).as_bytes()]).unwrap();
    let deep = read(&wanted, &[nested(super::super::MAX_DEPTH).as_bytes()]);
    assert!(matches!(deep, Err(BodyError::TooDeep { .. })), "{deep:?}");
    assert!(matches!(
        read(&wanted, &["{\"a\":".as_bytes(), &[b'['; 100_000]]),
        Err(BodyError::TooDeep { .. })
    ));

    let digits = format!("{{\"a\":{0},\"model\":{0}}}", "7".repeat(10_000));
    assert_eq!(read(&wanted, &[digits.as_bytes()]).unwrap().value(model), Value::TooLong);
    for (length, fits) in [(MAX_VALUE_BYTES, true), (MAX_VALUE_BYTES + 1, false), (1_000_000, false)] {
        let body = format!("{{\"model\":\"{}\"}}", "m".repeat(length));
        let members = read(&wanted, &[body.as_bytes()]).unwrap();
        assert_eq!(members.value(model) != Value::TooLong, fits, "{length}");
        let cut: Vec<&[u8]> = body.as_bytes().chunks(999).collect();
        assert_eq!(read(&wanted, &cut).unwrap().value(model), members.value(model));
    }

    let keys = |count: usize| {
        let members: Vec<String> = (0..count).map(|at| format!("\"k{at}\":{at}")).collect();
        format!("{{{}}}", members.join(","))
    };
    read(&wanted, &[keys(MAX_MEMBERS).as_bytes()]).unwrap();
    let many = read(&wanted, &[keys(MAX_MEMBERS + 1).as_bytes()]);
    assert!(matches!(many, Err(BodyError::TooManyMembers { .. })));
    let key = format!("{{\"{}\":1}}", "k".repeat(MAX_KEY_BYTES + 1));
    assert!(matches!(read(&wanted, &[key.as_bytes()]), Err(BodyError::KeyTooLong { offset: 2 })));
}
