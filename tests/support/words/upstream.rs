//! Upstream: the queue of refreshes, the log of calls to TMDB, the shared budget.

use super::Any;
use crate::database::{Database, Rows};

/// Rows of `refresh_item`.
#[derive(Debug, Clone, Copy)]
pub enum QueueRows {}

/// Rows of `tmdb_call`.
#[derive(Debug, Clone, Copy)]
pub enum Calls {}

/// Rows of `tmdb_budget`.
#[derive(Debug, Clone, Copy)]
pub enum Budgets {}

impl Database {
    /// The queue of refreshes.
    pub fn queue(&self) -> Rows<'_, QueueRows> {
        self.rows("refresh_item")
    }

    /// Logged calls to TMDB.
    pub fn calls(&self) -> Rows<'_, Calls> {
        self.rows("tmdb_call")
    }

    /// The most calls that were made for one movie.
    pub fn most_calls_for_one_movie(&self) -> Rows<'_, Any> {
        self.rows(
            "(select count(*) as n
              from tmdb_call
              where tmdb_id is not null
              group by tmdb_id) per_movie",
        )
        .number("max(n)")
    }

    /// Failed calls that came at least so long after the failed one before.
    pub fn failed_calls_after_a_gap_of_millis(&self, millis: i32) -> Rows<'_, Any> {
        self.rows(
            "(select created_at - lag(created_at) over (order by created_at) as gap
              from tmdb_call
              where error_message is not null) gaps",
        )
        .and(format!("gap >= interval '{millis} milliseconds'"))
    }

    /// Every call about a movie of which an attempt was counted as failed, with what came of it.
    pub async fn calls_about_retried_movies(&self) -> Vec<String> {
        self.values(
            "select format('%s %s, %s counted: %s', created_at::time(1), endpoint, retry_count,
                coalesce(error_message, 'well'))
             from tmdb_call
             where tmdb_id in (select tmdb_id from tmdb_call where retry_count > 0)
             order by created_at",
        )
        .await
    }

    /// The budget that all processes share.
    pub fn budget(&self) -> Rows<'_, Budgets> {
        self.rows("tmdb_budget")
    }

    /// A refresh of each movie waits for a worker, unless one waits already.
    pub async fn queue_all(&self) {
        self.execute(
            "insert into refresh_item (work_id, status)
             select work_id, 'queued'
             from works
             on conflict do nothing",
        )
        .await;
    }

    /// As `queue_all`, before everything else.
    pub async fn queue_all_first(&self) {
        self.execute(
            "insert into refresh_item (work_id, status, priority)
             select work_id, 'queued', 1000
             from works",
        )
        .await;
    }

    /// A refresh of the movie with this title waits.
    pub async fn queue_title(&self, title: &str) {
        self.execute(&format!(
            "insert into refresh_item (work_id)
             select work_id
             from works
             where title = '{title}'"
        ))
        .await;
    }

    /// A refresh of each movie is under way, as far as the queue knows.
    pub async fn begin_all(&self) {
        self.execute(
            "insert into refresh_item (work_id, tmdb_id, status)
             select work_id, tmdb_id::bigint, 'processing'
             from works",
        )
        .await;
    }

    /// As `begin_all`, by workers that died.
    pub async fn leave_all_to_dead_workers(&self) {
        self.execute(
            "insert into refresh_item (work_id, status, lease_until)
             select work_id, 'processing', now() - interval '1 second'
             from works",
        )
        .await;
    }
}

impl Rows<'_, QueueRows> {
    /// Waiting or under way.
    pub fn open(self) -> Self {
        self.and("status in ('queued', 'processing')")
    }

    /// Waiting.
    pub fn queued(self) -> Self {
        self.and("status = 'queued'")
    }

    /// Under way.
    pub fn processing(self) -> Self {
        self.and("status = 'processing'")
    }

    /// Done.
    pub fn completed(self) -> Self {
        self.and("status = 'completed'")
    }

    /// With the time at which they were done.
    pub fn with_their_time(self) -> Self {
        self.and("processed_at is not null")
    }

    /// Given up.
    pub fn failed(self) -> Self {
        self.and("status = 'failed'")
    }

    /// Over.
    pub fn ended(self) -> Self {
        self.and("status in ('completed', 'failed')")
    }

    /// Of this lane.
    pub fn of_lane(self, lane: &str) -> Self {
        self.and(format!("lane = '{lane}'"))
    }

    /// Whose last error has these words.
    pub fn saying(self, words: &str) -> Self {
        self.and(format!("last_error like '%{words}%'"))
    }
}

impl Rows<'_, Calls> {
    /// About a movie.
    pub fn for_movies(self) -> Self {
        self.and("tmdb_id is not null")
    }

    /// About this movie.
    pub fn for_movie(self, id: i64) -> Self {
        self.and(format!("tmdb_id = {id}"))
    }

    /// That count as an attempt after another.
    pub fn that_are_retries(self) -> Self {
        self.and("retry_count > 0")
    }

    /// Answered with this status.
    pub fn answered(self, status: u16) -> Self {
        self.and(format!("http_status = {status}"))
    }

    /// Never answered.
    pub fn unanswered(self) -> Self {
        self.and("http_status is null").failed()
    }

    /// With an error.
    pub fn failed(self) -> Self {
        self.and("error_message is not null")
    }

    /// To this endpoint.
    pub fn to(self, endpoint: &str) -> Self {
        self.and(format!("endpoint = '{endpoint}'"))
    }

    /// That brought some rows.
    pub fn with_results(self) -> Self {
        self.and("results_count > 0")
    }
}

impl Rows<'_, Budgets> {
    /// TMDB refuses the credential.
    pub fn credential_refused(self) -> Self {
        self.and("credential_refused_at is not null")
    }

    /// TMDB refused so many calls at least, one after the other.
    pub fn refused_at_least(self, times: i32) -> Self {
        self.and(format!("refusals >= {times}"))
    }

    /// Lower than so many calls a second.
    pub fn lower_than(self, rate: i32) -> Self {
        self.and(format!("rate_now < {rate}"))
    }
}
