//! The AsyncAPI 3 document over all contracts.
//!
//! AsyncAPI resolves a `$ref` against the whole document, and a payload without a `schemaFormat` is
//! a superset of JSON Schema draft 7. So the schemas here are not copies of `schemas/*.json` (draft
//! 2020-12, each with its own `$defs`): the same types are written once more, as draft 7, and every
//! named type stands once in `components/schemas`.

use std::collections::BTreeMap;

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Value, json};

use super::{Contract, Parameter, contracts};
use crate::{API_VERBS, ApiVerb};

/// The oldest version with all that is used here, so that the most tools read it.
const VERSION: &str = "3.0.0";

const API_REQUEST: &str = "api_request";
const API_ANSWER: &str = "api_answer";

const DESCRIPTION: &str = "Events of mangoes on NATS JetStream. CloudEvents attributes travel as \
     ce-* headers (binary mode); nobody publishing by hand needs a header.";

/// The AsyncAPI 3 document over all contracts; `example` gives a payload of an event type.
/// `JetStream` facts stand in `x-` extensions, for the NATS binding has no place for them.
#[must_use]
pub fn asyncapi(example: impl Fn(&str) -> Value) -> Value {
    let mut schemas = generator();
    let mut parts = Parts::default();
    for contract in contracts() {
        let example = example(contract.event_type);
        parts.add(&contract, example, &mut schemas);
    }
    for verb in &API_VERBS {
        parts.add_verb(*verb);
    }
    parts.messages.extend(api_messages());
    json!({
        "asyncapi": VERSION,
        "id": "urn:mangoes:events",
        "info": {
            "title": "mangoes",
            "version": "1.0.0",
            "description": DESCRIPTION,
            "license": {
                "name": "Apache-2.0",
                "url": "https://www.apache.org/licenses/LICENSE-2.0",
            },
        },
        "defaultContentType": "application/json",
        "servers": {
            "nats": {
                "host": "127.0.0.1:4222",
                "protocol": "nats",
                "title": "NATS with JetStream",
                "description": "where NATS_URL points; nats/users.conf has the rights of each user",
            },
        },
        "channels": parts.channels,
        "operations": parts.operations,
        "components": {
            "messages": parts.messages,
            "schemas": super::unwrapped(schemas.take_definitions(true).into()),
        },
    })
}

/// Writes draft 7, with references to where AsyncAPI keeps schemas.
fn generator() -> SchemaGenerator {
    let mut settings = SchemaSettings::draft07();
    settings.definitions_path = "/components/schemas".into();
    settings.into_generator()
}

/// The sections of the document that grow with each contract, by the contract's id.
#[derive(Default)]
struct Parts {
    channels: BTreeMap<String, Value>,
    operations: BTreeMap<String, Value>,
    messages: BTreeMap<String, Value>,
}

impl Parts {
    fn add(&mut self, contract: &Contract, example: Value, schemas: &mut SchemaGenerator) {
        let id = contract.event_type.trim_end_matches(".v1").replace('.', "_");
        let action = if contract.sent { "send" } else { "receive" };
        self.operations.insert(format!("{action}_{id}"), operation(contract, action, &id));
        self.channels.insert(id.clone(), channel(contract, &id));
        self.messages.insert(id, message(contract, example, schemas));
    }

    /// A request and its answer, both JSON.
    fn add_verb(&mut self, verb: ApiVerb) {
        let id = format!("api_{}", verb.name.replace('.', "_"));
        let reply = format!("{id}_reply");
        let channel = |address: Value, message: &str, title: &str| {
            json!({
                "address": address,
                "title": title,
                "messages": {message: {"$ref": format!("#/components/messages/{message}")}},
            })
        };
        let address = json!(format!("movies.api.{}", verb.name));
        self.channels.insert(id.clone(), channel(address, API_REQUEST, verb.words));
        self.channels.insert(reply.clone(), channel(Value::Null, API_ANSWER, "the answer"));
        let operation = json!({
            "action": "receive",
            "summary": verb.words,
            "channel": {"$ref": format!("#/channels/{id}")},
            "messages": [{"$ref": format!("#/channels/{id}/messages/{API_REQUEST}")}],
            "reply": {
                "channel": {"$ref": format!("#/channels/{reply}")},
                "messages": [{"$ref": format!("#/channels/{reply}/messages/{API_ANSWER}")}],
            },
        });
        self.operations.insert(format!("answer_{id}"), operation);
    }
}

fn operation(contract: &Contract, action: &str, id: &str) -> Value {
    json!({
        "action": action,
        "summary": contract.summary(),
        "description": contract.description(),
        "channel": {"$ref": format!("#/channels/{id}")},
        "messages": [{"$ref": format!("#/channels/{id}/messages/{id}")}],
    })
}

fn channel(contract: &Contract, id: &str) -> Value {
    let message = json!({"$ref": format!("#/components/messages/{id}")});
    let mut channel = BTreeMap::from([
        ("address", json!(contract.address)),
        ("messages", json!({id: message})),
        ("x-jetstream-stream", json!(contract.stream)),
    ]);
    if !contract.parameters.is_empty() {
        let parameters = contract.parameters.iter().map(|p| (p.name.to_owned(), parameter(p)));
        channel.insert("parameters", parameters.collect());
    }
    json!(channel)
}

fn parameter(parameter: &Parameter) -> Value {
    let mut fields = BTreeMap::from([("description", json!(parameter.meaning))]);
    if parameter.in_payload {
        fields.insert("location", json!(format!("$message.payload#/{}", parameter.name)));
    }
    if !parameter.words.is_empty() {
        fields.insert("enum", json!(parameter.words));
    }
    json!(fields)
}

/// The messages of all verbs.
fn api_messages() -> [(String, Value); 2] {
    let object = json!({"type": "object"});
    let request = json!({
        "name": API_REQUEST,
        "summary": "what the verb takes; {} where it takes nothing",
        "contentType": "application/json",
        "payload": object,
    });
    let answer = json!({
        "name": API_ANSWER,
        "summary": "JSON, or an error in the headers",
        "contentType": "application/json",
        "headers": {
            "type": "object",
            "properties": {
                "Nats-Service-Error": {"type": "string", "description": "what is wrong"},
                "Nats-Service-Error-Code": {
                    "type": "string",
                    "description": "400 wrong request, 404 unknown, 409 not now, 503 try again",
                },
            },
        },
        "payload": {},
    });
    [(API_REQUEST.to_owned(), request), (API_ANSWER.to_owned(), answer)]
}

fn message(contract: &Contract, example: Value, schemas: &mut SchemaGenerator) -> Value {
    let headers = json!({
        "type": "object",
        "properties": {
            "Nats-Msg-Id": {
                "type": "string",
                "description": "message id, for duplicate suppression",
            },
            "ce-id": {"type": "string"},
            "ce-source": {"type": "string", "pattern": "^urn:mangoes(:.+)?$"},
            "ce-subject": {"type": "string", "description": "number of the movie, name of the job"},
            "ce-type": {"const": contract.event_type},
            "ce-time": {"type": "string", "format": "date-time"},
            "ce-specversion": {"const": "1.0"},
            "ce-datacontenttype": {"const": "application/json"},
            "traceparent": {"type": "string"},
        },
    });
    json!({
        "name": contract.event_type,
        "summary": contract.summary(),
        "contentType": "application/json",
        "headers": headers,
        "payload": contract.payload(schemas),
        "examples": [{"name": contract.event_type, "payload": example}],
    })
}
