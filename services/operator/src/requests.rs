//! Answers `movies.api.<noun>.<verb>`: from a verb's name and a JSON object to its function, and
//! back to JSON.

pub mod contract;
mod fields;
mod repetition;
mod request;

use bus::{Answers, Bus, ServiceError};
use proto::{API_VERBS, Action, JobName};
use serde::Serialize;
use serde_json::Value;
use store::{Author, JobEdit, Store};

use self::{
    fields::{
        DeadLetters, Hold, Id, Ingest, Message, Named, Next, Nothing, OneMovie, Page, Refresh, Run,
        RunToCancel, Timeline,
    },
    request::Request,
};
use crate::{
    OperatorError,
    answers::{
        Accepted, Backfill, DeadGroups, DeadLetters as DeadLettersAnswer, Deleted, Dropped,
        Findings, History, Now, Replays, Runs, Started, Times,
    },
    dead, jobs, movies, status,
    verb::{DeadVerb, JobsVerb, MovieVerb, Verb},
};

/// Dead letters that one request lists, replays or drops; the command line has no such limit.
const MOST_DEAD_LETTERS: i64 = 1_000;
const DEFAULT_DEAD_LETTERS: i64 = 50;
const DEFAULT_EVENTS: i64 = 20;
const DEFAULT_CARDS: i64 = 500;

/// What the requests work with.
pub(crate) struct Requests {
    pub(crate) store: Store,
    pub(crate) bus: Bus,
    pub(crate) tmdb_rate: u32,
}

#[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const VERBS: [(&str, &str); API_VERBS.len()] = {
    let mut verbs = [("", ""); API_VERBS.len()];
    let mut n = 0;
    while n < verbs.len() {
        verbs[n] = (API_VERBS[n].name, API_VERBS[n].words);
        n += 1;
    }
    verbs
};

impl Answers for Requests {
    const VERBS: &'static [(&'static str, &'static str)] = &VERBS;

    async fn answer(
        &self,
        verb: &'static str,
        user: Option<&str>,
        request: &[u8],
    ) -> Result<Vec<u8>, ServiceError> {
        let answer = self.call(verb, user, request).await?;
        serde_json::to_vec(&answer).map_err(|error| OperatorError::Json(error).into())
    }
}

fn json_of(answer: &impl Serialize) -> Result<Value, OperatorError> {
    serde_json::to_value(answer).map_err(OperatorError::Json)
}

impl Requests {
    async fn call(
        &self,
        name: &str,
        user: Option<&str>,
        request: &[u8],
    ) -> Result<Value, OperatorError> {
        let verb = Verb::of(name)
            .ok_or_else(|| OperatorError::Invalid(format!("there is no verb '{name}'")))?;
        let request = Request::read(request, user, verb.usage())?;
        match self.done(verb, request).await {
            // A repetition is not an error.
            Err(OperatorError::Repeated(kept)) => self.repeated(verb, &kept).await,
            answer => answer,
        }
    }

    async fn done(&self, verb: Verb, request: Request) -> Result<Value, OperatorError> {
        match verb {
            Verb::Jobs(verb) => self.jobs(verb, request).await,
            Verb::Dead(verb) => self.dead(verb, request).await,
            Verb::Movie(verb) => self.movie(verb, request).await,
            Verb::Ingest => self.ingest(request).await,
            Verb::Refresh => self.refresh(request).await,
            Verb::Time => {
                request.into::<Nothing>()?;
                json_of(&Now { now: self.store.now().await? })
            }
            Verb::Status => {
                request.into::<Nothing>()?;
                json_of(&status::read(&self.store).await?)
            }
        }
    }

    async fn jobs(&self, verb: JobsVerb, request: Request) -> Result<Value, OperatorError> {
        let store = &self.store;
        let author = request.author.clone();
        match verb {
            JobsVerb::List => {
                request.into::<Nothing>()?;
                json_of(&jobs::list(store).await?)
            }
            JobsVerb::Lint => {
                request.into::<Nothing>()?;
                json_of(&Findings { findings: jobs::lint(store).await? })
            }
            JobsVerb::Show => json_of(&jobs::get(store, &request.into::<Named>()?.name).await?),
            JobsVerb::Runs => json_of(&Runs { runs: jobs::runs(store, &request.into()?).await? }),
            JobsVerb::Next => {
                let Next { name, n } = request.into()?;
                json_of(&Times { times: jobs::next(store, &name, n).await?.times })
            }
            JobsVerb::Run => self.run(request).await,
            JobsVerb::Cancel => self.cancel(request).await,
            JobsVerb::Pause => json_of(&jobs::pause(store, &request.into()?, &author).await?),
            JobsVerb::Resume => {
                let Named { name } = request.into()?;
                json_of(&jobs::resume(store, &name, &author).await?)
            }
            JobsVerb::Set => self.set(request).await,
            JobsVerb::Create => self.create(request).await,
            JobsVerb::Delete => {
                let Named { name } = request.into()?;
                jobs::delete(store, &name, &author).await?;
                json_of(&Deleted { deleted: name })
            }
            JobsVerb::Backfill => {
                let runs = jobs::backfill(store, &request.into()?, &author).await?;
                json_of(&Backfill { runs })
            }
            JobsVerb::Hold => self.hold(request).await,
        }
    }

    async fn run(&self, request: Request) -> Result<Value, OperatorError> {
        let author = request.author.clone();
        let Run { name, payload, force, dry_run } = request.into()?;
        let request = jobs::RunRequest { name, payload, force };
        if dry_run {
            return json_of(&jobs::dry_run(&self.store, &request, self.tmdb_rate).await?);
        }
        json_of(&Started { run_id: jobs::run(&self.store, &request, &author).await? })
    }

    async fn cancel(&self, request: Request) -> Result<Value, OperatorError> {
        let author = request.author.clone();
        let RunToCancel { run_id, name, note } = request.into()?;
        let run_id = match (run_id, name) {
            (Some(run_id), None) => run_id,
            (None, Some(name)) => self.open_run(&name, &author).await?,
            (None, None) | (Some(_), Some(_)) => {
                return Err(OperatorError::Invalid(
                    "name either a run_id, or the name of a job whose open run is meant".to_owned(),
                ));
            }
        };
        json_of(&jobs::cancel(&self.store, &run_id, note.as_deref(), &author).await?)
    }

    /// The run that is meant where a job is named: its open one. A request that may be a repetition
    /// gets the latest run where none is open: the database knows whether it was done before, and
    /// refuses to end a run that is over.
    async fn open_run(&self, name: &JobName, author: &Author) -> Result<String, OperatorError> {
        let latest = jobs::runs(&self.store, &jobs::latest_of(name)).await?;
        let newest = latest.first().map(|view| view.run.run_id.clone());
        jobs::first_open(latest)
            .or_else(|| newest.filter(|_| author.request_id.is_some()))
            .ok_or_else(|| OperatorError::Refused(format!("{name} has no open run")))
    }

    async fn set(&self, mut request: Request) -> Result<Value, OperatorError> {
        let author = request.author.clone();
        let name: JobName = request.take("name")?;
        let edit: JobEdit = request.into()?;
        json_of(&jobs::set(&self.store, &name, &edit, &author).await?)
    }

    async fn create(&self, mut request: Request) -> Result<Value, OperatorError> {
        let author = request.author.clone();
        let (name, action): (JobName, Action) = (request.take("name")?, request.take("action")?);
        let draft = jobs::JobDraft { name, action, settings: request.into()? };
        json_of(&jobs::create(&self.store, &draft, &author).await?)
    }

    async fn hold(&self, request: Request) -> Result<Value, OperatorError> {
        let author = request.author.clone();
        let Hold { held, note } = request.into()?;
        if held {
            jobs::hold(&self.store, note.as_deref(), &author).await?;
        } else {
            jobs::release(&self.store, note.as_deref(), &author).await?;
        }
        json_of(&jobs::list(&self.store).await?)
    }

    async fn dead(&self, verb: DeadVerb, request: Request) -> Result<Value, OperatorError> {
        let store = &self.store;
        let author = request.author.clone();
        match verb {
            DeadVerb::Groups => {
                request.into::<Nothing>()?;
                json_of(&DeadGroups { groups: dead::groups(store).await? })
            }
            DeadVerb::List => {
                let letters: DeadLetters = request.into()?;
                let limit = letters.limit.unwrap_or(DEFAULT_DEAD_LETTERS);
                let limit = limit.clamp(1, MOST_DEAD_LETTERS);
                let dead_letters = dead::list(store, &letters.selection(), limit).await?;
                json_of(&DeadLettersAnswer { dead_letters })
            }
            DeadVerb::Show => json_of(&dead::show(store, request.into::<Id>()?.id).await?),
            DeadVerb::Replay => {
                let letters: DeadLetters = request.into()?;
                let options = dead::ReplayOptions {
                    payload: letters.payload.clone(),
                    again: letters.again,
                    per_second: 0,
                    limit: letters.limit.unwrap_or(MOST_DEAD_LETTERS).clamp(1, MOST_DEAD_LETTERS),
                };
                let selection = letters.selection();
                let replayed = dead::replay(store, &selection, &options, &author).await?;
                json_of(&Replays { replayed })
            }
            DeadVerb::Drop => {
                let letters: DeadLetters = request.into()?;
                let dropped = dead::drop(store, &letters.selection(), &author).await?;
                json_of(&Dropped { dropped })
            }
        }
    }

    async fn movie(&self, verb: MovieVerb, request: Request) -> Result<Value, OperatorError> {
        match verb {
            MovieVerb::Show => {
                json_of(&movies::get(&self.store, request.into::<OneMovie>()?.tmdb_id).await?)
            }
            MovieVerb::Pin => {
                let author = request.author.clone();
                json_of(&movies::pin(&self.store, &request.into()?, &author).await?)
            }
            MovieVerb::Unpin => {
                let author = request.author.clone();
                let OneMovie { tmdb_id } = request.into()?;
                json_of(&movies::unpin(&self.store, tmdb_id, &author).await?)
            }
            MovieVerb::Ending => {
                let Message { message_id } = request.into()?;
                json_of(&movies::ending(&self.store, &message_id).await?)
            }
            MovieVerb::Cards => {
                let Page { after, limit } = request.into()?;
                let limit = limit.unwrap_or(DEFAULT_CARDS);
                json_of(&movies::cards(&self.store, after.unwrap_or(0), limit).await?)
            }
            MovieVerb::History => {
                let Timeline { tmdb_id, limit } = request.into()?;
                let limit = limit.unwrap_or(DEFAULT_EVENTS);
                json_of(&History { events: movies::history(&self.store, tmdb_id, limit).await? })
            }
        }
    }

    async fn ingest(&self, request: Request) -> Result<Value, OperatorError> {
        let author = request.author.clone();
        let Ingest { movies: ids, force, list, max_movies } = request.into()?;
        match (ids.is_empty(), list) {
            (false, None) => {
                let movies = movies::IngestMovies { ids, force };
                accepted(movies::ingest(&self.bus, &movies, &author).await?)
            }
            (true, Some(source)) => {
                let max_movies = max_movies.ok_or_else(|| {
                    OperatorError::Invalid("max_movies is missing: give 1 to 10000".to_owned())
                })?;
                let run_id = movies::ingest_list(&self.bus, source, max_movies, &author).await?;
                json_of(&Started { run_id })
            }
            (true, None) | (false, Some(_)) => Err(OperatorError::Invalid(
                "name either movies, as [603], or a list with max_movies".to_owned(),
            )),
        }
    }

    async fn refresh(&self, request: Request) -> Result<Value, OperatorError> {
        let author = request.author.clone();
        let Refresh { movies: ids, due } = request.into()?;
        if ids.is_empty() != due {
            return Err(OperatorError::Invalid(
                "name either movies, as [603], or due: true".to_owned(),
            ));
        }
        if due {
            return json_of(&Started { run_id: movies::refresh_due(&self.store, &author).await? });
        }
        accepted(movies::refresh(&self.store, &self.bus, &ids, &author).await?)
    }
}

fn accepted(accepted: Vec<movies::Accepted>) -> Result<Value, OperatorError> {
    json_of(&Accepted { accepted })
}
