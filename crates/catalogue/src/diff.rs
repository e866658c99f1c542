//! What changed between two states of a movie, in a size that an event can carry.

use std::collections::BTreeMap;

use proto::FieldChange;
use serde_json::{Value, json};

use crate::Movie;

/// Longest text or JSON in a diff, in characters; what is longer is cut and ends in `…`.
const DIFF_TEXT_MAX_CHARS: usize = 1_000;

/// Most items of a list that a diff names on either side.
const LIST_MAX_ITEMS: usize = 50;

/// The fields that a person would call changed, by name.
#[must_use]
pub fn diff(old: &Movie, new: &Movie) -> BTreeMap<String, FieldChange> {
    let (Value::Object(old), Value::Object(new)) = (old.canonical(), new.canonical()) else {
        return BTreeMap::new();
    };
    new.into_iter()
        .filter_map(|(name, new)| {
            let old = old.get(&name).cloned().unwrap_or(Value::Null);
            (old != new).then(|| (name, change(old, new)))
        })
        .collect()
}

fn change(old: Value, new: Value) -> FieldChange {
    match (old, new) {
        (Value::Array(old), Value::Array(new)) => {
            let gone: Vec<_> =
                old.iter().filter(|v| !new.contains(v)).take(LIST_MAX_ITEMS).cloned().collect();
            let come: Vec<_> =
                new.iter().filter(|v| !old.contains(v)).take(LIST_MAX_ITEMS).cloned().collect();
            FieldChange { old: capped(json!(gone)), new: capped(json!(come)) }
        }
        (old, new) => FieldChange { old: capped(old), new: capped(new) },
    }
}

fn capped(value: Value) -> Value {
    let text = match &value {
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => value.to_string(),
        Value::Null | Value::Bool(_) | Value::Number(_) => return value,
    };
    if text.chars().count() <= DIFF_TEXT_MAX_CHARS {
        return value;
    }
    Value::String(text.chars().take(DIFF_TEXT_MAX_CHARS).chain(['…']).collect())
}
