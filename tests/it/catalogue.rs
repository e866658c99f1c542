//! Freshness rules in the database.

use crate::world::World;

/// `is_stale` and `due_at` say the same of every movie, before and after an edit of the policy.
#[tokio::test]
async fn is_stale_and_due_at_agree() {
    let world = World::start("freshness").await;
    world
        .execute(
            "insert into works (tmdb_id, title, release_date, last_refreshed_at)
             select (1000000 + n)::text, 'T', case when n % 7 = 0 then null else current_date + (n * 37 % 900 - 700) end,
                case when n % 11 = 0 then null else now() - make_interval(hours => n * 13 % 900) end
             from generate_series(1, 3000) as n",
        )
        .await;
    let disagree = "select count(*) from works where is_stale(work_id) <> (due_at <= now())";
    let stale = "select count(*) from works where is_stale(work_id)";
    assert_eq!(world.one(disagree).await, 0);
    let before = world.one(stale).await;
    assert!(before > 300, "{before}");
    world.execute("update staleness_policy set interval_days = 1").await;
    assert_eq!(world.one(disagree).await, 0);
    assert!(world.one(stale).await > before);
    assert_eq!(world.one("select calculate_staleness_days(current_date)::bigint").await, 1);
}

/// Never refreshed counts as stale; the longest due comes first; what is queued is not queued
/// twice.
#[tokio::test]
async fn scans_take_the_longest_due_once() {
    let world = World::start("scans").await;
    world
        .execute(
            "insert into works (tmdb_id, title, release_date, last_refreshed_at) values
             ('1', 'never', '2000-01-01', null), ('2', 'old', '2000-01-01', now() - interval '90 days'),
             ('3', 'older', '2000-01-01', now() - interval '95 days'), ('4', 'fresh', '2000-01-01', now())",
        )
        .await;
    let order = "select string_agg(title, ',') from get_stale_movies(10)";
    assert_eq!(world.text(order).await, "never,older,old");
    world
        .execute(
            "insert into refresh_queue (work_id) select work_id from works where title = 'older'",
        )
        .await;
    assert_eq!(world.text(order).await, "never,old");
}
