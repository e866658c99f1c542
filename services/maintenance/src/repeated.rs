//! Work that is done again and again: woken by its own pause, which begins when it has ended, so
//! that turns never queue up behind a database that is slow.

use std::{marker::PhantomData, time::Duration};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::ChildSpec;
use store::{Store, StoreError};
use tracing::warn;

/// Before the next turn, when the database did not answer.
const AFTER_A_FAILURE: Duration = Duration::from_secs(5);

/// Work that every process has a turn at; several take turns.
pub(crate) trait Repeated: Send + Sync + 'static {
    /// The name of the child.
    const NAME: &'static str;
    /// What a failed turn means, for the log.
    const FAILED: &'static str;

    /// Does what there is to do, and says how long to pause.
    ///
    /// # Errors
    /// When the database does not answer; the next turn tries again.
    fn turn(store: &Store) -> impl Future<Output = Result<Duration, StoreError>> + Send;
}

/// The child that does this work.
pub(crate) fn child<R: Repeated>(store: Store) -> ChildSpec {
    ChildSpec::actor(R::NAME, || Repeats::<R>(PhantomData), store).serving()
}

struct Repeats<R>(PhantomData<R>);

/// Time for the next turn.
#[derive(Debug)]
struct Turn;

impl<R: Repeated> Actor for Repeats<R> {
    type Msg = Turn;
    type State = Store;
    type Arguments = Store;

    async fn pre_start(
        &self,
        myself: ActorRef<Turn>,
        store: Store,
    ) -> Result<Store, ActorProcessingErr> {
        myself.cast(Turn)?;
        Ok(store)
    }

    async fn handle(
        &self,
        myself: ActorRef<Turn>,
        Turn: Turn,
        store: &mut Store,
    ) -> Result<(), ActorProcessingErr> {
        let pause = R::turn(store).await.unwrap_or_else(|e| {
            let error = runtime::chain(&e);
            warn!(error, "{}", R::FAILED);
            AFTER_A_FAILURE
        });
        myself.send_after(pause, || Turn);
        Ok(())
    }
}
