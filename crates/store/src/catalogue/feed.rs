//! TMDB's change feed: which of its days are read, and what is done about the movies that they
//! name.
//!
//! The feed says that a movie was edited on a day, and not when or how often. So each day is read
//! again and again until no cache can hold an older list of it, and a movie that it names is looked
//! at once for that day. The answer of such a look may come from a cache, too: one that says
//! nothing new is followed by a second look (function `due_after_look`).

use delivery::MessageRef;
use proto::{RunId, TmdbId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::{Date, Duration, OffsetDateTime};

use crate::{
    Store, StoreError,
    catalogue::{
        stale_events::{self, Wanted},
        titles,
    },
    delivery::attempts::claim_one,
    jobs::items,
};

/// Lists of the feed were recorded with a `max-age` of eight hours; one hour for the clocks.
const CACHED: Duration = Duration::hours(9);
/// A feed that nobody read for longer is not caught up with: the ages of its movies carry them.
const DAYS_BACK: i64 = 13;
/// Why a movie that it named is read again.
const FEED: &str = "feed";

/// The days of the feed that are to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedWindow {
    /// The oldest first; the last one is today.
    pub days: Vec<Date>,
    /// Days before them that nobody has read, and that are left out.
    pub gap_days: i32,
    /// From which day on the feed is read again, when these are read.
    pub next_day: Date,
}

impl FeedWindow {
    /// From the first day that was not read for good, at this time. The first look at a feed begins
    /// with the day before.
    #[must_use]
    pub fn of(next_day: Option<Date>, now: OffsetDateTime) -> Self {
        let today = now.date();
        let before = |days| today.saturating_sub(Duration::days(days));
        // A clock that was set back has not read its future.
        let wanted = next_day.unwrap_or_else(|| before(1)).min(today);
        let first = wanted.max(before(DAYS_BACK));
        let days = (0..=(today - first).whole_days()).rev().map(before).collect();
        let gap_days = i32::try_from((first - wanted).whole_days()).unwrap_or(i32::MAX);
        let next_day = first.max(now.saturating_sub(CACHED).date());
        Self { days, gap_days, next_day }
    }
}

/// What was done about one day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FeedCounts {
    /// Movies that the day had not named before.
    pub named: i64,
    /// Those of them that the catalogue has, and that are read again.
    pub queued: i64,
    /// Those of them that it does not have.
    pub unknown: i64,
}

/// How far the feed is read.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct FeedState {
    /// When it was read last; null: never yet.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<proto::Rfc3339>")]
    pub read_at: Option<OffsetDateTime>,
    /// Movies that it named and whose change no answer has shown yet; no more than 10,001 are
    /// counted.
    pub waiting: i64,
    /// Days that were left out last, because nobody read the feed for too long.
    pub gap_days: i32,
    /// When they were left out.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<proto::Rfc3339>")]
    pub gap_at: Option<OffsetDateTime>,
}

impl Store {
    /// How far the feed is read.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn feed_state(&self) -> Result<FeedState, StoreError> {
        let state = sqlx::query_as!(
            FeedState,
            r#"
            select
                read_at,
                feed_waiting() as "waiting!",
                gap_days,
                gap_at
            from feed_state
            "#
        );
        Ok(state.fetch_one(&self.pool).await?)
    }

    /// The days of the feed that are to be read now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn feed_window(&self, now: OffsetDateTime) -> Result<FeedWindow, StoreError> {
        let next_day = sqlx::query_scalar!("select next_day from feed_state");
        Ok(FeedWindow::of(next_day.fetch_one(&self.pool).await?, now))
    }

    /// How many pages were read last.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn feed_pages(&self) -> Result<i64, StoreError> {
        let pages = sqlx::query_scalar!("select pages from feed_state");
        Ok(i64::from(pages.fetch_one(&self.pool).await?))
    }

    /// Marks the movies that a day names and queues those that the catalogue has. A movie that the
    /// day named before is left alone, so that it may be repeated. `release`: their events go out.
    ///
    /// # Errors
    /// When the database does not answer; nothing is written then.
    pub async fn note_feed_day(
        &self,
        day: Date,
        movies: &[TmdbId],
        release: bool,
    ) -> Result<FeedCounts, StoreError> {
        let ids: Vec<i64> = movies.iter().map(|id| id.get()).collect();
        let mut tx = self.pool.begin().await?;
        let named = sqlx::query_scalar!(
            r#"
            insert into feed_named (day, tmdb_id)
            select $1, n.id
            from unnest($2::bigint[]) as n (id)
            on conflict do nothing
            returning tmdb_id::bigint as "tmdb_id!"
            "#,
            day,
            &ids
        );
        let named = named.fetch_all(&mut *tx).await?;
        let known = mark(&mut tx, &named).await?;
        let wanted = Wanted { reason: FEED, release };
        let queued = stale_events::enqueue_known(&mut tx, &named, wanted).await?;
        tx.commit().await?;
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        Ok(FeedCounts {
            named: count(named.len()),
            queued: count(queued),
            unknown: count(named.len()) - known,
        })
    }

    /// Moves the feed on and closes the run, with what was done about all days.
    ///
    /// # Errors
    /// When the database does not answer; nothing is written then.
    pub async fn end_feed(
        &self,
        message: &MessageRef,
        run: &RunId,
        read: &FeedRead,
    ) -> Result<(), StoreError> {
        let FeedRead { window, counts, pages } = read;
        let mut tx = self.pool.begin().await?;
        if !claim_one(&mut tx, message).await? {
            return Ok(());
        }
        sqlx::query!(
            "
            update feed_state
            set next_day = greatest(next_day, $1),
                read_at = now(),
                pages = $2,
                gap_days = case when $3 > 0 then $3 else gap_days end,
                gap_at = case when $3 > 0 then now() else gap_at end
            ",
            window.next_day,
            pages,
            window.gap_days
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!("delete from feed_named where day < $1", window.next_day)
            .execute(&mut *tx)
            .await?;
        let counted = items::Counted {
            checked: counts.named,
            skipped: counts.named - counts.queued,
            done: counts.queued,
        };
        items::close_counted(&mut tx, run, counted).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// What a run has read.
#[derive(Debug, Clone)]
pub struct FeedRead {
    pub window: FeedWindow,
    /// Of all its days.
    pub counts: FeedCounts,
    /// Pages of all its days.
    pub pages: i32,
}

/// Returns how many of these movies the catalogue has. A movie that TMDB deleted and has again is
/// one of them.
async fn mark(tx: &mut PgConnection, named: &[i64]) -> Result<i64, StoreError> {
    let known = titles::lock_numbers(tx, named).await?;
    sqlx::query!(
        "
        update title
        set told_at = now(), told_looks = 0, feed_at = now()
        where work_id = any ($1) and removed_at is null
        ",
        &known
    )
    .execute(tx)
    .await?;
    Ok(i64::try_from(known.len()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    #[test]
    fn days_are_read_until_no_cache_can_hold_an_older_list() {
        let first = date!(2026 - 11 - 01);
        for (next_day, now, from, days, gap_days, then) in [
            // The first look ever, by day and soon after midnight.
            (
                None,
                datetime!(2026-11-10 12:00 UTC),
                date!(2026 - 11 - 09),
                2,
                0,
                date!(2026 - 11 - 10),
            ),
            (
                None,
                datetime!(2026-11-10 08:59 UTC),
                date!(2026 - 11 - 09),
                2,
                0,
                date!(2026 - 11 - 09),
            ),
            (Some(first), datetime!(2026-11-01 12:00 UTC), first, 1, 0, first),
            (Some(first), datetime!(2026-11-02 08:00 UTC), first, 2, 0, first),
            (Some(first), datetime!(2026-11-02 09:00 UTC), first, 2, 0, date!(2026 - 11 - 02)),
            // After a pause all days are read that the feed is asked for.
            (Some(first), datetime!(2026-11-14 12:00 UTC), first, 14, 0, date!(2026 - 11 - 14)),
            (
                Some(first),
                datetime!(2026-11-20 12:00 UTC),
                date!(2026 - 11 - 07),
                14,
                6,
                date!(2026 - 11 - 20),
            ),
            // A clock that was set back.
            (
                Some(date!(2026 - 12 - 24)),
                datetime!(2026-11-20 12:00 UTC),
                date!(2026 - 11 - 20),
                1,
                0,
                date!(2026 - 11 - 20),
            ),
        ] {
            let window = FeedWindow::of(next_day, now);
            assert_eq!(window.days.first(), Some(&from), "{next_day:?} {now}");
            assert_eq!(window.days.last(), Some(&now.date()), "{next_day:?} {now}");
            assert!(window.days.is_sorted() && window.days.len() == days, "{:?}", window.days);
            assert_eq!((window.gap_days, window.next_day), (gap_days, then), "{next_day:?} {now}");
        }
    }
}
