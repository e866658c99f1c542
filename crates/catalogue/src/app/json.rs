//! Lenient reading of single values: a wrong type is as if the value were absent.

use serde::Deserialize;
use serde_json::Value;

use crate::answer::lenient::{Lenient, Read};

/// A text that is not blank.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

/// A whole number.
pub(super) fn whole(value: &Value, key: &str) -> Option<i64> {
    value.get(key).and_then(Value::as_i64)
}

/// An id as text: ids are numbers at TMDB and texts in the app's rows.
pub(super) fn id(value: &Value, key: &str) -> Option<String> {
    text(value, key).map(ToOwned::to_owned).or_else(|| Some(whole(value, key)?.to_string()))
}

/// The items of a list; none where it is no list.
pub(super) fn items(list: Option<&Value>) -> &[Value] {
    list.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The texts of a list; `None` where it is no list.
pub(super) fn texts(value: &Value, key: &str) -> Option<Vec<String>> {
    let list = value.get(key)?.as_array()?;
    Some(list.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect())
}

/// What a value holds, read as a value of TMDB's; `None` where it is of another type.
pub(super) fn read<'a, T: Read<'a>>(value: &'a Value) -> Option<T> {
    Lenient::deserialize(value).ok()?.0
}
