//! Old rows go by the job `maintenance`, and nothing else does.

use crate::world::World;

#[tokio::test]
async fn old_rows_go_and_young_ones_stay() {
    let world = World::start("maintenance").await;
    world
        .execute(
            "do $$ begin
                perform ensure_tmdb_api_logs_partition(current_date - 40);
                perform ensure_tmdb_api_logs_partition(current_date - 2);
                insert into tmdb_api_logs (endpoint, method, created_at) select '/old', 'GET', now() - make_interval(days => d) from unnest(array[40, 50, 2]) d;
                insert into job_run (run_id, job, action, scheduled_for, trigger_type, status, ended_at) values
                    ('old', 'x', 'scan', now() - interval '100 days', 'scheduled', 'succeeded', now() - interval '100 days'),
                    ('old-failed', 'x', 'scan', now() - interval '101 days', 'scheduled', 'failed', now() - interval '101 days'),
                    ('open', 'x', 'scan', now() - interval '102 days', 'scheduled', 'running', null);
                insert into refresh_queue (work_id, status, processed_at) values (1, 'completed', now() - interval '31 days'), (1, 'completed', now());
                insert into refresh_queue (work_id, status, queued_at) values (1, 'queued', now() - interval '31 days');
            end $$",
        )
        .await;
    let told = world.verb(&["jobs", "run", "maintenance", "--follow"]);
    assert!(told.contains("succeeded"), "{told}");
    for (sql, expected) in [
        ("select count(*) from tmdb_api_logs where endpoint = '/old'", 1),
        ("select count(*) from job_run where run_id = 'old'", 0),
        ("select count(*) from job_run where run_id in ('old-failed', 'open')", 2),
        ("select count(*) from refresh_queue where status = 'completed'", 1),
        ("select count(*) from refresh_queue where status = 'queued'", 1),
    ] {
        assert_eq!(world.one(sql).await, expected, "{sql}");
    }
    let wrong = world.verb_fails(&[
        "jobs",
        "run",
        "maintenance",
        "--payload",
        r#"{"run_days": 0}"#,
        "--follow",
    ]);
    assert!(wrong.contains("run_days must be"), "{wrong}");
}
