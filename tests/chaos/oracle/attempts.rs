//! Attempts: whether each was asked for, and whether a message was attempted again only for a
//! cause.

use std::{ops::RangeInclusive, time::Duration};

use sqlx::Row;
use time::OffsetDateTime;

use super::{Oracle, questions};
use crate::report::Injected;

/// A message whose worker says nothing is delivered to another; a fault can bring that about once
/// in this time.
const ACK_WAIT: Duration = Duration::from_secs(6);

impl Oracle {
    /// Attempts at one movie that began: each asks TMDB for it at most once.
    pub(crate) async fn movie_attempts(&self) -> u64 {
        self.count(questions::MOVIE_ATTEMPTS).await
    }

    /// Attempts that began after another of the same message.
    pub(crate) async fn retries(&self) -> u64 {
        self.count(questions::RETRIES).await
    }

    async fn count(&self, sql: &str) -> u64 {
        u64::try_from(self.look(sql).await.unwrap_or(0)).unwrap()
    }

    /// Whether an attempt at each of these failed by itself: then it waits for its own backoff,
    /// whatever else goes on.
    pub(crate) async fn failed_by_themselves(&self, keys: &[String]) -> bool {
        let failed = self.rows(questions::FAILED).await;
        !keys.is_empty() && keys.iter().all(|key| failed.contains(key))
    }

    /// Work that nobody asked for. With as many calls to TMDB as attempts at most, calls stay
    /// within what was asked for.
    pub(super) async fn unasked_work(&self) -> Vec<String> {
        let all = self.all.lock().unwrap().clone();
        let named: Vec<String> = all.iter().filter(|o| o.named).map(|o| o.key.clone()).collect();
        let attempted: Vec<String> = sqlx::query_scalar(questions::UNASKED_ATTEMPTS)
            .bind(&named)
            .fetch_all(&self.pool())
            .await
            .unwrap();
        let sent = self.rows(questions::UNASKED_MESSAGES).await;
        let mut found: Vec<String> = attempted
            .iter()
            .map(|what| format!("attempted without being asked: {what}"))
            .chain(sent.iter().map(|what| format!("sent without being asked: {what}")))
            .collect();
        let attempted = self.count(questions::UNNAMED_ATTEMPTS).await;
        let sent = u64::try_from(all.len() - named.len()).unwrap();
        if attempted > sent {
            found.push(format!(
                "{attempted} messages without an id were attempted, {sent} were sent"
            ));
        }
        found
    }

    /// Messages that were attempted again though they had neither failed nor been given back, and
    /// no fault explains it.
    pub(crate) async fn attempted_without_cause(&self, faults: &[Injected]) -> Vec<String> {
        let rows = sqlx::query(questions::INTERRUPTED).fetch_all(&self.pool()).await.unwrap();
        let mut found = Vec::new();
        for row in rows {
            let (what, times): (String, i64) = (row.get(0), row.get(1));
            let allowed = interruptions(faults, row.get(2)..=row.get(3));
            if u64::try_from(times).unwrap() > allowed {
                found.push(format!(
                    "{what} was interrupted {times} times, its faults explain {allowed}"
                ));
            }
        }
        found
    }
}

/// How often the faults may have interrupted a message from its first to its last attempt: each
/// once, and once more per `ACK_WAIT` until the next.
fn interruptions(faults: &[Injected], attempts: RangeInclusive<OffsetDateTime>) -> u64 {
    let (first, last) = attempts.into_inner();
    let ends = faults.iter().skip(1).map(|next| next.begun).chain([last]);
    faults
        .iter()
        .zip(ends)
        .map(|(fault, end)| (fault.begun.max(first), end.min(last)))
        .filter(|(from, to)| from <= to)
        .map(|(from, to)| 1 + (to - from).unsigned_abs().as_secs() / ACK_WAIT.as_secs())
        .sum()
}
