//! A schedule that cannot be read: refused where SQL can tell, paused at once where it cannot.

use calendar::Calendar;
use tests::{Dice, World, http_get};

/// Schedules that can be read; SQL must take each.
const READABLE: [&str; 30] = [
    "0 3 * * *",
    "*/10 * * * *",
    "0 0 1,15 * MON-FRI",
    "0 0 L * *",
    "0 0 15W * *",
    "0 0 LW * *",
    "0 0 * * 5L",
    "0 0 * * FRI#2",
    "0 0 ? * SUN",
    "0 0 1 * +MON",
    "0 0 * * 7",
    "0 0 * jan-mar,dec *",
    "15 10-14/2 * * *",
    "30 */5 * * * *",
    "0 0 12 1 1 * 2030",
    "0 0 12 1 1 * 2030-2035/2",
    "  0   3 *  * * ",
    "0 3 * * * | 0 15 * * *",
    "@daily | every 10m",
    "@yearly",
    "@Hourly",
    "@midnight",
    "every 90s",
    "every 10m from 2026-01-01T00:05:00Z",
    "every  2h  from  2026-01-01T00:05:00+02:00",
    "every 1d",
    "at 2030-12-24T18:00:00Z",
    "at  2030-12-24t18:00:00.5+01:00",
    "0 0 * * fri-sun",
    "00 007 * * *",
];
/// Schedules that nobody can read; SQL must refuse each.
const UNREADABLE: [&str; 21] = [
    "",
    "banana",
    "* * * *",
    "* * * * * * * *",
    "61 * * * *",
    "0 24 * * *",
    "0 0 0 * *",
    "0 0 32 * *",
    "0 0 * 13 *",
    "0 0 * * 8",
    "0 0 * * MONTAG",
    "5-70 * * * *",
    "*/0 * * * *",
    "0 3 * * * | banana",
    "0 3 * * * |",
    "@sometimes",
    "every 10",
    "every ten minutes",
    "every 10m from tomorrow",
    "at noon",
    "at 2030-12-24",
];

fn reads(schedule: &str) -> bool {
    Calendar::parse(schedule, "UTC", calendar::DaylightSaving::default()).is_ok()
}

/// The calendar and SQL agree on what can be read; what only the calendar refuses pauses its job,
/// and every surface says so.
#[tokio::test]
async fn what_cannot_be_read_is_refused_or_paused_and_shown_everywhere() {
    let world = World::start("schedules").await;
    sql_and_the_calendar_agree(&world).await;
    sql_is_never_stricter(&world).await;
    what_sql_refuses_leaves_no_trace(&world).await;
    a_day_that_never_comes_pauses_its_job(&world).await;
    a_schedule_of_before_this_rule_stops_no_update(&world).await;
    what_somebody_paused_stays_paused(&world).await;
}

async fn sql_and_the_calendar_agree(world: &World) {
    for schedule in READABLE {
        assert!(reads(schedule), "the calendar refuses '{schedule}'");
        assert_eq!(world.schedule_problem(schedule).await, None, "SQL refuses '{schedule}'");
    }
    for schedule in UNREADABLE {
        assert!(!reads(schedule), "the calendar takes '{schedule}'");
        assert!(world.schedule_problem(schedule).await.is_some(), "SQL takes '{schedule}'");
    }
}

/// Whatever a hand may mistype: SQL is never stricter than the calendar.
async fn sql_is_never_stricter(world: &World) {
    let letters: Vec<char> = "0123456789*/,-#LW?+@ |SUNmonefrytha".chars().collect();
    let mut dice = Dice(7);
    for _ in 0..2_000 {
        let mut text: Vec<char> = dice.pick(&READABLE).chars().collect();
        let at = usize::try_from(dice.roll(text.len() as u64)).unwrap();
        text[at] = *dice.pick(&letters);
        let text: String = text.into_iter().collect();
        assert!(
            !reads(&text) || world.schedule_problem(&text).await.is_none(),
            "the calendar reads '{text}', SQL does not"
        );
    }
}

async fn what_sql_refuses_leaves_no_trace(world: &World) {
    const JOB: &str = "refresh_worker";
    let audit = world.audit().await;
    let text = world.try_schedule(JOB, "61 * * * *").await.unwrap_err();
    assert!(text.contains("61 * * * *") && text.contains("minute is 0 to 59"), "{text}");
    let text = world.try_edit_job(JOB, &[("timezone", "Middle/Earth")]).await.unwrap_err();
    assert!(text.contains("Middle/Earth"), "{text}");
    let text = world.try_edit_job(JOB, &[("exclusions", "never")]).await.unwrap_err();
    assert!(text.contains("exclusions"), "{text}");
    assert_eq!(world.audit().await, audit, "what is refused leaves no trace");
}

/// A day that never comes passes SQL: the scheduler pauses the job and says so on every surface.
async fn a_day_that_never_comes_pauses_its_job(world: &World) {
    const JOB: &str = "daily_refresh_enqueue";
    world.edit_job(JOB, &[("schedule", "0 0 31 2 *")]).await;
    world.jobs().paused_by_the_scheduler().unreadable().becomes(1).await;
    for surface in [
        world.verb(&["jobs", "list"]),
        world.verb_fails(&["status", "--check"]),
        world.verb(&["health"]),
    ] {
        assert!(surface.contains(JOB) && surface.contains("0 0 31 2 *"), "{surface}");
    }
    assert!(world.verb(&["health"]).starts_with("ready"), "the process does its work");
    let listen = world.endpoint("listen").parse().unwrap();
    let (_, metrics) = http_get(listen, "/metrics", "").await.unwrap();
    assert!(metrics.contains("mangoes_jobs_unreadable 1"), "{metrics}");
    // Let go on as it is, it is paused again; set right, it goes on.
    world.resume_by_sql(JOB).await;
    world.jobs().paused().unreadable().becomes(1).await;
    world.verb(&["jobs", "set", JOB, "--schedule", "30 11 * * *"]);
    world.job(JOB).enabled().readable().with_a_next_time().becomes(1).await;
}

/// One that was set aside before this rule, by a schedule that SQL refuses today, stops no update
/// of all jobs.
async fn a_schedule_of_before_this_rule_stops_no_update(world: &World) {
    const JOB: &str = "scheduled_ingest_weekly";
    world.force_schedule(JOB, "banana").await;
    world.jobs().unreadable_as("banana").paused().becomes(1).await;
    world.pause_by_sql(JOB, "mine as well").await;
    assert_eq!(world.jobs().with_note("mine as well").paused().await, 1, "a pause is no edit");
    world.touch_all_jobs().await;
    world.schedule_by_sql(JOB, "0 10 * * 0").await;
    world.resume_by_sql(JOB).await;
    world.job(JOB).readable().enabled().becomes(1).await;
}

/// What somebody paused for another reason stays paused.
async fn what_somebody_paused_stays_paused(world: &World) {
    const JOB: &str = "maintenance";
    world.pause_by_sql(JOB, "mine").await;
    world.edit_job(JOB, &[("schedule", "0 0 30 2 *")]).await;
    world.jobs().paused().unreadable().becomes(1).await;
    world.edit_job(JOB, &[("schedule", "0 4 * * *")]).await;
    world.job(JOB).paused().readable().becomes(1).await;
}
