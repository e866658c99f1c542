//! Writes `works`: a row for each movie.

use std::collections::HashMap;

use proto::TmdbId;
use serde_json::{Value, json};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    StoreError,
    catalogue::change::{Change, KnownMovie, Save},
    db::row::Row,
};

/// Makes the rows that are missing and locks all, in the order of their ids, so that two writers
/// never lock each other out.
pub(crate) async fn lock(
    tx: &mut PgConnection,
    todo: &[&Save],
) -> Result<HashMap<TmdbId, KnownMovie>, StoreError> {
    let mut ids: Vec<String> = todo.iter().map(|s| s.movie.tmdb_id.to_string()).collect();
    ids.sort_unstable();
    sqlx::query!(
        "
        insert into works (tmdb_id, title, ingestion_status)
        select t, 'TMDB ' || t, 'ingesting'
        from unnest($1::text[]) as t
        where not exists (select 1 from works w where w.tmdb_id = t)
        order by t
        on conflict do nothing
        ",
        &ids
    )
    .execute(&mut *tx)
    .await?;
    let rows = sqlx::query!(
        r#"
        select
            w.work_id,
            w.tmdb_id as "tmdb_id!",
            w.revision,
            w.content_hash,
            w.fetched_at,
            c.etag as "etag?",
            coalesce(m.document is not null, false) as "has_details!"
        from works w
        left join work_cards_cache c using (work_id)
        left join works_meta m using (work_id)
        where w.tmdb_id = any ($1)
        order by w.tmdb_id
        for update of w
        "#,
        &ids
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|r| {
            let tmdb_id = Row::of("works", &r.work_id).read("tmdb_id", &r.tmdb_id)?;
            let known = KnownMovie {
                work_id: r.work_id,
                revision: r.revision,
                hash: r.content_hash,
                fetched_at: r.fetched_at,
                card_etag: r.etag,
                has_details: r.has_details,
            };
            Ok((tmdb_id, known))
        })
        .collect()
}

pub(crate) async fn write(tx: &mut PgConnection, changes: &[Change<'_>]) -> Result<(), StoreError> {
    let rows: Vec<Value> = changes.iter().map(columns).collect();
    let times: Vec<OffsetDateTime> = changes.iter().map(|c| c.save.fetched_at).collect();
    // The work that has an imdb_id keeps it. A second claim, also within this batch, is kept in
    // imdb_id_clash.
    sqlx::query!(
        r#"
        with new as (
            select r.*, t.at
            from unnest($1::jsonb[], $2::timestamptz[]) as t (doc, at),
                jsonb_to_record(t.doc) as r (
                    work_id bigint, imdb_id text, title text, original_title text,
                    release_date date, status text, popularity double precision,
                    revision bigint, hash text
                )
        ),
        claims as (
            select
                new.*,
                (
                    new.imdb_id is null
                    or exists (
                        select 1
                        from works o
                        where o.imdb_id = new.imdb_id and o.work_id <> new.work_id
                    )
                    or exists (
                        select 1
                        from new n
                        where n.imdb_id = new.imdb_id and n.work_id < new.work_id
                    )
                ) as lost
            from new
        )
        update works w
        set imdb_id = case when c.lost then null else c.imdb_id end,
            imdb_id_clash = case when c.lost then c.imdb_id end,
            title = c.title,
            original_title = c.original_title,
            release_date = c.release_date,
            year = extract(year from c.release_date)::int,
            status = c.status,
            popularity = c.popularity,
            last_refreshed_at = c.at,
            fetched_at = c.at,
            ingestion_status = 'complete',
            revision = c.revision,
            content_hash = decode(c.hash, 'hex'),
            failures = 0,
            hold_until = null,
            missing_since = null,
            removed_at = null,
            updated_at = case when w.revision = c.revision then w.updated_at else c.at end
        from claims c
        where w.work_id = c.work_id
        "#,
        &rows,
        &times
    )
    .execute(tx)
    .await?;
    Ok(())
}

fn columns(change: &Change<'_>) -> Value {
    let movie = &change.movie;
    let hash: String = change.hash.iter().map(|b| format!("{b:02x}")).collect();
    json!({
        "work_id": change.work_id,
        "imdb_id": movie.imdb_id,
        "title": movie.title,
        "original_title": movie.original_title,
        "release_date": movie.release_date,
        "status": movie.status,
        "popularity": movie.popularity,
        "revision": change.revision,
        "hash": hash,
    })
}
