//! Old rows go by the job `maintenance`, and nothing else does.

use tests::World;

/// Of every table the rows that are older than it keeps them go; open runs and open refreshes stay
/// at any age.
#[tokio::test]
async fn old_rows_go_and_young_ones_stay() {
    let world = World::start("maintenance").await;
    world.add_old_and_young_rows().await;
    let told = world.verb(&["jobs", "run", "maintenance", "--follow"]);
    assert!(told.contains("succeeded"), "{told}");
    assert_eq!(world.calls().to("/old").await, 1);
    assert_eq!(world.run_with_id("old").await, 0);
    for kept in ["old-failed", "open"] {
        assert_eq!(world.run_with_id(kept).await, 1, "{kept}");
    }
    assert_eq!(world.queue().completed().await, 1);
    assert_eq!(world.queue().queued().await, 1);
    let zero = r#"{"run_days": 0}"#;
    let wrong = world.verb_fails(&["jobs", "run", "maintenance", "--payload", zero, "--follow"]);
    assert!(wrong.contains("run_days must be"), "{wrong}");
}

/// What delivery needs no more goes: events of yesterday, work that was handled, inbox rows that no
/// message can meet again, attempts as old as the payload says. What may still be needed stays.
#[tokio::test]
async fn deliveries_of_long_ago_go_and_those_that_may_be_needed_stay() {
    let world = World::start("pruning").await;
    world.add_old_and_young_deliveries().await;
    // A process that runs the scheduler prunes at its start.
    let _second = world.service(&["serve", "scheduler"], &[]);
    world.deliveries_named("goes-").becomes(2).await;
    assert_eq!(world.deliveries_named("goes-attempt").await, 1, "attempts are the job's to remove");
    assert_eq!(world.deliveries_named("goes-handled").await, 1, "its inbox row is young");
    world.verb(&["jobs", "run", "maintenance", "--follow"]);
    assert_eq!(world.deliveries_named("goes-").await, 1);
    assert_eq!(world.deliveries_named("stays-").await, 4);
}
