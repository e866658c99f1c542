//! Dead letters, written together with what they mean for a run, a movie or the queue.

use proto::{DeadLetter, TmdbId};
use runtime::Letter;
use time::OffsetDateTime;

use crate::{
    Store, StoreError, ledger,
    outbox::{self, entry},
    runs::{self, Settled},
};

/// Longest payload text in the event; the table keeps all of it.
const PAYLOAD_MAX_CHARS: usize = 65_536;

/// What a dead letter means beyond itself.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Nothing.
    None,
    /// An item of a run failed.
    Item {
        /// The run.
        run_id: String,
        /// The movie.
        tmdb_id: TmdbId,
    },
    /// A movie could not be refreshed: its queue row fails, scans leave it alone for a while.
    Refresh {
        /// The run, if any.
        run_id: Option<String>,
        /// The movie.
        tmdb_id: TmdbId,
    },
    /// A whole run failed before it had items.
    Run {
        /// The run.
        run_id: String,
    },
}

impl Store {
    /// Writes a dead letter once, its event for `MOVIES_DEAD`, its inbox row and its effect, in one transaction.
    ///
    /// # Errors
    /// When the database does not answer; nothing is written then.
    pub async fn bury(&self, letter: &Letter, effect: &Effect, now: OffsetDateTime) -> Result<(), StoreError> {
        let mut tx = self.pool.begin().await?;
        if !ledger::claim_one(&mut tx, letter.consumer, &letter.message_key).await? {
            return Ok(());
        }
        sqlx::query!(
            "insert into dead_letter (consumer, message_key, subject, reason, error, tries, payload, headers, first_at, died_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing",
            letter.consumer,
            letter.message_key,
            letter.subject,
            letter.reason,
            letter.error,
            letter.tries,
            letter.payload,
            letter.headers,
            letter.first_at,
            now
        )
        .execute(&mut *tx)
        .await?;
        // Text of Postgres holds no U+0000.
        let payload = String::from_utf8_lossy(&letter.payload).replace('\0', "\u{fffd}");
        let event = DeadLetter {
            consumer: letter.consumer.to_owned(),
            message_key: letter.message_key.clone(),
            subject: letter.subject.clone(),
            reason: letter.reason.clone(),
            error: letter.error.clone(),
            tries: letter.tries,
            payload: payload.chars().take(PAYLOAD_MAX_CHARS).collect(),
            died_at: now,
        };
        let id = format!("dead:{}:{}", letter.consumer, letter.message_key);
        outbox::enqueue(&mut tx, &[entry(&event, id, letter.consumer.to_owned(), &letter.message_key, now)]).await?;
        self.take_effect(&mut tx, letter, effect, now).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn take_effect(
        &self,
        tx: &mut sqlx::PgConnection,
        letter: &Letter,
        effect: &Effect,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let failed = |run_id: &str, tmdb_id: &TmdbId| Settled {
            run_id: run_id.to_owned(),
            tmdb_id: tmdb_id.get(),
            state: "failed",
            title: None,
            error: Some(letter.error.clone()),
        };
        match effect {
            Effect::None => Ok(()),
            Effect::Item { run_id, tmdb_id } => runs::settle(tx, &[failed(run_id, tmdb_id)], now).await,
            Effect::Refresh { run_id, tmdb_id } => {
                crate::queue::fail(tx, (*tmdb_id, run_id.as_deref()), &letter.error, now).await
            }
            Effect::Run { run_id } => {
                sqlx::query!("update job_run set error = $2 where run_id = $1 and ended_at is null", run_id, letter.error)
                    .execute(&mut *tx)
                    .await?;
                runs::close(tx, run_id, now).await
            }
        }
    }
}
