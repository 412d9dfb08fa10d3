//! The check that the fuzz target and the bounded test share: the scanner and serde_json agree on what is a
//! JSON object, on where its values stand and on what they say, however the bytes are cut.

use ipp_pipeline::payload::{BodyError, DuplicateKeys, FieldId, Inside, Members, Value, Wanted};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Reads `body` in chunks of `cut` bytes (in one if 0) and compares. Panics where the two disagree.
pub fn check(body: &[u8], cut: usize) {
    let mut wanted = Wanted::default();
    let fields = ["model", "seed", ""].map(|name| (name, wanted.add(name)));
    if cut % 2 == 1 {
        // The same must come out where the reader goes into a field.
        wanted.add_inside("model", Inside::Parts);
        wanted.add_inside("seed", Inside::InnerFormat);
    }
    wanted.set_duplicates(DuplicateKeys::Last);
    let theirs = serde_json::from_slice::<Object<'_>>(body);
    match (read(&wanted, body, cut), theirs) {
        (Ok(members), Ok(object)) => {
            for (name, field) in fields {
                same_field(&members, name, field, &object, body);
            }
            let twice = object
                .0
                .iter()
                .enumerate()
                .any(|(at, (key, _))| object.0.iter().take(at).any(|(earlier, _)| earlier == key));
            wanted.set_duplicates(DuplicateKeys::Reject);
            match read(&wanted, body, cut) {
                Ok(_) => assert!(!twice, "a key stands twice"),
                Err(error) => assert!(twice && matches!(error, BodyError::DuplicateKey { .. }), "{error}"),
            }
        }
        (Err(_), Err(_)) => {}
        // The bounds are ours, and so is the care for half characters in values that are read.
        (
            Err(
                BodyError::TooDeep { .. }
                | BodyError::TooManyMembers { .. }
                | BodyError::KeyTooLong { .. }
                | BodyError::LoneSurrogate { .. },
            ),
            Ok(_),
        ) => {}
        (Err(error), Ok(_)) => panic!("serde_json takes it, the scanner says: {error}"),
        (Ok(_), Err(error)) => panic!("the scanner takes it, serde_json says: {error}"),
    }
}

fn read(wanted: &Wanted, body: &[u8], cut: usize) -> Result<Members, BodyError> {
    let mut members = Members::new(wanted);
    for chunk in body.chunks(if cut == 0 { body.len().max(1) } else { cut }) {
        members.feed(wanted, chunk)?;
    }
    members.finish()?;
    Ok(members)
}

fn same_field(members: &Members, name: &str, field: FieldId, object: &Object<'_>, body: &[u8]) {
    let theirs: Vec<&RawValue> =
        object.0.iter().filter(|(key, _)| key == name).map(|(_, value)| *value).collect();
    let spans: Vec<&[u8]> = members.spans(field).iter().map(|span| &body[span.clone()]).collect();
    let raws: Vec<&[u8]> = theirs.iter().map(|raw| raw.get().as_bytes()).collect();
    assert_eq!(spans, raws, "spans of {name:?}");
    for (span, raw) in members.spans(field).iter().zip(&theirs) {
        let offset = raw.get().as_ptr() as usize - body.as_ptr() as usize;
        assert_eq!(span.start, offset, "place of {name:?}");
    }
    let Some(last) = theirs.last().map(|raw| raw.get()) else {
        assert_eq!(members.value(field), Value::Absent);
        return;
    };
    match members.value(field) {
        Value::Absent => panic!("{name:?} is there"),
        Value::Null => assert_eq!(last, "null"),
        Value::Bool(value) => assert_eq!(last, value.to_string()),
        Value::Number(number) => assert_eq!(last, number),
        Value::String(text) => assert_eq!(serde_json::from_str::<String>(last).ok().as_deref(), Some(text)),
        Value::Array => assert!(last.starts_with('[')),
        Value::Object => assert!(last.starts_with('{')),
        Value::TooLong => assert!(last.len() > 8192),
    }
}

/// The members of an object, in their order, with duplicates.
struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Members).map(Self)
    }
}
