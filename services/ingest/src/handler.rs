//! The three consumers of the service: one movie, a list on request, a list by tick.

use bus::{Delivery, Handler, Outcome};
use proto::{Action, IngestList, IngestMovie, Lane, Tick};
use runtime::{LedgerError, Letter};
use store::{Effect, Gone, RunRef, Save, Standing, Writer};
use tmdb::{CallContext, TmdbError};

use crate::{IngestError, list::Lists};

/// The cancel has settled everything that the message was for.
const CANCELLED: &str = "its run was cancelled";

/// Fetches one movie and stores it. Emits `MovieRefreshed` through the outbox.
///
/// At least once: a redelivery meets its inbox row. A movie that the catalogue has and that is
/// fresh is left alone, unless forced.
pub(crate) struct IngestMovieHandler {
    pub(crate) lists: Lists,
    pub(crate) writer: Writer,
}

impl Handler for IngestMovieHandler {
    const DURABLE: &'static str = "ingest-movie";
    type Event = IngestMovie;
    type Error = IngestError;

    async fn handle(
        &self,
        event: IngestMovie,
        delivery: &Delivery,
    ) -> Result<Outcome, IngestError> {
        let (store, clock) = (&self.lists.store, &self.lists.clock);
        if !event.force && store.known(&[event.tmdb_id]).await?.iter().any(|(_, due)| !due) {
            store
                .skip_item(
                    (Self::DURABLE, &delivery.key),
                    (event.run_id.as_deref(), event.tmdb_id),
                    clock.now(),
                )
                .await?;
            return Ok(Outcome::Skipped(
                "the catalogue has it and it is fresh; force: true fetches it all the same",
            ));
        }
        let lane = if event.run_id.is_some() { Lane::Fresh } else { Lane::Now };
        let context = CallContext {
            service: "ingest",
            run_id: event.run_id.clone(),
            failed_attempts: delivery.failed_tries,
            lane,
        };
        let asked_at = clock.now();
        let fetched = match self.lists.tmdb.movie(event.tmdb_id, &context).await {
            Ok(fetched) => fetched,
            Err(e @ TmdbError::NotFound(_)) => {
                // What the catalogue holds is remembered as missing; what it never held is the
                // sender's mistake.
                let survivor = match store.imdb_id_of_missing(event.tmdb_id, clock.now()).await? {
                    Some(imdb_id) => {
                        self.lists.tmdb.survivor(event.tmdb_id, &imdb_id, &context).await?
                    }
                    None => None,
                };
                let gone = Gone {
                    tmdb_id: event.tmdb_id,
                    cause: "ingest",
                    run_id: event.run_id.as_deref(),
                    asked_at,
                    survivor,
                };
                return match store
                    .missing((Self::DURABLE, &delivery.key), gone, clock.now())
                    .await?
                {
                    Some(_) => {
                        Ok(Outcome::Skipped("TMDB answered 404 for a movie of the catalogue"))
                    }
                    None => Err(e.into()),
                };
            }
            Err(TmdbError::Cancelled) => return Ok(Outcome::Skipped(CANCELLED)),
            Err(e) => return Err(e.into()),
        };
        let cause = if event.run_id.is_some() { "listed" } else { "ingest" };
        let save = Save {
            consumer: Self::DURABLE,
            key: delivery.key.clone(),
            movie: fetched.movie,
            fetched_at: clock.now() - fetched.sent.elapsed(),
            cause: cause.to_owned(),
            run_id: event.run_id,
        };
        self.writer.save(save).await?;
        Ok(Outcome::Done)
    }

    async fn bury(&self, event: Option<IngestMovie>, letter: Letter) -> Result<(), LedgerError> {
        let effect = match event {
            Some(IngestMovie { tmdb_id, run_id: Some(run_id), .. }) => {
                Effect::Item { run_id, tmdb_id }
            }
            Some(IngestMovie { run_id: None, .. }) | None => Effect::None,
        };
        Ok(self.lists.store.bury(&letter, &effect, self.lists.clock.now()).await?)
    }
}

/// Reads a list that an app or a person asked for.
pub(crate) struct ListHandler(pub(crate) Lists);

/// The run of a list: named by the sender, or after the message, so that a redelivery finds the
/// same run.
fn run_of(event: &IngestList, key: &str, now: time::OffsetDateTime) -> RunRef {
    RunRef {
        run_id: event.run_id.clone().unwrap_or_else(|| format!("list@{key}")),
        job: "manual".to_owned(),
        action: Action::Ingest,
        trigger_type: event.trigger_type,
        scheduled_for: now,
    }
}

impl Handler for ListHandler {
    const DURABLE: &'static str = "ingest-list";
    type Event = IngestList;
    type Error = IngestError;

    async fn handle(&self, event: IngestList, delivery: &Delivery) -> Result<Outcome, IngestError> {
        if let Some(id) = &event.run_id
            && self.0.store.is_kept_for_a_job(id).await?
        {
            return Err(IngestError::RunIdKept(id.clone()));
        }
        let run = run_of(&event, &delivery.key, self.0.clock.now());
        match self
            .0
            .run((Self::DURABLE, &delivery.key), &event, &run, delivery.failed_tries)
            .await?
        {
            Standing::Open => Ok(Outcome::Done),
            Standing::Cancelled => Ok(Outcome::Skipped(CANCELLED)),
            // Sent again for a run whose first message was not lost after all.
            Standing::Over if delivery.key.starts_with(&format!("{}:again:", run.run_id)) => {
                Ok(Outcome::Skipped("its run is over"))
            }
            Standing::Over => Err(IngestError::RunOver(run.run_id)),
        }
    }

    async fn bury(&self, event: Option<IngestList>, letter: Letter) -> Result<(), LedgerError> {
        let now = self.0.clock.now();
        let effect = event.map_or(Effect::None, |e| Effect::Run {
            run_id: run_of(&e, &letter.message_key, now).run_id,
        });
        Ok(self.0.store.bury(&letter, &effect, now).await?)
    }
}

/// Reads the list that a job names.
pub(crate) struct TickHandler(pub(crate) Lists);

impl Handler for TickHandler {
    const DURABLE: &'static str = "ticks-ingest";
    type Event = Tick;
    type Error = IngestError;

    async fn handle(&self, tick: Tick, delivery: &Delivery) -> Result<Outcome, IngestError> {
        let mut list: IngestList = serde_json::from_value(tick.payload.clone())
            .map_err(|e| IngestError::Payload(e.to_string()))?;
        list.trigger_type = tick.trigger_type;
        let run = RunRef {
            run_id: tick.run_id,
            job: tick.job,
            action: tick.action,
            trigger_type: tick.trigger_type,
            scheduled_for: tick.scheduled_for,
        };
        match self.0.run((Self::DURABLE, &delivery.key), &list, &run, delivery.failed_tries).await?
        {
            Standing::Open => Ok(Outcome::Done),
            Standing::Cancelled => Ok(Outcome::Skipped(CANCELLED)),
            Standing::Over => Ok(Outcome::Skipped("its run is over")),
        }
    }

    async fn bury(&self, tick: Option<Tick>, letter: Letter) -> Result<(), LedgerError> {
        let effect = tick.map_or(Effect::None, |t| Effect::Run { run_id: t.run_id });
        Ok(self.0.store.bury(&letter, &effect, self.0.clock.now()).await?)
    }
}
