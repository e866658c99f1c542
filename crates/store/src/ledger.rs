//! What a consumer asks of the database ([`delivery::Ledger`]). Above the rooms: a dead letter is
//! written together with what it means for a run, a movie or the refresh queue.

use delivery::{Answer, Attempts, DeadMessage, Effect, Ledger, MessageRef};
use proto::MessageKey;
use sqlx::PgConnection;

use crate::{
    Store, StoreError,
    catalogue::refresh_queue::{self, QueueItem},
    db::deadline::{SHORT, within},
    delivery::{attempts::claim_one, dead_letters::write::write},
    jobs::items::{self, ItemState, SettledItem},
};

impl Ledger for Store {
    fn begin<'a>(
        &'a self,
        consumer: &'static str,
        keys: &'a [MessageKey],
    ) -> Answer<'a, Vec<Attempts>> {
        Box::pin(async move { Ok(within(SHORT, self.begin_attempts(consumer, keys)).await?) })
    }

    fn failed<'a>(&'a self, message: &'a MessageRef, error: &'a str) -> Answer<'a, ()> {
        Box::pin(async move { Ok(within(SHORT, self.attempt_failed(message, error)).await?) })
    }

    fn released<'a>(&'a self, message: &'a MessageRef, why: &'a str) -> Answer<'a, ()> {
        Box::pin(async move { Ok(within(SHORT, self.attempt_released(message, why)).await?) })
    }

    fn alone<'a>(&'a self, message: &'a MessageRef) -> Answer<'a, i32> {
        Box::pin(async move { Ok(within(SHORT, self.begin_alone(message)).await?) })
    }

    fn dead_letter<'a>(&'a self, dead: &'a DeadMessage, effect: &'a Effect) -> Answer<'a, ()> {
        Box::pin(async move { Ok(within(SHORT, self.write_dead_letter(dead, effect)).await?) })
    }
}

impl Store {
    /// Writes a dead letter once, its event for `MOVIES_DEAD`, its inbox row and its effect, in one
    /// transaction.
    async fn write_dead_letter(
        &self,
        dead: &DeadMessage,
        effect: &Effect,
    ) -> Result<(), StoreError> {
        let mut tx = self.pool.begin().await?;
        if !claim_one(&mut tx, &dead.message).await? {
            return Ok(());
        }
        write(&mut tx, dead).await?;
        take_effect(&mut tx, dead, effect).await?;
        tx.commit().await?;
        Ok(())
    }
}

async fn take_effect(
    tx: &mut PgConnection,
    dead: &DeadMessage,
    effect: &Effect,
) -> Result<(), StoreError> {
    match effect {
        Effect::None => Ok(()),
        Effect::Item { run, movie } => {
            let failed = SettledItem {
                run_id: run.to_string(),
                tmdb_id: movie.get(),
                state: ItemState::Failed,
                title: None,
                error: Some(dead.error.clone()),
            };
            items::settle(tx, &[failed]).await
        }
        Effect::Refresh { run, movie } => {
            let item = QueueItem { movie: *movie, run_id: run.as_deref() };
            refresh_queue::fail(tx, item, &dead.error).await
        }
        Effect::Run { run } => items::fail_run(tx, run, &dead.error).await,
    }
}
