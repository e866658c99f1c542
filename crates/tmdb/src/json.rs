//! Lenient reading of single fields: a value of an unexpected type counts as absent.

use serde_json::Value;

/// U+0000 removed from every text, because Postgres cannot store it.
pub(crate) fn without_nul(value: Value) -> Value {
    match value {
        Value::String(s) if s.contains('\0') => Value::String(s.replace('\0', "")),
        Value::Array(items) => items.into_iter().map(without_nul).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(k, v)| (k.replace('\0', ""), without_nul(v))).collect()
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
    }
}

/// A text that is not empty.
pub(crate) fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).filter(|s| !s.trim().is_empty()).map(ToOwned::to_owned)
}

/// A whole number above 0: TMDB writes 0 for unknown.
pub(crate) fn positive(value: &Value, key: &str) -> Option<i64> {
    value.get(key).and_then(Value::as_i64).filter(|n| *n > 0)
}

/// A number; old bodies hold some as text.
pub(crate) fn number(value: &Value, key: &str) -> Option<f64> {
    match value.get(key) {
        Some(Value::Number(n)) => n.as_f64(),
        Some(Value::String(s)) => s.parse().ok(),
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => None,
    }
    .filter(|n| n.is_finite())
}

/// The items of a list; `None` when the key is absent, null or no list.
pub(crate) fn list<'a>(value: &'a Value, key: &str) -> Option<&'a Vec<Value>> {
    value.get(key).and_then(Value::as_array)
}

/// One field of every item, where it is a text that is not empty.
pub(crate) fn texts(value: &Value, key: &str, field: &str) -> Option<Vec<String>> {
    list(value, key).map(|items| items.iter().filter_map(|item| text(item, field)).collect())
}

/// Of every item the first of these fields that is a text which is not empty.
pub(crate) fn first_texts(value: &Value, key: &str, fields: &[&str]) -> Option<Vec<String>> {
    let first = |item| fields.iter().find_map(|field| text(item, field));
    list(value, key).map(|items| items.iter().filter_map(first).collect())
}

/// Whether a body says that the request failed, as TMDB's errors do.
pub(crate) fn is_failure(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|value| {
        value.get("success") == Some(&Value::Bool(false)) && value.get("status_code").is_some()
    })
}

/// An object of these fields of an item.
pub(crate) fn pick(item: &Value, fields: &[&str]) -> Value {
    fields.iter().map(|f| ((*f).to_owned(), item.get(*f).cloned().unwrap_or_default())).collect()
}
