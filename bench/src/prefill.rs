//! A catalogue that holds many titles before the first lap, as an app may have filled it: works
//! with their details, rating and card, refreshed in the last month. The program adopts them.
//!
//! Their ids are far above those of the laps.

use anyhow::Result;
use sqlx::PgPool;

use crate::{options::Options, output::note, program::Program, scene::Scene};

const APP_TABLES: &str = include_str!("../../migrations/0001_app_catalogue.sql");
/// Works that one statement adds.
const BATCH: i64 = 50_000;
const FIRST_ID: i64 = 100_000_000;

/// Adds the titles that the options ask for, and makes the program's schema.
///
/// # Errors
/// Postgres or the program refuses something.
pub(crate) async fn run(scene: &Scene, options: &Options) -> Result<()> {
    let pool = &scene.database.pool;
    if options.titles > 0 {
        app_tables(pool).await?;
        let titles = i64::from(options.titles);
        let mut from = 0;
        while from < titles {
            let to = (from + BATCH).min(titles);
            add(pool, FIRST_ID + from, FIRST_ID + to - 1).await?;
            from = to;
            note(&format!("{from} of {titles} titles are there"));
        }
    }
    Program::migrate(scene, options).await?;
    if options.titles > 0 {
        sqlx::query("vacuum analyze").execute(pool).await?;
    }
    Ok(())
}

/// Makes the app's tables, which belong to the program's role.
async fn app_tables(pool: &PgPool) -> Result<()> {
    let mut transaction = pool.begin().await?;
    sqlx::raw_sql("set local role mangoes; set local mangoes.app_schema = 'public'")
        .execute(&mut *transaction)
        .await?;
    sqlx::raw_sql(APP_TABLES).execute(&mut *transaction).await?;
    Ok(transaction.commit().await?)
}

async fn add(pool: &PgPool, from: i64, to: i64) -> Result<()> {
    sqlx::query(
        "
        with added as (
            insert into works (
                tmdb_id, imdb_id, title, original_title, year, release_date, last_refreshed_at,
                ingestion_status
            )
            select id::text, 'tt' || id, 'Title ' || id, 'Title ' || id, d.year,
                make_date(d.year, 1 + (id % 12)::integer, 1),
                now() - interval '1 minute' * (id % 40000), 'complete'
            from generate_series($1::bigint, $2::bigint) id,
                lateral (select 1950 + (id % 75)::integer as year) d
            returning work_id, title
        ), details as (
            insert into works_meta (
                work_id, runtime_minutes, overview, genres, original_language, fetched_at
            )
            select work_id, 90, repeat(md5(title), 8), array['Drama', 'Comedy'], 'en', now()
            from added
        ), ratings as (
            insert into rating_sources (
                work_id, source_name, scale_type, value_raw, value_0_100, votes_count
            )
            select work_id, 'TMDB', '0_10', 6.5, 65, 100
            from added
        )
        insert into work_cards_cache (work_id, payload)
        select work_id, jsonb_build_object('title', title, 'overview', repeat(md5(title), 8))
        from added
        ",
    )
    .bind(from)
    .bind(to)
    .execute(pool)
    .await?;
    Ok(())
}
