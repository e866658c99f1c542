//! Job control: from SQL and the command line, with a row for every nominal time.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::{Rows, Runs, World};

/// Runs of the job that its schedule asked for.
fn scheduled<'a>(world: &'a World, job: &str) -> Rows<'a, Runs> {
    world.run(job).not_by_hand()
}

/// Nominal times that passed while nobody looked, or while the job was paused or held, leave rows;
/// nothing fires twice, nothing floods.
#[tokio::test]
async fn every_nominal_time_leaves_a_row() {
    let world = World::start("rows").await;
    missed_times_leave_rows(&world).await;
    times_of_a_paused_job_leave_rows(&world).await;
    times_of_held_jobs_leave_rows(&world).await;
}

async fn missed_times_leave_rows(world: &World) {
    const JOB: &str = "daily_refresh_enqueue";
    world.edit_job(JOB, &[("schedule", "* * * * *"), ("catch_up_secs", "300")]).await;
    world.job(JOB).next_in_the_future().becomes(1).await;
    world.set_back(JOB, 20, 1).await;
    let fired = world.run(JOB).fired();
    fired.clone().reaches(1).await;
    // A minute may turn meanwhile: what counts is what lies before the first that fired.
    let skipped =
        |reason: &str| scheduled(world, JOB).because_like(reason).before_the_first_of(&fired);
    let outside = skipped("outside the catch-up window").await;
    let coalesced = skipped("coalesced into").await;
    assert!(
        (15..=17).contains(&outside)
            && (4..=5).contains(&coalesced)
            && (20..=21).contains(&(outside + coalesced)),
        "{outside} outside, {coalesced} coalesced"
    );
}

async fn times_of_a_paused_job_leave_rows(world: &World) {
    const JOB: &str = "refresh_worker";
    let told = world.verb(&["jobs", "pause", JOB, "--note", "disk swap", "--until", "2h"]);
    assert!(told.contains("paused"), "{told}");
    // Every ten minutes: of the last half hour four, or five when the next one comes meanwhile.
    world.set_back(JOB, 30, 10).await;
    scheduled(world, JOB).skipped().because("paused: disk swap").reaches(4).await;
    let listed = world.verb(&["jobs", "list"]);
    assert!(listed.contains("disk swap") && listed.contains("goes on in"), "{listed}");
    let begun = Instant::now();
    world.resume_by_sql(JOB).await;
    let shown = world.verb(&["jobs", "show", JOB]);
    assert!(!shown.contains("disk swap"), "seen after {:?}", begun.elapsed());
    assert_eq!(scheduled(world, JOB).not_skipped().await, 0, "a resume floods nothing");
}

async fn times_of_held_jobs_leave_rows(world: &World) {
    world.verb(&["jobs", "hold", "--note", "migration"]);
    world.set_back("maintenance", 1, 1).await;
    let held = scheduled(world, "maintenance").because_like("all jobs are held: migration");
    held.becomes(1).await;
    world.verb(&["jobs", "hold", "--off"]);
    assert_eq!(world.holds().await, 0);
}

/// An edit by SQL or by the command line takes effect within a second, fires nothing, and old
/// nominal times say why they did not run.
#[tokio::test]
async fn an_edit_takes_effect_at_once_and_fires_nothing() {
    let world = World::start("edit").await;
    world.schedule_by_sql("refresh_worker", "30 5 * * *").await;
    let begun = Instant::now();
    world.job("refresh_worker").next_at("05:30").becomes(1).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let told = world.verb(&[
        "jobs",
        "set",
        "scheduled_ingest_daily",
        "--schedule",
        "0 3 * * *",
        "--timezone",
        "America/Los_Angeles",
    ]);
    assert!(told.contains("03:00:00 P") && told.contains("America/Los_Angeles"), "{told}");
    assert_eq!(world.revision_of("scheduled_ingest_daily").await, 2);
    assert_eq!(world.runs().await, 0, "an edit fires nothing");
    let audit = world.audit().about("scheduled_ingest_daily").scheduled_before_as("0 11 * * *");
    assert!(audit.await >= 1);
}

/// Jobs are made, previewed, checked and removed; what cannot be is refused with the reason.
#[tokio::test]
async fn jobs_are_made_and_nonsense_is_refused() {
    let world = World::start("made").await;
    let create = [
        "jobs",
        "create",
        "friday",
        "--action",
        "scan",
        "--schedule",
        "0 9 * * 5",
        "--payload",
        r#"{"limit": 5}"#,
    ];
    assert!(world.verb(&create).contains("Fri "));
    assert!(world.verb_fails(&create).contains("already"));
    for (args, why) in [
        (&["jobs", "set", "friday", "--schedule", "0 0 31 2 *"][..], "'0 0 31 2 *'"),
        (&["jobs", "set", "friday", "--schedule", "at 2020-01-01T00:00:00Z"], "never fires"),
        (&["jobs", "set", "friday", "--timezone", "Mars/Base"], "IANA"),
        (&["jobs", "set", "friday", "--payload", r#"{"limit": 0}"#], "limit must be"),
        (&["jobs", "set", "friday", "--gap", "jump"], "run_after"),
        (&["jobs", "create", "Fri day", "--action", "scan", "--schedule", "@daily"], "a-z"),
        (&["jobs", "pause", "nobody"], "no job nobody"),
        (&["jobs", "run", "friday", "--payload", "[1]"], "not a JSON object"),
    ] {
        let told = world.verb_fails(args);
        assert!(told.contains(why), "{args:?}: {told}");
    }
    assert!(world.verb(&["jobs", "lint"]).contains("nothing is wrong"));
    world.edit_job("friday", &[("payload", "{}")]).await;
    assert!(world.verb_fails(&["jobs", "lint"]).contains("limit must be"));
    world.verb(&["jobs", "delete", "friday"]);
    assert_eq!(world.job_status("friday").await, 0);
    let by_sql = world.run_by_sql("daily_refresh_enqueue", &json!({"limit": 3})).await;
    world.succeeded_runs_for_the_app(&by_sql).becomes(1).await;
}

/// A job that fails so often as it says pauses itself, with a note.
#[tokio::test]
async fn a_failing_job_pauses_itself() {
    const JOB: &str = "daily_refresh_enqueue";
    let world = World::start("self-pause").await;
    world.edit_job(JOB, &[("payload", r#"{"limit": 0}"#), ("pause_after_failures", "2")]).await;
    for _ in 0..2 {
        world.verb_fails(&["jobs", "run", JOB, "--follow"]);
    }
    world.job(JOB).paused().with_note_like("paused itself after 2 failed runs").becomes(1).await;
}

/// `status --check` says by its exit code whether the freshness promise is kept.
#[tokio::test]
async fn status_check_is_three_when_a_title_is_late() {
    let world = World::start("check").await;
    let code = async || {
        world.titles_are_counted().await;
        world.try_verb(&["status", "--check"]).code
    };
    assert_eq!(code().await, Some(0));
    world.add_movie_of(603, "The Matrix", "1999-03-30").await;
    assert_eq!(code().await, Some(3));
    world.verb(&["jobs", "run", "daily_refresh_enqueue", "--follow"]);
    assert_eq!(code().await, Some(0));
}
