//! The contract of the verbs: what each takes and answers, as JSON Schema. The files below
//! `docs/api` are generated from it.

use proto::{API_VERBS, Action, ApiVerb, JobName};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Value, json};
use store::{JobEdit, JobRow, MovieRow, Status};

use super::fields;
use crate::{
    answers::{
        Backfill, DeadGroups, DeadLetters, Deleted, Dropped, Findings, History, Now, Replays,
        RunAnswer, Runs, Times, WorkAnswer,
    },
    jobs::{BackfillRequest, Jobs, PauseRequest, RunFilter, RunView},
    movies::{Cards, MessageEnding, PinRequest},
    verb::{DeadVerb, JobsVerb, MovieVerb, Verb},
};

/// One verb.
pub struct VerbContract {
    pub verb: &'static ApiVerb,
    /// JSON Schema, draft 2020-12, with the properties `request` and `answer`.
    pub schema: Value,
}

/// All verbs, in the order of [`API_VERBS`].
#[must_use]
pub fn verbs() -> Vec<VerbContract> {
    let of = |verb: &'static ApiVerb| {
        let shapes = Verb::of(verb.name).map(shapes)?;
        Some(VerbContract { verb, schema: shapes.schema(verb) })
    };
    API_VERBS.iter().filter_map(of).collect()
}

/// The JSON Schema of what a command prints that is no verb. `id`: its words, joined by dots.
#[must_use]
pub fn printed<A: JsonSchema>(id: &str, command: &str) -> Value {
    let mut schemas = generator("/$defs", SchemaSettings::for_serialize);
    let mut schema = A::json_schema(&mut schemas);
    schema.insert("$schema".to_owned(), DRAFT.into());
    schema.insert("$id".to_owned(), format!("urn:mangoes:command:{id}").into());
    schema.insert("title".to_owned(), command.into());
    with_definitions(schema, &mut schemas)
}

/// The verbs as a page: what each does, and the command that answers the same.
#[must_use]
pub fn markdown(verbs: &[VerbContract]) -> String {
    let row = |VerbContract { verb, .. }: &VerbContract| {
        let command = command(verb.name).map_or_else(|| "—".to_owned(), |c| format!("`{c}`"));
        let what = verb.words.replace('|', "\\|");
        format!("| [`{0}`]({0}.json) | {what} | {command} |\n", verb.name)
    };
    let rows: String = verbs.iter().map(row).collect();
    format!("{HEAD}\n| verb | what it does: {{what it takes}} | command |\n|---|---|---|\n{rows}")
}

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

const HEAD: &str = "\
# Verbs
Generated from the types (`make bless`). A verb is asked for at `movies.api.<verb>` by NATS; its
file has the JSON Schemas of `request` and `answer`. The command prints the same answer with
`--json`.
";

/// The command line of a verb, but for what it is about.
fn command(verb: &str) -> Option<String> {
    match verb {
        "dead.groups" => Some("mangoes dead list".to_owned()),
        "dead.list" => Some("mangoes dead list --reason not-found".to_owned()),
        "jobs.get" | "movie.get" | "movie.cards" | "movie.ending" | "time" => None,
        verb => Some(format!("mangoes {}", verb.replace('.', " "))),
    }
}

/// What a verb takes and answers.
struct Shapes {
    request: Request,
    answer: fn(&mut SchemaGenerator) -> Schema,
}

struct Request {
    fields: fn(&mut SchemaGenerator) -> Schema,
    /// Fields that are read before the others.
    first: &'static [First],
}

/// A field that has to be there.
struct First {
    name: &'static str,
    of: fn(&mut SchemaGenerator) -> Schema,
}

const NAME: First = First { name: "name", of: SchemaGenerator::subschema_for::<JobName> };
const ACTION: First = First { name: "action", of: SchemaGenerator::subschema_for::<Action> };

fn takes<R: JsonSchema>() -> Request {
    Request { fields: R::json_schema, first: &[] }
}

impl Request {
    const fn with(mut self, first: &'static [First]) -> Self {
        self.first = first;
        self
    }

    fn answered_by<A: JsonSchema>(self) -> Shapes {
        Shapes { request: self, answer: A::json_schema }
    }

    /// With what every request may name.
    fn schema(&self, schemas: &mut SchemaGenerator) -> Schema {
        let mut schema = (self.fields)(schemas);
        let mut properties = json!({
            "by": {
                "description": "Who asks, for the audit, where the server knows no user.",
                "type": "string",
            },
            "request_id": {
                "description": "What was done under this id is not done again.",
                "type": "string",
            },
        });
        let mut required = Vec::new();
        for First { name, of } in self.first {
            merge(&mut properties, json!({ *name: of(schemas) }));
            required.push(Value::from(*name));
        }
        let object = schema.ensure_object();
        merge(object.entry("properties").or_insert_with(|| json!({})), properties);
        if let Some(more) = object.entry("required").or_insert_with(|| json!([])).as_array_mut() {
            more.extend(required);
        }
        schema
    }
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

impl Shapes {
    fn schema(&self, verb: &ApiVerb) -> Value {
        let mut read = generator("/properties/request/$defs", SchemaSettings::for_deserialize);
        let mut written = generator("/properties/answer/$defs", SchemaSettings::for_serialize);
        let request = self.request.schema(&mut read);
        let answer = (self.answer)(&mut written);
        json!({
            "$schema": DRAFT,
            "$id": format!("urn:mangoes:api:{}", verb.name),
            "title": verb.name,
            "description": verb.words,
            "type": "object",
            "properties": {
                "request": with_definitions(request, &mut read),
                "answer": with_definitions(answer, &mut written),
            },
        })
    }
}

fn generator(
    definitions: &'static str,
    contract: fn(SchemaSettings) -> SchemaSettings,
) -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12();
    contract(settings.with(|settings| settings.definitions_path = definitions.into())).into()
}

fn with_definitions(mut schema: Schema, schemas: &mut SchemaGenerator) -> Value {
    let definitions = schemas.take_definitions(true);
    if !definitions.is_empty() {
        schema.insert("$defs".to_owned(), definitions.into());
    }
    proto::spec::unwrapped(schema.to_value())
}

fn shapes(verb: Verb) -> Shapes {
    match verb {
        Verb::Jobs(verb) => of_jobs(verb),
        Verb::Dead(verb) => of_dead(verb),
        Verb::Movie(verb) => of_movies(verb),
        Verb::Ingest => takes::<fields::Ingest>().answered_by::<WorkAnswer>(),
        Verb::Refresh => takes::<fields::Refresh>().answered_by::<WorkAnswer>(),
        Verb::Status => takes::<fields::Nothing>().answered_by::<Status>(),
        Verb::Time => takes::<fields::Nothing>().answered_by::<Now>(),
    }
}

fn of_jobs(verb: JobsVerb) -> Shapes {
    match verb {
        JobsVerb::List => takes::<fields::Nothing>().answered_by::<Jobs>(),
        JobsVerb::Show => takes::<fields::Named>().answered_by::<JobRow>(),
        JobsVerb::Runs => takes::<RunFilter>().answered_by::<Runs>(),
        JobsVerb::Next => takes::<fields::Next>().answered_by::<Times>(),
        JobsVerb::Run => takes::<fields::Run>().answered_by::<RunAnswer>(),
        JobsVerb::Cancel => takes::<fields::RunToCancel>().answered_by::<RunView>(),
        JobsVerb::Pause => takes::<PauseRequest>().answered_by::<JobRow>(),
        JobsVerb::Resume => takes::<fields::Named>().answered_by::<JobRow>(),
        JobsVerb::Set => takes::<JobEdit>().with(&[NAME]).answered_by::<JobRow>(),
        JobsVerb::Create => takes::<JobEdit>().with(&[NAME, ACTION]).answered_by::<JobRow>(),
        JobsVerb::Delete => takes::<fields::Named>().answered_by::<Deleted>(),
        JobsVerb::Backfill => takes::<BackfillRequest>().answered_by::<Backfill>(),
        JobsVerb::Hold => takes::<fields::Hold>().answered_by::<Jobs>(),
        JobsVerb::Lint => takes::<fields::Nothing>().answered_by::<Findings>(),
    }
}

fn of_dead(verb: DeadVerb) -> Shapes {
    match verb {
        DeadVerb::Groups => takes::<fields::Nothing>().answered_by::<DeadGroups>(),
        DeadVerb::List => takes::<fields::DeadLetters>().answered_by::<DeadLetters>(),
        DeadVerb::Show => takes::<fields::Id>().answered_by::<store::DeadRow>(),
        DeadVerb::Replay => takes::<fields::DeadLetters>().answered_by::<Replays>(),
        DeadVerb::Drop => takes::<fields::DeadLetters>().answered_by::<Dropped>(),
    }
}

fn of_movies(verb: MovieVerb) -> Shapes {
    match verb {
        MovieVerb::Show => takes::<fields::OneMovie>().answered_by::<MovieRow>(),
        MovieVerb::History => takes::<fields::Timeline>().answered_by::<History>(),
        MovieVerb::Cards => takes::<fields::Page>().answered_by::<Cards>(),
        MovieVerb::Ending => takes::<fields::Message>().answered_by::<MessageEnding>(),
        MovieVerb::Pin => takes::<PinRequest>().answered_by::<MovieRow>(),
        MovieVerb::Unpin => takes::<fields::OneMovie>().answered_by::<MovieRow>(),
    }
}
