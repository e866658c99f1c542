//! Refreshes one stale movie from TMDB. Woken by `MovieStale` on `movies.stale.<lane>`, a consumer
//! for each lane.
//!
//! Writes `refresh_item` and, through the writer, everything that a movie is, with its events in
//! the outbox. At least once: a redelivery meets its inbox row or a newer answer. Limits:
//! `nats/consumers/refresh-*.json`.

use delivery::{Classify, Delivery, Effect, Fate, Handler, Outcome};
use proto::{Lane, MessageKey, MovieStale};
use store::{DatabaseClock, MissingMovie, NotFoundUpstream, RefreshClaim, Save, Store, Writer};
use time::OffsetDateTime;
use tmdb::{CallContext, TmdbError};

use crate::RefreshError;

/// The cancel has settled everything that the message was for.
const CANCELLED: &str = "its run was cancelled";

/// The consumer of one lane.
#[derive(Clone)]
pub(crate) struct Refresh {
    pub(crate) lane: Lane,
    pub(crate) store: Store,
    pub(crate) tmdb: tmdb::Client,
    pub(crate) writer: Writer,
    pub(crate) clock: DatabaseClock,
}

/// A movie that is asked for, and why.
struct Question<'a> {
    event: &'a MovieStale,
    delivery: &'a Delivery,
    call: CallContext,
    asked_at: OffsetDateTime,
}

impl Handler for Refresh {
    type Event = MovieStale;
    type Error = RefreshError;

    fn durable(&self) -> &'static str {
        match self.lane {
            Lane::Now => "refresh-now",
            Lane::Fresh => "refresh-fresh",
            Lane::Bulk => "refresh-bulk",
        }
    }

    async fn handle(
        &self,
        mut event: MovieStale,
        delivery: &Delivery,
    ) -> Result<Outcome, RefreshError> {
        event.lane = self.lane;
        if let Some(run) = &event.run_id
            && self.tmdb.cancelled().contains(Some(run))
        {
            // The cancel leaves out a row that is in flight at that moment.
            self.store.cancelled_in_flight(event.tmdb_id, run).await?;
            return Ok(Outcome::Skipped(CANCELLED));
        }
        match self.store.claim_refresh(&event).await? {
            RefreshClaim::Claimed => {}
            RefreshClaim::UnknownMovie => return Err(RefreshError::Unknown(event.tmdb_id)),
            RefreshClaim::AlreadyDone => {
                let run = event.run_id.as_ref();
                self.store.skip_item(&delivery.message, run, event.tmdb_id).await?;
                return Ok(Outcome::Skipped("another message has done what it was sent for"));
            }
        }
        match (self.refresh(&event, delivery).await, &event.run_id) {
            (Err(RefreshError::Tmdb(TmdbError::Cancelled)), Some(run)) => {
                self.store.cancelled_in_flight(event.tmdb_id, run).await?;
                Ok(Outcome::Skipped(CANCELLED))
            }
            (Err(error), _) => {
                self.put_back(&event, &error).await;
                Err(error)
            }
            (done, _) => done,
        }
    }

    fn effect(&self, event: &MovieStale, _: &MessageKey) -> Effect {
        Effect::Refresh { run: event.run_id.clone(), movie: event.tmdb_id }
    }
}

impl Refresh {
    async fn refresh(
        &self,
        event: &MovieStale,
        delivery: &Delivery,
    ) -> Result<Outcome, RefreshError> {
        let call = CallContext {
            service: "refresh",
            run_id: event.run_id.clone(),
            failed_attempts: delivery.failed_attempts,
            lane: event.lane,
        };
        let question = Question { event, delivery, call, asked_at: self.clock.now() };
        let fetched = match self.tmdb.movie(event.tmdb_id, &question.call).await {
            Ok(fetched) => fetched,
            Err(TmdbError::NotFound(_)) => return self.missing(&question).await,
            Err(e) => return Err(e.into()),
        };
        let save = Save {
            message: delivery.message.clone(),
            trace: delivery.trace.clone(),
            look: fetched.look,
            fetched_at: self.clock.now() - fetched.sent.elapsed(),
            cause: event.reason.clone(),
            run_id: event.run_id.clone(),
            adds: false,
        };
        Ok(self.writer.save(save).await?.into())
    }

    /// A first 404 is remembered; a second one makes a tombstone, and the entry that the movie was
    /// merged into is looked for.
    async fn missing(&self, question: &Question<'_>) -> Result<Outcome, RefreshError> {
        let id = question.event.tmdb_id;
        let survivor = match self.store.imdb_id_of_missing(id).await? {
            Some(imdb_id) => self.tmdb.survivor(id, &imdb_id, &question.call).await?,
            None => None,
        };
        let answer = NotFoundUpstream {
            movie: id,
            cause: &question.event.reason,
            run_id: question.event.run_id.as_deref(),
            asked_at: question.asked_at,
            survivor,
            trace: question.delivery.trace.as_ref(),
        };
        let message = &question.delivery.message;
        match self.store.missing(message, answer).await? {
            MissingMovie::Tombstone => Ok(Outcome::Skipped("TMDB does not have it any more")),
            MissingMovie::Remembered => {
                Ok(Outcome::Skipped("TMDB answered 404; it is asked again in a day"))
            }
            MissingMovie::Overtaken => Ok(Outcome::Skipped("the catalogue holds a newer answer")),
            MissingMovie::Unknown => Err(RefreshError::Unknown(id)),
        }
    }

    /// The queue says truthfully that nobody works on it until the message comes again.
    async fn put_back(&self, event: &MovieStale, error: &RefreshError) {
        let counts = matches!(error.fate(), Fate::Retry { .. });
        if let Err(e) = self.store.requeue(event.tmdb_id, &runtime::chain(error), counts).await {
            tracing::warn!(
                movie.id = %event.tmdb_id,
                error = %runtime::chain(&e),
                "the queue row keeps its lease until the sweep finds it"
            );
        }
    }
}
