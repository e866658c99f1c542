//! Tries: whether each was asked for, and whether a message was tried again only for a cause.

use std::time::Duration;

use sqlx::Row;
use time::OffsetDateTime;

use super::Oracle;
use crate::report::Injected;

/// A message whose worker says nothing is delivered to another; a fault can bring that about once
/// in this time.
const ACK_WAIT: Duration = Duration::from_secs(6);

/// Each try that begins or ends, counted beside the program: its own rows go when the work is done.
/// A try that fails and one that is given back say so; one that is interrupted says nothing.
pub(super) const COUNT_TRIES: &str = "
    create table oracle_tries (consumer text not null, message_key text not null, retried bool not null, at timestamptz not null);
    create table oracle_ends (consumer text not null, message_key text not null, failed bool not null);
    create table oracle_suspects (consumer text not null, message_key text not null);
    create function oracle_tries() returns trigger language plpgsql as $$
    begin
        if tg_op = 'INSERT' or new.started > old.started then
            insert into oracle_tries values (new.consumer, new.message_key, tg_op = 'UPDATE', clock_timestamp());
        elsif new.failed > old.failed or new.started < old.started then
            insert into oracle_ends values (new.consumer, new.message_key, new.failed > old.failed);
        elsif new.alone > old.alone then
            insert into oracle_suspects values (new.consumer, new.message_key);
        end if;
        return null;
    end $$;
    create trigger oracle_tries after insert or update on attempt for each row execute function oracle_tries();";

/// Messages that were tried and that neither the oracle nor the outbox sent under such an id.
const UNASKED_TRIES: &str = "
    select distinct t.consumer || ' ' || t.message_key from oracle_tries t
    where t.message_key !~ '^MOVIES_[A-Z]+:[0-9]+:[0-9]+$' and t.message_key <> all($1)
        and not exists (select 1 from outbox o where o.message_id = t.message_key)";
/// Messages that the outbox sent and that no item of a run and no queue row asks for.
const UNASKED_MESSAGES: &str = r"
    select subject || ' ' || message_id from outbox
    where (subject = 'movies.ingest.movie' and not exists (
            select 1 from job_run_item i where i.run_id = payload ->> 'run_id' and i.tmdb_id = (payload ->> 'tmdb_id')::bigint))
        or (subject ~ '^movies\.stale\.' and not exists (select 1 from refresh_queue q where q.id = (payload ->> 'queue_id')::bigint))";
/// Messages that were tried more often than they failed or were given back, with the first and the
/// last try.
const INTERRUPTED: &str = "
    select t.consumer || ' ' || t.message_key, t.n - 1 - coalesce(e.n, 0), t.first_at, t.last_at
    from (select consumer, message_key, count(*) as n, min(at) as first_at, max(at) as last_at from oracle_tries group by 1, 2) t
    left join (select consumer, message_key, count(*) as n from oracle_ends group by 1, 2) e using (consumer, message_key)
    where t.n - 1 > coalesce(e.n, 0)";

impl Oracle {
    /// Tries of work on one movie that began: each asks TMDB for it at most once.
    pub(crate) async fn movie_tries(&self) -> u64 {
        self.tries("consumer ~ '^(ingest-movie|refresh-)'").await
    }

    /// Tries that began after another of the same message.
    pub(crate) async fn retries(&self) -> u64 {
        self.tries("retried").await
    }

    async fn tries(&self, which: &str) -> u64 {
        u64::try_from(
            self.look(&format!("select count(*) from oracle_tries where {which}"))
                .await
                .unwrap_or(0),
        )
        .unwrap()
    }

    /// Whether each of these failed a try by itself: then it waits for its own backoff, whatever
    /// else goes on.
    pub(crate) async fn failed_by_themselves(&self, keys: &[String]) -> bool {
        let failed = self.rows("select distinct message_key from oracle_ends where failed").await;
        !keys.is_empty() && keys.iter().all(|key| failed.contains(key))
    }

    /// Work that nobody asked for. With as many calls to TMDB as tries at most, calls stay within
    /// what was asked for.
    pub(super) async fn unasked_work(&self) -> Vec<String> {
        let all = self.all.lock().unwrap().clone();
        let named: Vec<String> = all.iter().filter(|o| o.named).map(|o| o.key.clone()).collect();
        let tried =
            sqlx::query_scalar(UNASKED_TRIES).bind(&named).fetch_all(&self.pool()).await.unwrap();
        let mut found: Vec<String> = tried
            .into_iter()
            .map(|what: String| format!("tried without being asked: {what}"))
            .collect();
        found.extend(
            self.rows(UNASKED_MESSAGES)
                .await
                .into_iter()
                .map(|what| format!("sent without being asked: {what}")),
        );
        let unnamed = "select count(distinct message_key) from oracle_tries where message_key ~ '^MOVIES_[A-Z]+:[0-9]+:[0-9]+$'";
        let (tried, sent) = (self.look(unnamed).await.unwrap_or(0), all.len() - named.len());
        if usize::try_from(tried).unwrap() > sent {
            found.push(format!("{tried} messages without an id were tried, {sent} were sent"));
        }
        found
    }

    /// Messages that were tried again though they had neither failed nor been given back, and no
    /// fault explains it.
    pub(crate) async fn tried_without_cause(&self, faults: &[Injected]) -> Vec<String> {
        let rows = sqlx::query(INTERRUPTED).fetch_all(&self.pool()).await.unwrap();
        let mut found = Vec::new();
        for row in rows {
            let (what, times): (String, i64) = (row.get(0), row.get(1));
            let allowed = interruptions(faults, (row.get(2), row.get(3)));
            if u64::try_from(times).unwrap() > allowed {
                found.push(format!(
                    "{what} was interrupted {times} times, its faults explain {allowed}"
                ));
            }
        }
        found
    }
}

/// How often the faults may have interrupted a message between its first and its last try: each
/// once, and once more per `ACK_WAIT` until the next.
fn interruptions(faults: &[Injected], (first, last): (OffsetDateTime, OffsetDateTime)) -> u64 {
    let ends = faults.iter().skip(1).map(|next| next.begun).chain([last]);
    faults
        .iter()
        .zip(ends)
        .map(|(fault, end)| (fault.begun.max(first), end.min(last)))
        .filter(|(from, to)| from <= to)
        .map(|(from, to)| 1 + (to - from).unsigned_abs().as_secs() / ACK_WAIT.as_secs())
        .sum()
}
