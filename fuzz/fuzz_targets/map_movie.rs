//! Arbitrary bytes as TMDB's answer: the mapping never panics, and what it lets through can be
//! stored and read back. The bounded twin that runs with every test:
//! `crates/tmdb/tests/it/arbitrary.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use catalogue::Movie;
use proto::TmdbId;
use tmdb::{MapOptions, map};

fuzz_target!(|body: &[u8]| {
    let options = MapOptions {
        language: "en-US".to_owned(),
        region: "US".to_owned(),
        streaming_regions: vec!["US".to_owned()],
    };
    let Ok(asked) = TmdbId::try_from(603) else { return };
    let Ok(movie) = map(body, asked, &options) else { return };
    let text = serde_json::to_string(&movie).expect("a movie is JSON");
    assert!(!text.contains("\\u0000"), "Postgres cannot store U+0000");
    let back: Movie = serde_json::from_str(&text).expect("it is read back for the next comparison");
    assert_eq!(back.content_hash(), movie.content_hash());
});
