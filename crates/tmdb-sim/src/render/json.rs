//! JSON by concatenation: the cheap way to write bodies of a known shape.

// Writing to a String cannot fail: the results of `write!` are ignored.
use std::fmt::Write as _;

/// Appends a JSON string, escaped; `&` is written as the upstream writes it.
pub(crate) fn text(out: &mut String, value: &str) {
    let quoted = serde_json::Value::from(value).to_string();
    if quoted.contains('&') {
        out.push_str(&quoted.replace('&', "\\u0026"))
    } else {
        out.push_str(&quoted)
    }
}

/// Appends a JSON string or null.
pub(crate) fn optional(out: &mut String, value: Option<&str>) {
    match value {
        Some(value) => text(out, value),
        None => out.push_str("null"),
    }
}

/// Appends `,"name":` and a JSON string.
pub(crate) fn text_field(out: &mut String, name: &str, value: &str) {
    let _ = write!(out, ",\"{name}\":");
    text(out, value);
}

/// Appends `,"name":` and a JSON string or null.
pub(crate) fn optional_field(out: &mut String, name: &str, value: Option<&str>) {
    let _ = write!(out, ",\"{name}\":");
    optional(out, value);
}

/// Appends the items in brackets, separated by commas.
pub(crate) fn list<T>(
    out: &mut String,
    items: impl IntoIterator<Item = T>,
    mut item: impl FnMut(&mut String, T),
) {
    out.push('[');
    let start = out.len();
    for value in items {
        if out.len() > start {
            out.push(',');
        }
        item(out, value);
    }
    out.push(']');
}
