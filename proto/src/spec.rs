//! Generates the JSON Schemas, the AsyncAPI 3 document and `docs/events.md` from the types.

use std::collections::BTreeMap;

use schemars::{JsonSchema, schema_for};
use serde_json::{Value, json};

use crate::{DeadLetter, Event, IngestList, IngestMovie, MovieChanged, MovieRefreshed, MovieRemoved, MovieStale, RunEvent, Tick};

/// One contract: where it travels and what it looks like.
pub struct Contract {
    /// `ce-type`, also the file name of schema and golden file.
    pub event_type: &'static str,
    /// Subject with `{parameters}`.
    pub address: &'static str,
    /// Stream that stores it.
    pub stream: &'static str,
    /// Whether mangoes sends it (the others may send what it receives).
    pub sent: bool,
    /// JSON Schema of the payload.
    pub schema: Value,
}

fn contract<E: Event + JsonSchema>(address: &'static str, stream: &'static str, sent: bool) -> Contract {
    Contract { event_type: E::TYPE, address, stream, sent, schema: schema_for!(E).to_value() }
}

/// Every contract, in the order of the chain.
#[must_use]
pub fn contracts() -> Vec<Contract> {
    vec![
        contract::<Tick>("movies.tick.{action}.{job}", "MOVIES_TICKS", true),
        contract::<IngestList>("movies.ingest.list", "MOVIES_INGEST", false),
        contract::<IngestMovie>("movies.ingest.movie", "MOVIES_INGEST", false),
        contract::<MovieStale>("movies.stale.{lane}", "MOVIES_STALE", false),
        contract::<MovieRefreshed>("movies.refreshed.{tmdb_id}", "MOVIES_EVENTS", true),
        contract::<MovieChanged>("movies.changed.{tmdb_id}", "MOVIES_EVENTS", true),
        contract::<MovieRemoved>("movies.removed.{tmdb_id}", "MOVIES_EVENTS", true),
        contract::<RunEvent>("movies.run.{job}", "MOVIES_EVENTS", true),
        contract::<DeadLetter>("movies.dead.{consumer}", "MOVIES_DEAD", true),
    ]
}

/// The AsyncAPI 3 document over all contracts. `JetStream` facts stand in `x-` extensions, for the NATS binding has no place for them.
#[must_use]
pub fn asyncapi() -> Value {
    let (mut channels, mut operations, mut messages) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for contract in contracts() {
        let id = contract.event_type.trim_end_matches(".v1").replace('.', "_");
        let message = format!("#/components/messages/{id}");
        channels.insert(id.clone(), channel(&contract, &message, &id));
        let action = if contract.sent { "send" } else { "receive" };
        operations.insert(format!("{action}_{id}"), json!({"action": action, "channel": {"$ref": format!("#/channels/{id}")}}));
        messages.insert(id, message_of(contract));
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "mangoes",
            "version": "1",
            "description": "Events of mangoes on NATS JetStream. CloudEvents attributes travel as ce-* headers (binary mode); nobody publishing by hand needs a header.",
            "license": {"name": "Apache-2.0"}
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages}
    })
}

fn channel(contract: &Contract, message: &str, id: &str) -> Value {
    let parameters: BTreeMap<&str, Value> = contract
        .address
        .split('.')
        .filter_map(|t| t.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| (name, json!({})))
        .collect();
    json!({
        "address": contract.address,
        "messages": {id: {"$ref": message}},
        "parameters": parameters,
        "x-jetstream-stream": contract.stream
    })
}

fn message_of(contract: Contract) -> Value {
    let headers = json!({
        "type": "object",
        "properties": {
            "Nats-Msg-Id": {"type": "string", "description": "message id, for duplicate suppression"},
            "ce-id": {"type": "string"},
            "ce-source": {"type": "string"},
            "ce-type": {"const": contract.event_type},
            "ce-time": {"type": "string", "format": "date-time"},
            "ce-specversion": {"const": "1.0"},
            "traceparent": {"type": "string"}
        }
    });
    json!({"name": contract.event_type, "contentType": "application/json", "headers": headers, "payload": contract.schema})
}

/// `docs/events.md`: every contract for people. `example` gives a payload of an event type.
#[must_use]
pub fn markdown(example: impl Fn(&str) -> String) -> String {
    let mut text = String::from(
        "# Events\n\nGenerated from the types in `proto/`; `MANGOES_BLESS=1 cargo test -p proto` writes it anew. Headers: `Nats-Msg-Id`, \
         CloudEvents attributes (`ce-id`, `ce-source`, `ce-type`, `ce-time`, `ce-specversion`) and `traceparent`.\n\
         Nobody publishing by hand needs a header. New optional fields may come; readers ignore what they do not know.\n",
    );
    for contract in contracts() {
        let description = words(&contract.schema);
        let description = description.split("  ").next().unwrap_or_default();
        let (name, way) = (contract.event_type, if contract.sent { "sent by mangoes" } else { "sent by anyone" });
        text +=
            &format!("\n## {name}\n{description}\n\nSubject `{}`, stream `{}`; {way}.\n\n", contract.address, contract.stream);
        text += &format!("| field | type | meaning |\n|---|---|---|\n{}\n", fields(&contract.schema));
        text += &format!("```json\n{}\n```\n", example(name).trim());
    }
    text
}

/// A schema's description on one line; a paragraph's end is two spaces.
fn words(schema: &Value) -> String {
    schema.get("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " ").replace('|', "\\|")
}

fn fields(schema: &Value) -> String {
    let list = |key: &str| schema.get(key).and_then(Value::as_array).into_iter().flatten();
    let required: Vec<&str> = list("required").filter_map(Value::as_str).collect();
    let rows = schema.get("properties").and_then(Value::as_object).into_iter().flatten().map(|(name, property)| {
        let optional = if required.contains(&name.as_str()) { "" } else { ", optional" };
        format!("| `{name}` | {}{optional} | {} |\n", type_of(property), words(property))
    });
    rows.collect()
}

fn type_of(property: &Value) -> String {
    let reference = |p: &Value| p.get("$ref")?.as_str()?.rsplit('/').next().map(ToOwned::to_owned);
    let among = |key: &str| property.get(key)?.as_array()?.iter().find_map(reference);
    let types = match property.get("type") {
        Some(Value::String(one)) => Some(one.clone()),
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).find(|t| *t != "null").map(ToOwned::to_owned),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => None,
    };
    types
        .or_else(|| reference(property))
        .or_else(|| among("anyOf"))
        .or_else(|| among("allOf"))
        .unwrap_or_else(|| "any".to_owned())
}
