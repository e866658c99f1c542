//! Fetches one movie and stores it. Woken by `IngestMovie` on `movies.ingest.movie`, and on
//! `movies.ingest.listed` for a movie of a run: a flood of the former holds up no run.
//!
//! Writes, through the writer, everything that a movie is, with its events in the outbox. At least
//! once: a redelivery meets its inbox row. A movie that the catalogue has and that is fresh is left
//! alone, unless forced. Limits: `nats/consumers/ingest-movie.json`, `ingest-listed.json`.

use delivery::{Delivery, Effect, Handler, Outcome};
use proto::{IngestMovie, Lane, MessageKey};
use store::{MissingMovie, NotFoundUpstream, Save, Writer};
use time::OffsetDateTime;
use tmdb::{CallContext, TmdbError};

use crate::{CANCELLED, IngestError, lists::Lists};

/// A consumer of single movies.
#[derive(Clone)]
pub(crate) struct Movie {
    pub(crate) durable: &'static str,
    pub(crate) lists: Lists,
    pub(crate) writer: Writer,
}

/// A movie that is asked for, and why.
struct Question<'a> {
    event: &'a IngestMovie,
    delivery: &'a Delivery,
    call: CallContext,
    asked_at: OffsetDateTime,
}

impl Handler for Movie {
    type Event = IngestMovie;
    type Error = IngestError;

    fn durable(&self) -> &'static str {
        self.durable
    }

    async fn handle(
        &self,
        event: IngestMovie,
        delivery: &Delivery,
    ) -> Result<Outcome, IngestError> {
        let (store, clock) = (&self.lists.store, &self.lists.clock);
        if !event.force && store.is_fresh(event.tmdb_id).await? {
            let run = event.run_id.as_ref();
            store.skip_item(&delivery.message, run, event.tmdb_id).await?;
            return Ok(Outcome::Skipped(
                "the catalogue has it and it is fresh; force: true fetches it all the same",
            ));
        }
        let lane = if event.run_id.is_some() { Lane::Fresh } else { Lane::Now };
        let call = CallContext {
            service: "ingest",
            run_id: event.run_id.clone(),
            failed_attempts: delivery.failed_attempts,
            lane,
        };
        let question = Question { event: &event, delivery, call, asked_at: clock.now() };
        let fetched = match self.lists.tmdb.movie(event.tmdb_id, &question.call).await {
            Ok(fetched) => fetched,
            Err(e @ TmdbError::NotFound(_)) => return self.missing(&question, e).await,
            Err(TmdbError::Cancelled) => return Ok(Outcome::Skipped(CANCELLED)),
            Err(e) => return Err(e.into()),
        };
        let cause = if event.run_id.is_some() { "listed" } else { "ingest" };
        let save = Save {
            message: delivery.message.clone(),
            trace: delivery.trace.clone(),
            look: fetched.look,
            fetched_at: clock.now() - fetched.sent.elapsed(),
            cause: cause.to_owned(),
            run_id: event.run_id,
            adds: true,
        };
        Ok(self.writer.save(save).await?.into())
    }

    fn effect(&self, event: &IngestMovie, _: &MessageKey) -> Effect {
        let item = |run| Effect::Item { run, movie: event.tmdb_id };
        event.run_id.clone().map_or(Effect::None, item)
    }
}

impl Movie {
    /// What the catalogue holds is remembered as missing; what it never held is the sender's
    /// mistake.
    async fn missing(
        &self,
        question: &Question<'_>,
        not_found: TmdbError,
    ) -> Result<Outcome, IngestError> {
        let store = &self.lists.store;
        let id = question.event.tmdb_id;
        let survivor = match store.imdb_id_of_missing(id).await? {
            Some(imdb_id) => self.lists.tmdb.survivor(id, &imdb_id, &question.call).await?,
            None => None,
        };
        let answer = NotFoundUpstream {
            movie: id,
            cause: "ingest",
            run_id: question.event.run_id.as_deref(),
            asked_at: question.asked_at,
            survivor,
            trace: question.delivery.trace.as_ref(),
        };
        match store.missing(&question.delivery.message, answer).await? {
            MissingMovie::Tombstone | MissingMovie::Remembered => {
                Ok(Outcome::Skipped("TMDB answered 404 for a movie of the catalogue"))
            }
            MissingMovie::Overtaken => Ok(Outcome::Skipped("the catalogue holds a newer answer")),
            MissingMovie::Unknown => Err(not_found.into()),
        }
    }
}
