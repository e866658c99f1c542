//! What changed between two states of a movie, in a size that an event can carry.

use std::collections::{BTreeMap, HashSet};

use proto::FieldChange;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{Movie, Prints, fingerprint::fingerprint, movie::FieldVisitor};

/// Longest text or JSON in a diff, in characters; what is longer is cut and ends in `…`.
const DIFF_TEXT_MAX_CHARS: usize = 1_000;

/// Most items of a list that a diff names on either side.
const LIST_MAX_ITEMS: usize = 50;

/// The fields that a person would call changed, by name.
#[must_use]
pub fn diff(old: &Movie<'_>, new: &Movie<'_>) -> BTreeMap<String, FieldChange> {
    diff_of(old, new, &new.prints())
}

/// [`diff`], where the prints of the new movie are known.
#[must_use]
pub fn diff_of(old: &Movie<'_>, new: &Movie<'_>, is: &Prints) -> BTreeMap<String, FieldChange> {
    let was = old.prints();
    let both = was.0.iter().zip(&is.0);
    let names: Vec<&'static str> =
        both.filter(|(was, is)| was != is).map(|(_, is)| is.name).collect();
    if names.is_empty() {
        return BTreeMap::new();
    }
    let [mut was, mut is] = [old, new].map(|movie| {
        let mut values = Values { names: &names, values: Map::new() };
        movie.visit(&mut values);
        values.values
    });
    let side = |of: &mut Map<String, Value>, name| of.remove(name).unwrap_or_default();
    names
        .iter()
        .map(|name| ((*name).to_owned(), change(side(&mut was, *name), side(&mut is, *name))))
        .collect()
}

impl Movie<'_> {
    /// The fields that make a change, as a diff shows them.
    #[must_use]
    pub fn canonical(&self) -> Value {
        let mut values = Values { names: &[], values: Map::new() };
        self.visit(&mut values);
        values.values.into()
    }
}

/// The values of some fields; without names, of all.
struct Values<'a> {
    names: &'a [&'static str],
    values: Map<String, Value>,
}

impl FieldVisitor for Values<'_> {
    fn field<T: Serialize>(&mut self, name: &'static str, value: &T) {
        if self.names.is_empty() || self.names.contains(&name) {
            let value = serde_json::to_value(value).unwrap_or_default();
            self.values.insert(name.to_owned(), value);
        }
    }
}

fn change(old: Value, new: Value) -> FieldChange {
    match (old, new) {
        (Value::Array(old), Value::Array(new)) => {
            FieldChange { old: capped(missing_in(&new, &old)), new: capped(missing_in(&old, &new)) }
        }
        (old, new) => FieldChange { old: capped(old), new: capped(new) },
    }
}

/// The items that `list` lacks.
fn missing_in(list: &[Value], items: &[Value]) -> Value {
    let known: HashSet<u128> = list.iter().map(fingerprint).collect();
    let missing = items.iter().filter(|item| !known.contains(&fingerprint(*item)));
    missing.take(LIST_MAX_ITEMS).cloned().collect()
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
