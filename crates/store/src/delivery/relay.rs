//! Hands unsent events to a publisher and marks those that a stream confirmed.
//!
//! One relay at a time, in all processes, so that a movie's events keep their order: it holds an
//! advisory lock, which passes on when its process dies. A crash between the confirmation and the
//! mark publishes again with the same message ids.

use std::time::Duration;

use delivery::{DeadMessage, MessageRef};
use proto::{MessageKey, Reason};
use serde_json::Value;
use sqlx::{PgConnection, PgTransaction};

use crate::{
    Store, StoreError,
    db::{
        deadline::{SHORT, within},
        transaction,
    },
    delivery::{dead_letters::write::write, subjects::like_patterns},
};

const RELAY_LOCK: i64 = 0x6d61_6e67_6f65_7301;
/// How long one step of a relay may publish. When it is cut off, its events are published again
/// with the same ids.
const LONGEST_STEP: &str = "30s";
/// How long the lock may be held without a sign of life while streams are created.
const LONGEST_HOLD: &str = "20s";
/// How often the holder of the lock shows that it is alive.
const SIGN_OF_LIFE_EVERY: Duration = Duration::from_secs(5);
/// How long a process that starts waits for the lock: another may be creating the streams.
const LOCK_TIMEOUT: Duration = Duration::from_secs(45);

/// What became of events that were handed out.
#[derive(Debug, Default)]
pub struct PublishOutcome {
    /// The numbers of those that a stream confirmed.
    pub confirmed: Vec<i64>,
    /// Those that no stream will ever take.
    pub refused: Vec<Refusal>,
}

/// An event that no stream will ever take.
#[derive(Debug)]
pub struct Refusal {
    /// Its number in the outbox.
    pub id: i64,
    pub error: String,
}

/// Unsent events that are not handed out for now.
#[derive(Debug, Default)]
pub struct Withheld {
    /// Those with one of these ordering keys.
    pub keys: Vec<String>,
    /// Those on one of these subjects, which may have wildcards.
    pub subjects: Vec<String>,
}

/// What a step of the relay did.
#[derive(Debug, Clone, Copy)]
pub struct RelayStep {
    /// Events that are done.
    pub sent: usize,
    /// Events that could not be sent now.
    pub left: usize,
}

/// An unsent event.
#[derive(Debug, Clone)]
pub struct OutboxRow {
    /// Grows in the order of writing.
    pub id: i64,
    pub subject: String,
    /// `Nats-Msg-Id`.
    pub message_id: String,
    /// Events with the same key are published one after the other.
    pub ordering_key: String,
    /// CloudEvents headers and `traceparent`.
    pub headers: Value,
    /// JSON, as it was written.
    pub payload: String,
}

/// Whether to wait for the relay's lock while another process holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockWait {
    UntilFree,
    Never,
}

impl Store {
    /// Hands the oldest unsent events, without the withheld ones, to `publish`. Marks what it
    /// confirmed or refused as sent; the refused become dead letters. `None`: another process
    /// relays.
    ///
    /// Every step begins with the oldest event: one with a lower number may be committed later than
    /// its neighbour, though never later than the next one of its own key.
    ///
    /// # Errors
    /// When the database does not answer; nothing is marked then.
    pub async fn relay<F, Fut>(
        &self,
        withheld: &Withheld,
        limit: usize,
        publish: F,
    ) -> Result<Option<RelayStep>, StoreError>
    where
        F: FnOnce(Vec<OutboxRow>) -> Fut + Send,
        Fut: Future<Output = PublishOutcome> + Send,
    {
        let taken = within(SHORT, async {
            let Some(mut tx) = self.try_relay_lock(LONGEST_STEP).await? else { return Ok(None) };
            let rows = unsent(&mut tx, withheld, limit).await?;
            Ok(Some((tx, rows)))
        });
        let Some((mut tx, rows)) = taken.await? else { return Ok(None) };
        if rows.is_empty() {
            return Ok(Some(RelayStep { sent: 0, left: 0 }));
        }
        let handed_out = rows.len();
        let outcome = publish(rows).await;
        let sent = outcome.confirmed.len() + outcome.refused.len();
        within(SHORT, async {
            settle(&mut tx, &outcome).await?;
            Ok(tx.commit().await?)
        })
        .await?;
        Ok(Some(RelayStep { sent, left: handed_out - sent }))
    }

    /// Does something while no relay publishes. `None`: one does at this moment, and the caller
    /// does not wait for it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn while_nothing_is_relayed<Fut: Future<Output = T> + Send, T>(
        &self,
        wait: LockWait,
        work: Fut,
    ) -> Result<Option<T>, StoreError> {
        // The transaction is idle while the work goes on elsewhere: a cluster of NATS servers may
        // have to choose leaders first.
        let locked = match wait {
            LockWait::UntilFree => Some(within(LOCK_TIMEOUT, self.relay_lock(LONGEST_HOLD)).await?),
            LockWait::Never => within(SHORT, self.try_relay_lock(LONGEST_HOLD)).await?,
        };
        let Some(mut tx) = locked else { return Ok(None) };
        let mut work = std::pin::pin!(work);
        let done = loop {
            tokio::select! {
                done = &mut work => break done,
                // The lock ends with its session, and the server ends a session that looks idle.
                () = tokio::time::sleep(SIGN_OF_LIFE_EVERY) => {
                    within(SHORT, sign_of_life(&mut tx)).await?;
                }
            }
        };
        within(SHORT, async { Ok(tx.commit().await?) }).await?;
        Ok(Some(done))
    }

    async fn relay_lock(&self, may_idle: &str) -> Result<PgTransaction<'static>, StoreError> {
        let mut tx = self.pool.begin().await?;
        transaction::may_idle(&mut tx, may_idle).await?;
        sqlx::query_scalar!("select pg_advisory_xact_lock($1)::text", RELAY_LOCK)
            .fetch_one(&mut *tx)
            .await?;
        Ok(tx)
    }

    /// `None`: another process has it.
    async fn try_relay_lock(
        &self,
        may_idle: &str,
    ) -> Result<Option<PgTransaction<'static>>, StoreError> {
        let mut tx = self.pool.begin().await?;
        let lock = sqlx::query!(
            r#"
            select
                pg_try_advisory_xact_lock($1) as "is_ours!",
                set_config('idle_in_transaction_session_timeout', $2, true)
            "#,
            RELAY_LOCK,
            may_idle
        )
        .fetch_one(&mut *tx)
        .await?;
        Ok(lock.is_ours.then_some(tx))
    }
}

async fn sign_of_life(tx: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query!(r#"select 1 as "one!""#).fetch_one(tx).await?;
    Ok(())
}

async fn unsent(
    tx: &mut PgConnection,
    withheld: &Withheld,
    limit: usize,
) -> Result<Vec<OutboxRow>, StoreError> {
    let rows = sqlx::query_as!(
        OutboxRow,
        r#"
        select id, subject, message_id, ordering_key, headers, payload::text as "payload!"
        from outbox
        where published_at is null
            and ordering_key <> all ($2)
            and subject not like all ($3)
        order by id
        limit $1
        "#,
        i64::try_from(limit).unwrap_or(i64::MAX),
        &withheld.keys,
        &like_patterns(&withheld.subjects)
    );
    Ok(rows.fetch_all(tx).await?)
}

/// Marks events as sent, and keeps the refused ones where people look for what was given up.
async fn settle(tx: &mut PgConnection, outcome: &PublishOutcome) -> Result<(), StoreError> {
    for refusal in &outcome.refused {
        dead_letter(tx, refusal).await?;
    }
    let refused = outcome.refused.iter().map(|refusal| refusal.id);
    let done: Vec<i64> = outcome.confirmed.iter().copied().chain(refused).collect();
    // A mark need not wait for the disk: where a crash of Postgres forgets it, the event is
    // published again with the same id. A dead letter does wait.
    sqlx::query!(
        "
        with waiting as (
            select case when $2 then set_config('synchronous_commit', 'off', true) end
        )
        update outbox
        set published_at = clock_timestamp()
        from waiting
        where id = any ($1)
        ",
        &done,
        outcome.refused.is_empty()
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn dead_letter(tx: &mut PgConnection, refusal: &Refusal) -> Result<(), StoreError> {
    let row = sqlx::query!(
        r#"
        select message_id, subject, payload::text as "payload!", headers, created_at
        from outbox
        where id = $1
        "#,
        refusal.id
    )
    .fetch_one(&mut *tx)
    .await?;
    let dead = DeadMessage {
        message: MessageRef { consumer: "outbox", key: MessageKey::new(row.message_id) },
        subject: row.subject,
        reason: Reason::NotPublishable,
        error: refusal.error.clone(),
        attempts: 1,
        payload: row.payload.into_bytes(),
        headers: row.headers,
        first_at: row.created_at,
    };
    write(tx, &dead).await
}
