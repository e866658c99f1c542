//! Writes the details of movies that changed: `works_meta`, `similar_movies`, `work_cards_cache`.

use std::collections::HashMap;

use catalogue::{AppRow, SimilarMovie};
use proto::RefreshOutcome;
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{StoreError, catalogue::change::Change};

pub(crate) async fn write(tx: &mut PgConnection, changes: &[Change<'_>]) -> Result<(), StoreError> {
    let changed: Vec<&Change<'_>> = changes.iter().filter(|c| c.writes_details).collect();
    if changed.is_empty() {
        return Ok(());
    }
    write_meta(tx, &changed).await?;
    write_similar(tx, &changed).await?;
    write_cards(tx, &changed).await
}

async fn write_meta(tx: &mut PgConnection, changed: &[&Change<'_>]) -> Result<(), StoreError> {
    let ids: Vec<i64> = changed.iter().map(|c| c.work_id).collect();
    let adopted = adopted_details(&mut *tx, changed).await?;
    let columns = |c: &&Change<'_>| columns(c, adopted.get(&c.work_id));
    let metas: Vec<Value> = changed.iter().map(columns).collect();
    let documents: Vec<Value> =
        changed.iter().map(|c| serde_json::to_value(&c.movie).unwrap_or_default()).collect();
    let times: Vec<OffsetDateTime> = changed.iter().map(|c| c.save.fetched_at).collect();
    sqlx::query!(
        r#"
        insert into works_meta (
            work_id, runtime_minutes, runtime_display, tagline, overview, overview_short, genres,
            certification, poster_url_small, poster_url_medium, poster_url_large,
            poster_url_original, backdrop_url, backdrop_url_mobile, trailer_youtube_id,
            cast_members, crew_members, keywords, streaming, original_language, spoken_languages,
            production_companies, production_countries, budget, revenue_worldwide, collection,
            trailers, homepage, extras, document, fetched_at, updated_at
        )
        select t.work_id, r.*, t.document, t.at, t.at
        from unnest($1::bigint[], $2::jsonb[], $3::jsonb[], $4::timestamptz[])
                as t (work_id, doc, document, at),
            jsonb_to_record(t.doc) as r (
                runtime_minutes int, runtime_display text, tagline text, overview text,
                overview_short text, genres text[], certification text, poster_url_small text,
                poster_url_medium text, poster_url_large text, poster_url_original text,
                backdrop_url text, backdrop_url_mobile text, trailer_youtube_id text,
                cast_members jsonb, crew_members jsonb, keywords text[], streaming jsonb,
                original_language text, spoken_languages text[], production_companies jsonb,
                production_countries text[], budget bigint, revenue_worldwide bigint,
                collection jsonb, trailers jsonb, homepage text, extras jsonb
            )
        on conflict (work_id) do update set
            (
                runtime_minutes, runtime_display, tagline, overview, overview_short, genres,
                certification, poster_url_small, poster_url_medium, poster_url_large,
                poster_url_original, backdrop_url, backdrop_url_mobile, trailer_youtube_id,
                cast_members, crew_members, keywords, streaming, original_language,
                spoken_languages, production_companies, production_countries, budget,
                revenue_worldwide, collection, trailers, homepage, extras, document, fetched_at,
                updated_at
            ) = (
                excluded.runtime_minutes, excluded.runtime_display, excluded.tagline,
                excluded.overview, excluded.overview_short, excluded.genres,
                excluded.certification, excluded.poster_url_small, excluded.poster_url_medium,
                excluded.poster_url_large, excluded.poster_url_original, excluded.backdrop_url,
                excluded.backdrop_url_mobile, excluded.trailer_youtube_id, excluded.cast_members,
                excluded.crew_members, excluded.keywords, excluded.streaming,
                excluded.original_language, excluded.spoken_languages,
                excluded.production_companies, excluded.production_countries, excluded.budget,
                excluded.revenue_worldwide, excluded.collection, excluded.trailers,
                excluded.homepage, excluded.extras, excluded.document, excluded.fetched_at,
                excluded.updated_at
            )
        "#,
        &ids,
        &metas,
        &documents,
        &times
    )
    .execute(tx)
    .await?;
    Ok(())
}

fn columns(change: &Change<'_>, stored: Option<&Value>) -> Value {
    let Change { movie, save, .. } = change;
    let mut columns = catalogue::details(movie, &AppRow::read(stored, None), save.fetched_at);
    if let Some(columns) = columns.as_object_mut() {
        columns.insert("homepage".to_owned(), movie.homepage.clone().into());
        columns.insert("extras".to_owned(), movie.extras.clone().into());
    }
    keep_adopted(columns, stored)
}

/// Detail rows that another program filled: they have no document to compare with.
async fn adopted_details(
    tx: &mut PgConnection,
    changed: &[&Change<'_>],
) -> Result<HashMap<i64, Value>, StoreError> {
    let created = |c: &&&Change<'_>| c.outcome == RefreshOutcome::Created;
    let ids: Vec<i64> = changed.iter().filter(created).map(|c| c.work_id).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        r#"
        select work_id, to_jsonb(m) as "row!"
        from works_meta m
        where work_id = any ($1) and document is null
        "#,
        &ids
    );
    Ok(rows.fetch_all(tx).await?.into_iter().map(|r| (r.work_id, r.row)).collect())
}

/// What the answer lacks stays as the other program left it.
fn keep_adopted(mut meta: Value, adopted: Option<&Value>) -> Value {
    let Some(adopted) = adopted else { return meta };
    for (column, value) in meta.as_object_mut().into_iter().flatten() {
        if let Some(kept) = adopted.get(column)
            && value.is_null()
        {
            *value = kept.clone();
        }
    }
    meta
}

/// A similar movie with the work that it belongs to.
struct SimilarRow<'a> {
    work_id: i64,
    similar: &'a SimilarMovie,
}

async fn write_similar(tx: &mut PgConnection, changed: &[&Change<'_>]) -> Result<(), StoreError> {
    // Where the answer lacked the list, the stored one stays.
    let listed: Vec<&&Change<'_>> = changed.iter().filter(|c| c.movie.similar.is_some()).collect();
    let works: Vec<i64> = listed.iter().map(|c| c.work_id).collect();
    sqlx::query!(
        "
        delete from similar_movies
        where work_id = any ($1)
        ",
        &works
    )
    .execute(&mut *tx)
    .await?;
    let rows: Vec<SimilarRow<'_>> = listed
        .iter()
        .flat_map(|c| {
            let of_work = |similar| SimilarRow { work_id: c.work_id, similar };
            c.movie.similar.iter().flatten().map(of_work)
        })
        .collect();
    let works: Vec<i64> = rows.iter().map(|row| row.work_id).collect();
    let ids: Vec<String> = rows.iter().map(|row| row.similar.tmdb_id.to_string()).collect();
    let sources: Vec<String> = rows.iter().map(|row| row.similar.source.clone()).collect();
    let ranks: Vec<i32> = rows.iter().map(|row| row.similar.rank_order).collect();
    let titles: Vec<String> = rows.iter().map(|row| row.similar.title.clone()).collect();
    sqlx::query!(
        "
        insert into similar_movies (work_id, similar_tmdb_id, source, rank_order, title)
        select work_id, similar_tmdb_id, source, rank_order, title
        from unnest($1::bigint[], $2::text[], $3::text[], $4::int[], $5::text[])
            as t (work_id, similar_tmdb_id, source, rank_order, title)
        on conflict do nothing
        ",
        &works,
        &ids,
        &sources,
        &ranks,
        &titles
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The texts that the app shows of a movie.
struct CardRow {
    work_id: i64,
    payload: Value,
    payload_short: Value,
    etag: String,
}

async fn write_cards(tx: &mut PgConnection, changed: &[&Change<'_>]) -> Result<(), StoreError> {
    let cards: Vec<CardRow> = changed
        .iter()
        .filter_map(|c| {
            let row = AppRow::default();
            let catalogue::Card { full: payload, short: payload_short, etag } =
                catalogue::card(c.work_id, &c.movie, &row, c.save.fetched_at);
            if c.old_etag.as_ref() == Some(&etag) {
                return None;
            }
            Some(CardRow { work_id: c.work_id, payload, payload_short, etag })
        })
        .collect();
    let works: Vec<i64> = cards.iter().map(|card| card.work_id).collect();
    let full: Vec<Value> = cards.iter().map(|card| card.payload.clone()).collect();
    let short: Vec<Value> = cards.iter().map(|card| card.payload_short.clone()).collect();
    let etags: Vec<String> = cards.iter().map(|card| card.etag.clone()).collect();
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
