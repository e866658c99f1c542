//! Generates the JSON Schemas, the AsyncAPI 3 document and `docs/events.md` from the types.

mod document;
mod markdown;
mod parameter;

use schemars::{JsonSchema, Schema, SchemaGenerator, schema_for};
use serde_json::Value;

pub use document::asyncapi;
pub use markdown::markdown;
pub use parameter::Parameter;
use parameter::{action, consumer, job, lane, queue, tmdb_id};

use crate::{
    DeadLetter, Event, IngestList, IngestMovie, MovieChanged, MovieRefreshed, MovieStale, RunEvent,
    Tick,
};

/// One contract: where it travels and what it looks like.
pub struct Contract {
    /// `ce-type`, also the file name of schema and golden file.
    pub event_type: &'static str,
    /// Subject with `{parameters}`.
    pub address: &'static str,
    /// What the parameters of the subject stand for.
    pub parameters: Vec<Parameter>,
    /// Stream that stores it.
    pub stream: &'static str,
    /// Whether mangoes sends it (the others may send what it receives).
    pub sent: bool,
    /// JSON Schema of the payload, draft 2020-12; complete in itself.
    pub schema: Value,
    /// Reads a payload and writes it again: what comes back is what a reader understood.
    pub reread: fn(&Value) -> serde_json::Result<Value>,
    /// Adds the payload's schema to a document and gives a reference to it.
    embed: fn(&mut SchemaGenerator) -> Schema,
}

/// The contract of an event that mangoes sends.
fn contract<E: Event + JsonSchema>(address: &'static str, stream: &'static str) -> Contract {
    let mut schema = schema_for!(E);
    schema.insert("$id".to_owned(), format!("urn:mangoes:schema:{}", E::TYPE).into());
    Contract {
        event_type: E::TYPE,
        address,
        parameters: Vec::new(),
        stream,
        sent: true,
        schema: unwrapped(schema.to_value()),
        reread: |payload| serde_json::to_value(E::deserialize(payload)?),
        embed: SchemaGenerator::subschema_for::<E>,
    }
}

/// Descriptions without the line breaks of the source file and without Rust's words; paragraphs
/// stay apart.
#[must_use]
pub fn unwrapped(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                if let (Value::String(text), "description") = (&mut *value, name.as_str()) {
                    let paragraphs =
                        text.split("\n\n").map(|p| p.replace('\n', " ").replace("`None`", "null"));
                    *text = paragraphs.collect::<Vec<_>>().join("\n\n");
                } else {
                    *value = unwrapped(value.take());
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|i| *i = unwrapped(i.take())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    schema
}

impl Contract {
    fn sent_by_anyone(mut self) -> Self {
        self.sent = false;
        self
    }

    fn with(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// The documentation of the type, as Markdown.
    fn description(&self) -> &str {
        self.schema.get("description").and_then(Value::as_str).unwrap_or_default()
    }

    /// What the event says, on one line: the first paragraph of the description.
    fn summary(&self) -> String {
        self.description().split("\n\n").next().unwrap_or_default().to_owned()
    }

    fn payload(&self, schemas: &mut SchemaGenerator) -> Value {
        (self.embed)(schemas).to_value()
    }
}

/// Every contract, in the order of the chain.
#[must_use]
pub fn contracts() -> Vec<Contract> {
    vec![
        contract::<Tick>("movies.tick.{action}.{job}", "MOVIES_TICKS").with(action()).with(job()),
        contract::<IngestList>("movies.ingest.list", "MOVIES_INGEST").sent_by_anyone(),
        contract::<IngestMovie>("movies.ingest.{queue}", "MOVIES_INGEST")
            .sent_by_anyone()
            .with(queue()),
        contract::<MovieStale>("movies.stale.{lane}", "MOVIES_STALE").sent_by_anyone().with(lane()),
        contract::<MovieRefreshed>("movies.refreshed.{tmdb_id}", "MOVIES_EVENTS").with(tmdb_id()),
        contract::<MovieChanged>("movies.changed.{tmdb_id}", "MOVIES_EVENTS").with(tmdb_id()),
        contract::<RunEvent>("movies.run.{job}", "MOVIES_EVENTS").with(job()),
        contract::<DeadLetter>("movies.dead.{consumer}", "MOVIES_DEAD").with(consumer()),
    ]
}
