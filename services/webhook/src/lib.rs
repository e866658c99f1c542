//! Sends events to an address by HTTP, for those who do not run NATS.
//!
//! A durable consumer of its own reads MOVIES_EVENTS. Each event is one POST, signed as Standard
//! Webhooks says (standardwebhooks.com), with the attributes of CloudEvents in its headers. What
//! the receiver does not take is sent again with growing pauses, and becomes a dead letter when the
//! time for it is over. An event may come twice, and events of one movie may overtake each other:
//! its `revision` tells the receiver which is the latest. docs/webhook.md says the rest.

mod deliver;
mod retry;
mod signature;

use std::{sync::Arc, time::Duration};

use bus::{Bus, FollowOptions};
use store::Store;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

pub use signature::{Secret, SecretError};

use deliver::Delivery;

/// Events that wait for the receiver at once.
const IN_FLIGHT: usize = 16;
/// Events that are in flight or wait to be sent again: those that a receiver refuses hold up no
/// others until there are so many.
const MAX_UNSETTLED: u16 = 1_000;
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
    /// When the pauses between its attempts are so long in all, an event that the receiver did not
    /// take becomes a dead letter.
    pub give_up_after: Duration,
}

/// Delivers until it is drained.
///
/// # Errors
/// Only a restart or a person can help, as [`bus::Follower::next`] says. An outage of NATS is
/// waited for, but for one at the start.
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
        max_unsettled: MAX_UNSETTLED,
    };
    let (tasks, permits) = (TaskTracker::new(), Arc::new(Semaphore::new(IN_FLIGHT)));
    let mut events = bus.follow(&follow).await?;
    let ended = loop {
        let permit = Arc::clone(&permits).acquire_owned().await?;
        // As many as there is somebody for: none waits here while its ack wait passes.
        let most = 1 + permits.available_permits();
        let next = tokio::select! {
            () = drain.cancelled() => break Ok(()),
            next = events.next(most) => next,
        };
        let event = match next {
            Ok(event) => event,
            Err(error) => break Err(error),
        };
        if !event.is_readable {
            unless_drained(&drain, delivery.give_up_unreadable(&event)).await;
            continue;
        }
        let (delivery, drain) = (Arc::clone(&delivery), drain.clone());
        tasks.spawn(async move {
            unless_drained(&drain, delivery.deliver(&event)).await;
            drop(permit);
        });
    };
    // After an error nothing can be settled any more.
    drain.cancel();
    tasks.close();
    tasks.wait().await;
    Ok(ended?)
}

/// Does it, and leaves it unfinished when the process drains.
async fn unless_drained(drain: &CancellationToken, work: impl Future<Output = ()>) {
    tokio::select! {
        () = drain.cancelled() => {}
        () = work => {}
    }
}
