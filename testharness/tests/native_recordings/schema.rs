//! The JSON Schema is the one that the reader checks by, and the recordings of this repository can be read.

use std::collections::BTreeSet;
use std::path::Path;

use ipp_testharness::recording::schema;
use ipp_testharness::replay::select::load;
use serde_json::Value;

#[test]
fn the_schema_in_the_repository_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings.schema.json");
    let schema = schema();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, serde_json::to_string_pretty(&schema).unwrap() + "\n").unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    let kept: Value = serde_json::from_str(&kept).unwrap_or_default();
    assert!(
        kept == schema,
        "{} is old; make it with UPDATE_DOCS=1 cargo test -p ipp-testharness --test native_recordings",
        file.display()
    );
}

/// Everything that is referred to is there, everything that is there is referred to, and every object says what its
/// fields are and that there are no others.
#[test]
fn the_schema_is_sound() {
    let schema = schema();
    let mut references = BTreeSet::new();
    visit(&schema, &mut |object| {
        let text = |name: &str| object.get(name).and_then(Value::as_str);
        if let Some(reference) = text("$ref") {
            references.insert(reference.trim_start_matches("#/$defs/").to_owned());
        }
        if let Some(Value::Object(properties)) = object.get("properties") {
            assert_eq!(object.get("additionalProperties"), Some(&Value::Bool(false)));
            for (name, property) in properties {
                assert!(property["description"].as_str().is_some_and(|text| text.len() > 10), "{name}");
            }
            for name in object.get("required").and_then(Value::as_array).into_iter().flatten() {
                assert!(properties.contains_key(name.as_str().unwrap()), "{name}");
            }
        }
    });
    let defined: BTreeSet<_> = schema["$defs"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(references, defined);
}

fn visit(value: &Value, see: &mut impl FnMut(&serde_json::Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            // The names of fields are not keywords.
            if !object.values().all(|value| value.get("description").is_some()) {
                see(object);
            }
            object.values().for_each(|value| visit(value, see));
        }
        Value::Array(values) => values.iter().for_each(|value| visit(value, see)),
        _ => {}
    }
}

#[test]
fn the_recordings_of_this_repository_can_be_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings");
    let recordings = load(&[folder]).unwrap_or_else(|all| panic!("{all:#?}"));
    assert!(recordings.len() >= 12);
    let names: BTreeSet<_> = recordings.iter().map(|recording| &recording.name).collect();
    assert_eq!(names.len(), recordings.len(), "two recordings have the same name");
}
