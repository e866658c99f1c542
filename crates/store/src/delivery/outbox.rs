//! Events wait here, written with their cause in one transaction, until the stream has confirmed
//! them.

use std::time::Duration;

use delivery::{CONSUMERS, DeadMessage, MessageRef};
use proto::{Event, MessageKey, Reason};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, postgres::PgListener};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    Store, StoreError, dead_letter, queue,
    within::{SHORT, within},
};

/// Only one relay publishes at a time, so that a movie's events keep their order; the lock passes
/// on when it dies.
const RELAY_LOCK: i64 = 0x6d61_6e67_6f65_7301;
/// How long one step of a relay may take; when it is cut off, its rows are published again with the
/// same ids.
const LONGEST_PASS: &str = "30s";
/// How long it may be held for making streams anew without a sign of life.
const LONGEST_HOLD: &str = "20s";
/// How often whoever holds it shows that it lives.
const SHOWS_LIFE_EVERY: Duration = Duration::from_secs(5);
/// How long a process that starts waits for the lock: another may be at its streams.
const PATIENCE: Duration = Duration::from_secs(45);
/// Rows that wait again after the loss of a stream, marked in one step.
const MARKED_AT_ONCE: i64 = 20_000;
/// How long published rows are kept, to be published again after the loss of a stream.
const KEEP_PUBLISHED: &str = "1 day";

/// How long work that nobody has handled yet is kept all the same.
const KEEP_UNHANDLED: &str = "14 days";

/// What became of rows that were handed out.
#[derive(Debug, Default)]
pub struct Sent {
    /// Rows that the stream confirmed.
    pub confirmed: Vec<i64>,
    /// Rows that no stream will ever take, and why.
    pub refused: Vec<(i64, String)>,
}

/// Rows that wait for the relay's next look.
#[derive(Debug, Default)]
pub struct Held {
    /// Those of these keys.
    pub keys: Vec<String>,
    /// Those with one of these second words in their subject, as `ingest`.
    pub kinds: Vec<String>,
}

/// A step of the relay.
#[derive(Debug, Clone, Copy)]
pub struct Pass {
    /// Rows that are done.
    pub sent: usize,
    /// Rows that could not be sent now.
    pub left: usize,
}

/// A row on its way out.
#[derive(Debug, Clone)]
pub struct Relayed {
    /// Its number; grows in the order of writing.
    pub id: i64,
    /// Where to.
    pub subject: String,
    /// `Nats-Msg-Id`.
    pub message_id: String,
    /// Rows with the same key go out one after the other.
    pub ordering_key: String,
    /// CloudEvents headers and `traceparent`.
    pub headers: Value,
    /// The event.
    pub payload: Value,
}

/// An event to be written.
pub(crate) struct Entry {
    subject: String,
    message_id: String,
    ordering_key: String,
    headers: Value,
    payload: Value,
}

impl Entry {
    /// The same, in a trace that is known.
    pub(crate) fn in_trace(mut self, trace_id: &str) -> Self {
        let own = format!("00-{trace_id}-{}-01", hex(&self.message_id, 8));
        if let Some(headers) = self.headers.as_object_mut() {
            headers.insert("traceparent".to_owned(), own.into());
        }
        self
    }
}

/// An event with the id that its cause gives it.
pub(crate) fn entry<E: Event>(
    event: &E,
    message_id: String,
    ordering_key: String,
    cause: &str,
    at: OffsetDateTime,
) -> Entry {
    let headers = json!({
        "ce-id": message_id,
        "ce-source": "mangoes",
        "ce-type": E::TYPE,
        "ce-time": at.format(&Rfc3339).unwrap_or_default(),
        "ce-specversion": "1.0",
        "traceparent": traceparent(cause, &message_id),
    });
    let payload = serde_json::to_value(event).unwrap_or_default();
    Entry { subject: event.subject(), message_id, ordering_key, headers, payload }
}

/// W3C trace context: one trace per cause, one span per message, the same on every repetition.
fn traceparent(cause: &str, message_id: &str) -> String {
    format!("00-{}-{}-01", trace_id(cause), hex(message_id, 8))
}

/// The trace of everything that a cause brings about.
pub(crate) fn trace_id(cause: &str) -> String {
    hex(cause, 16)
}

fn hex(text: &str, bytes: usize) -> String {
    Sha256::digest(text).iter().take(bytes).map(|b| format!("{b:02x}")).collect()
}

pub(crate) async fn enqueue(tx: &mut PgConnection, entries: &[Entry]) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let texts = |f: fn(&Entry) -> &String| entries.iter().map(|e| f(e).clone()).collect::<Vec<_>>();
    let values = |f: fn(&Entry) -> &Value| entries.iter().map(|e| f(e).clone()).collect::<Vec<_>>();
    sqlx::query!(
        "insert into outbox (subject, message_id, ordering_key, headers, payload)
         select * from unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::jsonb[])",
        &texts(|e| &e.subject),
        &texts(|e| &e.message_id),
        &texts(|e| &e.ordering_key),
        &values(|e| &e.headers),
        &values(|e| &e.payload)
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// For the rest of this transaction.
async fn session_may_idle(conn: &mut PgConnection, span: &str) -> Result<(), StoreError> {
    let set = sqlx::query_scalar!(
        "select set_config('idle_in_transaction_session_timeout', $1, true)",
        span
    );
    set.fetch_one(conn).await?;
    Ok(())
}

/// What no stream takes is kept where people look for what was given up.
async fn bury_refused(
    conn: &mut PgConnection,
    refused: &[(i64, String)],
) -> Result<(), StoreError> {
    for (id, reason) in refused {
        let row = sqlx::query!(
            r#"select message_id, subject, payload, headers, created_at, clock_timestamp() as "now!" from outbox where id = $1"#,
            id
        )
        .fetch_one(&mut *conn)
        .await?;
        let dead = DeadMessage {
            message: MessageRef { consumer: "outbox", key: MessageKey::new(row.message_id) },
            subject: row.subject,
            reason: Reason::NotPublishable,
            error: reason.clone(),
            attempts: 1,
            payload: row.payload.to_string().into_bytes(),
            headers: row.headers,
            first_at: row.created_at,
        };
        dead_letter::write(conn, &dead, row.now).await?;
    }
    Ok(())
}

/// The consumers that handle what the outbox sends: with them the primary key of `inbox` finds a
/// message.
fn durables() -> Vec<String> {
    CONSUMERS.iter().map(|consumer| consumer.durable.to_owned()).collect()
}

impl Store {
    /// Hands the oldest unsent rows, but those that are `held`, to `publish`, which gives back what
    /// was confirmed and what can never be, and marks both as sent; the latter become dead letters.
    /// `None`: another process is at it. A crash in between publishes again, with the same message
    /// ids. Every step begins with the oldest row: one with a lower number may be committed later
    /// than its neighbour, though never later than its own key's next.
    ///
    /// # Errors
    /// When the database does not answer; nothing is marked then.
    pub async fn relay<F, Fut>(
        &self,
        (held, limit): (&Held, i64),
        publish: F,
    ) -> Result<Option<Pass>, StoreError>
    where
        F: FnOnce(Vec<Relayed>) -> Fut + Send,
        Fut: Future<Output = Sent> + Send,
    {
        let taken = within(SHORT, async {
            let mut tx = self.pool.begin().await?;
            session_may_idle(&mut tx, LONGEST_PASS).await?;
            let mine = sqlx::query_scalar!(
                r#"select pg_try_advisory_xact_lock($1) as "mine!""#,
                RELAY_LOCK
            );
            if !mine.fetch_one(&mut *tx).await? {
                return Ok(None);
            }
            let rows = sqlx::query_as!(
                Relayed,
                "select id, subject, message_id, ordering_key, headers, payload from outbox
                 where published_at is null and ordering_key <> all($2) and split_part(subject, '.', 2) <> all($3) order by id limit $1",
                limit,
                &held.keys,
                &held.kinds
            );
            let rows = rows.fetch_all(&mut *tx).await?;
            Ok(Some((tx, rows)))
        });
        let Some((mut tx, rows)) = taken.await? else { return Ok(None) };
        if rows.is_empty() {
            return Ok(Some(Pass { sent: 0, left: 0 }));
        }
        let looked_at = rows.len();
        let sent = publish(rows).await;
        let done: Vec<i64> =
            sent.confirmed.iter().copied().chain(sent.refused.iter().map(|(id, _)| *id)).collect();
        let marked = within(SHORT, async {
            bury_refused(&mut tx, &sent.refused).await?;
            let mark = sqlx::query!(
                "update outbox set published_at = clock_timestamp() where id = any($1)",
                &done
            );
            mark.execute(&mut *tx).await?;
            Ok(tx.commit().await?)
        });
        marked.await?;
        Ok(Some(Pass { sent: done.len(), left: looked_at - done.len() }))
    }

    /// Does something while no relay publishes. `patient` = false: `None` when one does at this
    /// moment.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn while_nothing_is_relayed<Fut: Future<Output = T> + Send, T>(
        &self,
        patient: bool,
        work: Fut,
    ) -> Result<Option<T>, StoreError> {
        let taken = within(if patient { PATIENCE } else { SHORT }, async {
            let mut tx = self.pool.begin().await?;
            // It stands idle while the work goes on elsewhere: a cluster may have to choose leaders
            // first.
            session_may_idle(&mut tx, LONGEST_HOLD).await?;
            if patient {
                sqlx::query_scalar!("select pg_advisory_xact_lock($1)::text", RELAY_LOCK)
                    .fetch_one(&mut *tx)
                    .await?;
                return Ok(Some(tx));
            }
            let mine = sqlx::query_scalar!(
                r#"select pg_try_advisory_xact_lock($1) as "mine!""#,
                RELAY_LOCK
            );
            Ok(if mine.fetch_one(&mut *tx).await? { Some(tx) } else { None })
        });
        let Some(mut tx) = taken.await? else { return Ok(None) };
        let mut work = std::pin::pin!(work);
        let done = loop {
            tokio::select! {
                done = &mut work => break done,
                // The lock goes with its session, and that must not look idle.
                () = tokio::time::sleep(SHOWS_LIFE_EVERY) => {
                    within(SHORT, async { Ok(sqlx::query!(r#"select 1 as "one!""#).fetch_one(&mut *tx).await?) }).await?;
                }
            }
        };
        within(SHORT, async { Ok(tx.commit().await?) }).await?;
        Ok(Some(done))
    }

    /// Compares a stream's birth with the one that was published into. A stream that was born anew
    /// lost what it held: the rows that are kept go out again, with the same message ids; whoever
    /// handled one before meets its inbox row. Returns how many. A million rows take a while: step
    /// by step, the oldest first, and the birth is noted when all are marked, so whoever dies in
    /// between leaves it to the next.
    ///
    /// # Errors
    /// When the database does not answer; the birth is not noted then.
    pub async fn note_generation(
        &self,
        stream: &str,
        created_at: &str,
        subjects: &[String],
    ) -> Result<u64, StoreError> {
        let known = sqlx::query_scalar!(
            "select created_at from stream_generation where stream = $1",
            stream
        );
        let known = within(SHORT, async { Ok(known.fetch_optional(&self.pool).await?) }).await?;
        if known.as_deref() == Some(created_at) {
            return Ok(0);
        }
        let again = if known.is_some() { self.mark_again(subjects).await? } else { 0 };
        within(SHORT, async {
            let mut tx = self.pool.begin().await?;
            sqlx::query!(
                "insert into stream_generation (stream, created_at) values ($1, $2)
                 on conflict (stream) do update set created_at = excluded.created_at, noted_at = now()",
                stream,
                created_at
            )
            .execute(&mut *tx)
            .await?;
            if known.is_some() && subjects.iter().any(|s| s.starts_with("movies.ingest.")) {
                // So did lists; their runs remember them.
                sqlx::query!(r#"select lists_again() as "n!""#).fetch_one(&mut *tx).await?;
            }
            if known.is_some() && subjects.iter().any(|s| s.starts_with("movies.stale.")) {
                queue::send_again(&mut tx).await?;
            }
            Ok(tx.commit().await?)
        })
        .await?;
        Ok(again)
    }

    /// Published rows of these subjects wait again; but work that is done needs no second message.
    async fn mark_again(&self, subjects: &[String]) -> Result<u64, StoreError> {
        let patterns: Vec<String> = subjects.iter().map(|s| s.replace(['*', '>'], "%")).collect();
        let (mut after, mut marked) = (0, 0);
        loop {
            let step = sqlx::query!(
                r#"with lost as (
                    select id from outbox o where id > $3 and published_at is not null and subject like any($1)
                        and (subject !~ '^movies\.(ingest|stale|tick)\.'
                            or not exists (select 1 from inbox i where i.consumer = any($2) and i.message_key = o.message_id))
                    order by id limit $4),
                marked as (update outbox o set published_at = null from lost where o.id = lost.id returning o.id)
                select count(*) as "n!", max(id) as last from marked"#,
                &patterns,
                &durables(),
                after,
                MARKED_AT_ONCE
            );
            // The last one looks through all that is left and finds nothing.
            let step =
                self.while_seen_at_work(async { Ok(step.fetch_one(&self.pool).await?) }).await?;
            marked += step.n;
            match step.last {
                Some(last) => after = last,
                None => return Ok(u64::try_from(marked).unwrap_or(0)),
            }
        }
    }

    /// Forgets rows that were published long ago, and inbox rows whose messages no stream can
    /// repeat any more.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn prune(&self) -> Result<(), StoreError> {
        sqlx::query(
            "delete from outbox where id in (select id from outbox o where published_at < now() - $1::text::interval
             and (subject !~ '^movies\\.(ingest|stale|tick)\\.' or published_at < now() - $2::text::interval
                or exists (select 1 from inbox i where i.consumer = any($3) and i.message_key = o.message_id)) limit 5000)",
        )
        .bind(KEEP_PUBLISHED)
        .bind(KEEP_UNHANDLED)
        .bind(durables())
        .execute(&self.pool)
        .await?;
        sqlx::query!("delete from inbox where (consumer, message_key) in (select consumer, message_key from inbox where handled_at < now() - interval '14 days' limit 5000)")
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Whether a row waits for longer than so many seconds, and no stream was made anew since: then
    /// all of them wait again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn outbox_is_late(&self, secs: i32) -> Result<bool, StoreError> {
        let late = sqlx::query_scalar!(
            r#"select exists (select 1 from outbox where published_at is null and created_at < now() - make_interval(secs => $1))
                and coalesce((select max(noted_at) from stream_generation) < now() - make_interval(secs => $1), true) as "late!""#,
            f64::from(secs)
        );
        Ok(late.fetch_one(&self.pool).await?)
    }

    /// Rows that are not published yet.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn outbox_backlog(&self) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar!(r#"select count(*) as "n!" from outbox where published_at is null"#)
            .fetch_one(&self.pool)
            .await?)
    }

    /// Events for other systems that are published: refreshed, changed, removed, run.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn events_published(&self) -> Result<i64, StoreError> {
        let n = sqlx::query_scalar!(
            r#"select count(*) as "n!" from outbox where published_at is not null
            and (subject like 'movies.refreshed.%' or subject like 'movies.changed.%' or subject like 'movies.removed.%' or subject like 'movies.run.%')"#
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(n)
    }

    /// Calls back whenever one of the channels is notified. Ends when the connection is lost.
    ///
    /// # Errors
    /// When listening fails.
    pub async fn listen(
        &self,
        channel: &str,
        notified: impl Fn() + Send,
    ) -> Result<(), StoreError> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.listen(channel).await?;
        notified();
        while listener.try_recv().await?.is_some() {
            notified();
        }
        Ok(())
    }
}
