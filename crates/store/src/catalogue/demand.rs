//! What makes a movie due earlier than its age: lists that name it, and pins by hand.

use std::time::Duration;

use proto::TmdbId;
use serde_json::json;
use sqlx::{PgConnection, postgres::types::PgInterval};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    Noun, Store, StoreError,
    catalogue::titles,
    db::deadline::{SHORT, within},
    jobs::control::{Author, Change},
};

/// A movie that stays in demand for longer than this is not written again.
const DEMAND_RENEWED_AFTER_DAYS: i32 = 1;

/// How often a movie is read at least, because a person wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    /// An hour to 180 days.
    pub every: Duration,
    /// `None`: until it is removed.
    pub until: Option<OffsetDateTime>,
}

impl Store {
    /// A list named these movies: those that the catalogue has are in demand for a while. Returns
    /// how many were written.
    ///
    /// # Errors
    /// When the database does not answer; to repeat it changes nothing.
    pub async fn demand(&self, ids: &[TmdbId]) -> Result<u64, StoreError> {
        if ids.is_empty() {
            return Ok(0);
        }
        let ids: Vec<i64> = ids.iter().map(|id| id.get()).collect();
        within(SHORT, async {
            let mut tx = self.pool.begin().await?;
            titles::lock_numbers(&mut tx, &ids).await?;
            let written = sqlx::query_scalar!(
                "
                update title t
                set demand_until = now() + make_interval(days => s.demand_days)
                from freshness_setting s
                where t.tmdb_id = any ($1::bigint[])
                    and t.removed_at is null
                    and s.demand_days > 0
                    and coalesce(t.demand_until, '-infinity')
                        < now() + make_interval(days => s.demand_days - $2)
                returning t.work_id
                ",
                &ids,
                DEMAND_RENEWED_AFTER_DAYS
            );
            let written = written.fetch_all(&mut *tx).await?;
            plan(&mut tx, &written).await?;
            tx.commit().await?;
            Ok(u64::try_from(written.len()).unwrap_or(u64::MAX))
        })
        .await
    }

    /// Reads a movie at least so often.
    ///
    /// # Errors
    /// `Unknown`, `Repeated`; or the database does not answer. Nothing is changed then.
    pub async fn pin(&self, movie: TmdbId, pin: Pin, author: &Author) -> Result<(), StoreError> {
        let micros = i64::try_from(pin.every.as_micros()).unwrap_or(i64::MAX);
        let every = PgInterval { months: 0, days: 0, microseconds: micros };
        let mut change = Change::begin(self, author).await?;
        let work = sqlx::query_scalar!(
            "
            update title
            set pin_every = $2, pin_until = $3, pinned_by = $4
            where tmdb_id = $1::bigint and removed_at is null
            returning work_id
            ",
            movie.get(),
            every,
            pin.until,
            author.by
        );
        let work = work.fetch_optional(change.connection()).await?;
        let until = pin.until.and_then(|at| at.format(&Rfc3339).ok());
        let after = json!({ "tmdb_id": movie, "every_secs": pin.every.as_secs(), "until": until });
        changed(change, movie, work, "movie.pin", &after).await
    }

    /// Reads a movie as its age asks again.
    ///
    /// # Errors
    /// As [`Store::pin`].
    pub async fn unpin(&self, movie: TmdbId, author: &Author) -> Result<(), StoreError> {
        let mut change = Change::begin(self, author).await?;
        let work = sqlx::query_scalar!(
            "
            update title
            set pin_every = null, pin_until = null, pinned_by = null
            where tmdb_id = $1::bigint and removed_at is null
            returning work_id
            ",
            movie.get()
        );
        let work = work.fetch_optional(change.connection()).await?;
        changed(change, movie, work, "movie.unpin", &json!({ "tmdb_id": movie })).await
    }
}

/// Brings the due times of locked titles to what they say now.
async fn plan(tx: &mut PgConnection, works: &[i64]) -> Result<(), StoreError> {
    if !works.is_empty() {
        sqlx::query_scalar!("select plan_titles($1, false)", works).fetch_one(tx).await?;
    }
    Ok(())
}

async fn changed(
    mut change: Change<'_>,
    movie: TmdbId,
    work: Option<i64>,
    operation: &str,
    after: &serde_json::Value,
) -> Result<(), StoreError> {
    let work =
        work.ok_or_else(|| StoreError::Unknown { what: Noun::Movie, name: movie.to_string() })?;
    plan(change.connection(), &[work]).await?;
    change.audit(operation, after).await?;
    change.commit(after).await
}
