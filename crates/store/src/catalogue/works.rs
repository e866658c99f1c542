//! Writes `works`, the app's table: a row for each movie, with the values that the app's own ingest
//! writes.

use std::collections::HashSet;

use catalogue::Facts;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{Outage, StoreError, catalogue::change::Change};

/// Works that got no imdb_id because another work has it.
#[derive(Debug, Default)]
pub(crate) struct Clashes {
    works: HashSet<i64>,
}

impl Clashes {
    /// The imdb_id that this work did not get.
    pub(crate) fn of(&self, change: &Change<'_>) -> Option<String> {
        if !change.writes_work {
            return change.imdb_id_clash.clone();
        }
        let wanted = change.facts.imdb_id.clone();
        wanted.filter(|_| self.works.contains(&change.work_id))
    }
}

/// Makes the rows that are missing, each with its title where the number is free.
pub(crate) async fn add(tx: &mut PgConnection, ids: &[i32]) -> Result<(), StoreError> {
    sqlx::query!(
        "
        with new as (
            insert into works (tmdb_id, title, ingestion_status, last_refreshed_at)
            select n.id::text, 'TMDB ' || n.id, 'ingesting', null
            from unnest($1::int[]) as n (id)
            where not exists (select 1 from works w where w.tmdb_id = n.id::text)
            order by n.id
            on conflict do nothing
            returning work_id, tmdb_id::int as tmdb_id
        )
        insert into title (work_id, tmdb_id, band)
        select new.work_id, new.tmdb_id, f.band
        from new, freshness_of(null, null, false) f
        on conflict do nothing
        ",
        ids
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Writes the works whose values differ, and of the others when they were read, if they were.
///
/// # Errors
/// `Unavailable` where a row could not be written: row security hides it from us.
pub(crate) async fn write(
    tx: &mut PgConnection,
    changes: &[Change<'_>],
) -> Result<Clashes, StoreError> {
    let differ: Vec<&Change<'_>> = changes.iter().filter(|c| c.is_new_to_works()).collect();
    let is_only_read = |c: &&Change<'_>| c.is_look() && !c.is_new_to_works();
    let same: Vec<&Change<'_>> = changes.iter().filter(is_only_read).collect();
    touch(&mut *tx, &same).await?;
    replace(tx, &differ).await
}

impl Change<'_> {
    /// Something else than the time of reading is written to `works`.
    fn is_new_to_works(&self) -> bool {
        self.writes_work || self.is_changed()
    }
}

async fn touch(tx: &mut PgConnection, same: &[&Change<'_>]) -> Result<(), StoreError> {
    if same.is_empty() {
        return Ok(());
    }
    let works: Vec<i64> = same.iter().map(|c| c.work_id).collect();
    let times: Vec<OffsetDateTime> = same.iter().map(|c| c.read_at).collect();
    let touched = sqlx::query!(
        "
        update works w
        set last_refreshed_at = n.at
        from unnest($1::bigint[], $2::timestamptz[]) as n (work_id, at)
        where w.work_id = n.work_id
        ",
        &works,
        &times
    )
    .execute(tx)
    .await?;
    all_written(touched.rows_affected(), same)
}

fn all_written(rows: u64, changes: &[&Change<'_>]) -> Result<(), StoreError> {
    if rows < changes.len() as u64 {
        return Err(StoreError::Unavailable(Outage::NotWritable("works")));
    }
    Ok(())
}

/// The work that has an imdb_id keeps it; a second claim, also within this batch, is left out.
async fn replace(tx: &mut PgConnection, changes: &[&Change<'_>]) -> Result<Clashes, StoreError> {
    if changes.is_empty() {
        return Ok(Clashes::default());
    }
    let facts: Vec<&Facts> = changes.iter().map(|c| &*c.facts).collect();
    let works: Vec<i64> = changes.iter().map(|c| c.work_id).collect();
    let imdb_ids: Vec<Option<String>> = facts.iter().map(|f| f.imdb_id.clone()).collect();
    let titles: Vec<String> = facts.iter().map(|f| f.title.clone()).collect();
    let originals: Vec<Option<String>> = facts.iter().map(|f| f.original_title.clone()).collect();
    let dates: Vec<Option<String>> = facts.iter().map(|f| f.release_date.clone()).collect();
    let read = |c: &&Change<'_>| c.is_look().then_some(c.read_at);
    let read: Vec<Option<OffsetDateTime>> = changes.iter().map(read).collect();
    let changed = |c: &&Change<'_>| c.is_changed().then_some(c.changed_at);
    let changed: Vec<Option<OffsetDateTime>> = changes.iter().map(changed).collect();
    let written = sqlx::query!(
        r#"
        with new as (
            select work_id, imdb_id, title, original_title, released::date as release_date,
                read_at, changed_at
            from unnest(
                $1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
                $7::timestamptz[]
            ) as t (work_id, imdb_id, title, original_title, released, read_at, changed_at)
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
            last_refreshed_at = coalesce(c.read_at, w.last_refreshed_at),
            ingestion_status = 'complete',
            updated_at = coalesce(c.changed_at, w.updated_at)
        from claims c
        where w.work_id = c.work_id
        returning w.work_id, c.is_taken as "is_taken!"
        "#,
        &works,
        &imdb_ids as &[Option<String>],
        &titles,
        &originals as &[Option<String>],
        &dates as &[Option<String>],
        &read as &[Option<OffsetDateTime>],
        &changed as &[Option<OffsetDateTime>]
    )
    .fetch_all(tx)
    .await?;
    all_written(written.len() as u64, changes)?;
    let lost = written.into_iter().filter(|work| work.is_taken);
    Ok(Clashes { works: lost.map(|work| work.work_id).collect() })
}
