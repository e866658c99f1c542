//! Bad configuration: one sentence with the remedy, exit code 1 or 2, within 10 s, no backtrace.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use crate::world::{Folder, mangoes};

/// Environment, arguments, and a word that the sentence must have.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], &'a str);

#[test]
fn each_mistake_gets_a_sentence() {
    let folder = Folder::new("configuration");
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = busy.local_addr().unwrap().to_string();
    let cases: [Case<'_>; 9] = [
        (&[], &["up"], "TMDB_TOKEN"),
        (&[("NATS_URL", "nats://127.0.0.1:1")], &["up", "--demo"], "NATS_URL"),
        (&[("DATABASE_URL", "postgres://u:sesame@127.0.0.1:1/d")], &["up", "--demo"], "DATABASE_URL"),
        (&[("DATABASE_URL", "mysql://u:sesame@h/d")], &["up", "--demo"], "DATABASE_URL"),
        (&[("NATS_URL", "127.0.0.1")], &["up", "--demo"], "NATS_URL"),
        (&[("MANGOES_LISTEN", &busy)], &["up", "--demo"], "MANGOES_LISTEN"),
        (&[("TMDB_RATE", "fast")], &["up", "--demo"], "TMDB_RATE"),
        (&[("TMDB_TOKEN", "sesame")], &["up"], "TMDB"),
        (&[], &["jobs", "list"], "DATABASE_URL"),
    ];
    for (env, args, words) in cases {
        let begun = Instant::now();
        let done = mangoes(&folder.0).envs(env.iter().copied()).args(args).output().unwrap();
        let text = String::from_utf8_lossy(&done.stderr);
        assert!(begun.elapsed() < Duration::from_secs(10), "{env:?} took {:?}", begun.elapsed());
        assert!(matches!(done.status.code(), Some(1 | 2)), "{env:?}: {:?} {text}", done.status);
        let sentence = text.lines().find(|l| l.starts_with("mangoes: ")).unwrap_or_else(|| panic!("{env:?}: {text}"));
        assert!(sentence.contains(words), "{env:?}: {sentence}");
        assert!(!text.contains("sesame") && !text.contains("backtrace") && !text.contains("panicked"), "{env:?}: {text}");
    }
}
