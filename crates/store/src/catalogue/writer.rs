//! The batching writer: fetched movies wait here until a batch is full or old enough, then go out
//! in one transaction.
//!
//! Woken by handlers through [`Writer`]. A batch that fails on its data is repeated row by row, so
//! that a poison row fails alone. Restarted by its root; what was pending then fails at the
//! handlers and comes again from the broker.

use std::{collections::HashSet, time::Duration};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::ChildSpec;
use tokio::sync::{oneshot, watch};

use crate::{
    Save, Saved, Store, StoreError,
    within::{SHORT, within},
};

/// A batch goes out at this size.
const BATCH_MAX: usize = 64;
/// A batch goes out at this age.
const BATCH_AGE: Duration = Duration::from_millis(15);

type Reply = oneshot::Sender<Result<Saved, StoreError>>;

/// What the writer is told.
pub(crate) enum WriterMsg {
    /// Store this movie.
    Add(Box<Save>, Reply),
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
    /// Stores a movie with others; returns after the commit.
    ///
    /// # Errors
    /// The movie is not stored; repeating is safe.
    pub async fn save(&self, save: Save) -> Result<Saved, StoreError> {
        let gone = || StoreError::Unavailable(sqlx::Error::PoolClosed);
        let actor = self.actor.borrow().clone().ok_or_else(gone)?;
        let (reply, answer) = oneshot::channel();
        actor.cast(WriterMsg::Add(Box::new(save), reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

struct WriterActor;

struct State {
    store: Store,
    pending: Vec<(Save, Reply)>,
}

/// The child that runs the writer.
#[must_use]
pub fn writer_child(store: Store, writer: Writer) -> ChildSpec {
    ChildSpec::new("writer", move |root| {
        let args = (store.clone(), writer.clone());
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
    type Arguments = (Store, Writer);

    async fn pre_start(
        &self,
        myself: ActorRef<WriterMsg>,
        (store, writer): (Store, Writer),
    ) -> Result<State, ActorProcessingErr> {
        writer.actor.send_replace(Some(myself));
        Ok(State { store, pending: Vec::new() })
    }

    async fn handle(
        &self,
        myself: ActorRef<WriterMsg>,
        message: WriterMsg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            WriterMsg::Add(save, reply) => {
                if state.pending.is_empty() {
                    myself.send_after(BATCH_AGE, || WriterMsg::Flush);
                }
                state.pending.push((*save, reply));
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
                        // A handler that is gone was cancelled; its message comes again and meets
                        // the inbox.
                        let _ = reply.send(Ok(saved));
                    }
                }
                Err(StoreError::Unavailable(e)) => fail_all(replies, &e),
                Err(e) if saves.len() == 1 => {
                    replies.into_iter().for_each(|reply| drop(reply.send(Err(unsent(&e)))))
                }
                Err(_) => self.one_by_one(saves, replies).await,
            }
        }
    }

    /// At most [`BATCH_MAX`] movies, each at most once.
    fn next_batch(&mut self) -> (Vec<Save>, Vec<Reply>) {
        let mut seen = HashSet::new();
        let (mut saves, mut replies, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        for (save, reply) in self.pending.drain(..) {
            if saves.len() < BATCH_MAX && seen.insert(save.movie.tmdb_id) {
                saves.push(save);
                replies.push(reply);
            } else {
                rest.push((save, reply));
            }
        }
        self.pending = rest;
        (saves, replies)
    }

    async fn one_by_one(&self, saves: Vec<Save>, replies: Vec<Reply>) {
        for (save, reply) in saves.into_iter().zip(replies) {
            let written = within(SHORT, self.store.save(std::slice::from_ref(&save))).await;
            let _ = reply.send(written.map(|s| s.first().copied().unwrap_or(Saved::Superseded)));
        }
    }
}

fn fail_all(replies: Vec<Reply>, error: &sqlx::Error) {
    tracing::warn!(error = %error, movies = replies.len(), "a batch could not be stored");
    for reply in replies {
        let _ = reply.send(Err(StoreError::Unavailable(sqlx::Error::PoolTimedOut)));
    }
}

/// The error of a single row, for its one handler.
fn unsent(error: &StoreError) -> StoreError {
    StoreError::Setup(runtime::chain(error))
}
