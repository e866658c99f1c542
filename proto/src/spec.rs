//! Generates the JSON Schemas and the AsyncAPI 3 document from the types.

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
