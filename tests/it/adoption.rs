//! A database that the older jobs filled is adopted: nothing is lost, what misled the old jobs is
//! put right.

use sqlx::{PgPool, Row};

use serde_json::json;
use tmdb_sim::{Options, Sim};

use crate::world::{Folder, World, mangoes};

/// The parts of the older schema that differ from ours in more than missing columns.
const OLDER: &str = "
    create table works (work_id bigserial primary key, tmdb_id text unique not null, title text not null, release_date date,
        last_refreshed_at timestamptz default now(), ingestion_status text default 'pending'
            check (ingestion_status in ('pending', 'ingesting', 'complete', 'failed')));
    create table works_meta (work_id bigint primary key references works, overview text, runtime_minutes integer);
    create table rating_sources (id bigserial primary key, work_id bigint references works, source_name text, scale_type text,
        value_raw numeric not null, value_0_100 numeric not null, votes_count integer, last_seen_at timestamptz default now(),
        unique (work_id, source_name));
    create table refresh_queue (id bigserial primary key, work_id bigint unique references works,
        status text check (status in ('queued', 'processing', 'completed', 'failed')), priority integer default 0,
        queued_at timestamptz default now(), processed_at timestamptz, retry_count integer default 0, last_error text);
    create table scheduled_ingestion_log (id bigserial primary key, source text not null, movies_checked integer,
        trigger_type text check (trigger_type in ('scheduled', 'manual')), created_at timestamptz default now());
    create table tmdb_api_logs (id bigserial primary key, endpoint text, http_status integer, created_at timestamptz default now());
    create function calculate_staleness_days(release_date date) returns integer language sql as $$ select 30 $$;
    create function is_stale(work_id_input bigint) returns boolean language sql as $$ select false $$;
    create function get_stale_movies(limit_count integer default 100) returns table (work_id bigint, tmdb_id text)
        language sql as $$ select work_id, tmdb_id from works limit limit_count $$;
    insert into works (tmdb_id, title, release_date, ingestion_status, last_refreshed_at) values
        ('603', 'The Matrix', '1999-03-30', 'complete', now() - interval '90 days'),
        ('550', 'Fight Club', '1999-10-15', 'complete', now()),
        ('13', 'Forrest Gump', null, 'pending', now()),
        ('tt0133093', 'No number', null, 'complete', now() - interval '90 days');
    insert into works_meta (work_id, overview) select work_id, 'as it was' from works where ingestion_status = 'complete';
    insert into rating_sources (work_id, source_name, scale_type, value_raw, value_0_100, votes_count)
        select work_id, 'tmdb', '0-10', 8.2, 82, 26000 from works;
    insert into refresh_queue (work_id, status) select work_id, 'processing' from works where tmdb_id = '603';
    insert into refresh_queue (work_id, status, processed_at) select work_id, 'completed', now() from works where tmdb_id = '550';
    insert into refresh_queue (work_id, status, priority) select work_id, 'processing', 1000 from works where tmdb_id = 'tt0133093';
    insert into tmdb_api_logs (endpoint, http_status) values ('/movie/603', 200);
";

async fn one(pool: &PgPool, sql: &str) -> i64 {
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .fetch_one(pool)
        .await
        .unwrap_or_else(|e| panic!("{sql}: {e}"))
        .get(0)
}

#[tokio::test]
async fn an_older_database_is_adopted() {
    let folder = Folder::new("adoption");
    let options = embedded::Options { data_dir: folder.0.clone(), nats_port: None, durable: false };
    let postgres = embedded::Postgres::start(&options).await.unwrap();
    let url = postgres.database_url();
    let pool = PgPool::connect(&url).await.unwrap();
    sqlx::raw_sql(OLDER).execute(&pool).await.unwrap();
    for round in ["first", "second"] {
        let done = mangoes(&folder.0).args(["migrate"]).env("DATABASE_URL", &url).output().unwrap();
        assert!(done.status.success(), "{round}: {}", String::from_utf8_lossy(&done.stderr));
    }
    for (sql, expected, what) in [
        ("select count(*) from works", 4, "nothing is lost"),
        ("select count(*) from works_meta where overview = 'as it was'", 3, "nor in the details"),
        ("select count(*) from rating_sources where votes_count = 26000", 4, "nor in the ratings"),
        (
            "select count(*) from tmdb_api_logs_before_mangoes",
            1,
            "the old log is kept beside the new one",
        ),
        (
            "select count(*) from works where tmdb_id = '13' and last_refreshed_at is null and is_stale(work_id)",
            1,
            "never stored = stale",
        ),
        (
            "select count(*) from refresh_queue where status = 'queued'",
            2,
            "no row stays in processing for ever",
        ),
        (
            "select count(*) from get_stale_movies(10) where tmdb_id = '13'",
            1,
            "what is due is found",
        ),
        (
            "select count(*) from get_stale_movies(10) where tmdb_id = 'tt0133093'",
            0,
            "what TMDB cannot know stops no scan",
        ),
        ("select count(*) from job", 5, "the jobs are there"),
    ] {
        assert_eq!(one(&pool, sql).await, expected, "{what}: {sql}");
    }
    // Whatever the older rules forbade is written now.
    for sql in [
        "insert into rating_sources (work_id, source_name, votes_count) select work_id, 'none', 0 from works",
        "insert into scheduled_ingestion_log (source, trigger_type) values ('mixed_daily', 'catch_up')",
        "insert into refresh_queue (work_id, status) select work_id, 'queued' from works where tmdb_id = '550'",
    ] {
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&pool)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e}"));
    }
    pool.close().await;
    postgres.stop().await.unwrap();
}

/// An open row of a movie that TMDB cannot know stops no sweep; and the first answer that lacks a
/// part leaves what the app had.
#[tokio::test(flavor = "multi_thread")]
async fn adopted_rows_stop_nobody_and_keep_what_they_had() {
    let sim = Sim::start(Options { credential: Some("sesame".to_owned()), ..Options::default() })
        .await
        .unwrap();
    let world = World::start_against("adopted", &sim, &[("TMDB_RATE", "0")]).await;
    world
        .execute(
            "insert into works (tmdb_id, title, ingestion_status, last_refreshed_at) values ('tt1', 'No number', 'complete', now()), ('603', 'The Matrix', 'complete', now())",
        )
        .await;
    world.execute("insert into works_meta (work_id, overview, cast_members) select work_id, 'as it was', '[{\"name\": \"Keanu\"}]' from works").await;
    world.execute("insert into refresh_queue (work_id, status, priority) select work_id, 'queued', 1000 from works").await;
    sim.control().edit(603, json!({"credits": null}));
    world.verb(&["jobs", "run", "refresh_worker", "--follow"]);
    world.until("select count(*) from refresh_queue where status = 'completed'", 1).await;
    assert_eq!(
        world.one("select count(*) from refresh_queue where status = 'failed' and last_error like '%not an id of TMDB%'").await,
        1
    );
    let kept = "select count(*) from works_meta where cast_members @> '[{\"name\": \"Keanu\"}]' and overview <> 'as it was'";
    assert_eq!(world.one(kept).await, 1);
    // Details that somebody took away come back, though TMDB has nothing new.
    world.execute("delete from works_meta").await;
    world.publish("movies.stale.now", br#"{"tmdb_id": 603}"#).await;
    world.until("select count(*) from works_meta where document is not null", 1).await;
}
