//! The batching writer: fetched movies wait here until a batch is full or old enough, then go out
//! in one transaction.
//!
//! Woken by handlers through [`Writer`]. A batch that fails on its data is repeated row by row, so
//! that a poison row fails alone. When its root restarts it, the pending movies fail at the
//! handlers, and the broker delivers their messages again.

use std::{collections::HashSet, sync::Arc, time::Duration};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::ChildSpec;
use tokio::sync::{oneshot, watch};

use crate::{
    Outage, Store, StoreError,
    catalogue::change::{Save, Saved},
    db::deadline::{SHORT, within},
};

/// A batch goes out at this size.
const BATCH_MAX: usize = 64;
/// A batch goes out at this age.
const BATCH_AGE: Duration = Duration::from_millis(15);

type Reply = oneshot::Sender<Result<Saved, StoreError>>;

/// A movie that waits for its batch.
pub(crate) struct PendingSave {
    save: Save,
    reply: Reply,
}

/// What wakes the writer.
pub(crate) enum WriterMsg {
    Add(Box<PendingSave>),
    /// The oldest pending movie is old enough.
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
struct WriterArgs {
    store: Store,
    writer: Writer,
}

/// The child that runs the writer.
#[must_use]
pub fn writer_child(store: Store, writer: Writer) -> ChildSpec {
    ChildSpec::new("writer", move |root| {
        let args = WriterArgs { store: store.clone(), writer: writer.clone() };
        async move {
            Actor::spawn_linked(None, WriterActor, args, root)
                .await
                .map(|(child, _)| child.get_cell())
        }
    })
    .serving()
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
                if state.pending.is_empty() {
                    myself.send_after(BATCH_AGE, || WriterMsg::Flush);
                }
                state.pending.push(*pending);
                if state.pending.len() >= BATCH_MAX {
                    state.flush().await;
                }
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
            match within(SHORT, self.store.save(&saves)).await {
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
            if saves.len() < BATCH_MAX && seen.insert(pending.save.movie.tmdb_id) {
                saves.push(pending.save);
                replies.push(pending.reply);
            } else {
                rest.push(pending);
            }
        }
        self.pending = rest;
        (saves, replies)
    }

    async fn save_one_by_one(&self, saves: Vec<Save>, replies: Vec<Reply>) {
        for (save, reply) in saves.into_iter().zip(replies) {
            let saved = within(SHORT, self.store.save(std::slice::from_ref(&save))).await;
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
