//! Job control: from SQL and the command line, with a row for every nominal time.

use std::time::{Duration, Instant};

use crate::world::World;

/// Nominal times that passed while nobody looked, or while the job was paused or held, leave rows;
/// nothing fires twice, nothing floods.
#[tokio::test]
async fn every_nominal_time_leaves_a_row() {
    let world = World::start("rows").await;
    let past = |job: &str, at: &str| format!("update job set next_at = {at} where name = '{job}'");
    let rows = |job: &str, what: &str| {
        format!("from job_run where job = '{job}' and trigger_type <> 'manual' and {what}")
    };
    let fired = rows(
        "daily_refresh_enqueue",
        "trigger_type in ('scheduled', 'catch_up') and status <> 'skipped'",
    );
    world.execute("update job set schedule = '* * * * *', catch_up_secs = 300 where name = 'daily_refresh_enqueue'").await;
    world
        .until(
            "select count(*) from job where name = 'daily_refresh_enqueue' and next_at > now()",
            1,
        )
        .await;
    world
        .execute(&past(
            "daily_refresh_enqueue",
            "date_trunc('minute', now()) - interval '20 minutes'",
        ))
        .await;
    world.until(&format!("select least(count(*), 1) {fired}"), 1).await;
    // A minute may turn meanwhile: what counts is what lies before the first that fired.
    let skipped = |reason: &str| {
        let before = format!(
            "reason like '{reason}%' and scheduled_for < (select min(scheduled_for) {fired})"
        );
        format!("select count(*) {}", rows("daily_refresh_enqueue", &before))
    };
    let outside = world.one(&skipped("outside the catch-up window")).await;
    let coalesced = world.one(&skipped("coalesced into")).await;
    assert!(
        (15..=17).contains(&outside)
            && (4..=5).contains(&coalesced)
            && (20..=21).contains(&(outside + coalesced)),
        "{outside} outside, {coalesced} coalesced"
    );

    let told =
        world.verb(&["jobs", "pause", "refresh_worker", "--note", "disk swap", "--until", "2h"]);
    assert!(told.contains("paused"), "{told}");
    // Every ten minutes: of the last half hour four, or five when the next one comes meanwhile.
    world
        .execute(&past(
            "refresh_worker",
            "date_bin('10 minutes', now(), 'epoch') - interval '30 minutes'",
        ))
        .await;
    let paused = rows("refresh_worker", "status = 'skipped' and reason = 'paused: disk swap'");
    world.until(&format!("select least(count(*), 4) {paused}"), 4).await;
    let listed = world.verb(&["jobs", "list"]);
    assert!(listed.contains("disk swap") && listed.contains("goes on in"), "{listed}");
    let begun = Instant::now();
    world.execute("select mangoes_job_resume('refresh_worker')").await;
    assert!(
        !world.verb(&["jobs", "show", "refresh_worker"]).contains("disk swap"),
        "seen after {:?}",
        begun.elapsed()
    );
    assert_eq!(
        world
            .one(&format!("select count(*) {}", rows("refresh_worker", "status <> 'skipped'")))
            .await,
        0,
        "a resume floods nothing"
    );

    world.verb(&["jobs", "hold", "--note", "migration"]);
    world.execute(&past("maintenance", "date_trunc('minute', now()) - interval '1 minute'")).await;
    world
        .until(
            &format!(
                "select count(*) {}",
                rows("maintenance", "reason like 'all jobs are held: migration%'")
            ),
            1,
        )
        .await;
    world.verb(&["jobs", "hold", "--off"]);
    assert_eq!(world.one("select count(*) from job_hold where held").await, 0);
}

/// An edit by SQL or by the command line takes effect within a second, fires nothing, and old
/// nominal times say why they did not run.
#[tokio::test]
async fn an_edit_takes_effect_at_once_and_fires_nothing() {
    let world = World::start("edit").await;
    world.execute("select mangoes_job_schedule('refresh_worker', '30 5 * * *')").await;
    let begun = Instant::now();
    world.until("select count(*) from job where name = 'refresh_worker' and next_at at time zone 'UTC' = (now() at time zone 'UTC')::date + time '05:30' + case when (now() at time zone 'UTC')::time >= '05:30' then interval '1 day' else interval '0' end", 1).await;
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
    assert_eq!(
        world.one("select revision from job where name = 'scheduled_ingest_daily'").await,
        2
    );
    assert_eq!(world.one("select count(*) from job_run").await, 0, "an edit fires nothing");
    assert!(
        world
            .one("select count(*) from job_audit where job = 'scheduled_ingest_daily' and before ->> 'schedule' = '0 11 * * *'")
            .await
            >= 1
    );
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
    world.execute("update job set payload = '{}' where name = 'friday'").await;
    assert!(world.verb_fails(&["jobs", "lint"]).contains("limit must be"));
    world.verb(&["jobs", "delete", "friday"]);
    assert_eq!(world.one("select count(*) from job_status where jobname = 'friday'").await, 0);
    let by_sql =
        world.text("select mangoes_job_run('daily_refresh_enqueue', '{\"limit\": 3}')").await;
    world.until(&format!("select count(*) from job_run_details where runid = '{by_sql}' and status = 'succeeded'"), 1).await;
}

/// A job that fails so often as it says pauses itself, with a note.
#[tokio::test]
async fn a_failing_job_pauses_itself() {
    let world = World::start("self-pause").await;
    world
        .execute("update job set payload = '{\"limit\": 0}', pause_after_failures = 2 where name = 'daily_refresh_enqueue'")
        .await;
    for _ in 0..2 {
        world.verb_fails(&["jobs", "run", "daily_refresh_enqueue", "--follow"]);
    }
    world.until("select count(*) from job where name = 'daily_refresh_enqueue' and not enabled and note like 'paused itself after 2 failed runs%'", 1).await;
}

/// `status --check` says by its exit code whether the freshness promise is kept.
#[tokio::test]
async fn status_check_is_three_when_a_title_is_late() {
    let world = World::start("check").await;
    let code = || {
        crate::world::mangoes(&world.folder.0)
            .args(["status", "--check"])
            .output()
            .unwrap()
            .status
            .code()
    };
    assert_eq!(code(), Some(0));
    world.execute("insert into works (tmdb_id, title, release_date) values ('603', 'The Matrix', '1999-03-30')").await;
    assert_eq!(code(), Some(3));
    world.verb(&["jobs", "run", "daily_refresh_enqueue", "--follow"]);
    assert_eq!(code(), Some(0));
}
