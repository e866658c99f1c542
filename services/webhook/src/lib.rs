//! Sends events to an address by HTTP, for those who do not run NATS.
//!
//! A durable consumer of its own reads MOVIES_EVENTS. Each event is one POST, signed as Standard
//! Webhooks says (standardwebhooks.com), with the attributes of CloudEvents in its headers. What
//! the receiver does not take is sent again with growing pauses, and becomes a dead letter when the
//! time for it is over. An event may come twice, and events of one movie may overtake each other:
//! its `revision` tells the receiver which is the latest.

mod deliver;
mod retry;
mod signature;

use std::{sync::Arc, time::Duration};

use bus::{Bus, FollowOptions, Followed};
use store::Store;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

pub use signature::{Secret, SecretError};

use deliver::Delivery;

/// Events that wait for the receiver at once.
const IN_FLIGHT: usize = 16;
/// An event whose process dies is delivered again after this.
const ACK_WAIT: Duration = Duration::from_secs(30);

/// What is sent where.
#[derive(Debug, Clone)]
pub struct Options {
    /// Tells this receiver from others: letters, digits, `_` and `-`.
    pub name: String,
    /// The receiver.
    pub url: Url,
    /// Which events, such as `movies.changed.*`.
    pub subject: String,
    /// Signs what is sent.
    pub secret: Option<Secret>,
    /// Begin with the oldest event that is stored, and not with the next one; at the first start.
    pub from_oldest: bool,
    /// After this time an event that the receiver did not take becomes a dead letter.
    pub give_up_after: Duration,
}

/// Delivers until it is drained.
///
/// # Errors
/// There is no consumer, and none can be made. An outage of NATS later is waited for.
pub async fn run(
    bus: &Bus,
    store: &Store,
    options: &Options,
    drain: CancellationToken,
) -> anyhow::Result<()> {
    let delivery = Arc::new(Delivery::new(store.clone(), options).await?);
    let follow = FollowOptions {
        durable: delivery.consumer,
        subject: options.subject.clone(),
        from_oldest: options.from_oldest,
        ack_wait: ACK_WAIT,
        in_flight: IN_FLIGHT,
    };
    let (tasks, permits) = (TaskTracker::new(), Arc::new(Semaphore::new(IN_FLIGHT)));
    let mut events = bus.follow(&follow).await?;
    loop {
        let permit = Arc::clone(&permits).acquire_owned().await?;
        let next: Option<Followed> = tokio::select! {
            () = drain.cancelled() => None,
            next = events.next() => Some(next),
        };
        let Some(event) = next else { break };
        let (delivery, drain) = (Arc::clone(&delivery), drain.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = drain.cancelled() => {}
                () = delivery.deliver(&event) => {}
            }
            drop(permit);
        });
    }
    tasks.close();
    tasks.wait().await;
    Ok(())
}
