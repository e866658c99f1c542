//! Delivery: events in the outbox, dead letters, connections.

use serde_json::Value;

use super::Any;
use crate::database::{Database, Rows, quoted};

/// Rows of `outbox`.
#[derive(Debug, Clone, Copy)]
pub enum Events {}

/// Rows of `dead_letter`.
#[derive(Debug, Clone, Copy)]
pub enum DeadLetters {}

impl Database {
    /// Messages of the outbox on this subject; `*` stands for the rest of it.
    pub fn events(&self, subject: &str) -> Rows<'_, Events> {
        self.rows("outbox").and(format!("subject like '{}'", subject.replace('*', "%")))
    }

    /// What the stream MOVIES_EVENTS has to hold.
    pub fn events_for_the_app(&self) -> Rows<'_, Events> {
        self.rows("outbox").and("subject ~ '^movies.(refreshed|changed|run)'")
    }

    /// Messages that wait in the outbox.
    pub fn unsent(&self) -> Rows<'_, Events> {
        self.rows("outbox").and("published_at is null")
    }

    /// Waits until nothing waits in the outbox.
    pub async fn all_published(&self) {
        self.unsent().becomes(0).await;
    }

    /// The newest message on this subject.
    pub async fn newest_event(&self, subject: &str) -> Value {
        self.value(&format!(
            "select payload
             from outbox
             where subject = '{subject}'
             order by id desc
             limit 1"
        ))
        .await
    }

    /// All messages about runs.
    pub async fn run_events(&self) -> Vec<Value> {
        self.values("select payload from outbox where subject like 'movies.run.%'").await
    }

    /// Writes a message into the outbox beside the program.
    pub async fn add_to_outbox(&self, subject: &str, message_id: &str, payload: &Value) {
        let (id, payload) = (quoted(message_id), quoted(&payload.to_string()));
        self.execute(&format!(
            "insert into outbox (subject, message_id, ordering_key, headers, payload)
             values ('{subject}', {id}, 'one', '{{}}', {payload})"
        ))
        .await;
    }

    /// All dead letters.
    pub fn dead_letters(&self) -> Rows<'_, DeadLetters> {
        self.rows("dead_letter")
    }

    /// Messages that were begun and are not done.
    pub fn messages_at_work(&self) -> Rows<'_, Any> {
        self.rows("attempt")
    }

    /// All that is not over: runs, refreshes, messages that were begun, events.
    pub fn work_left(&self) -> Rows<'_, Any> {
        self.rows(
            "(select 1 from job_run where ended_at is null
              union all
              select 1 from refresh_item where status in ('queued', 'processing')
              union all
              select 1 from attempt
              union all
              select 1 from outbox where published_at is null) as work",
        )
    }

    /// What the dead letters say, one after the other; `none` without any.
    pub async fn errors_of_dead_letters(&self) -> String {
        self.value("select coalesce(string_agg(error, '; '), 'none') from dead_letter").await
    }

    /// The error of each dead letter of such a message that died at its first attempt.
    pub async fn errors_of(&self, subject: &str, payload: &[u8], reason: &str) -> Vec<String> {
        let sql = "
            select error
            from dead_letter
            where subject = $1
              and payload = $2
              and reason = $3
              and tries = 1";
        let query = sqlx::query_scalar(sql).bind(subject).bind(payload).bind(reason);
        query.fetch_all(&self.pool).await.unwrap()
    }

    /// Connections of the process with this name.
    pub fn connections_of(&self, name: &str) -> Rows<'_, Any> {
        self.rows("pg_stat_activity").and(format!("application_name like '{name} %'"))
    }

    /// Processes of the program with a connection.
    pub fn connected_processes(&self) -> Rows<'_, Any> {
        self.rows("pg_stat_activity")
            .number("count(distinct application_name)")
            .and("application_name like 'mangoes%'")
    }

    /// Connections of the program that wait for a lock.
    pub fn connections_waiting_for_a_lock(&self) -> Rows<'_, Any> {
        self.rows("pg_stat_activity")
            .and("application_name like 'mangoes %'")
            .and("wait_event_type = 'Lock'")
    }

    /// Rows of outbox, inbox and attempts whose message has such an id.
    pub fn deliveries_named(&self, prefix: &str) -> Rows<'_, Any> {
        self.rows(
            "(select message_id as id from outbox
              union all
              select message_key from inbox
              union all
              select message_key from attempt) as deliveries",
        )
        .and(format!("id like '{prefix}%'"))
    }

    /// Rows that requests of people leave behind.
    pub fn traces_of_requests(&self) -> Rows<'_, Any> {
        self.rows(
            "(select 1 from job_audit
              union all
              select 1 from job_run
              union all
              select 1 from outbox
              union all
              select 1 from job_hold where held) as traces",
        )
    }
}

impl Rows<'_, Events> {
    /// Confirmed by their stream.
    pub fn published(self) -> Self {
        self.and("published_at is not null")
    }

    /// With this message id.
    pub fn with_id(self, message_id: &str) -> Self {
        self.and(format!("message_id = {}", quoted(message_id)))
    }

    /// With this word or number in a field of the payload.
    pub fn saying(self, field: &str, value: &str) -> Self {
        self.and(format!("payload ->> '{field}' = '{value}'"))
    }
}

impl Rows<'_, DeadLetters> {
    /// For this reason.
    pub fn because(self, reason: &str) -> Self {
        self.and(format!("reason = '{reason}'"))
    }

    /// For any other reason.
    pub fn not_because(self, reason: &str) -> Self {
        self.and(format!("reason <> '{reason}'"))
    }

    /// Of this consumer.
    pub fn of(self, consumer: &str) -> Self {
        self.and(format!("consumer = '{consumer}'"))
    }

    /// Of the message with this key.
    pub fn keyed(self, key: &str) -> Self {
        self.and(format!("message_key = '{key}'"))
    }

    /// Of a message with this payload.
    pub fn carrying(self, payload: &str) -> Self {
        self.and(format!("convert_from(payload, 'UTF8') = {}", quoted(payload)))
    }

    /// Whose error has these words.
    pub fn saying(self, words: &str) -> Self {
        self.and(format!("error like '%{words}%'"))
    }

    /// After so many attempts.
    pub fn after_attempts(self, attempts: i32) -> Self {
        self.and(format!("tries = {attempts}"))
    }

    /// The id of the only one.
    pub fn id(self) -> Self {
        self.number("case when count(*) = 1 then min(id) end")
    }
}
