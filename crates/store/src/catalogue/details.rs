//! Writes the details of movies that changed: `works_meta`, `similar_movies`, `work_cards_cache`,
//! in the app's shapes, and `document`.

use catalogue::app::{SIMILAR_CONFIDENCE, SIMILAR_SOURCE};
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{StoreError, catalogue::change::Change};

pub(crate) async fn write(tx: &mut PgConnection, changes: &[Change<'_>]) -> Result<(), StoreError> {
    write_meta(&mut *tx, changes).await?;
    write_documents(&mut *tx, changes).await?;
    write_similar(&mut *tx, changes).await?;
    write_cards(tx, changes).await
}

/// The columns that the app's own ingest writes; all others are the app's.
async fn write_meta(tx: &mut PgConnection, changes: &[Change<'_>]) -> Result<(), StoreError> {
    let (mut ids, mut metas, mut read, mut changed) = (vec![], vec![], vec![], vec![]);
    for change in changes {
        let Some(row) = &change.details else { continue };
        ids.push(change.work_id);
        metas.push(row);
        read.push(change.details_read_at);
        changed.push(change.changed_at);
    }
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        insert into works_meta (
            work_id, runtime_minutes, runtime_display, tagline, overview, overview_short, genres,
            certification, poster_url_small, poster_url_medium, poster_url_large,
            poster_url_original, backdrop_url, backdrop_url_mobile, trailer_youtube_id,
            trailer_thumbnail, cast_members, crew_members, keywords, streaming, original_language,
            spoken_languages, production_companies, production_countries, budget,
            revenue_worldwide, collection, still_images, trailers, schema_version, fetched_at,
            updated_at
        )
        select t.work_id, r.*, t.read_at, t.changed_at
        from unnest($1::bigint[], $2::jsonb[], $3::timestamptz[], $4::timestamptz[])
                as t (work_id, doc, read_at, changed_at),
            jsonb_to_record(t.doc) as r (
                runtime_minutes int, runtime_display text, tagline text, overview text,
                overview_short text, genres text[], certification text, poster_url_small text,
                poster_url_medium text, poster_url_large text, poster_url_original text,
                backdrop_url text, backdrop_url_mobile text, trailer_youtube_id text,
                trailer_thumbnail text, cast_members jsonb, crew_members jsonb, keywords text[],
                streaming jsonb, original_language text, spoken_languages text[],
                production_companies jsonb, production_countries text[], budget bigint,
                revenue_worldwide bigint, collection jsonb, still_images jsonb, trailers jsonb,
                schema_version int
            )
        on conflict (work_id) do update set
            (
                runtime_minutes, runtime_display, tagline, overview, overview_short, genres,
                certification, poster_url_small, poster_url_medium, poster_url_large,
                poster_url_original, backdrop_url, backdrop_url_mobile, trailer_youtube_id,
                trailer_thumbnail, cast_members, crew_members, keywords, streaming,
                original_language, spoken_languages, production_companies, production_countries,
                budget, revenue_worldwide, collection, still_images, trailers, schema_version,
                fetched_at, updated_at
            ) = (
                excluded.runtime_minutes, excluded.runtime_display, excluded.tagline,
                excluded.overview, excluded.overview_short, excluded.genres,
                excluded.certification, excluded.poster_url_small, excluded.poster_url_medium,
                excluded.poster_url_large, excluded.poster_url_original, excluded.backdrop_url,
                excluded.backdrop_url_mobile, excluded.trailer_youtube_id,
                excluded.trailer_thumbnail, excluded.cast_members, excluded.crew_members,
                excluded.keywords, excluded.streaming, excluded.original_language,
                excluded.spoken_languages, excluded.production_companies,
                excluded.production_countries, excluded.budget, excluded.revenue_worldwide,
                excluded.collection, excluded.still_images, excluded.trailers,
                excluded.schema_version, excluded.fetched_at, excluded.updated_at
            )
        "#,
        &ids,
        &metas as &[&Value],
        &read as &[OffsetDateTime],
        &changed as &[OffsetDateTime]
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn write_documents(tx: &mut PgConnection, changes: &[Change<'_>]) -> Result<(), StoreError> {
    let written = changes.iter().filter_map(|c| Some((c.work_id, c.document.as_deref()?)));
    let (ids, bodies): (Vec<i64>, Vec<&[u8]>) = written.unzip();
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "
        insert into document (work_id, body)
        select work_id, body
        from unnest($1::bigint[], $2::bytea[]) as t (work_id, body)
        on conflict (work_id) do update set
            body = excluded.body
        ",
        &ids,
        &bodies as &[&[u8]]
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Only the rows of our own source are ours, and only those that differ are written. Where the
/// answer lacked the list, or said it as the last one did, the stored one stays.
async fn write_similar(tx: &mut PgConnection, changes: &[Change<'_>]) -> Result<(), StoreError> {
    let (mut works, mut ids) = (Vec::new(), Vec::new());
    for change in changes.iter().filter(|change| !change.similar.is_empty()) {
        let of_work: Vec<&str> =
            change.similar.iter().map(|s| s.similar_tmdb_id.as_str()).collect();
        works.push(change.work_id);
        ids.push(of_work.join(","));
    }
    if works.is_empty() {
        return Ok(());
    }
    // Before the table has statistics, few rows seem to be of one source: by an index that holds
    // it, all of them would be read for each work.
    sqlx::query!(
        "
        delete from similar_movies s
        using unnest($1::bigint[], $2::text[]) as n (work_id, ids)
        where s.work_id = n.work_id
            and s.source || '' = $3
            and s.similar_tmdb_id <> all (string_to_array(n.ids, ','))
        ",
        &works,
        &ids,
        SIMILAR_SOURCE
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "
        insert into similar_movies (work_id, similar_tmdb_id, source, rank_order, confidence)
        select n.work_id, i.id, $3, i.rank_order, $4::float8
        from unnest($1::bigint[], $2::text[]) as n (work_id, ids),
            unnest(string_to_array(n.ids, ',')) with ordinality as i (id, rank_order)
        on conflict (work_id, similar_tmdb_id, source) do update set
            rank_order = excluded.rank_order
        where similar_movies.rank_order is distinct from excluded.rank_order
        ",
        &works,
        &ids,
        SIMILAR_SOURCE,
        SIMILAR_CONFIDENCE
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn write_cards(tx: &mut PgConnection, changes: &[Change<'_>]) -> Result<(), StoreError> {
    let (mut works, mut full, mut short, mut etags) = (vec![], vec![], vec![], vec![]);
    for change in changes {
        let Some(card) = &change.card else { continue };
        works.push(change.work_id);
        full.push(&card.full);
        short.push(&card.short);
        etags.push(card.etag.clone());
    }
    if works.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "
        insert into work_cards_cache (work_id, payload, payload_short, etag, computed_at)
        select work_id, payload, payload_short, etag, now()
        from unnest($1::bigint[], $2::jsonb[], $3::jsonb[], $4::text[])
            as t (work_id, payload, payload_short, etag)
        on conflict (work_id) do update set
            payload = excluded.payload,
            payload_short = excluded.payload_short,
            etag = excluded.etag,
            computed_at = excluded.computed_at
        ",
        &works,
        &full as &[&Value],
        &short as &[&Value],
        &etags
    )
    .execute(tx)
    .await?;
    Ok(())
}
