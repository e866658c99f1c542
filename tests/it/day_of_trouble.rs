//! A day of trouble: the four jobs at work while TMDB and Postgres fail in every way that others
//! met, one after the other in the order of a seed. No message pays for it, nothing counts as a
//! change that is none, and all is done two minutes after it ends.
//!
//! `MINUTES=10 SEED=7` runs it at full size, with 2,000 movies; in the suite it takes a minute.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{Database, Dice, Given, Proxy, Running, simulator};
use tmdb_sim::{Cached, Control, Faults, List};

/// The day at full size.
const MINUTES_IN_FULL: f64 = 10.0;
const MOVIES_IN_FULL: f64 = 2_000.0;
/// The day in the suite.
const MINUTES: f64 = 0.4;
/// Fewer are no load.
const MOVIES_MIN: i64 = 120;
/// So soon all is done when the trouble is over.
const DONE_WITHIN: Duration = Duration::from_secs(120);
/// Movies that a person edits at TMDB in each round.
const EDITED: usize = 7;

fn setting(name: &str, default: f64) -> f64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What goes wrong for a while.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    /// TMDB answers so.
    Upstream(Faults),
    /// A pooler refuses new connections with this code.
    NoNewConnection(&'static str),
    /// Another database server takes over. Once a day.
    Failover,
}

/// Every kind of trouble.
fn kinds() -> Vec<Trouble> {
    let none = Faults::default();
    let cached = [
        Cached::UnlabelledGzip,
        Cached::InvalidJson,
        Cached::Null,
        Cached::Html403,
        Cached::Text403,
        Cached::Html404,
        Cached::WrongId,
    ];
    let cached = cached.map(|cached| Faults { cached: Some(cached), ..none });
    let others = [
        Faults { html_403: 1.0, ..none },
        Faults { text_403: 1.0, ..none },
        Faults { html_404: 1.0, ..none },
        Faults { stray_400: 0.3, ..none },
        Faults { stray_401: 0.3, ..none },
        Faults { stray_404: 0.3, ..none },
        Faults { unlabelled_gzip: 0.5, null: 0.3, ..none },
        Faults { http_429: 0.3, http_500: 0.3, ..none },
        Faults { truncated: 0.2, invalid_json: 0.2, wrong_id: 0.2, ..none },
        Faults { unwell_list: Some(List::Popular), ..none },
        Faults { outage: true, ..none },
    ];
    let database = ["XX000", "28P01", "22023"].map(Trouble::NoNewConnection);
    let upstream = cached.into_iter().chain(others).map(Trouble::Upstream);
    upstream.chain(database).chain([Trouble::Failover]).collect()
}

/// What goes wrong, without the many things that do not.
fn words(trouble: Trouble) -> String {
    let Trouble::Upstream(faults) = trouble else { return format!("{trouble:?}") };
    let mut shown = serde_json::to_value(faults).unwrap();
    if let Some(fields) = shown.as_object_mut() {
        fields
            .retain(|_, value| *value != json!(0.0) && !value.is_null() && *value != json!(false));
    }
    shown.to_string()
}

/// The day: everything that is at work, and what it has to bring.
struct Day {
    given: Given,
    running: Running,
    sim: Control,
    database: Database,
    proxy: Proxy,
    movies: i64,
    /// Those that TMDB writes now in one notation, now in the other.
    in_notations: Vec<i64>,
    /// Real changes so far.
    changes: i64,
    rounds: u32,
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_pays_for_a_day_of_trouble() {
    let (minutes, seed) = (setting("MINUTES", MINUTES), setting("SEED", 7.0));
    let sim = simulator().await;
    let mut day = Day::begin(minutes, &sim).await;
    let mut dice = Dice(seed as u64);
    let span = Duration::from_secs_f64(minutes * 60.0);
    let each = span / u32::try_from(kinds().len()).unwrap();
    let (begun, mut bag, mut seen) = (Instant::now(), kinds(), Vec::new());
    while begun.elapsed() < span || seen.len() < kinds().len() {
        day.round_if_idle().await;
        let trouble = bag.swap_remove(usize::try_from(dice.roll(bag.len() as u64)).unwrap());
        println!("{:4} s {}", begun.elapsed().as_secs(), words(trouble));
        day.meets(trouble, each.min(Duration::from_secs(10))).await;
        seen.push(trouble);
        if bag.is_empty() {
            bag = kinds();
            bag.retain(|trouble| !matches!(trouble, Trouble::Failover));
        }
    }
    let over = Instant::now();
    day.is_done().await;
    println!(
        "seed {seed}: {} movies, {} rounds of the jobs, {} troubles, all done after {} s",
        day.movies,
        day.rounds,
        seen.len(),
        over.elapsed().as_secs()
    );
    day.brought_what_it_should().await;
}

impl Day {
    /// Half of the movies are there and refreshed, each in its first notation.
    async fn begin(minutes: f64, sim: &tmdb_sim::Sim) -> Self {
        let given = Given::start("day-of-trouble").await;
        let (proxy, through) = given.proxy().await;
        let running = given.up_against(sim, &[("DATABASE_URL", &through)]).await;
        let share = (minutes / MINUTES_IN_FULL).min(1.0);
        let movies = ((MOVIES_IN_FULL * share) as i64).max(MOVIES_MIN);
        let database = given.database().await;
        let mut day = Self {
            given,
            running,
            sim: sim.control(),
            database,
            proxy,
            movies,
            in_notations: Vec::new(),
            changes: 0,
            rounds: 0,
        };
        let half = (movies / 2).to_string();
        day.given.verb(&["ingest", "--list", "popular", "--max", &half, "--follow"]).await;
        let all = day.database.ids_of_movies().await;
        day.in_notations = all.into_iter().step_by(2).collect();
        day.write_in_notation(false);
        day.database.age_all(200).await;
        let scan = r#"{"limit": 1000000}"#;
        let job = ["jobs", "run", "daily_refresh_enqueue", "--payload", scan, "--follow"];
        day.given.verb(&job).await;
        day.database.work_left().becomes(0).await;
        day.changes = i64::try_from(day.in_notations.len()).unwrap();
        day
    }

    /// TMDB writes some movies in one notation or in the other: the same, for a person.
    fn write_in_notation(&self, is_second: bool) {
        for id in &self.in_notations {
            self.sim.edit(id.cast_unsigned(), notation(is_second));
        }
    }

    /// When all is done there is more to do: everything is due, some of it was edited, and the four
    /// jobs run.
    async fn round_if_idle(&mut self) {
        if self.database.work_left().await > 0 {
            return;
        }
        self.rounds += 1;
        self.database.age_all(200).await;
        self.write_in_notation(self.rounds % 2 == 1);
        let mut ids = self.database.ids_of_movies().await;
        ids.retain(|id| !self.in_notations.contains(id));
        for id in ids.iter().take(EDITED) {
            let title = format!("Edited in round {}", self.rounds);
            self.sim.edit(id.cast_unsigned(), json!({"title": title}));
            self.changes += 1;
        }
        let lists = json!({"source": "mixed_weekly", "max_movies": self.movies / 2});
        for (job, payload) in [
            ("scheduled_ingest_daily", json!({"source": "mixed_daily", "max_movies": 30})),
            ("scheduled_ingest_weekly", lists),
            ("daily_refresh_enqueue", json!({"limit": 1_000_000})),
            ("refresh_worker", json!({"max_items": 1_000})),
        ] {
            let payload = payload.to_string();
            self.given.verb(&["jobs", "run", job, "--payload", &payload]).await;
        }
    }

    async fn meets(&mut self, trouble: Trouble, span: Duration) {
        match trouble {
            Trouble::Upstream(faults) => self.sim.fail(faults),
            Trouble::NoNewConnection(code) => {
                self.proxy.refuse_new(Some(code));
                self.database.end_half_of_the_sessions().await;
            }
            Trouble::Failover => {
                self.given.fails_over().await;
                // The test's own sessions can only read as well.
                self.database = self.given.database().await;
            }
        }
        // The time is the fault.
        tokio::time::sleep(span).await;
        self.sim.fail(Faults::default());
        self.proxy.refuse_new(None);
    }

    async fn is_done(&mut self) {
        let patient = self.database.clone().patient_for(DONE_WITHIN);
        patient.work_left().becomes(0).await;
        self.running.until(200, "ready").await;
    }

    async fn brought_what_it_should(&self) {
        let database = &self.database;
        assert_eq!(database.errors_of_dead_letters().await, "none");
        let counted = database.calls_about_retried_movies().await;
        assert!(counted.is_empty(), "attempts were counted:\n{}", counted.join("\n"));
        assert_eq!(database.runs().gone_wrong().await, 0);
        assert_eq!(database.movies().missing_or_held().await, 0, "a stray 404 was believed");
        let movies = database.movies().await;
        assert!(movies > self.movies / 2, "only {movies} came in");
        assert_eq!(database.movies().complete().await, movies);
        assert_eq!(database.movies().stale().await, 0);
        let changed = database.events("movies.changed.*");
        assert_eq!(changed.clone().saying("change", "created").await, movies);
        assert_eq!(changed.clone().saying("change", "updated").await, self.changes);
        assert_eq!(changed.await, movies + self.changes, "nothing else changed");
    }
}

/// The parts of a movie that TMDB writes now in this way, now in that.
fn notation(is_second: bool) -> Value {
    let (at, rank) =
        if is_second { ("2024-07-05 19:01:08 UTC", 8) } else { ("2024-07-05T19:01:08.000Z", 7) };
    let softcore = if is_second { json!(false) } else { Value::Null };
    let video = json!({
        "iso_639_1": "en", "iso_3166_1": "US", "name": "Official Trailer", "key": "trailer",
        "site": "YouTube", "size": 1080, "type": "Trailer", "official": true, "published_at": at,
    });
    let provider = json!({
        "provider_id": 8, "provider_name": "Netflix", "display_priority": rank,
        "logo_path": format!("/{rank}.jpg"),
    });
    let us = json!({"link": "https://movies.example/us", "flatrate": [provider]});
    json!({
        "softcore": softcore,
        "videos": {"results": [video]},
        "watch/providers": {"results": {"US": us}},
    })
}
