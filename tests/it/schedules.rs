//! A schedule that cannot be read: refused where SQL can tell, paused at once where it cannot.

use calendar::Calendar;

use crate::world::World;

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

#[tokio::test]
async fn what_cannot_be_read_is_refused_or_paused_and_shown_everywhere() {
    let world = World::start("schedules").await;
    let problem = async |schedule: &str| -> Option<String> {
        sqlx::query_scalar("select schedule_problem($1)")
            .bind(schedule)
            .fetch_one(&world.pool)
            .await
            .unwrap()
    };
    for schedule in READABLE {
        assert!(reads(schedule), "the calendar refuses '{schedule}'");
        assert_eq!(problem(schedule).await, None, "SQL refuses '{schedule}'");
    }
    for schedule in UNREADABLE {
        assert!(!reads(schedule), "the calendar takes '{schedule}'");
        assert!(problem(schedule).await.is_some(), "SQL takes '{schedule}'");
    }
    // Whatever a hand may mistype: SQL is never stricter than the calendar.
    let mut dice = tests::Dice(7);
    for _ in 0..2_000 {
        let mut text: Vec<char> =
            READABLE[usize::try_from(dice.roll(READABLE.len() as u64)).unwrap()].chars().collect();
        let letters: Vec<char> = "0123456789*/,-#LW?+@ |SUNmonefrytha".chars().collect();
        let at = usize::try_from(dice.roll(text.len() as u64)).unwrap();
        text[at] = letters[usize::try_from(dice.roll(letters.len() as u64)).unwrap()];
        let text: String = text.into_iter().collect();
        assert!(
            !reads(&text) || problem(&text).await.is_none(),
            "the calendar reads '{text}', SQL does not"
        );
    }
    let refused = async |sql: &str| {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&world.pool).await.unwrap_err().to_string()
    };
    let audit = world.one("select count(*) from job_audit").await;
    let text = refused("select mangoes_job_schedule('refresh_worker', '61 * * * *')").await;
    assert!(text.contains("61 * * * *") && text.contains("minute is 0 to 59"), "{text}");
    let text =
        refused("update job set timezone = 'Middle/Earth' where name = 'refresh_worker'").await;
    assert!(text.contains("Middle/Earth"), "{text}");
    let text = refused("update job set exclusions = 'never' where name = 'refresh_worker'").await;
    assert!(text.contains("exclusions"), "{text}");
    assert_eq!(
        world.one("select count(*) from job_audit").await,
        audit,
        "what is refused leaves no trace"
    );

    // A day that never comes passes SQL: the scheduler pauses the job and says so on every surface.
    world
        .execute("update job set schedule = '0 0 31 2 *' where name = 'daily_refresh_enqueue'")
        .await;
    world.until("select count(*) from job where not enabled and paused_by = 'mangoes' and schedule_error is not null", 1).await;
    for surface in [
        world.verb(&["jobs", "list"]),
        world.verb_fails(&["status", "--check"]),
        world.verb(&["health"]),
    ] {
        assert!(
            surface.contains("daily_refresh_enqueue") && surface.contains("0 0 31 2 *"),
            "{surface}"
        );
    }
    assert!(world.verb(&["health"]).starts_with("ready"), "the process does its work");
    let listen = serde_json::from_str::<serde_json::Value>(
        &std::fs::read_to_string(world.folder.0.join("endpoints.json")).unwrap(),
    );
    let listen = listen.unwrap()["listen"].as_str().unwrap().parse().unwrap();
    let metrics = tests::http_get(listen, "/metrics", "").await.unwrap().1;
    assert!(metrics.contains("mangoes_jobs_unreadable 1"), "{metrics}");
    // Let go on as it is, it is paused again; set right, it goes on.
    world.execute("select mangoes_job_resume('daily_refresh_enqueue')").await;
    let paused = "select count(*) from job where not enabled and schedule_error is not null";
    world.until(paused, 1).await;
    world.verb(&["jobs", "set", "daily_refresh_enqueue", "--schedule", "30 11 * * *"]);
    world.until("select count(*) from job where enabled and schedule_error is null and next_at < 'infinity' and name = 'daily_refresh_enqueue'", 1).await;
    // One that was set aside before this rule, by a schedule that SQL refuses today, stops no
    // update of all jobs.
    let old = "alter table job disable trigger check_job_schedule; update job set schedule = 'banana' where name = 'scheduled_ingest_weekly';
        alter table job enable trigger check_job_schedule";
    sqlx::raw_sql(old).execute(&world.pool).await.unwrap();
    world
        .until("select count(*) from job where schedule_error like '%banana%' and not enabled", 1)
        .await;
    world.execute("select mangoes_job_pause('scheduled_ingest_weekly', 'mine as well')").await;
    assert_eq!(
        world.one("select count(*) from job where note = 'mine as well' and not enabled").await,
        1,
        "a pause is no edit"
    );
    world.execute("update job set catch_up_secs = catch_up_secs").await;
    world.execute("select mangoes_job_schedule('scheduled_ingest_weekly', '0 10 * * 0')").await;
    world.execute("select mangoes_job_resume('scheduled_ingest_weekly')").await;
    world
        .until("select count(*) from job where schedule_error is null and enabled and name = 'scheduled_ingest_weekly'", 1)
        .await;
    // What somebody paused for another reason stays paused.
    world.execute("select mangoes_job_pause('maintenance', 'mine')").await;
    world.execute("update job set schedule = '0 0 30 2 *' where name = 'maintenance'").await;
    world.until(paused, 1).await;
    world.execute("update job set schedule = '0 4 * * *' where name = 'maintenance'").await;
    world.until("select count(*) from job where not enabled and schedule_error is null and name = 'maintenance'", 1).await;
}
