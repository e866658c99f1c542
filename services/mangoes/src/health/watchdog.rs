//! Whether a restart of this process would help: one of its parts is stalled although NATS and the
//! database answer.
//!
//! A connection may die in silence: a firewall forgot it, a server moved. What waits on it would
//! wait until the kernel gives it up, a quarter of an hour later. Such a process ends with status
//! 1, and an orchestrator starts it again; as after `kill -9` nothing is lost (docs/adr/0013).

use std::time::Duration;

use bus::Bus;
use runtime::{Component, Stall};
use store::{SessionActivity, Store};

/// How often the process checks itself.
const CHECK_EVERY: Duration = Duration::from_secs(5);
/// How long NATS and the database may take to answer.
const ANSWER: Duration = Duration::from_secs(4);
/// Checks in a row that have to fail: a process that was suspended for a while passes the second
/// one.
const CHECKS_TO_FAIL: u32 = 3;
/// The pool of connections that everything here shares.
const POOL: Component =
    Component { name: "database pool", allowed: Duration::from_secs(15), vital: true };

/// The task of the NATS library, which should never end (docs/adr/0014).
const NATS_CLIENT: Component =
    Component { name: "NATS client", allowed: Duration::ZERO, vital: true };

/// Returns when only a restart helps, with the reason.
/// `installation` is the one that the database belonged to at the start.
pub(crate) async fn lost(bus: Bus, store: Store, installation: &str) -> String {
    let mut failed = 0;
    bus.pulse().beat(POOL);
    loop {
        tokio::time::sleep(CHECK_EVERY).await;
        if let Some(why) = bus.disowned() {
            return why;
        }
        if matches!(tokio::time::timeout(ANSWER, store.ping()).await, Ok(Ok(()))) {
            bus.pulse().beat(POOL);
        }
        if let Some(why) = another_installation(&store, installation).await {
            return why;
        }
        let stalls = stalls(&bus, &store).await;
        failed = if stalls.is_empty() { 0 } else { failed + 1 };
        if failed >= CHECKS_TO_FAIL {
            let stalls = stalls.iter().map(words).collect::<Vec<_>>().join("; ");
            return format!(
                "{stalls}, although NATS and the database answer: only a restart helps; nothing is \
                 lost by it"
            );
        }
    }
}

/// Schema mangoes may be dropped and made again under a process: its streams are for another
/// installation then, and messages in them name runs and rows that are gone.
async fn another_installation(store: &Store, first: &str) -> Option<String> {
    // Why it is not known now makes no difference: it is asked again.
    let id = tokio::time::timeout(ANSWER, store.installation_id()).await.ok()?.ok()?;
    (first != id).then(|| {
        format!(
            "the database belongs to another installation now ({id}, and it was {first}): schema \
             mangoes was dropped and made again while this process ran; start it again, with a \
             NATS that has no streams of the old one"
        )
    })
}

/// The vital components that are stalled although NATS and the database answer. A query that the
/// database works on for long, or that waits for a lock there, explains any of them; the pool may
/// also be exhausted by work.
pub(crate) async fn stalls(bus: &Bus, store: &Store) -> Vec<Stall> {
    if bus.is_dead().await {
        return vec![Stall { component: NATS_CLIENT, span: Duration::ZERO }];
    }
    let mut stalled = bus.pulse().stalled();
    stalled.retain(|s| s.component.vital);
    if stalled.is_empty() || !bus.answers(ANSWER).await {
        return Vec::new();
    }
    match store.session_activity(ANSWER).await {
        None | Some(SessionActivity { waits: true, .. }) => stalled.clear(),
        Some(SessionActivity { moves: true, .. }) => stalled.retain(|s| s.component != POOL),
        Some(SessionActivity { .. }) => {}
    }
    stalled
}

pub(crate) fn words(stall: &Stall) -> String {
    format!("{} has been stalled for {} s", stall.component.name, stall.span.as_secs())
}
