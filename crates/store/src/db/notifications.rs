//! Notifications of the database: one session listens for all of a process.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{PgPool, postgres::PgListener};
use tokio::sync::broadcast::{self, error::RecvError};
use tracing::debug;

use crate::{Store, StoreError, db::error::may_be_useless};

/// Notices that a slow listener may be behind; then it is told once that it missed some.
const BACKLOG: usize = 64;
/// How soon the session is made again after it was lost.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How often a session that hears nothing looks whether it may be of no more use.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What the database notifies of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// A job was edited.
    Jobs,
    /// An event waits to be published.
    Outbox,
}

impl Channel {
    const ALL: [Self; 2] = [Self::Jobs, Self::Outbox];

    const fn name(self) -> &'static str {
        match self {
            Self::Jobs => "mangoes_jobs",
            Self::Outbox => "mangoes_outbox",
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Notice {
    /// The session listens, and did not before: something may have been missed.
    Listens,
    On(Channel),
}

/// The session that listens, as soon as somebody wants to hear. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Notifications {
    notices: broadcast::Sender<Notice>,
    begun: Arc<AtomicBool>,
}

impl Default for Notifications {
    fn default() -> Self {
        Self { notices: broadcast::Sender::new(BACKLOG), begun: Arc::default() }
    }
}

impl Store {
    /// Calls back once at the beginning, and then for every notification on the channel and after
    /// every loss of the connection. Ends when the store is closed.
    pub async fn listen(&self, channel: Channel, notified: impl Fn() + Send) {
        let mut heard = self.notifications.subscribe(&self.pool);
        notified();
        loop {
            match heard.recv().await {
                Ok(Notice::On(other)) if other != channel => {}
                Ok(Notice::On(_) | Notice::Listens) | Err(RecvError::Lagged(_)) => notified(),
                Err(RecvError::Closed) => return,
            }
            if self.pool.is_closed() {
                return;
            }
        }
    }
}

impl Notifications {
    fn subscribe(&self, pool: &PgPool) -> broadcast::Receiver<Notice> {
        let heard = self.notices.subscribe();
        if !self.begun.swap(true, Ordering::AcqRel) {
            tokio::spawn(listen_until_closed(pool.clone(), self.notices.clone()));
        }
        heard
    }
}

async fn listen_until_closed(pool: PgPool, notices: broadcast::Sender<Notice>) {
    let mut closed = pool.close_event();
    loop {
        if let Err(e) = listen(&pool, &notices).await {
            debug!(
                error = %runtime::chain(&e),
                "no notifications from the database for a while; the sweeps go on"
            );
        }
        if closed.do_until(tokio::time::sleep(AGAIN_AFTER)).await.is_err() {
            // Those who listen look whether the store is closed.
            let _ = notices.send(Notice::Listens);
            return;
        }
    }
}

/// Passes on what is notified until the connection is lost.
async fn listen(pool: &PgPool, notices: &broadcast::Sender<Notice>) -> Result<(), StoreError> {
    let mut session = PgListener::connect_with(pool).await?;
    session.eager_reconnect(false);
    session.listen_all(Channel::ALL.map(Channel::name)).await?;
    // Where nobody listens any more, nobody misses it.
    let _ = notices.send(Notice::Listens);
    let begun = Instant::now();
    loop {
        let Ok(received) = tokio::time::timeout(LOOK_EVERY, session.try_recv()).await else {
            // After a failover the old server may go on, and nobody notifies there any more.
            if may_be_useless(begun.elapsed()) {
                return Ok(());
            }
            continue;
        };
        let Some(notification) = received? else { return Ok(()) };
        let channel =
            Channel::ALL.into_iter().find(|channel| channel.name() == notification.channel());
        if let Some(channel) = channel {
            let _ = notices.send(Notice::On(channel));
        }
    }
}
