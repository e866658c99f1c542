//! The writer: fetched movies wait here while the transaction before theirs commits, then go out
//! together in one.
//!
//! Woken by handlers through [`Writer`]. Nothing waits for a batch to fill: a movie that comes to
//! an idle writer is written at once, and under load a batch is what came during the last one. One
//! writer a service: a second one halves the batches, which costs a fifth more CPU time and gains
//! nothing but on slow disks. A batch that fails on its data is repeated row by row, so that a
//! poison row fails alone. When its root restarts the writer, the pending movies fail at the
//! handlers, and the broker delivers their messages again.

use std::{collections::HashSet, sync::Arc};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::ChildSpec;
use tokio::sync::{oneshot, watch};

use crate::{
    Outage, Store, StoreError,
    catalogue::change::{Save, Saved},
    db::deadline::{SHORT, within},
};

/// Most movies of one transaction.
const BATCH_MAX: usize = 64;
/// So often a transaction that met a deadlock is repeated at once; then its messages wait.
const CONFLICTS_MAX: usize = 3;

type Reply = oneshot::Sender<Result<Saved, StoreError>>;

/// A movie that waits for its batch.
pub(crate) struct PendingSave {
    save: Save,
    reply: Reply,
}

/// What wakes the writer.
pub(crate) enum WriterMsg {
    Add(Box<PendingSave>),
    /// Everything that was sent before is pending.
    Flush,
}

/// The way to the writer, over its restarts. Cheap to clone.
#[derive(Clone)]
pub struct Writer {
    actor: watch::Sender<Option<ActorRef<WriterMsg>>>,
}

impl Default for Writer {
    fn default() -> Self {
        Self { actor: watch::channel(None).0 }
    }
}

impl Writer {
    /// Stores a movie together with others; returns after the commit.
    ///
    /// # Errors
    /// The movie is not stored; repeating is safe.
    pub async fn save(&self, save: Save) -> Result<Saved, StoreError> {
        let restarts = || StoreError::Unavailable(Outage::WriterRestarts);
        let actor = self.actor.borrow().clone().ok_or_else(restarts)?;
        let (reply, answer) = oneshot::channel();
        let pending = Box::new(PendingSave { save, reply });
        actor.cast(WriterMsg::Add(pending)).map_err(|_| restarts())?;
        answer.await.map_err(|_| restarts())?
    }
}

struct WriterActor;

struct State {
    store: Store,
    pending: Vec<PendingSave>,
}

/// What the writer starts with.
#[derive(Clone)]
struct WriterArgs {
    store: Store,
    writer: Writer,
}

/// The child that runs the writer.
pub fn writer_child(store: Store, writer: Writer) -> ChildSpec {
    ChildSpec::actor("writer", || WriterActor, WriterArgs { store, writer }).serving()
}

impl Actor for WriterActor {
    type Msg = WriterMsg;
    type State = State;
    type Arguments = WriterArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<WriterMsg>,
        args: WriterArgs,
    ) -> Result<State, ActorProcessingErr> {
        args.writer.actor.send_replace(Some(myself));
        Ok(State { store: args.store, pending: Vec::new() })
    }

    async fn handle(
        &self,
        myself: ActorRef<WriterMsg>,
        message: WriterMsg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            WriterMsg::Add(pending) => {
                // Behind everything that waits in the mailbox already: that is the batch.
                if state.pending.is_empty() {
                    myself.cast(WriterMsg::Flush)?;
                }
                state.pending.push(*pending);
            }
            WriterMsg::Flush => state.flush().await,
        }
        Ok(())
    }
}

impl State {
    async fn flush(&mut self) {
        while !self.pending.is_empty() {
            let (saves, replies) = self.next_batch();
            match self.save(&saves).await {
                Ok(saved) => {
                    for (reply, saved) in replies.into_iter().zip(saved) {
                        answer(reply, Ok(saved));
                    }
                }
                Err(StoreError::Unavailable(outage)) => fail_all(replies, outage),
                Err(e) if saves.len() == 1 => {
                    if let Some(reply) = replies.into_iter().next() {
                        answer(reply, Err(e));
                    }
                }
                // Each row once more, which tells the one at fault from the others.
                Err(_) => self.save_one_by_one(saves, replies).await,
            }
        }
    }

    /// At most [`BATCH_MAX`] movies, each at most once.
    fn next_batch(&mut self) -> (Vec<Save>, Vec<Reply>) {
        let mut seen = HashSet::new();
        let (mut saves, mut replies, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        for pending in self.pending.drain(..) {
            if saves.len() < BATCH_MAX && seen.insert(pending.save.look.tmdb_id) {
                saves.push(pending.save);
                replies.push(pending.reply);
            } else {
                rest.push(pending);
            }
        }
        self.pending = rest;
        (saves, replies)
    }

    /// A transaction that another one was in the way of is repeated.
    async fn save(&self, saves: &[Save]) -> Result<Vec<Saved>, StoreError> {
        for _ in 0..CONFLICTS_MAX {
            match within(SHORT, self.store.save(saves)).await {
                Err(StoreError::Conflict(error)) => {
                    tracing::info!(%error, movies = saves.len(), "a batch is stored once more");
                }
                saved => return saved,
            }
        }
        within(SHORT, self.store.save(saves)).await
    }

    async fn save_one_by_one(&self, saves: Vec<Save>, replies: Vec<Reply>) {
        for (save, reply) in saves.into_iter().zip(replies) {
            let saved = self.save(std::slice::from_ref(&save)).await;
            answer(reply, saved.map(|s| s.first().copied().unwrap_or(Saved::Superseded)));
        }
    }
}

fn answer(reply: Reply, saved: Result<Saved, StoreError>) {
    // A handler that is gone was cancelled; its message is delivered again and meets the inbox.
    let _ = reply.send(saved);
}

fn fail_all(replies: Vec<Reply>, outage: Outage) {
    let error = runtime::chain(&outage);
    tracing::warn!(error = %error, movies = replies.len(), "a batch could not be stored");
    let outage = Arc::new(outage);
    for reply in replies {
        answer(reply, Err(StoreError::Unavailable(Outage::Batch(Arc::clone(&outage)))));
    }
}
