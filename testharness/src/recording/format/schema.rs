//! The description of the format as a JSON Schema, with which editors complete and check.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::RECORDING;
use super::shape::{Object, Shape};

/// The JSON Schema of recordings, as it is kept in `recordings.schema.json`.
pub fn schema() -> Value {
    let mut printer = Printer::default();
    let Value::Object(root) = printer.object(&RECORDING) else { return Value::Null };
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    schema.insert("title".to_owned(), "IPP recording".into());
    schema.extend(root);
    schema.insert("$defs".to_owned(), printer.definitions.into_iter().collect());
    Value::Object(schema)
}

#[derive(Default)]
struct Printer {
    definitions: BTreeMap<String, Value>,
}

impl Printer {
    fn object(&mut self, object: &'static Object) -> Value {
        let mut properties = Map::new();
        for field in object.fields {
            let mut property = self.shape(field.shape);
            if let Value::Object(property) = &mut property {
                property.insert("description".to_owned(), field.about.into());
            }
            properties.insert(field.name.to_owned(), property);
        }
        let required: Vec<_> =
            object.fields.iter().filter(|field| field.required).map(|field| field.name).collect();
        let mut schema = json!({
            "type": "object",
            "description": object.about,
            "properties": properties,
            "additionalProperties": false,
        });
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        let require = |name: &&str| json!({"required": [name]});
        if !object.exactly_one.is_empty() {
            schema["oneOf"] = object.exactly_one.iter().map(require).collect();
        }
        if !object.at_most_one.is_empty() {
            // One of them, or none.
            let group = |names: &&[&str]| {
                let none = json!({"not": {"anyOf": names.iter().map(require).collect::<Vec<_>>()}});
                json!({"oneOf": names.iter().map(require).chain([none]).collect::<Vec<_>>()})
            };
            schema["allOf"] = object.at_most_one.iter().map(group).collect();
        }
        schema
    }

    fn shape(&mut self, shape: Shape) -> Value {
        match shape {
            Shape::Any => json!({}),
            Shape::Text => json!({"type": "string", "minLength": 1}),
            Shape::Bytes => json!({"type": "string"}),
            Shape::Bool => json!({"type": "boolean"}),
            Shape::True => json!({"const": true}),
            Shape::Integer(low, u64::MAX) => json!({"type": "integer", "minimum": low}),
            Shape::Integer(low, high) => json!({"type": "integer", "minimum": low, "maximum": high}),
            Shape::Number => json!({"type": "number"}),
            Shape::Duration => json!({"type": "string", "pattern": "^[0-9].*[a-z]$"}),
            Shape::Timestamp => json!({"type": "string", "format": "date-time"}),
            Shape::Choice(words) => json!({"enum": words}),
            Shape::HeaderName => json!({"type": "string", "pattern": NAME}),
            Shape::Pairs => json!({
                "type": "array",
                "items": {
                    "type": "array",
                    "prefixItems": [{"type": "string", "pattern": NAME}, written()],
                    "minItems": 2,
                    "maxItems": 2,
                },
            }),
            Shape::HeaderMap => json!({
                "type": "object",
                "propertyNames": {"pattern": NAME},
                "additionalProperties": {
                    "anyOf": [written(), {"type": "array", "items": written(), "minItems": 1}],
                },
            }),
            Shape::Config => json!({"type": ["string", "object"]}),
            Shape::List(element) => json!({"type": "array", "items": self.shape(*element)}),
            Shape::Map(element) => json!({"type": "object", "additionalProperties": self.shape(*element)}),
            Shape::Object(object) => {
                if !self.definitions.contains_key(object.name) {
                    let definition = self.object(object);
                    self.definitions.insert(object.name.to_owned(), definition);
                }
                json!({"$ref": format!("#/$defs/{}", object.name)})
            }
        }
    }
}

const NAME: &str = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$";

/// The value of a header: numbers and booleans are taken as they are written.
fn written() -> Value {
    json!({"type": ["string", "number", "boolean"]})
}
