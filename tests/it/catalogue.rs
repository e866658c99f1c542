//! Freshness rules in the database.

use tests::World;

/// `is_stale` and `due_at` say the same of every movie, before and after an edit of the policy.
#[tokio::test]
async fn is_stale_and_due_at_agree() {
    let world = World::start("freshness").await;
    world.add_movies_of_all_ages().await;
    assert_eq!(world.movies_stale_or_due_but_not_both().await, 0);
    let before = world.movies().stale().await;
    assert!(before > 300, "{before}");
    world.let_everything_be_stale_after_a_day().await;
    world.edits_of_the_policy().becomes(0).await;
    assert_eq!(world.movies_stale_or_due_but_not_both().await, 0);
    assert!(world.movies().stale().await > before);
    assert_eq!(world.staleness_days_today().await, 1);
}

/// Never refreshed counts as stale; the longest due comes first; what is queued is not queued
/// twice.
#[tokio::test]
async fn scans_take_the_longest_due_once() {
    let world = World::start("scans").await;
    world.add_never_old_older_and_fresh().await;
    assert_eq!(world.stale_titles().await, "never,older,old");
    world.queue_title("older").await;
    assert_eq!(world.stale_titles().await, "never,old");
}
