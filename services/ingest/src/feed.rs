//! Reads TMDB's change feed. Woken by ticks of action `feed`.
//!
//! Each day is written on its own, and repeating one changes nothing; the feed moves on, and the
//! run is closed, in one transaction with the inbox row. After a crash the days are read again.

use delivery::{Delivery, Effect, Handler, Outcome};
use proto::{FeedPayload, JobPayload, Lane, MessageKey, Tick, TmdbId};
use runtime::RefreshMode;
use store::{FeedCounts, FeedRead, RunRef, RunStart};
use time::Date;
use tmdb::{CallContext, TmdbError};

use crate::{CANCELLED, IngestError, lists::Lists};

/// The consumer of ticks.
pub(crate) struct Feed {
    pub(crate) lists: Lists,
    /// In `PerTick` mode the events are left to `refresh_worker`.
    pub(crate) mode: RefreshMode,
}

/// What the pages of one day held.
struct Day {
    movies: Vec<TmdbId>,
    pages: i32,
}

impl Handler for Feed {
    type Event = Tick;
    type Error = IngestError;

    fn durable(&self) -> &'static str {
        "ticks-feed"
    }

    async fn handle(&self, tick: Tick, delivery: &Delivery) -> Result<Outcome, IngestError> {
        FeedPayload::read(&tick.payload)?;
        let run = RunRef::from(&tick);
        if self.lists.store.start_run(&run, &tick.payload).await? != RunStart::Open {
            return Ok(Outcome::Skipped("its run is over"));
        }
        let context = CallContext {
            service: "ingest",
            run_id: Some(run.run_id.clone()),
            failed_attempts: delivery.failed_attempts,
            lane: Lane::Fresh,
        };
        let read = match self.read(&context).await {
            Err(IngestError::Tmdb(TmdbError::Cancelled)) => return Ok(Outcome::Skipped(CANCELLED)),
            read => read?,
        };
        if read.window.gap_days > 0 {
            tracing::warn!(
                days = read.window.gap_days,
                "days of the change feed were never read; the ages of their movies carry them"
            );
        }
        self.lists.store.end_feed(&delivery.message, &run.run_id, &read).await?;
        let FeedCounts { named, queued, unknown } = read.counts;
        tracing::info!(named, queued, unknown, run.id = %run.run_id, "the change feed was read");
        Ok(Outcome::Done)
    }

    fn effect(&self, tick: &Tick, _: &MessageKey) -> Effect {
        Effect::Run { run: tick.run_id.clone() }
    }
}

impl Feed {
    async fn read(&self, context: &CallContext) -> Result<FeedRead, IngestError> {
        let Lists { store, clock, .. } = &self.lists;
        let window = store.feed_window(clock.now()).await?;
        let release = self.mode == RefreshMode::Continuous;
        let (mut counts, mut pages) = (FeedCounts::default(), 0);
        for day in &window.days {
            let read = self.day(*day, context).await?;
            let of_day = store.note_feed_day(*day, &read.movies, release).await?;
            counts.named += of_day.named;
            counts.queued += of_day.queued;
            counts.unknown += of_day.unknown;
            pages += read.pages;
        }
        Ok(FeedRead { window, counts, pages })
    }

    /// All pages of a day. They move while they are read: what is missed on one is found by the
    /// next run, and what comes twice is written once.
    async fn day(&self, day: Date, context: &CallContext) -> Result<Day, IngestError> {
        let mut read = Day { movies: Vec::new(), pages: 0 };
        let (mut page, mut last) = (1, 1);
        while page <= last {
            let what = format!("changes of {day}");
            let ask = || self.lists.tmdb.changes(day, page, context);
            let answer = self.lists.patiently(&what, page, ask).await?;
            read.movies.extend(answer.movies);
            read.pages += 1;
            last = answer.total_pages;
            page += 1;
        }
        read.movies.sort_unstable();
        read.movies.dedup();
        Ok(read)
    }
}
