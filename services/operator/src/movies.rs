//! Movies: looked at, ingested, refreshed. A request becomes messages that their streams confirm.
//!
//! A request that is repeated with its id sends the same message ids: the streams and the inbox
//! know them, and nothing is done twice.

use std::{ops::RangeInclusive, time::Duration};

use bus::{Bus, Outgoing};
use proto::{
    Event, IngestList, IngestMovie, Lane, ListSource, MaxMovies, MovieStale, RunId, TmdbId,
    TriggerType,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Author, CardRow, MessageEnd, MovieRow, Pin, Store, WorkEvent};
use uuid::Uuid;

use crate::{
    Moment, Noun, OperatorError, Span,
    jobs::{self, RunRequest},
};

/// Movies that one request may name.
const MOST_MOVIES: usize = 1_000;
/// Entries of a timeline that one answer holds.
const MOST_EVENTS: i64 = 1_000;
/// Short cards that one request may ask for: an answer has to fit into a message.
const MOST_CARDS: i64 = 1_000;
/// How often a pinned movie may be read.
const PIN_RANGE: RangeInclusive<Duration> =
    Duration::from_secs(3_600)..=Duration::from_secs(180 * 86_400);
/// The job whose run refreshes what is due.
const SCAN_JOB: &str = "daily_refresh_enqueue";
/// Its limit when everything that is due is asked for: the largest that a scan allows.
const ALL_DUE: i64 = 1_000_000;

/// A message that its stream has confirmed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Accepted {
    pub tmdb_id: TmdbId,
    /// `Nats-Msg-Id`, by which its end is found.
    pub message_id: String,
}

/// Which movies to ingest.
#[derive(Debug, Clone)]
pub struct IngestMovies {
    pub ids: Vec<TmdbId>,
    /// Fetch also those that the catalogue has.
    pub force: bool,
}

/// How an accepted message ended, if it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageEnding {
    pub state: MessageState,
    /// Of a dead letter.
    pub error: Option<String>,
}

/// How far an accepted message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    /// It has not ended.
    Waiting,
    Done,
    DeadLetter,
}

/// One movie.
///
/// # Errors
/// `Unknown`.
pub async fn get(store: &Store, id: TmdbId) -> Result<MovieRow, OperatorError> {
    store.movie(id).await?.ok_or_else(|| OperatorError::unknown(Noun::Movie, id))
}

/// Which movie is read at least how often.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PinRequest {
    pub tmdb_id: TmdbId,
    /// A span such as `12h` or `1d`: an hour to 180 days.
    #[schemars(with = "String")]
    pub every: Span,
    /// Until when: RFC 3339, a date, or a span from now such as `30d`.
    #[schemars(with = "Option<String>")]
    pub until: Option<Moment>,
}

/// Reads a movie at least so often.
///
/// # Errors
/// `Unknown`; `Invalid` for a span out of range, and when `until` has passed.
pub async fn pin(
    store: &Store,
    request: &PinRequest,
    author: &Author,
) -> Result<MovieRow, OperatorError> {
    let every = request.every.0.unsigned_abs();
    if !PIN_RANGE.contains(&every) {
        return Err(OperatorError::Invalid("every must be 1h to 180d".to_owned()));
    }
    let now = store.now().await?;
    let until = request.until.map(|moment| moment.from_now(now));
    if until.is_some_and(|at| at <= now) {
        return Err(OperatorError::Invalid("until must lie in the future".to_owned()));
    }
    store.pin(request.tmdb_id, Pin { every, until }, author).await?;
    get(store, request.tmdb_id).await
}

/// Reads a movie as its age asks again.
///
/// # Errors
/// `Unknown`.
pub async fn unpin(store: &Store, id: TmdbId, author: &Author) -> Result<MovieRow, OperatorError> {
    store.unpin(id, author).await?;
    get(store, id).await
}

/// Its timeline, the newest first.
///
/// # Errors
/// `Unknown`.
pub async fn history(
    store: &Store,
    id: TmdbId,
    limit: i64,
) -> Result<Vec<WorkEvent>, OperatorError> {
    get(store, id).await?;
    Ok(store.history(id, limit.clamp(1, MOST_EVENTS)).await?)
}

/// A page of the catalogue's short cards.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Cards {
    pub cards: Vec<CardRow>,
    /// What to give as `after` for the next page; `None`: this is the last one.
    pub next: Option<i64>,
}

/// The page behind this `work_id`.
///
/// # Errors
/// When the database does not answer.
pub async fn cards(store: &Store, after: i64, limit: i64) -> Result<Cards, OperatorError> {
    let limit = limit.clamp(1, MOST_CARDS);
    let cards = store.cards(after, limit).await?;
    let is_full = usize::try_from(limit).is_ok_and(|limit| cards.len() == limit);
    let next = cards.last().filter(|_| is_full).map(|row| row.card.work_id);
    Ok(Cards { cards, next })
}

/// How an accepted message ended, if it has.
///
/// # Errors
/// When the database does not answer.
pub async fn ending(store: &Store, message_id: &str) -> Result<MessageEnding, OperatorError> {
    let (state, error) = match store.message_end(message_id).await? {
        None => (MessageState::Waiting, None),
        Some(MessageEnd::Done) => (MessageState::Done, None),
        Some(MessageEnd::DeadLetter(error)) => (MessageState::DeadLetter, Some(error)),
    };
    Ok(MessageEnding { state, error })
}

/// Sends one message per movie to `ingest`.
///
/// # Errors
/// `Invalid` for too many movies; `Broker` when the stream does not confirm.
pub async fn ingest(
    bus: &Bus,
    request: &IngestMovies,
    author: &Author,
) -> Result<Vec<Accepted>, OperatorError> {
    let force = request.force;
    let event = |tmdb_id| IngestMovie { tmdb_id, run_id: None, force };
    Messages { bus, verb: "ingest", author }.send_each(&request.ids, event).await
}

/// Sends a list to `ingest`. Returns the run that counts its movies.
///
/// # Errors
/// `Broker` when the stream does not confirm.
pub async fn ingest_list(
    bus: &Bus,
    source: ListSource,
    max_movies: MaxMovies,
    author: &Author,
) -> Result<RunId, OperatorError> {
    let run_id = RunId::of_list(&request_key(author));
    let trigger_type = TriggerType::Manual;
    let event = IngestList { source, max_movies, trigger_type, run_id: Some(run_id.clone()) };
    send(bus, &event, &run_id).await?;
    Ok(run_id)
}

/// Sends one message per movie to `refresh`, on the lane that goes first.
///
/// # Errors
/// `Invalid` for too many movies; `Broker` when the stream does not confirm.
pub async fn refresh(
    store: &Store,
    bus: &Bus,
    ids: &[TmdbId],
    author: &Author,
) -> Result<Vec<Accepted>, OperatorError> {
    let now = store.now().await?;
    let event = |tmdb_id| MovieStale {
        tmdb_id,
        work_id: None,
        reason: "manual".to_owned(),
        queued_at: Some(now),
        queue_id: None,
        run_id: None,
        lane: Lane::Now,
    };
    Messages { bus, verb: "refresh", author }.send_each(ids, event).await
}

/// Refreshes all movies that are due: a run of the scan's job without its usual limit.
///
/// # Errors
/// `Overlaps` while a run of that job is not over.
pub async fn refresh_due(store: &Store, author: &Author) -> Result<RunId, OperatorError> {
    let request = RunRequest {
        name: SCAN_JOB.parse().map_err(OperatorError::Invalid)?,
        payload: Some(json!({ "limit": ALL_DUE })),
        force: false,
    };
    jobs::run(store, &request, author).await
}

/// What one request sends.
struct Messages<'a> {
    bus: &'a Bus,
    /// The first part of the messages' ids.
    verb: &'static str,
    author: &'a Author,
}

impl Messages<'_> {
    /// One message per movie, each confirmed by its stream.
    async fn send_each<E: Event>(
        &self,
        ids: &[TmdbId],
        event: impl Fn(TmdbId) -> E,
    ) -> Result<Vec<Accepted>, OperatorError> {
        if ids.len() > MOST_MOVIES {
            return Err(OperatorError::Invalid(format!(
                "movies: at most {MOST_MOVIES} in one request"
            )));
        }
        let key = request_key(self.author);
        let mut accepted = Vec::with_capacity(ids.len());
        for id in ids {
            let message_id = format!("{}:{key}:{id}", self.verb);
            send(self.bus, &event(*id), &message_id).await?;
            accepted.push(Accepted { tmdb_id: *id, message_id });
        }
        Ok(accepted)
    }
}

/// A key that a repetition of the request has too.
fn request_key(author: &Author) -> String {
    author.request_id.clone().unwrap_or_else(|| Uuid::now_v7().to_string())
}

async fn send<E: Event>(bus: &Bus, event: &E, message_id: &str) -> Result<(), OperatorError> {
    let message = Outgoing {
        subject: event.subject(),
        message_id: message_id.to_owned(),
        headers: json!({"ce-type": E::TYPE, "ce-id": message_id}),
        payload: serde_json::to_vec(event).map_err(OperatorError::Json)?,
    };
    bus.publish(message).await?;
    Ok(())
}
