//! What a diff says, in which shapes.

use std::collections::BTreeMap;

use proto::{DIFF_FIELDS, FieldChange, FieldShape};

use super::*;

/// What a diff says of an answer after the usual one.
fn changed(answer_now: &Value) -> BTreeMap<String, FieldChange> {
    let (new, old, row) = (look(answer_now), answer().to_string(), AppRow::default());
    let mut body = None;
    let merged = new.merge(Some(&old), &row, &mut body);
    diff(&merged.before.unwrap(), &merged.movie)
}

#[test]
fn a_diff_of_a_list_names_what_went_and_what_came() {
    let changed = changed(&edited("/keywords/keywords/1/name", json!("k3")));
    let (added, removed) = (vec![json!("k3")], vec![json!("k2")]);
    assert_eq!(changed["keywords"], FieldChange::List { added, removed, omitted: 0 });
}

/// The documentation names every field of a diff, with the shape that it really has.
#[test]
fn every_field_of_a_diff_is_documented() {
    let look = look(&answer());
    let canonical = look.movie().canonical();
    let fields = canonical.as_object().unwrap();
    let mut names: Vec<&str> = fields.keys().map(String::as_str).collect();
    names.sort_unstable();
    let documented: Vec<&str> = DIFF_FIELDS.iter().map(|field| field.name).collect();
    assert_eq!(names, documented);
    for field in &DIFF_FIELDS {
        let value = &fields[field.name];
        let is_list = field.shape == FieldShape::List;
        assert!(value.is_null() || value.is_array() == is_list, "{}: {value}", field.name);
    }
}

/// A diff has one shape for each kind of field, whatever its size: never a text of cut JSON.
#[test]
fn what_is_too_large_for_a_diff_keeps_its_shape() {
    let long = "ä".repeat(5_000);
    let many: Vec<Value> = (0..60).map(|n| json!({"id": n, "name": format!("k{n}")})).collect();
    let large: Vec<Value> =
        (0..9).map(|n| json!({"id": n, "name": format!("{n}{long}")})).collect();
    for (pointer, value, field, named, omitted) in [
        ("/keywords/keywords", json!(many), "keywords", 50, 8),
        ("/keywords/keywords", json!(large), "keywords", 3, 6),
    ] {
        let changed = changed(&edited(pointer, value));
        let FieldChange::List { added, omitted: got, .. } = &changed[field] else {
            panic!("{field} is no list")
        };
        assert_eq!((added.len(), *got), (named, omitted), "{field}");
    }
    let changed = changed(&edited("/overview", json!(long)));
    let FieldChange::Scalar { new, .. } = &changed["overview"] else { panic!("no scalar") };
    assert_eq!(new.as_str().unwrap().chars().count(), 1_001);
}
