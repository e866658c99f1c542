//! `docs/events.md`: the contracts for people.

use std::collections::BTreeSet;

use serde_json::Value;

use super::contracts;
use crate::DIFF_FIELDS;

/// `docs/events.md`: every contract for people. `example` gives a payload of an event type.
#[must_use]
pub fn markdown(example: impl Fn(&str) -> String) -> String {
    let mut text = include_str!("events_head.md").to_owned();
    for contract in contracts() {
        let (name, address, stream) = (contract.event_type, contract.address, contract.stream);
        let way = if contract.sent { "sent by mangoes" } else { "sent by anyone" };
        text += &format!("\n## {name}\n\n{}\n\n", wrapped(&contract.summary()));
        text += &format!("Subject `{address}`, stream `{stream}`; {way}.\n\n");
        text +=
            &format!("| field | type | meaning |\n|---|---|---|\n{}\n", fields(&contract.schema));
        text += &format!("```json\n{}\n```\n", pretty(&example(name)));
    }
    text += "\n## Fields of a diff\n\n";
    text += "What `changed` of `movies.refreshed` and `diff` of `movies.changed` may name.\n\n";
    text += "| field | shape | meaning |\n|---|---|---|\n";
    for field in &DIFF_FIELDS {
        text += &format!("| `{}` | {} | {} |\n", field.name, field.shape.as_str(), field.meaning);
    }
    text += "\n## Words\n\nThe only values that these types have; more may come.\n\n";
    text += "| type | word | meaning |\n|---|---|---|\n";
    for row in words_of_types() {
        text += &row;
    }
    text
}

/// A row for each word of each enumeration, types by their name.
fn words_of_types() -> BTreeSet<String> {
    let mut rows = BTreeSet::new();
    for contract in contracts() {
        let types = contract.schema.get("$defs").and_then(Value::as_object).into_iter().flatten();
        for (name, schema) in types {
            let list = |key: &str| schema.get(key).and_then(Value::as_array).into_iter().flatten();
            let plain = list("enum").filter_map(Value::as_str).map(|word| (word, String::new()));
            let described = list("oneOf").chain(list("anyOf"));
            let described =
                described.filter_map(|one| Some((one.get("const")?.as_str()?, words(one))));
            rows.extend(
                plain
                    .chain(described)
                    .map(|(word, meaning)| format!("| {name} | `{word}` | {meaning} |\n")),
            );
        }
    }
    rows
}

/// JSON on several lines.
fn pretty(json: &str) -> String {
    let value: Option<Value> = serde_json::from_str(json).ok();
    value.and_then(|v| serde_json::to_string_pretty(&v).ok()).unwrap_or_else(|| json.to_owned())
}

/// Prose in lines of at most 100 columns.
fn wrapped(prose: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in prose.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= 100 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

/// A schema's description on one line of a table.
fn words(schema: &Value) -> String {
    schema
        .get("description")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .replace('\n', " ")
        .replace('|', "\\|")
}

fn fields(schema: &Value) -> String {
    let list = |key: &str| schema.get(key).and_then(Value::as_array).into_iter().flatten();
    let required: Vec<&str> = list("required").filter_map(Value::as_str).collect();
    let rows = schema.get("properties").and_then(Value::as_object).into_iter().flatten().map(
        |(name, property)| {
            let optional = if required.contains(&name.as_str()) { "" } else { ", optional" };
            format!("| `{name}` | {}{optional} | {} |\n", type_of(property), words(property))
        },
    );
    rows.collect()
}

fn type_of(property: &Value) -> String {
    let reference = |p: &Value| p.get("$ref")?.as_str()?.rsplit('/').next().map(ToOwned::to_owned);
    let among = |key: &str| property.get(key)?.as_array()?.iter().find_map(reference);
    let types = match property.get("type") {
        Some(Value::String(one)) => Some(one.clone()),
        Some(Value::Array(all)) => {
            all.iter().filter_map(Value::as_str).find(|t| *t != "null").map(ToOwned::to_owned)
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => None,
    };
    types
        .or_else(|| reference(property))
        .or_else(|| among("anyOf"))
        .or_else(|| among("allOf"))
        .unwrap_or_else(|| "any".to_owned())
}
