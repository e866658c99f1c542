//! Wakes the relay of this process after a commit, without the database.
//!
//! A notification takes one lock of the whole server at commit, behind which the writers of all
//! processes queue up. So whoever writes many events says that it wakes the relay itself, and the
//! trigger of `outbox` is silent. A process without a relay has the database notify the others.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::Notify;

use crate::{Store, delivery::outbox::Waking};

/// The way to the relay of this process. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct RelayWake(Arc<Wake>);

#[derive(Debug, Default)]
struct Wake {
    written: Notify,
    /// A relay of this process has begun to wait.
    is_heard: AtomicBool,
}

impl RelayWake {
    /// Who has to wake the relay: where this process relays, the database need not.
    pub(crate) fn waking(&self) -> Waking {
        if self.0.is_heard.load(Ordering::Acquire) { Waking::Writer } else { Waking::Database }
    }

    /// Events were committed.
    pub(crate) fn written(&self) {
        self.0.written.notify_one();
    }
}

impl Store {
    /// Returns when this process has committed events since the last call. From the first call on
    /// its writers wake nobody else.
    pub async fn events_written(&self) {
        self.relay_wake.0.is_heard.store(true, Ordering::Release);
        self.relay_wake.0.written.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn events_that_were_written_before_anybody_waits_are_not_forgotten() {
        let wake = RelayWake::default();
        assert_eq!(wake.waking(), Waking::Database);
        wake.written();
        wake.written();
        wake.0.written.notified().await;
        assert!(futures::poll!(Box::pin(wake.0.written.notified())).is_pending());
    }
}
