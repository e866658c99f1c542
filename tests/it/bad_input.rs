//! Bad messages end as dead letters that a stranger understands; the next good one is worked off.

use tests::World;

/// A message that cannot be worked off, and what its dead letter has to say.
struct Bad {
    subject: &'static str,
    payload: &'static [u8],
    reason: &'static str,
    words: &'static str,
}

const fn movie(payload: &'static [u8], reason: &'static str, words: &'static str) -> Bad {
    Bad { subject: "movies.ingest.movie", payload, reason, words }
}

const fn list(payload: &'static [u8], words: &'static str) -> Bad {
    Bad { subject: "movies.ingest.list", payload, reason: INVALID, words }
}

const fn stale(payload: &'static [u8], reason: &'static str, words: &'static str) -> Bad {
    Bad { subject: "movies.stale.now", payload, reason, words }
}

const INVALID: &str = "invalid-payload";
static LONG: [u8; 1 << 20] = [b'x'; 1 << 20];
static CASES: [Bad; 20] = [
    movie(b"hello", INVALID, "JSON object"),
    movie(b"[603]", INVALID, "an array"),
    movie(br#"{"tmdb_id": "tt603"}"#, INVALID, "tmdb_id"),
    movie(br#"{"tmdb_id": -1}"#, INVALID, "tmdb_id"),
    movie(br#"{}"#, INVALID, "tmdb_id"),
    movie(&[0xff, 0x00], INVALID, "UTF-8"),
    movie(&LONG, INVALID, "JSON object"),
    movie(br#"{"tmdb_id": 999999999}"#, "not-found", "999999999"),
    list(br#"{"source": "best", "max_movies": 1}"#, "mixed_daily"),
    list(br#"{"source": "popular", "max_movies": 0}"#, "max_movies"),
    list(br#"{"source": "popular", "max_movies": -1}"#, "max_movies"),
    list(br#"{"source": "popular", "max_movies": 1000000000}"#, "max_movies"),
    list(b"", "empty"),
    stale(b"{", INVALID, "does not fit"),
    stale(br#"{"tmdb_id": "x"}"#, INVALID, "tmdb_id"),
    stale(br#"{"tmdb_id": 999999999}"#, "not-in-catalogue", "999999999"),
    stale(br#"{"tmdb_id": 1.5}"#, INVALID, "tmdb_id"),
    // What would become a header or a subject, or take the id of a run that is to come.
    list(br#"{"source": "popular", "max_movies": 1, "run_id": "a\nb"}"#, "control character"),
    list(
        br#"{"source": "popular", "max_movies": 1,
            "run_id": "refresh_worker@2030-01-01T00:00:00Z"}"#,
        "kept for a run of a job",
    ),
    Bad {
        subject: "movies.tick.scan.nightly",
        payload: br#"{"job": "a.b", "action": "scan"}"#,
        reason: INVALID,
        words: "not a name for a job",
    },
];

/// Each is one dead letter at its first attempt, and the movie behind them all is stored.
#[tokio::test]
async fn each_bad_message_is_one_dead_letter() {
    let world = World::start("bad-input").await;
    for bad in &CASES {
        world.publish(bad.subject, bad.payload).await;
    }
    world.dead_letters().becomes(20).await;
    for Bad { subject, payload, reason, words } in &CASES {
        let errors = world.errors_of(subject, payload, reason).await;
        let text = String::from_utf8_lossy(&payload[..payload.len().min(60)]);
        assert_eq!(errors.len(), 1, "{subject} {text}");
        assert!(errors[0].contains(words), "{subject} {text}: {}", errors[0]);
    }
    world.ingest(603).await;
    world.complete(603).await;
    world.events("movies.dead.*").published().becomes(20).await;
    assert_eq!(world.dead_letters().await, 20);
}
