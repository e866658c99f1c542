//! What changed between two states of a movie, in a size that an event can carry.

use std::collections::{BTreeMap, HashSet};

use proto::FieldChange;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{Movie, Prints, fingerprint::fingerprint, movie::FieldVisitor};

/// Longest text in a diff, in characters; what is longer is cut and ends in `…`.
const DIFF_TEXT_MAX_CHARS: usize = 1_000;

/// Most items of a list that a diff names on either side.
const LIST_MAX_ITEMS: usize = 50;

/// What these may have as JSON; an event has room for every field at once.
const LIST_MAX_BYTES: usize = 8_000;

/// Lists that TMDB added to all movies at once: one that was or is not there is no news.
const ADDED_LATER: [&str; 1] = ["origin_country"];

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
    let both = names.iter().map(|name| (*name, side(&mut was, *name), side(&mut is, *name)));
    let named = both.filter_map(|(name, was, is)| {
        let was_added = ADDED_LATER.contains(&name) && (was.is_null() || is.is_null());
        let change = change(was, is);
        (!was_added && !is_nothing(&change)).then(|| (name.to_owned(), change))
    });
    named.collect()
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

/// A list that was unknown and is empty, or the other way round.
fn is_nothing(change: &FieldChange) -> bool {
    matches!(change, FieldChange::List { added, removed, omitted: 0 }
        if added.is_empty() && removed.is_empty())
}

/// A list that was or is unknown counts as empty.
fn change(old: Value, new: Value) -> FieldChange {
    match (old, new) {
        (Value::Array(old), Value::Array(new)) => list(&old, &new),
        (Value::Array(old), Value::Null) => list(&old, &[]),
        (Value::Null, Value::Array(new)) => list(&[], &new),
        (old, new) => FieldChange::Scalar { old: shortened(old), new: shortened(new) },
    }
}

fn list(old: &[Value], new: &[Value]) -> FieldChange {
    let (added, removed) = (Items::missing_in(old, new), Items::missing_in(new, old));
    let omitted = added.omitted + removed.omitted;
    FieldChange::List { added: added.named, removed: removed.named, omitted }
}

/// Items of a list in a size that an event can carry.
struct Items {
    named: Vec<Value>,
    omitted: usize,
}

impl Items {
    /// The items that `list` lacks.
    fn missing_in(list: &[Value], items: &[Value]) -> Self {
        let known: HashSet<u128> = list.iter().map(fingerprint).collect();
        let (mut named, mut omitted, mut bytes) = (Vec::new(), 0, 0);
        for item in items.iter().filter(|item| !known.contains(&fingerprint(*item))) {
            let item = shortened(item.clone());
            bytes += item.to_string().len();
            if named.len() < LIST_MAX_ITEMS && bytes <= LIST_MAX_BYTES {
                named.push(item);
            } else {
                omitted += 1;
            }
        }
        Self { named, omitted }
    }
}

/// The value with its long texts cut; its shape stays.
fn shortened(value: Value) -> Value {
    match value {
        Value::String(text) if text.chars().count() > DIFF_TEXT_MAX_CHARS => {
            Value::String(text.chars().take(DIFF_TEXT_MAX_CHARS).chain(['…']).collect())
        }
        Value::Array(items) => items.into_iter().map(shortened).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, shortened(value))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}
