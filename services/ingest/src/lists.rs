//! Reads the list pages that a source names, in turns, until enough new titles are found.

use std::{collections::HashSet, time::Duration};

use delivery::{Classify, Delivery, Fate};
use proto::{IngestList, Lane, ListSource, TmdbId};
use store::{DatabaseClock, FanOut, RunRef, RunStart, Store};
use tmdb::{CallContext, List, ListPage, TmdbError};

use crate::IngestError;

/// A list that waits looks again at least this often; no call is made while TMDB is known to be
/// down.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The longest pause between two looks at a list on which TMDB fails.
const LOOK_AGAIN_RARELY: Duration = Duration::from_secs(30);

/// What reading lists takes.
#[derive(Clone)]
pub(crate) struct Lists {
    pub(crate) store: Store,
    pub(crate) tmdb: tmdb::Client,
    pub(crate) clock: DatabaseClock,
}

/// The lists behind a source (design: mixed_daily = now_playing + trending, mixed_weekly = popular
/// + trending).
fn lists_of(source: ListSource) -> &'static [List] {
    match source {
        ListSource::MixedDaily => &[List::NowPlaying, List::TrendingWeek],
        ListSource::MixedWeekly => &[List::Popular, List::TrendingWeek],
        ListSource::NowPlaying => &[List::NowPlaying],
        ListSource::Popular => &[List::Popular],
        ListSource::Trending => &[List::TrendingWeek],
        ListSource::Upcoming => &[List::Upcoming],
        ListSource::TopRated => &[List::TopRated],
        ListSource::All => {
            &[List::NowPlaying, List::Popular, List::TrendingWeek, List::Upcoming, List::TopRated]
        }
    }
}

impl Lists {
    /// Reads the list and writes the run with its items. Repeating is safe until the fan-out is
    /// committed. A run that is not open is left alone.
    pub(crate) async fn run(
        &self,
        delivery: &Delivery,
        list: &IngestList,
        run: &RunRef,
    ) -> Result<RunStart, IngestError> {
        let payload = serde_json::json!({"source": list.source, "max_movies": list.max_movies});
        let start = self.store.start_run(run, &payload).await?;
        if start != RunStart::Open {
            return Ok(start);
        }
        let context = CallContext {
            service: "ingest",
            run_id: Some(run.run_id.clone()),
            failed_attempts: delivery.failed_attempts,
            lane: Lane::Fresh,
        };
        let mut found = match self.read(list, &context).await {
            Err(IngestError::Tmdb(TmdbError::Cancelled)) => return Ok(RunStart::Cancelled),
            found => found?,
        };
        found.trace.clone_from(&delivery.trace);
        self.store.fan_out(&delivery.message, run, &found).await?;
        Ok(RunStart::Open)
    }

    async fn read(&self, list: &IngestList, context: &CallContext) -> Result<FanOut, IngestError> {
        let max = usize::try_from(list.max_movies.get()).unwrap_or(usize::MAX);
        let mut found = FanOut {
            source: list.source,
            wanted: Vec::new(),
            skipped: 0,
            adult: 0,
            due: Vec::new(),
            not_needed: 0,
            trace: None,
        };
        let mut seen = HashSet::new();
        // Each list with the page that it is at; a list leaves when its last page is read.
        let mut open: Vec<(List, u32)> = lists_of(list.source).iter().map(|l| (*l, 1)).collect();
        while !open.is_empty() && found.wanted.len() < max {
            let mut next = Vec::new();
            for (kind, page) in open {
                if found.wanted.len() >= max {
                    break;
                }
                let answer = self.page(kind, page, context).await?;
                let fresh: Vec<TmdbId> =
                    answer.rows.iter().map(|r| r.tmdb_id).filter(|id| seen.insert(*id)).collect();
                self.sort_in(&fresh, max, &mut found).await?;
                found.adult += i64::try_from(answer.left_out).unwrap_or(i64::MAX);
                let is_empty = answer.rows.is_empty() && answer.left_out == 0;
                if page < answer.total_pages && page < tmdb::MAX_PAGE && !is_empty {
                    next.push((kind, page + 1));
                }
            }
            open = next;
        }
        Ok(found)
    }

    async fn page(
        &self,
        kind: List,
        page: u32,
        context: &CallContext,
    ) -> Result<ListPage, IngestError> {
        self.patiently(&format!("{kind:?}"), page, || self.tmdb.list(kind, page, context)).await
    }

    /// One page; where TMDB is unwell or limits the rate the page waits, and not the whole list
    /// from its first page.
    pub(crate) async fn patiently<P, F: Future<Output = Result<P, TmdbError>>>(
        &self,
        list: &str,
        page: u32,
        ask: impl Fn() -> F,
    ) -> Result<P, IngestError> {
        let mut pause = LOOK_AGAIN;
        loop {
            let error = match ask().await {
                Ok(page) => return Ok(page),
                Err(error) => error,
            };
            match (&error, error.fate()) {
                (TmdbError::Draining, _) => return Err(error.into()),
                // This list alone is unwell, perhaps for hours: it is asked ever more rarely.
                (TmdbError::Unavailable { .. }, _) => {
                    tracing::warn!(list, page, %error, "a list waits for TMDB");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LOOK_AGAIN_RARELY);
                }
                (_, Fate::Wait { after } | Fate::WaitAlone { after }) => {
                    tokio::time::sleep(after.min(LOOK_AGAIN)).await;
                }
                (_, Fate::Retry { .. } | Fate::Reject(_) | Fate::Missing) => {
                    return Err(error.into());
                }
            }
        }
    }

    async fn sort_in(
        &self,
        ids: &[TmdbId],
        max: usize,
        found: &mut FanOut,
    ) -> Result<(), IngestError> {
        let known = self.store.known(ids).await?;
        let named: Vec<TmdbId> = known.iter().map(|listed| listed.movie).collect();
        self.store.demand(&named).await?;
        for id in ids {
            match known.iter().find(|listed| listed.movie == *id) {
                Some(listed) => {
                    found.skipped += 1;
                    if listed.is_due {
                        found.due.push(*id);
                    }
                }
                None if found.wanted.len() < max => found.wanted.push(*id),
                None => found.not_needed += 1,
            }
        }
        Ok(())
    }
}
