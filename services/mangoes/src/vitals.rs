//! Whether a new start of this process would help: a part stands still though NATS and the database
//! answer.
//!
//! A connection may die without a word: a firewall forgot it, a server moved. What waits on one
//! would wait until the kernel gives it up, a quarter of an hour later. Such a process ends with
//! status 1, and whoever started it starts it again; as after `kill -9` nothing is lost
//! (docs/adr/0013).

use std::time::Duration;

use bus::Bus;
use runtime::{Part, Still};
use store::{SessionActivity, Store};

/// How often the process looks at itself.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long NATS and the database may take to answer to a fresh question.
const ANSWER: Duration = Duration::from_secs(4);
/// Looks in a row that have to find it ill: a process that was stopped for a while is well again in
/// its second look.
const LOOKS: u32 = 3;
/// The pool of connections that everything here shares.
const POOL: Part = Part { name: "database pool", allowed: Duration::from_secs(15), vital: true };

/// The library's task, which no message should end and one has (docs/adr/0014).
const NATS_CLIENT: Part = Part { name: "NATS client", allowed: Duration::ZERO, vital: true };

/// Returns when this process is past help, with the reason.
pub(crate) async fn lost(bus: Bus, store: Store) -> String {
    let mut looks = 0;
    bus.pulse().beat(POOL);
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if let Some(why) = bus.disowned() {
            return why;
        }
        if matches!(tokio::time::timeout(ANSWER, store.ping()).await, Ok(Ok(()))) {
            bus.pulse().beat(POOL);
        }
        let ill = ill(&bus, &store).await;
        looks = if ill.is_empty() { 0 } else { looks + 1 };
        if looks >= LOOKS {
            let ill = ill.iter().map(words).collect::<Vec<_>>().join("; ");
            return format!(
                "{ill}, although NATS and the database answer: only a new start helps; nothing is lost by it"
            );
        }
    }
}

/// The vital parts that stand still although NATS and the database answer. A question that the
/// database works on for long, or that waits for a lock there, explains any of them; the pool may
/// also be wanted by more than it has.
pub(crate) async fn ill(bus: &Bus, store: &Store) -> Vec<Still> {
    if bus.is_dead().await {
        return vec![Still { part: NATS_CLIENT, span: Duration::ZERO }];
    }
    let mut still = bus.pulse().still();
    still.retain(|s| s.part.vital);
    if still.is_empty() || !bus.answers(ANSWER).await {
        return Vec::new();
    }
    match store.session_activity(ANSWER).await {
        None | Some(SessionActivity { waits: true, .. }) => still.clear(),
        Some(SessionActivity { moves: true, .. }) => still.retain(|s| s.part != POOL),
        Some(SessionActivity { .. }) => {}
    }
    still
}

pub(crate) fn words(still: &Still) -> String {
    format!("{} has stood still for {} s", still.part.name, still.span.as_secs())
}
