//! Requests and answers beside the schemas of docs/api. An object may hold no field that its schema
//! does not name: what is written is what is documented.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

fn document(file: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/api").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Closes every object, so that a field that nobody documented is a fault.
fn closed(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.contains_key("properties") {
                fields.entry("additionalProperties").or_insert(json!(false));
            }
            fields.values_mut().for_each(closed);
        }
        Value::Array(items) => items.iter_mut().for_each(closed),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn assert_is(what: &str, schema: &Value, value: &Value) {
    let validator = jsonschema::options().should_validate_formats(true).build(schema);
    let validator = validator.unwrap_or_else(|e| panic!("{what}: {e}"));
    let faults = validator.iter_errors(value);
    let faults: Vec<_> = faults.map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(faults.is_empty(), "{what}: {faults:#?}\n{value:#}");
}

/// Half of a verb's document, with the definitions where its references point.
fn half(verb: &str, half: &str) -> Value {
    let mut document = document(&format!("{verb}.json"));
    closed(&mut document["properties"]);
    json!({ "$ref": format!("#/properties/{half}"), "properties": document["properties"].take() })
}

/// The answer to a verb is as docs/api says.
pub fn assert_answer(verb: &str, answer: &Value) {
    assert_is(&format!("the answer to {verb}"), &half(verb, "answer"), answer);
}

/// A request that a verb takes is as docs/api says.
pub fn assert_request(verb: &str, request: &Value) {
    assert_is(&format!("the request for {verb}"), &half(verb, "request"), request);
}

/// What a command prints with --json that is no verb.
pub fn assert_printed(file: &str, printed: &Value) {
    let mut schema = document(&format!("commands/{file}.json"));
    closed(&mut schema);
    assert_is(file, &schema, printed);
}
