//! Movies: looked at, ingested, refreshed.

use bus::{Bus, Outgoing};
use proto::{
    Event, IngestList, IngestMovie, Lane, ListSource, MaxMovies, MovieStale, RunId, TmdbId,
    TriggerType,
};
use runtime::{Clock, SystemClock};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Author, MovieRow, Store, WorkEvent};
use uuid::Uuid;

use crate::{ApiError, jobs};

/// Movies that one request may name.
const MOST_MOVIES: usize = 1_000;

/// A message that the stream has confirmed.
#[derive(Debug, Clone, Serialize)]
pub struct Accepted {
    /// The movie.
    pub tmdb_id: TmdbId,
    /// `Nats-Msg-Id`, by which its end is found.
    pub message_id: String,
}

/// What to bring in: movies, or a list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ingest {
    /// These.
    pub movies: Vec<TmdbId>,
    /// Also those that the catalogue has.
    pub force: bool,
    /// A list.
    pub list: Option<ListSource>,
    /// Its new titles at most.
    pub max_movies: Option<MaxMovies>,
}

/// What to refresh: movies, or all that are due.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Refresh {
    /// These.
    pub movies: Vec<TmdbId>,
    /// All that are due.
    pub due: bool,
}

/// What was accepted.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// One message per movie.
    Movies {
        /// The messages.
        accepted: Vec<Accepted>,
    },
    /// A run.
    Run {
        /// Its id.
        run_id: String,
    },
}

/// One movie.
///
/// # Errors
/// `Unknown`.
pub async fn get(store: &Store, id: TmdbId) -> Result<MovieRow, ApiError> {
    store.movie(id).await?.ok_or_else(|| {
        ApiError::Unknown(format!("the catalogue has no movie {id}: ingest brings it in"))
    })
}

/// Its timeline, the newest first.
///
/// # Errors
/// `Unknown`.
pub async fn history(store: &Store, id: TmdbId, limit: i64) -> Result<Vec<WorkEvent>, ApiError> {
    get(store, id).await?;
    Ok(store.history(id, limit.clamp(1, 1_000)).await?)
}

/// A word that a repetition of the request has too.
fn word(author: &Author) -> String {
    author.request_id.clone().unwrap_or_else(|| Uuid::now_v7().to_string())
}

async fn send<E: Event>(bus: &Bus, event: &E, message_id: &str) -> Result<(), ApiError> {
    let payload = serde_json::to_vec(event).map_err(|e| ApiError::Invalid(e.to_string()))?;
    let message = Outgoing {
        subject: event.subject(),
        message_id: message_id.to_owned(),
        headers: json!({}),
        payload,
    };
    bus.publish(message).await?;
    Ok(())
}

/// One message per movie, confirmed by the stream. A repetition has the same ids: the stream and
/// the inbox know them.
async fn send_each<E: Event>(
    bus: &Bus,
    ids: &[TmdbId],
    (verb, author): (&str, &Author),
    event: impl Fn(TmdbId) -> E,
) -> Result<Answer, ApiError> {
    if ids.len() > MOST_MOVIES {
        return Err(ApiError::Invalid(format!("movies: at most {MOST_MOVIES} in one request")));
    }
    let word = word(author);
    let mut accepted = Vec::with_capacity(ids.len());
    for id in ids {
        let message_id = format!("{verb}:{word}:{id}");
        send(bus, &event(*id), &message_id).await?;
        accepted.push(Accepted { tmdb_id: *id, message_id });
    }
    Ok(Answer::Movies { accepted })
}

/// Brings movies or a list in.
///
/// # Errors
/// `Invalid` when the request names neither or both; `Unavailable` when the stream does not
/// confirm.
pub async fn ingest(bus: &Bus, request: &Ingest, author: &Author) -> Result<Answer, ApiError> {
    match (request.movies.as_slice(), request.list) {
        (ids @ [_, ..], None) => {
            send_each(bus, ids, ("ingest", author), |tmdb_id| IngestMovie {
                tmdb_id,
                run_id: None,
                force: request.force,
            })
            .await
        }
        ([], Some(source)) => {
            let max_movies = request.max_movies.ok_or_else(|| {
                ApiError::Invalid("max_movies is missing: give 1 to 10000".to_owned())
            })?;
            let run_id = RunId::of_list(&word(author));
            let event = IngestList {
                source,
                max_movies,
                trigger_type: TriggerType::Manual,
                run_id: Some(run_id.clone()),
            };
            send(bus, &event, &run_id).await?;
            Ok(Answer::Run { run_id: run_id.into() })
        }
        _ => Err(ApiError::Invalid(
            "name either movies, as [603], or a list with max_movies".to_owned(),
        )),
    }
}

/// Refreshes movies now, or all that are due.
///
/// # Errors
/// `Invalid` when the request names neither or both; `Unavailable` when the stream does not
/// confirm.
pub async fn refresh(
    store: &Store,
    bus: &Bus,
    request: &Refresh,
    author: &Author,
) -> Result<Answer, ApiError> {
    match (request.movies.as_slice(), request.due) {
        (ids @ [_, ..], false) => {
            let now = SystemClock.now();
            let stale = |tmdb_id| MovieStale {
                tmdb_id,
                work_id: None,
                reason: "manual".to_owned(),
                queued_at: Some(now),
                queue_id: None,
                run_id: None,
                lane: Lane::Now,
            };
            send_each(bus, ids, ("refresh", author), stale).await
        }
        ([], true) => {
            let all = json!({"limit": 1_000_000});
            Ok(Answer::Run {
                run_id: jobs::run(store, "daily_refresh_enqueue", (Some(&all), false), author)
                    .await?,
            })
        }
        _ => Err(ApiError::Invalid("name either movies, as [603], or due".to_owned())),
    }
}
