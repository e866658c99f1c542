//! Movies that TMDB does not have any more: remembered at first, a tombstone when it is confirmed.

use std::collections::BTreeMap;

use delivery::MessageRef;
use proto::{
    ChangeKind, IngestMovie, MovieChanged, MovieRefreshed, RefreshOutcome, TmdbId, TraceId,
};
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    Store, StoreError,
    catalogue::refresh_queue::{self, Ending, QueueItem},
    db::{
        deadline::{SHORT, within},
        transaction,
    },
    delivery::{
        attempts::claim_one,
        outbox::{self, Entry, Envelope},
    },
};

/// A second 404 makes a tombstone only this many hours after the first: TMDB caches 404s for up to
/// 8 h.
const CONFIRM_AFTER_HOURS: i32 = 24;

/// A 404 of TMDB for a movie of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct NotFoundUpstream<'a> {
    pub movie: TmdbId,
    /// Why it was asked for; a word for people.
    pub cause: &'a str,
    /// The run of the message, if any.
    pub run_id: Option<&'a str>,
    /// When TMDB was asked: an answer to a later question wins.
    pub asked_at: OffsetDateTime,
    /// The entry that has the movie's imdb_id now.
    pub survivor: Option<TmdbId>,
    /// The trace of the message that asked.
    pub trace: Option<&'a TraceId>,
}

/// What a 404 means for the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingMovie {
    /// The catalogue never had it; nothing is written.
    Unknown,
    /// An answer to a later question is stored already.
    Overtaken,
    /// It is remembered, and asked for again in a day.
    Remembered,
    /// It is a tombstone.
    Tombstone,
}

/// The work that a 404 is recorded in.
struct MarkedWork {
    work_id: i64,
    title: String,
    /// After this 404.
    revision: i64,
    is_removed: bool,
    /// This 404 made the tombstone.
    is_just_removed: bool,
}

impl MarkedWork {
    const fn meaning(&self) -> MissingMovie {
        if self.is_removed { MissingMovie::Tombstone } else { MissingMovie::Remembered }
    }
}

impl Store {
    /// The imdb_id by which the survivor of a movie is found, if a second 404 now makes it a
    /// tombstone.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn imdb_id_of_missing(&self, movie: TmdbId) -> Result<Option<String>, StoreError> {
        let imdb_id = sqlx::query_scalar!(
            "
            select coalesce(w.imdb_id, t.imdb_id_clash)
            from title t
            join works w using (work_id)
            where t.tmdb_id = $1::bigint
                and removed_at is null
                and missing_since <= now() - make_interval(hours => $2)
            ",
            movie.get(),
            CONFIRM_AFTER_HOURS
        );
        within(SHORT, async { Ok(imdb_id.fetch_optional(&self.pool).await?.flatten()) }).await
    }

    /// Records a 404 of TMDB. The first one is remembered. A second one at least a day later makes
    /// the tombstone with its events, and has the survivor ingested.
    ///
    /// # Errors
    /// When the database does not answer; nothing is written then.
    pub async fn missing(
        &self,
        message: &MessageRef,
        answer: NotFoundUpstream<'_>,
    ) -> Result<MissingMovie, StoreError> {
        within(SHORT, async {
            let mut tx = self.pool.begin().await?;
            let Some(work) = mark(&mut tx, answer).await? else {
                let meaning = overtaken(&mut tx, message, answer).await?;
                tx.commit().await?;
                return Ok(meaning);
            };
            let meaning = work.meaning();
            // A message that was handled before marks nothing again.
            if claim_one(&mut tx, message).await? {
                remember(&mut tx, message, answer, work).await?;
                tx.commit().await?;
            }
            Ok(meaning)
        })
        .await
    }
}

/// `None`: the catalogue has no such movie, or has an answer to a later question.
async fn mark(
    tx: &mut PgConnection,
    answer: NotFoundUpstream<'_>,
) -> Result<Option<MarkedWork>, StoreError> {
    let work = sqlx::query_as!(
        MarkedWork,
        r#"
        update title t
        set missing_since = coalesce(missing_since, now()),
            hold_until = now() + make_interval(hours => $2),
            removed_at = coalesce(
                removed_at,
                case when missing_since <= now() - make_interval(hours => $2) then now() end
            ),
            revision = revision + case
                when removed_at is null and missing_since <= now() - make_interval(hours => $2)
                    then 1
                else 0
            end
        where tmdb_id = $1::bigint and (fetched_at is null or fetched_at < $3)
        returning
            work_id,
            coalesce(
                (select w.title from works w where w.work_id = t.work_id),
                'TMDB ' || tmdb_id
            ) as "title!",
            revision,
            removed_at is not null as "is_removed!",
            coalesce(removed_at = now(), false) as "is_just_removed!"
        "#,
        answer.movie.get(),
        CONFIRM_AFTER_HOURS,
        answer.asked_at
    );
    Ok(work.fetch_optional(tx).await?)
}

async fn remember(
    tx: &mut PgConnection,
    message: &MessageRef,
    answer: NotFoundUpstream<'_>,
    work: MarkedWork,
) -> Result<(), StoreError> {
    if work.is_just_removed {
        let now = transaction::time_of(tx).await?;
        outbox::enqueue(tx, &removal_entries(&work, answer, message, now)).await?;
    }
    sqlx::query!(
        "
        insert into work_event (work_id, tmdb_id, kind, cause, revision, diff, at)
        values ($1, $2, $3, $4, $5, $6, now())
        ",
        work.work_id,
        answer.movie.get(),
        if work.is_removed { "removed" } else { "missing" },
        answer.cause,
        work.revision,
        answer.survivor.map(|id| json!({ "survivor": id }))
    )
    .execute(&mut *tx)
    .await?;
    let item = QueueItem { movie: answer.movie, run_id: answer.run_id };
    let ending =
        Ending { title: Some(work.title), error: Some("TMDB has no such movie any more (404)") };
    refresh_queue::end(tx, item, ending).await
}

/// An answer to a later question is stored: what the message was for is done.
async fn overtaken(
    tx: &mut PgConnection,
    message: &MessageRef,
    answer: NotFoundUpstream<'_>,
) -> Result<MissingMovie, StoreError> {
    let title = sqlx::query_scalar!(
        r#"
        select w.title as "title?"
        from title t
        left join works w using (work_id)
        where t.tmdb_id = $1::bigint
        "#,
        answer.movie.get()
    );
    let Some(title) = title.fetch_optional(&mut *tx).await? else {
        return Ok(MissingMovie::Unknown);
    };
    if claim_one(tx, message).await? {
        let item = QueueItem { movie: answer.movie, run_id: answer.run_id };
        refresh_queue::end(tx, item, Ending { title, error: None }).await?;
    }
    Ok(MissingMovie::Overtaken)
}

/// `movies.refreshed` and `movies.changed`, and a message for the survivor.
fn removal_entries(
    work: &MarkedWork,
    answer: NotFoundUpstream<'_>,
    message: &MessageRef,
    now: OffsetDateTime,
) -> Vec<Entry> {
    let envelope = |kind: &str, id: TmdbId| Envelope {
        message_id: format!("{kind}:{id}:{}:{}", message.consumer, message.key),
        ordering_key: answer.movie.to_string(),
        trace: answer.trace,
        cause: answer.run_id.unwrap_or(&message.key),
        at: now,
    };
    let refreshed = MovieRefreshed {
        work_id: work.work_id,
        tmdb_id: answer.movie,
        title: work.title.clone(),
        outcome: RefreshOutcome::Removed,
        revision: work.revision,
        changed: Vec::new(),
        refreshed_at: answer.asked_at,
        cause: answer.cause.to_owned(),
    };
    let changed = MovieChanged {
        work_id: work.work_id,
        tmdb_id: answer.movie,
        title: work.title.clone(),
        change: ChangeKind::Removed,
        revision: work.revision,
        changed_at: answer.asked_at,
        cause: answer.cause.to_owned(),
        diff: BTreeMap::new(),
        card: None,
        survivor: answer.survivor,
    };
    let ingest = |survivor: TmdbId| {
        let event = IngestMovie { tmdb_id: survivor, run_id: None, force: false };
        Entry::new(&event, envelope("survivor", survivor))
    };
    let removal = [
        Entry::new(&refreshed, envelope("refreshed", answer.movie)),
        Entry::new(&changed, envelope("changed", answer.movie)),
    ];
    removal.into_iter().chain(answer.survivor.map(ingest)).collect()
}
