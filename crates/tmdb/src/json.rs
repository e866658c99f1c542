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

/// Whether a body is a JSON object.
pub(crate) fn is_object(body: &str) -> bool {
    serde_json::from_str::<Value>(body).is_ok_and(|value| value.is_object())
}

/// Whether it says yes; null and what is absent say no.
pub(crate) fn flag(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or(false)
}

/// The items of a list; `None` when the key is absent, null or no list.
pub(crate) fn list<'a>(value: &'a Value, key: &str) -> Option<&'a Vec<Value>> {
    value.get(key).and_then(Value::as_array)
}

/// Whether a body says that the request failed, as TMDB's errors do.
pub(crate) fn is_failure(body: &str) -> bool {
    serde_json::from_str::<Value>(body).is_ok_and(|value| {
        value.get("success") == Some(&Value::Bool(false)) && value.get("status_code").is_some()
    })
}
