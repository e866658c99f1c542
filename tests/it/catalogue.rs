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

/// What comes in past the triggers is found: a work that was emptied away and comes again is a new
/// one, and a work that nobody told us of gets its row with the night's maintenance.
#[tokio::test]
async fn works_that_come_past_the_triggers_are_found() {
    let world = World::start("past").await;
    world.ingest(603).await;
    world.complete(603).await;
    world.truncate_movies().await;
    assert_eq!(world.titles().await, 0, "what was known of the movies went with them");
    world.ingest(603).await;
    world.complete(603).await;
    world.movie(603).written_once().becomes(1).await;
    world.add_movie_past_the_triggers(604).await;
    assert_eq!(world.movie(604).due().await, 0, "nobody told us");
    world.verb(&["jobs", "run", "maintenance", "--follow"]);
    assert_eq!(world.movie(604).due().await, 1);
}

/// The number of a movie is the app's to change: two works that trade theirs, and a work that gets
/// the number of a deleted double, are found under it and are due.
#[tokio::test]
async fn numbers_follow_the_works() {
    let world = World::start("numbers").await;
    world.add_fresh_movies(601..=602).await;
    world.trade_numbers(601, 602).await;
    assert_eq!(world.titles_with_another_number().await, 0);
    world.allow_doubles().await;
    world.add_movie(601, "the double").await;
    assert_eq!(world.titles_without_a_number().await, 1, "the first work has it");
    world.delete_first_of(601).await;
    assert_eq!(world.titles_without_a_number().await, 0);
    assert_eq!(world.titles_with_another_number().await, 0);
    assert_eq!(world.movie(601).due().await, 1);
}
