//! Every reference in `asyncapi.json` and in `schemas/*.json` leads somewhere.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails loudly")]

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde_json::{Value, json};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> Value {
    let text = fs::read_to_string(folder().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Event type to schema.
fn schemas() -> BTreeMap<String, Value> {
    let files = fs::read_dir(folder().join("schemas")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let by_type = |name: String| {
        let schema = read(&format!("schemas/{name}"));
        (name.trim_end_matches(".json").to_owned(), schema)
    };
    names.map(by_type).collect()
}

/// Calls `visit` with every key and value of every object in `value`, however deep.
fn walk<'v>(value: &'v Value, visit: &mut impl FnMut(&'v str, &'v Value)) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                visit(key, field);
                walk(field, visit);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// References that do not lead to a place in the same document.
fn broken(document: &Value) -> Vec<&Value> {
    let mut broken = Vec::new();
    walk(document, &mut |key, target| {
        let pointer = target.as_str().and_then(|t| t.strip_prefix('#'));
        if key == "$ref" && pointer.and_then(|p| document.pointer(p)).is_none() {
            broken.push(target);
        }
    });
    broken
}

#[test]
fn every_reference_of_the_asyncapi_document_resolves() {
    assert_eq!(broken(&read("asyncapi.json")), Vec::<&Value>::new());
}

#[test]
fn every_reference_of_a_schema_resolves_in_its_own_file() {
    let schemas = schemas();
    assert!(!schemas.is_empty());
    for (event_type, schema) in &schemas {
        assert_eq!(broken(schema), Vec::<&Value>::new(), "{event_type}");
    }
}

/// A schema that a reader stores without its file name still says which one it is.
#[test]
fn a_schema_names_itself_once() {
    for (event_type, schema) in &schemas() {
        let mut ids = Vec::new();
        walk(schema, &mut |key, id| {
            if key == "$id" {
                ids.push(id);
            }
        });
        assert_eq!(ids, [&json!(format!("urn:mangoes:schema:{event_type}"))]);
    }
}

/// An `$id` would give the references below it another base; `$defs` belong to the single files.
#[test]
fn the_asyncapi_document_is_one_scope() {
    walk(&read("asyncapi.json"), &mut |key, value| {
        assert!(!["$id", "$schema", "$defs", "definitions"].contains(&key), "{key}: {value}");
    });
}

/// One name is one type: readers who make code from two schemas get one type out of both.
#[test]
fn definitions_of_one_name_are_equal() {
    let schemas = schemas();
    let mut known = BTreeMap::new();
    for (event_type, schema) in &schemas {
        for (name, definition) in schema["$defs"].as_object().into_iter().flatten() {
            let first = *known.entry(name).or_insert(definition);
            assert_eq!(first, definition, "{name} of {event_type} is another one elsewhere");
        }
    }
    let document = read("asyncapi.json");
    let components = document["components"]["schemas"].as_object().unwrap();
    let titles = schemas.values().map(|schema| schema["title"].as_str().unwrap());
    let mut names: Vec<&str> = known.keys().map(|name| name.as_str()).chain(titles).collect();
    names.sort_unstable();
    assert_eq!(components.keys().map(String::as_str).collect::<Vec<_>>(), names);
}

#[test]
fn a_broken_reference_is_found() {
    let document = |target: &str| json!({"there": {"a/b": 1}, "list": [{"$ref": target}]});
    for good in ["#", "#/there", "#/there/a~1b", "#/list/0"] {
        assert_eq!(broken(&document(good)), Vec::<&Value>::new(), "{good}");
    }
    for bad in ["#/not-there", "#/there/", "#there", "there", "https://example.org#/there", ""] {
        assert_eq!(broken(&document(bad)), [&json!(bad)], "{bad}");
    }
}
