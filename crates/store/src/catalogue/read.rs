//! Questions about single movies.

use delivery::MessageRef;
use proto::TmdbId;
use time::OffsetDateTime;

use crate::{
    Store, StoreError, ledger,
    runs::{self, Settled},
    within::{SHORT, within},
};

/// A movie's state, for people.
#[derive(Debug, Clone, serde::Serialize)]
pub struct MovieRow {
    /// Its key.
    pub work_id: i64,
    /// Its number at TMDB.
    pub tmdb_id: String,
    /// Its title.
    pub title: String,
    /// pending, ingesting, complete or failed.
    pub ingestion_status: String,
    /// `YYYY-MM-DD`.
    pub release_date: Option<String>,
    /// When it was read last.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_refreshed_at: Option<OffsetDateTime>,
    /// When it is stale.
    #[serde(with = "time::serde::rfc3339")]
    pub due_at: OffsetDateTime,
    /// Days that it may go unread.
    pub interval_days: i32,
    /// Whether it is stale.
    pub is_stale: bool,
    /// Real changes so far.
    pub revision: i64,
    /// Failed refreshes in a row.
    pub failures: i32,
    /// Scans leave it alone until then.
    #[serde(with = "time::serde::rfc3339::option")]
    pub hold_until: Option<OffsetDateTime>,
    /// First 404.
    #[serde(with = "time::serde::rfc3339::option")]
    pub missing_since: Option<OffsetDateTime>,
    /// Tombstone.
    #[serde(with = "time::serde::rfc3339::option")]
    pub removed_at: Option<OffsetDateTime>,
    /// Its latest queue entry.
    pub queue_status: Option<String>,
    /// Its latest error.
    pub last_error: Option<String>,
}

/// An entry of a movie's timeline.
#[derive(Debug, Clone, serde::Serialize)]
pub struct WorkEvent {
    /// created, updated, missing or removed.
    pub kind: String,
    /// What asked for it.
    pub cause: Option<String>,
    /// The movie's revision after it.
    pub revision: i64,
    /// Field by field, old and new.
    pub diff: Option<serde_json::Value>,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl Store {
    /// A movie's timeline, the newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn history(&self, id: TmdbId, limit: i64) -> Result<Vec<WorkEvent>, StoreError> {
        let rows = sqlx::query_as!(
            WorkEvent,
            "select e.kind, e.cause, e.revision, e.diff, e.at from work_events e join works w using (work_id)
             where w.tmdb_id = $1 order by e.at desc, e.id desc limit $2",
            id.to_string(),
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// One movie; `None`: not in the catalogue.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn movie(&self, id: TmdbId) -> Result<Option<MovieRow>, StoreError> {
        let row = sqlx::query_as!(
            MovieRow,
            r#"select w.work_id, w.tmdb_id as "tmdb_id!", coalesce(w.title, '') as "title!", w.ingestion_status, w.release_date::text as release_date,
                w.last_refreshed_at, w.due_at, calculate_staleness_days(w.release_date, coalesce(w.last_refreshed_at, now())) as "interval_days!",
                is_stale(w.work_id) as "is_stale!", w.revision, w.failures, w.hold_until, w.missing_since, w.removed_at,
                q.status as "queue_status?", q.last_error as "last_error?"
            from works w left join lateral (
                select status, last_error from refresh_queue where work_id = w.work_id order by id desc limit 1) q on true
            where w.tmdb_id = $1"#,
            id.to_string()
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row)
    }

    /// Of these movies, those that the catalogue has, each with whether it is due. Tombstones count
    /// as due: upstream lists them again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn known(&self, ids: &[TmdbId]) -> Result<Vec<(TmdbId, bool)>, StoreError> {
        within(SHORT, async {
            let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
            let rows = sqlx::query!(
                r#"select tmdb_id as "tmdb_id!", (due_at <= now() or removed_at is not null) as "due!" from works
            where tmdb_id = any($1) and ingestion_status <> 'pending'"#,
                &texts
            )
            .fetch_all(&self.pool)
            .await?;
            Ok(rows.into_iter().filter_map(|r| Some((r.tmdb_id.parse().ok()?, r.due))).collect())
        })
        .await
    }

    /// Ends a message without an effect: its inbox row, and its run's item as skipped.
    ///
    /// # Errors
    /// When the database does not answer; nothing is written then.
    pub async fn skip_item(
        &self,
        message: &MessageRef,
        item: (Option<&str>, TmdbId),
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        within(SHORT, async {
            let mut tx = self.pool.begin().await?;
            if ledger::claim_one(&mut tx, message).await?
                && let (Some(run_id), id) = item
            {
                let settled = Settled {
                    run_id: run_id.to_owned(),
                    tmdb_id: id.get(),
                    state: "skipped",
                    title: None,
                    error: None,
                };
                runs::settle(&mut tx, &[settled], now).await?;
            }
            tx.commit().await?;
            Ok(())
        })
        .await
    }

    /// How a message ended: `Some(None)` done, `Some(Some(error))` dead letter, `None` not yet.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn message_end(&self, key: &str) -> Result<Option<Option<String>>, StoreError> {
        let row = sqlx::query!(
            r#"select (select error from dead_letter where message_key = $1 limit 1) as error from inbox where message_key = $1 limit 1"#,
            key
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|r| r.error))
    }

    /// Makes every `nth` movie stale, as if its time had passed. For the demo and tests.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn age_movies(&self, nth: i64) -> Result<u64, StoreError> {
        let done = sqlx::query!(
            "update works set last_refreshed_at = last_refreshed_at - interval '200 days', fetched_at = fetched_at - interval '200 days'
             where work_id % $1 = 0 and last_refreshed_at is not null",
            nth
        )
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected())
    }
}
