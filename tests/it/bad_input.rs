//! Bad messages end as dead letters that a stranger understands; the next good one is worked off.

use crate::world::World;

#[tokio::test]
async fn each_bad_message_is_one_dead_letter() {
    let world = World::start("bad-input").await;
    let long = vec![b'x'; 1 << 20];
    let cases: [(&str, &[u8], &str, &str); 20] = [
        ("movies.ingest.movie", b"hello", "invalid-payload", "JSON object"),
        ("movies.ingest.movie", b"[603]", "invalid-payload", "an array"),
        ("movies.ingest.movie", br#"{"tmdb_id": "603"}"#, "invalid-payload", "tmdb_id"),
        ("movies.ingest.movie", br#"{"tmdb_id": -1}"#, "invalid-payload", "tmdb_id"),
        ("movies.ingest.movie", br#"{}"#, "invalid-payload", "tmdb_id"),
        ("movies.ingest.movie", &[0xff, 0x00], "invalid-payload", "UTF-8"),
        ("movies.ingest.movie", &long, "invalid-payload", "JSON object"),
        ("movies.ingest.movie", br#"{"tmdb_id": 999999999}"#, "not-found", "999999999"),
        ("movies.ingest.list", br#"{"source": "best", "max_movies": 1}"#, "invalid-payload", "mixed_daily"),
        ("movies.ingest.list", br#"{"source": "popular", "max_movies": 0}"#, "invalid-payload", "max_movies"),
        ("movies.ingest.list", br#"{"source": "popular", "max_movies": -1}"#, "invalid-payload", "max_movies"),
        ("movies.ingest.list", br#"{"source": "popular", "max_movies": 1000000000}"#, "invalid-payload", "max_movies"),
        ("movies.ingest.list", b"", "invalid-payload", "empty"),
        ("movies.stale.now", b"{", "invalid-payload", "does not fit"),
        ("movies.stale.now", br#"{"tmdb_id": "x"}"#, "invalid-payload", "tmdb_id"),
        ("movies.stale.now", br#"{"tmdb_id": 999999999}"#, "not-in-catalogue", "999999999"),
        ("movies.stale.now", br#"{"tmdb_id": 1.5}"#, "invalid-payload", "tmdb_id"),
        // What would become a header or a subject, or take the id of a run that is to come.
        (
            "movies.ingest.list",
            br#"{"source": "popular", "max_movies": 1, "run_id": "a\nb"}"#,
            "invalid-payload",
            "control character",
        ),
        (
            "movies.ingest.list",
            br#"{"source": "popular", "max_movies": 1, "run_id": "refresh_worker@2030-01-01T00:00:00Z"}"#,
            "invalid-payload",
            "kept for a run of a job",
        ),
        ("movies.tick.scan.nightly", br#"{"job": "a.b", "action": "scan"}"#, "invalid-payload", "not a name for a job"),
    ];
    for (subject, payload, ..) in &cases {
        world.publish(subject, payload).await;
    }
    world.until("select count(*) from dead_letter", 20).await;
    for (subject, payload, reason, words) in &cases {
        let sql = "select error from dead_letter where subject = $1 and payload = $2 and reason = $3 and tries = 1";
        let rows: Vec<String> = sqlx::query_scalar(sql)
            .bind(subject)
            .bind(payload)
            .bind(reason)
            .fetch_all(&world.pool)
            .await
            .unwrap();
        let text = String::from_utf8_lossy(&payload[..payload.len().min(60)]);
        assert_eq!(rows.len(), 1, "{subject} {text}");
        assert!(rows[0].contains(words), "{subject} {text}: {}", rows[0]);
    }
    world.publish("movies.ingest.movie", br#"{"tmdb_id": 603}"#).await;
    world
        .until(
            "select count(*) from works where tmdb_id = '603' and ingestion_status = 'complete'",
            1,
        )
        .await;
    world.until("select count(*) from outbox where subject like 'movies.dead.%' and published_at is not null", 20).await;
    assert_eq!(world.one("select count(*) from dead_letter").await, 20);
}
