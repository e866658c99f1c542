//! From a verb's name and a JSON object to its function and back.

use bus::{Answers, Bus, ServiceError};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use store::{Author, JobEdit, Store};

use crate::{ApiError, dead, jobs, movies};

/// Answers `movies.api.<verb>`.
pub(crate) struct Verbs {
    pub(crate) store: Store,
    pub(crate) bus: Bus,
    pub(crate) tmdb_rate: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Next {
    name: String,
    #[serde(default = "ten")]
    n: usize,
}

const fn ten() -> usize {
    10
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    name: String,
    payload: Option<Value>,
    #[serde(default)]
    force: bool,
    #[serde(default)]
    dry_run: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cancel {
    run_id: String,
    note: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pause {
    name: String,
    note: Option<String>,
    until: Option<String>,
}

/// What is wanted has to be said: an empty request must not stop an installation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hold {
    held: bool,
    note: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Movie {
    tmdb_id: proto::TmdbId,
    limit: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Letter {
    id: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// A request without what belongs to every request: `by` and `request_id`.
struct Request {
    fields: Map<String, Value>,
    author: Author,
    /// What the verb takes, for whoever got it wrong.
    usage: &'static str,
}

impl Request {
    fn read(payload: &[u8], usage: &'static str) -> Result<Self, ApiError> {
        let wrong =
            |text: String| ApiError::Invalid(format!("the request is no JSON object: {text}"));
        let value = match payload.trim_ascii() {
            [] => json!({}),
            bytes => serde_json::from_slice(bytes).map_err(|e| wrong(e.to_string()))?,
        };
        let Value::Object(mut fields) = value else {
            return Err(wrong("send one such as {\"name\": \"refresh_worker\"}".to_owned()));
        };
        let mut text = |key: &str| match fields.remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if (1..=200).contains(&text.len()) => Ok(Some(text)),
            Some(_) => Err(ApiError::Invalid(format!(
                "field '{key}' must be a text of 1 to 200 characters"
            ))),
        };
        let (by, request_id) = (text("by")?, text("request_id")?);
        let by = by.map_or_else(|| "nats".to_owned(), |by| format!("{by} (nats)"));
        Ok(Self { fields, author: Author { by, request_id }, usage })
    }

    fn take(&mut self, key: &str) -> Result<String, ApiError> {
        match self.fields.remove(key) {
            Some(Value::String(text)) => Ok(text),
            _ => Err(ApiError::Invalid(format!(
                "field '{key}' is missing: give a text; {}",
                self.usage
            ))),
        }
    }

    fn into<T: DeserializeOwned>(self) -> Result<T, ApiError> {
        serde_path_to_error::deserialize(Value::Object(self.fields)).map_err(|e| {
            ApiError::Invalid(match e.path().to_string().as_str() {
                "." => format!("the request does not fit: {}; {}", e.inner(), self.usage),
                field => format!("field '{field}' does not fit: {}; {}", e.inner(), self.usage),
            })
        })
    }
}

fn body(answer: &impl Serialize) -> Result<Value, ApiError> {
    serde_json::to_value(answer).map_err(|e| ApiError::Unavailable(e.to_string()))
}

impl Answers for Verbs {
    const VERBS: &'static [(&'static str, &'static str)] = &[
        ("jobs.list", "all jobs: {}"),
        ("jobs.get", "one job: {name}"),
        ("jobs.runs", "latest runs: {name?, run_id?, limit?}"),
        ("jobs.next", "next nominal times: {name, n?}"),
        ("jobs.run", "run now: {name, payload?, force?, dry_run?}"),
        ("jobs.cancel", "end a run: {run_id, note?}"),
        ("jobs.pause", "stop firing: {name, note?, until?}"),
        ("jobs.resume", "fire again: {name}"),
        ("jobs.set", "change a job: {name, schedule?, timezone?, payload?, ...}"),
        ("jobs.create", "make a job: {name, action, schedule, timezone?, payload?, ...}"),
        ("jobs.delete", "remove a job: {name}"),
        ("jobs.backfill", "run past nominal times: {name, from, to, dry_run?}"),
        ("jobs.hold", "hold all jobs, or let them go on: {held: true | false, note?}"),
        ("jobs.lint", "what is wrong with any job: {}"),
        ("status", "freshness, backlog, budget: {}"),
        ("movie.get", "one movie: {tmdb_id}"),
        ("movie.history", "its timeline: {tmdb_id, limit?}"),
        ("ingest", "bring movies in: {movies, force?} or {list, max_movies}"),
        ("refresh", "refresh movies: {movies} or {due: true}"),
        ("dead.list", "dead letters: {ids?, consumer?, reason?, limit?}"),
        ("dead.show", "one dead letter: {id}"),
        ("dead.replay", "send again: {ids | consumer | reason | all, payload?, again?}"),
        ("dead.drop", "remove: {ids | consumer | reason | all}"),
    ];

    async fn answer(&self, verb: &'static str, request: &[u8]) -> Result<Vec<u8>, ServiceError> {
        let answer = match self.call(verb, request).await {
            // A repetition is no error: it is told what the first one was told.
            Err(ApiError::Repeated(answer)) => json!({"repeated": true, "answer": answer}),
            answer => answer?,
        };
        serde_json::to_vec(&answer).map_err(|e| ApiError::Unavailable(e.to_string()).into())
    }
}

impl Verbs {
    async fn call(&self, verb: &str, request: &[u8]) -> Result<Value, ApiError> {
        let usage =
            Self::VERBS.iter().find(|(name, _)| *name == verb).map_or("", |(_, usage)| usage);
        let request = Request::read(request, usage)?;
        match verb.split_once('.') {
            Some(("jobs", verb)) => self.job(verb, request).await,
            Some(("dead", verb)) => self.letter(verb, request).await,
            _ => self.other(verb, request).await,
        }
    }

    async fn job(&self, verb: &str, mut request: Request) -> Result<Value, ApiError> {
        let (store, author) = (&self.store, request.author.clone());
        match verb {
            "list" => request.into::<Nothing>().map(|_| ())?,
            "lint" => {
                request.into::<Nothing>()?;
                return body(&jobs::lint(store).await?);
            }
            "get" => return body(&jobs::get(store, &request.into::<Named>()?.name).await?),
            "runs" => return body(&jobs::runs(store, &request.into()?).await?),
            "next" => {
                let Next { name, n } = request.into()?;
                return body(&jobs::next(store, &name, n).await?.1);
            }
            "run" => return self.run(request.into()?, &author).await,
            "cancel" => {
                let Cancel { run_id, note } = request.into()?;
                return body(&jobs::cancel(store, &run_id, note.as_deref(), &author).await?);
            }
            "pause" => {
                let Pause { name, note, until } = request.into()?;
                return body(
                    &jobs::pause(store, &name, (note.as_deref(), until.as_deref()), &author)
                        .await?,
                );
            }
            "resume" => {
                return body(&jobs::resume(store, &request.into::<Named>()?.name, &author).await?);
            }
            "set" => {
                let name = request.take("name")?;
                return body(&jobs::set(store, &name, &request.into::<JobEdit>()?, &author).await?);
            }
            "create" => {
                let (name, action) = (request.take("name")?, request.take("action")?);
                return body(
                    &jobs::create(store, &name, &action, &request.into::<JobEdit>()?, &author)
                        .await?,
                );
            }
            "delete" => {
                let Named { name } = request.into()?;
                store.delete_job(&name, &author).await?;
                return Ok(json!({"deleted": name}));
            }
            "backfill" => return body(&jobs::backfill(store, &request.into()?, &author).await?),
            _ => {
                let Hold { held, note } = request.into()?;
                store.hold_jobs(held, note.as_deref(), &author).await?;
            }
        }
        body(&jobs::list(store).await?)
    }

    async fn run(&self, run: Run, author: &Author) -> Result<Value, ApiError> {
        let payload = run.payload.as_ref();
        if run.dry_run {
            return body(&jobs::dry_run(&self.store, &run.name, payload, self.tmdb_rate).await?);
        }
        Ok(
            json!({"run_id": jobs::run(&self.store, &run.name, (payload, run.force), author).await?}),
        )
    }

    async fn letter(&self, verb: &str, request: Request) -> Result<Value, ApiError> {
        let author = request.author.clone();
        match verb {
            "show" => body(&dead::show(&self.store, request.into::<Letter>()?.id).await?),
            "replay" => body(&dead::replay(&self.store, &request.into()?, &author).await?),
            "drop" => {
                Ok(json!({"dropped": dead::drop(&self.store, &request.into()?, &author).await?}))
            }
            _ => body(&dead::list(&self.store, &request.into()?).await?),
        }
    }

    async fn other(&self, verb: &str, request: Request) -> Result<Value, ApiError> {
        let author = request.author.clone();
        match verb {
            "movie.get" => body(&movies::get(&self.store, request.into::<Movie>()?.tmdb_id).await?),
            "movie.history" => {
                let Movie { tmdb_id, limit } = request.into()?;
                body(&movies::history(&self.store, tmdb_id, limit.unwrap_or(20)).await?)
            }
            "ingest" => body(&movies::ingest(&self.bus, &request.into()?, &author).await?),
            "refresh" => {
                body(&movies::refresh(&self.store, &self.bus, &request.into()?, &author).await?)
            }
            _ => {
                request.into::<Nothing>()?;
                body(&self.store.status().await?)
            }
        }
    }
}
