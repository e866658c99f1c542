//! Writes the details of movies that changed: `works_meta`, `similar_movies`, `work_cards_cache`,
//! in the app's shapes, and `document`.

use catalogue::{
    Card,
    app::{SIMILAR_CONFIDENCE, SIMILAR_SOURCE, SimilarRow},
};
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{StoreError, catalogue::change::Change};

pub(crate) async fn write(tx: &mut PgConnection, changes: &[Change<'_>]) -> Result<(), StoreError> {
    let changed: Vec<&Change<'_>> = changes.iter().filter(|c| c.writes_details).collect();
    if !changed.is_empty() {
        write_meta(&mut *tx, &changed).await?;
        write_documents(&mut *tx, &changed).await?;
        write_similar(&mut *tx, &changed).await?;
    }
    let shown: Vec<&Change<'_>> = changes.iter().filter(|c| c.writes_card).collect();
    write_cards(tx, &shown).await
}

/// The columns that the app's own ingest writes; all others are the app's.
async fn write_meta(tx: &mut PgConnection, changed: &[&Change<'_>]) -> Result<(), StoreError> {
    let ids: Vec<i64> = changed.iter().map(|c| c.work_id).collect();
    let meta = |c: &&Change<'_>| catalogue::details(&c.movie, &c.row, c.save.fetched_at);
    let metas: Vec<Value> = changed.iter().map(meta).collect();
    let times: Vec<OffsetDateTime> = changed.iter().map(|c| c.save.fetched_at).collect();
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
        select t.work_id, r.*, t.at, t.at
        from unnest($1::bigint[], $2::jsonb[], $3::timestamptz[]) as t (work_id, doc, at),
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
        &metas,
        &times
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn write_documents(tx: &mut PgConnection, changed: &[&Change<'_>]) -> Result<(), StoreError> {
    let ids: Vec<i64> = changed.iter().map(|c| c.work_id).collect();
    let bodies: Vec<Value> =
        changed.iter().map(|c| serde_json::to_value(&c.movie).unwrap_or_default()).collect();
    sqlx::query!(
        "
        insert into document (work_id, body)
        select work_id, body
        from unnest($1::bigint[], $2::jsonb[]) as t (work_id, body)
        on conflict (work_id) do update set
            body = excluded.body
        ",
        &ids,
        &bodies
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A similar movie with the work that it belongs to.
struct SimilarOf {
    work_id: i64,
    row: SimilarRow,
}

/// Only the rows of our own source are ours. Where the answer lacked the list, the stored one
/// stays.
async fn write_similar(tx: &mut PgConnection, changed: &[&Change<'_>]) -> Result<(), StoreError> {
    let of_work = |c: &&Change<'_>| {
        let work_id = c.work_id;
        c.movie.similar_of_app().into_iter().map(move |row| SimilarOf { work_id, row })
    };
    let rows: Vec<SimilarOf> = changed.iter().flat_map(of_work).collect();
    let works: Vec<i64> = rows.iter().map(|of| of.work_id).collect();
    let ids: Vec<String> = rows.iter().map(|of| of.row.similar_tmdb_id.clone()).collect();
    let ranks: Vec<i32> = rows.iter().map(|of| of.row.rank_order).collect();
    sqlx::query!(
        "
        delete from similar_movies s
        where s.work_id = any ($1)
            and s.source = $3
            and not exists (
                select 1
                from unnest($1::bigint[], $2::text[]) as n (work_id, id)
                where n.work_id = s.work_id and n.id = s.similar_tmdb_id
            )
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
        select work_id, id, $4, rank_order, $5::float8
        from unnest($1::bigint[], $2::text[], $3::int[]) as n (work_id, id, rank_order)
        on conflict (work_id, similar_tmdb_id, source) do update set
            rank_order = excluded.rank_order
        where similar_movies.rank_order is distinct from excluded.rank_order
        ",
        &works,
        &ids,
        &ranks,
        SIMILAR_SOURCE,
        SIMILAR_CONFIDENCE
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn write_cards(tx: &mut PgConnection, shown: &[&Change<'_>]) -> Result<(), StoreError> {
    let (mut works, mut full, mut short, mut etags) = (vec![], vec![], vec![], vec![]);
    for change in shown {
        let at = change.save.fetched_at;
        let card = catalogue::card(change.work_id, &change.movie, &change.row, at);
        if change.old_etag.as_ref() == Some(&card.etag) {
            continue;
        }
        let Card { full: payload, short: payload_short, etag } = card;
        works.push(change.work_id);
        full.push(payload);
        short.push(payload_short);
        etags.push(etag);
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
        &full,
        &short,
        &etags
    )
    .execute(tx)
    .await?;
    Ok(())
}
