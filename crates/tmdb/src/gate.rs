//! The gate before every call: lanes in their order of precedence, a limit of calls in flight, a
//! slot of the shared rate.
//!
//! A caller waits in its lane. When a call may be in flight and a slot has come, the next caller is
//! chosen at that moment, so that `now` overtakes a full backlog at once. A floor keeps the other
//! lanes from starving.

use std::{collections::VecDeque, sync::Arc};

use futures::future::BoxFuture;
use proto::Lane;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// One slot in this many goes to each lower lane first: a floor of 10 %.
const FLOOR_EVERY: u64 = 10;

/// The source of slots; one rate for all processes.
pub trait Rate: Send + Sync + 'static {
    /// Returns at the time of the next slot, which then is taken.
    fn slot(&self) -> BoxFuture<'_, ()>;
    /// A 429 came, with its Retry-After if there was one: all processes pause, and go on more
    /// slowly.
    fn refused(&self, retry_after: Option<std::time::Duration>);
    /// TMDB began to accept or to refuse the credential.
    fn credential(&self, accepted: bool);
}

/// No limit at all.
#[derive(Debug, Clone, Copy)]
pub struct Unlimited;

impl Rate for Unlimited {
    fn slot(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn refused(&self, _: Option<std::time::Duration>) {}

    fn credential(&self, _: bool) {}
}

/// The right to have one call in flight, until it is dropped.
pub(crate) type InFlightPermit = OwnedSemaphorePermit;

#[derive(Debug)]
struct Waiter {
    lane: Lane,
    admit: oneshot::Sender<InFlightPermit>,
}

/// The gate. Cheap to clone; its task ends with the last clone.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    waiters: mpsc::UnboundedSender<Waiter>,
}

impl Gate {
    /// Lets at most `in_flight` calls (at least 1) be in flight.
    pub(crate) fn start(in_flight: usize, rate: Arc<dyn Rate>) -> Self {
        let (waiters, waiting) = mpsc::unbounded_channel();
        tokio::spawn(admit_waiters(waiting, Arc::new(Semaphore::new(in_flight.max(1))), rate));
        Self { waiters }
    }

    /// Returns when the call may be made. `None` at the end of the process.
    pub(crate) async fn pass(&self, lane: Lane) -> Option<InFlightPermit> {
        let (admit, admitted) = oneshot::channel();
        self.waiters.send(Waiter { lane, admit }).ok()?;
        admitted.await.ok()
    }
}

async fn admit_waiters(
    mut waiting: mpsc::UnboundedReceiver<Waiter>,
    in_flight: Arc<Semaphore>,
    rate: Arc<dyn Rate>,
) {
    let mut lanes = Lanes::default();
    loop {
        if lanes.is_empty() {
            let Some(waiter) = waiting.recv().await else { return };
            lanes.push(waiter);
        }
        let Ok(mut permit) = Arc::clone(&in_flight).acquire_owned().await else { return };
        rate.slot().await;
        while let Ok(waiter) = waiting.try_recv() {
            lanes.push(waiter);
        }
        // A caller that gave up meanwhile takes no slot.
        while let Some(admit) = lanes.next() {
            match admit.send(permit) {
                Ok(()) => break,
                Err(unused) => permit = unused,
            }
        }
    }
}

/// Callers by lane.
#[derive(Debug, Default)]
struct Lanes {
    now: VecDeque<oneshot::Sender<InFlightPermit>>,
    fresh: VecDeque<oneshot::Sender<InFlightPermit>>,
    bulk: VecDeque<oneshot::Sender<InFlightPermit>>,
    slots: u64,
}

impl Lanes {
    fn is_empty(&self) -> bool {
        self.now.is_empty() && self.fresh.is_empty() && self.bulk.is_empty()
    }

    fn of(&mut self, lane: Lane) -> &mut VecDeque<oneshot::Sender<InFlightPermit>> {
        match lane {
            Lane::Now => &mut self.now,
            Lane::Fresh => &mut self.fresh,
            Lane::Bulk => &mut self.bulk,
        }
    }

    fn push(&mut self, waiter: Waiter) {
        self.of(waiter.lane).push_back(waiter.admit);
    }

    /// In the order of precedence, but for the slots that are kept for the later lanes.
    fn next(&mut self) -> Option<oneshot::Sender<InFlightPermit>> {
        self.slots = self.slots.wrapping_add(1);
        let first = match self.slots % FLOOR_EVERY {
            0 => Some(Lane::Bulk),
            1 => Some(Lane::Fresh),
            _ => None,
        };
        first.into_iter().chain(Lane::ALL).find_map(|lane| self.of(lane).pop_front())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes(waiting: [(Lane, usize); 3]) -> Lanes {
        let mut lanes = Lanes::default();
        for (lane, n) in waiting {
            for _ in 0..n {
                lanes.push(Waiter { lane, admit: oneshot::channel().0 });
            }
        }
        lanes
    }

    fn served(lanes: &mut Lanes, slots: usize) -> (usize, usize, usize) {
        let before = (lanes.now.len(), lanes.fresh.len(), lanes.bulk.len());
        for _ in 0..slots {
            assert!(lanes.next().is_some());
        }
        (before.0 - lanes.now.len(), before.1 - lanes.fresh.len(), before.2 - lanes.bulk.len())
    }

    #[test]
    fn precedence_with_a_floor() {
        let full = 1_000;
        let mut all = lanes([(Lane::Now, full), (Lane::Fresh, full), (Lane::Bulk, full)]);
        assert_eq!(served(&mut all, 100), (80, 10, 10));
        let mut two = lanes([(Lane::Now, 0), (Lane::Fresh, full), (Lane::Bulk, full)]);
        assert_eq!(served(&mut two, 100), (0, 90, 10));
        let mut few = lanes([(Lane::Now, 3), (Lane::Fresh, 0), (Lane::Bulk, full)]);
        assert_eq!(served(&mut few, 5), (3, 0, 2), "now overtakes at once");
        assert_eq!(
            served(&mut lanes([(Lane::Now, 0), (Lane::Fresh, 0), (Lane::Bulk, full)]), 100),
            (0, 0, 100),
            "none is idle"
        );
    }

    #[tokio::test]
    async fn permits_limit_the_calls_in_flight_and_come_back() {
        let gate = Gate::start(2, Arc::new(Unlimited));
        let (one, two) =
            (gate.pass(Lane::Bulk).await.unwrap(), gate.pass(Lane::Bulk).await.unwrap());
        let mut third = Box::pin(gate.pass(Lane::Bulk));
        assert!(futures::poll!(&mut third).is_pending());
        drop(third);
        drop(one);
        let again = gate.pass(Lane::Now).await.unwrap();
        drop((two, again));
    }
}
