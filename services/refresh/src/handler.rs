//! Refreshes one stale movie; releases and repairs the queue by tick.
//!
//! Writes `refresh_queue` and, through the writer, everything that a movie is. Emits
//! `MovieRefreshed`, `MovieChanged`, `MovieRemoved` through the outbox. At least once: a redelivery
//! meets its inbox row or a newer answer.

use std::{marker::PhantomData, sync::Arc};

use bus::{Delivery, Handler, Outcome};
use proto::{Lane, MovieStale, Tick};
use runtime::{Classify, Clock, Fate, LedgerError, Letter};
use store::{Beginning, Effect, Gone, RunRef, Save, Standing, Store, Writer};
use time::OffsetDateTime;
use tmdb::{CallContext, TmdbError};

use crate::RefreshError;

/// The cancel has settled everything that the message was for.
const CANCELLED: &str = "its run was cancelled";

/// What refreshing takes.
#[derive(Clone)]
pub(crate) struct Refresher {
    pub(crate) store: Store,
    pub(crate) tmdb: tmdb::Client,
    pub(crate) writer: Writer,
    pub(crate) clock: Arc<dyn Clock>,
}

/// A lane with its consumer.
pub(crate) trait LaneName: Send + Sync + 'static {
    const LANE: Lane;
    const DURABLE: &'static str;
}

macro_rules! lanes {
    ($($name:ident = $durable:literal),+) => {
        $(
            pub(crate) struct $name;
            impl LaneName for $name {
                const LANE: Lane = Lane::$name;
                const DURABLE: &'static str = $durable;
            }
        )+
    };
}
lanes!(Now = "refresh-now", Fresh = "refresh-fresh", Bulk = "refresh-bulk");

/// The consumer of one lane.
pub(crate) struct RefreshHandler<L>(Refresher, PhantomData<L>);

impl<L> RefreshHandler<L> {
    pub(crate) const fn new(refresher: Refresher) -> Self {
        Self(refresher, PhantomData)
    }
}

impl<L: LaneName> Handler for RefreshHandler<L> {
    const DURABLE: &'static str = L::DURABLE;
    type Event = MovieStale;
    type Error = RefreshError;

    async fn handle(
        &self,
        mut event: MovieStale,
        delivery: &Delivery,
    ) -> Result<Outcome, RefreshError> {
        event.lane = L::LANE;
        if let Some(run_id) = event.run_id.as_deref()
            && self.0.tmdb.cancelled().contains(Some(run_id))
        {
            // The cancel leaves out a row that somebody has in hand at that moment.
            self.0.store.cancelled_in_hand(event.tmdb_id, run_id).await?;
            return Ok(Outcome::Skipped(CANCELLED));
        }
        match self.0.store.begin_refresh(&event, self.0.clock.now()).await? {
            Beginning::Begun => {}
            Beginning::Unknown => return Err(RefreshError::Unknown(event.tmdb_id)),
            Beginning::Over => {
                let item = (event.run_id.as_deref(), event.tmdb_id);
                self.0
                    .store
                    .skip_item((L::DURABLE, &delivery.key), item, self.0.clock.now())
                    .await?;
                return Ok(Outcome::Skipped("another message has done what it was sent for"));
            }
        }
        let result = self.0.refresh((L::DURABLE, delivery), &event).await;
        match (result, &event.run_id) {
            (Err(RefreshError::Tmdb(TmdbError::Cancelled)), Some(run_id)) => {
                self.0.store.cancelled_in_hand(event.tmdb_id, run_id).await?;
                Ok(Outcome::Skipped(CANCELLED))
            }
            (Err(error), _) => {
                self.0.put_back(&event, &error).await;
                Err(error)
            }
            (done, _) => done,
        }
    }

    async fn bury(&self, event: Option<MovieStale>, letter: Letter) -> Result<(), LedgerError> {
        let effect = event
            .map_or(Effect::None, |e| Effect::Refresh { run_id: e.run_id, tmdb_id: e.tmdb_id });
        Ok(self.0.store.bury(&letter, &effect, self.0.clock.now()).await?)
    }
}

impl Refresher {
    async fn refresh(
        &self,
        (consumer, delivery): (&'static str, &Delivery),
        event: &MovieStale,
    ) -> Result<Outcome, RefreshError> {
        let context = CallContext {
            service: "refresh",
            run_id: event.run_id.clone(),
            failed_attempts: delivery.failed_tries,
            lane: event.lane,
        };
        let asked_at = self.clock.now();
        let fetched = match self.tmdb.movie(event.tmdb_id, &context).await {
            Ok(fetched) => fetched,
            Err(TmdbError::NotFound(_)) => {
                let gone = self.gone((consumer, delivery), (event, asked_at), &context).await?;
                return Ok(Outcome::Skipped(if gone {
                    "TMDB has it no more"
                } else {
                    "TMDB answered 404; asked again in a day"
                }));
            }
            Err(e) => return Err(e.into()),
        };
        let save = Save {
            consumer,
            key: delivery.key.clone(),
            movie: fetched.movie,
            fetched_at: self.clock.now() - fetched.sent.elapsed(),
            cause: event.reason.clone(),
            run_id: event.run_id.clone(),
        };
        self.writer.save(save).await?;
        Ok(Outcome::Done)
    }

    /// A first 404 is remembered; a second one makes a tombstone, and the entry that it was merged
    /// into is looked for.
    async fn gone(
        &self,
        (consumer, delivery): (&'static str, &Delivery),
        (event, asked_at): (&MovieStale, OffsetDateTime),
        context: &CallContext,
    ) -> Result<bool, RefreshError> {
        let survivor = match self.store.imdb_id_of_missing(event.tmdb_id, self.clock.now()).await? {
            Some(imdb_id) => self.tmdb.survivor(event.tmdb_id, &imdb_id, context).await?,
            None => None,
        };
        let gone = Gone {
            tmdb_id: event.tmdb_id,
            cause: &event.reason,
            run_id: event.run_id.as_deref(),
            asked_at,
            survivor,
        };
        let removed = self.store.missing((consumer, &delivery.key), gone, self.clock.now()).await?;
        removed.ok_or(RefreshError::Unknown(event.tmdb_id))
    }

    /// The queue says truthfully that nobody works on it until the message comes again.
    async fn put_back(&self, event: &MovieStale, error: &RefreshError) {
        let counts = matches!(error.fate(), Fate::Retry { .. });
        if let Err(e) = self.store.requeue(event.tmdb_id, &runtime::chain(error), counts).await {
            tracing::warn!(movie.id = %event.tmdb_id, error = %e, "the queue row keeps its lease until the sweep finds it");
        }
    }
}

/// Releases and repairs the queue. Woken by `refresh_worker`'s tick.
pub(crate) struct TickHandler {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Handler for TickHandler {
    const DURABLE: &'static str = "ticks-refresh";
    type Event = Tick;
    type Error = RefreshError;

    async fn handle(&self, tick: Tick, delivery: &Delivery) -> Result<Outcome, RefreshError> {
        let max = tick
            .payload
            .get("max_items")
            .and_then(serde_json::Value::as_i64)
            .filter(|n| (1..=100_000).contains(n));
        let max = max.ok_or_else(|| {
            RefreshError::Payload("max_items must be a whole number from 1 to 100000".to_owned())
        })?;
        let run = RunRef {
            run_id: tick.run_id,
            job: tick.job,
            action: tick.action,
            trigger_type: tick.trigger_type,
            scheduled_for: tick.scheduled_for,
        };
        let now = self.clock.now();
        if self.store.start_run(&run, &tick.payload, now).await? != Standing::Open {
            return Ok(Outcome::Skipped("its run is over"));
        }
        let released =
            self.store.release((Self::DURABLE, &delivery.key), &run.run_id, max, now).await?;
        tracing::info!(released, run = %run.run_id, "queue swept");
        Ok(Outcome::Done)
    }

    async fn bury(&self, tick: Option<Tick>, letter: Letter) -> Result<(), LedgerError> {
        let effect = tick.map_or(Effect::None, |t| Effect::Run { run_id: t.run_id });
        Ok(self.store.bury(&letter, &effect, self.clock.now()).await?)
    }
}
