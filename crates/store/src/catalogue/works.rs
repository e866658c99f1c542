//! Writes `works`, the app's table: a row for each movie, with the values that the app's own ingest
//! writes.

use proto::RefreshOutcome;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{Outage, StoreError, catalogue::change::Change};

/// A work that was written.
pub(crate) struct WrittenWork {
    pub(crate) work_id: i64,
    /// Another work has the imdb_id that TMDB gives this one.
    pub(crate) imdb_id_is_taken: bool,
}

/// Makes the rows that are missing.
pub(crate) async fn add(tx: &mut PgConnection, ids: &[i32]) -> Result<(), StoreError> {
    sqlx::query!(
        "
        insert into works (tmdb_id, title, ingestion_status, last_refreshed_at)
        select n.id::text, 'TMDB ' || n.id, 'ingesting', null
        from unnest($1::int[]) as n (id)
        where not exists (select 1 from works w where w.tmdb_id = n.id::text)
        order by n.id
        on conflict do nothing
        ",
        ids
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The work that has an imdb_id keeps it; a second claim, also within this batch, is left out.
///
/// # Errors
/// `Unavailable` where a row could not be written: row security hides it from us.
pub(crate) async fn write(
    tx: &mut PgConnection,
    changes: &[Change<'_>],
) -> Result<Vec<WrittenWork>, StoreError> {
    let works: Vec<i64> = changes.iter().map(|c| c.work_id).collect();
    let imdb_ids: Vec<Option<String>> = changes.iter().map(|c| c.movie.imdb_id.clone()).collect();
    let titles: Vec<String> = changes.iter().map(|c| c.movie.title.clone()).collect();
    let originals: Vec<Option<String>> =
        changes.iter().map(|c| c.movie.original_title.clone()).collect();
    let dates: Vec<Option<String>> = changes.iter().map(|c| c.movie.release_date.clone()).collect();
    let times: Vec<OffsetDateTime> = changes.iter().map(|c| c.save.fetched_at).collect();
    let changed: Vec<bool> =
        changes.iter().map(|c| c.outcome != RefreshOutcome::Unchanged).collect();
    let written = sqlx::query_as!(
        WrittenWork,
        r#"
        with new as (
            select work_id, imdb_id, title, original_title, released::date as release_date, at,
                is_changed
            from unnest(
                $1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
                $7::boolean[]
            ) as t (work_id, imdb_id, title, original_title, released, at, is_changed)
        ),
        claims as (
            select
                new.*,
                case
                    when new.imdb_id is null or new.imdb_id = w.imdb_id then false
                    else exists (
                            select 1
                            from works o
                            where o.imdb_id = new.imdb_id and o.work_id <> new.work_id
                        )
                        or exists (
                            select 1
                            from new n
                            where n.imdb_id = new.imdb_id and n.work_id < new.work_id
                        )
                end as is_taken
            from new
            join works w using (work_id)
        )
        update works w
        set imdb_id = case when c.is_taken then w.imdb_id else c.imdb_id end,
            title = c.title,
            original_title = c.original_title,
            release_date = c.release_date,
            year = extract(year from c.release_date)::int,
            last_refreshed_at = c.at,
            ingestion_status = 'complete',
            updated_at = case when c.is_changed then c.at else w.updated_at end
        from claims c
        where w.work_id = c.work_id
        returning w.work_id, c.is_taken as "imdb_id_is_taken!"
        "#,
        &works,
        &imdb_ids as &[Option<String>],
        &titles,
        &originals as &[Option<String>],
        &dates as &[Option<String>],
        &times,
        &changed
    )
    .fetch_all(tx)
    .await?;
    if written.len() < changes.len() {
        return Err(StoreError::Unavailable(Outage::NotWritable("works")));
    }
    Ok(written)
}
