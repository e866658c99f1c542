//! Movies that TMDB does not have any more: remembered at first, a tombstone when it is confirmed.

use delivery::MessageRef;
use proto::{IngestMovie, MovieRemoved, TmdbId};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    Store, StoreError, ledger,
    outbox::{self, Entry, entry},
    queue,
    within::{SHORT, within},
};

/// A second 404 makes a tombstone only this long after the first: TMDB caches 404s for up to 8 h.
const CONFIRM_MISSING_AFTER: &str = "24 hours";

/// A 404 of TMDB for a movie of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct Gone<'a> {
    /// The movie.
    pub tmdb_id: TmdbId,
    /// Why it was asked for, for people.
    pub cause: &'a str,
    /// The run of the message, if any.
    pub run_id: Option<&'a str>,
    /// When it was asked for: an answer that was asked for later stands over it.
    pub asked_at: OffsetDateTime,
    /// The entry that has its imdb_id now.
    pub survivor: Option<TmdbId>,
}

impl Store {
    /// The imdb_id by which the survivor of a movie is found, once a second 404 would make it a
    /// tombstone.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn imdb_id_of_missing(
        &self,
        id: TmdbId,
        now: OffsetDateTime,
    ) -> Result<Option<String>, StoreError> {
        within(SHORT, async {
            let imdb_id = sqlx::query_scalar!(
                "select coalesce(imdb_id, imdb_id_clash) from works
             where tmdb_id = $1 and removed_at is null and missing_since <= $2::timestamptz - $3::text::interval",
                id.to_string(),
                now,
                CONFIRM_MISSING_AFTER
            )
            .fetch_optional(&self.pool)
            .await?;
            Ok(imdb_id.flatten())
        })
        .await
    }

    /// TMDB answered 404 for a movie of the catalogue. The first time it is remembered; a second
    /// time at least a day later makes the tombstone and `movies.removed`, and has the survivor
    /// brought in. Returns whether it is a tombstone now; `None`: the catalogue never held it, and
    /// nothing is written. A newer answer makes it as if it had not come.
    ///
    /// # Errors
    /// When the database does not answer; nothing is written then.
    pub async fn missing(
        &self,
        message: &MessageRef,
        gone: Gone<'_>,
        now: OffsetDateTime,
    ) -> Result<Option<bool>, StoreError> {
        within(SHORT, async {
            let mut tx = self.pool.begin().await?;
            let row = sqlx::query!(
                r#"update works set missing_since = coalesce(missing_since, $2), hold_until = $2::timestamptz + $3::text::interval,
                removed_at = coalesce(removed_at, case when missing_since <= $2::timestamptz - $3::text::interval then $2 end)
            where tmdb_id = $1 and (fetched_at is null or fetched_at < $4)
            returning work_id, coalesce(title, 'TMDB ' || tmdb_id) as "title!", removed_at, coalesce(removed_at = $2, false) as "just_removed!""#,
                gone.tmdb_id.to_string(),
                now,
                CONFIRM_MISSING_AFTER,
                gone.asked_at
            )
            .fetch_optional(&mut *tx)
            .await?;
            let Some(row) = row else {
                let known = overtaken(&mut tx, message, gone, now).await?;
                tx.commit().await?;
                return Ok(known.then_some(false));
            };
            let removed = Some(row.removed_at.is_some());
            if !ledger::claim_one(&mut tx, message).await? {
                return Ok(removed);
            }
            if row.just_removed {
                outbox::enqueue(&mut tx, &removal_entries(row.work_id, &row.title, (gone, &message.key), now)).await?;
            }
            sqlx::query!(
                "insert into work_events (work_id, tmdb_id, kind, cause, diff, at) values ($1, $2, $3, $4, $5, $6)",
                row.work_id,
                gone.tmdb_id.get(),
                if row.removed_at.is_some() { "removed" } else { "missing" },
                gone.cause,
                gone.survivor.map(|id| serde_json::json!({ "survivor": id })),
                now
            )
            .execute(&mut *tx)
            .await?;
            let text = "TMDB has no such movie any more (404)";
            queue::end(&mut tx, (gone.tmdb_id, gone.run_id), (Some(row.title), Some(text)), now).await?;
            tx.commit().await?;
            Ok(removed)
        })
        .await
    }
}

/// An answer that was asked for later is there: what the message was for is done. False: the
/// catalogue has no such movie.
async fn overtaken(
    tx: &mut PgConnection,
    message: &MessageRef,
    gone: Gone<'_>,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let title =
        sqlx::query_scalar!("select title from works where tmdb_id = $1", gone.tmdb_id.to_string());
    let Some(title) = title.fetch_optional(&mut *tx).await? else { return Ok(false) };
    if ledger::claim_one(tx, message).await? {
        queue::end(tx, (gone.tmdb_id, gone.run_id), (title, None), now).await?;
    }
    Ok(true)
}

/// `movies.removed`, and a message for the survivor.
fn removal_entries(
    work_id: i64,
    title: &str,
    (gone, key): (Gone<'_>, &str),
    now: OffsetDateTime,
) -> Vec<Entry> {
    let (id, order) = (gone.tmdb_id, gone.tmdb_id.to_string());
    let removed = MovieRemoved {
        work_id,
        tmdb_id: id,
        title: title.to_owned(),
        removed_at: now,
        survivor: gone.survivor,
    };
    let mut entries = vec![entry(&removed, format!("removed:{id}:{key}"), order.clone(), key, now)];
    entries.extend(gone.survivor.map(|survivor| {
        let ingest = IngestMovie { tmdb_id: survivor, run_id: None, force: false };
        entry(&ingest, format!("survivor:{survivor}:{key}"), order, key, now)
    }));
    entries
}
