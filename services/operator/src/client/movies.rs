//! The verbs of movies.

use bus::Bus;
use proto::{RunId, TmdbId};
use serde_json::json;
use store::{Author, MovieRow, WorkEvent};

use super::{Client, ask, ask_of, signed};
use crate::{
    Noun, OperatorError,
    answers::{self, History, Started},
    moment,
    movies::{self, Accepted, MessageEnding, PinRequest},
};

impl Client {
    /// One movie.
    ///
    /// # Errors
    /// `Unknown`.
    pub async fn movie(&self, id: TmdbId) -> Result<MovieRow, OperatorError> {
        match self {
            Self::Database(store) => movies::get(store, id).await,
            Self::Nats(bus) => {
                let body = json!({ "tmdb_id": id });
                ask_of(bus, "movie.show", body, Noun::Movie, &id.to_string()).await
            }
        }
    }

    /// Reads a movie at least so often.
    ///
    /// # Errors
    /// As [`movies::pin`].
    pub async fn pin(&self, request: &PinRequest, by: &Author) -> Result<MovieRow, OperatorError> {
        match self {
            Self::Database(store) => movies::pin(store, request, by).await,
            Self::Nats(bus) => {
                let PinRequest { tmdb_id, every, until } = request;
                let now = self.now().await?;
                let until =
                    until.map(|moment| moment::written(moment.from_now(now))).transpose()?;
                let every = every.to_string();
                let body = json!({ "tmdb_id": tmdb_id, "every": every, "until": until });
                let body = signed(body, by);
                ask_of(bus, "movie.pin", body, Noun::Movie, &tmdb_id.to_string()).await
            }
        }
    }

    /// Reads a movie as its age asks again.
    ///
    /// # Errors
    /// As [`movies::unpin`].
    pub async fn unpin(&self, id: TmdbId, by: &Author) -> Result<MovieRow, OperatorError> {
        match self {
            Self::Database(store) => movies::unpin(store, id, by).await,
            Self::Nats(bus) => {
                let body = signed(json!({ "tmdb_id": id }), by);
                ask_of(bus, "movie.unpin", body, Noun::Movie, &id.to_string()).await
            }
        }
    }

    /// A movie's timeline, the newest first.
    ///
    /// # Errors
    /// `Unknown`.
    pub async fn history(&self, id: TmdbId, limit: i64) -> Result<Vec<WorkEvent>, OperatorError> {
        match self {
            Self::Database(store) => movies::history(store, id, limit).await,
            Self::Nats(bus) => {
                let body = json!({ "tmdb_id": id, "limit": limit });
                let id = id.to_string();
                let history: History = ask_of(bus, "movie.history", body, Noun::Movie, &id).await?;
                Ok(history.events)
            }
        }
    }

    /// Refreshes movies now; each has to be in the catalogue.
    ///
    /// # Errors
    /// As [`movies::refresh`]. By the database it needs the way to NATS, too.
    pub async fn refresh(
        &self,
        bus: &Bus,
        ids: &[TmdbId],
        by: &Author,
    ) -> Result<Vec<Accepted>, OperatorError> {
        match self {
            Self::Database(store) => movies::refresh(store, bus, ids, by).await,
            Self::Nats(bus) => {
                let body = signed(json!({ "movies": ids }), by);
                Ok(ask::<answers::Accepted>(bus, "refresh", body).await?.accepted)
            }
        }
    }

    /// Refreshes all movies that are due.
    ///
    /// # Errors
    /// As [`movies::refresh_due`].
    pub async fn refresh_due(&self, by: &Author) -> Result<RunId, OperatorError> {
        match self {
            Self::Database(store) => movies::refresh_due(store, by).await,
            Self::Nats(bus) => {
                let body = signed(json!({ "due": true }), by);
                Ok(ask::<Started>(bus, "refresh", body).await?.run_id)
            }
        }
    }

    /// How a message ended, if it has.
    ///
    /// # Errors
    /// As [`movies::ending`].
    pub async fn ending(&self, message: &Accepted) -> Result<MessageEnding, OperatorError> {
        match self {
            Self::Database(store) => movies::ending(store, &message.message_id).await,
            Self::Nats(bus) => {
                ask(bus, "movie.ending", json!({ "message_id": message.message_id })).await
            }
        }
    }
}
