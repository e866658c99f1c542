//! Claims of refreshes: before a movie is asked for, its row of the refresh queue says that
//! somebody is at work. Claims of many messages are one statement.

use proto::MovieStale;
use sqlx::PgPool;

use crate::{Store, StoreError, db::group_commit::Batch};

/// How long a row may be `processing` before the sweep counts it as lost. Longer than work that is
/// in flight waits at the gate.
const LEASE_SECS: f64 = 60.0;

/// Whether a message may refresh its movie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshClaim {
    /// Its row is `processing`.
    Claimed,
    /// The row that the message was sent for is not open any more: another message did its work.
    AlreadyDone,
    /// The catalogue has no such movie.
    UnknownMovie,
}

impl Store {
    /// Records that the refresh of a movie begins: its open row becomes `processing`, or a new row
    /// does.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_refresh(&self, event: &MovieStale) -> Result<RefreshClaim, StoreError> {
        match self.claims.ask(event.clone()).await? {
            // The app may have added it a moment ago.
            RefreshClaim::UnknownMovie if self.apply_work_edits().await? > 0 => {
                self.claims.ask(event.clone()).await
            }
            claim @ (RefreshClaim::Claimed
            | RefreshClaim::AlreadyDone
            | RefreshClaim::UnknownMovie) => Ok(claim),
        }
    }
}

/// Claims for some messages, of which several may be for the same movie.
pub(crate) struct Claims(pub(crate) PgPool);

impl Batch for Claims {
    type Request = MovieStale;
    type Answer = RefreshClaim;

    /// In the order of the movies, so that two processes with the same ones never lock each other
    /// out. The commit does not wait for the disk: where a crash of Postgres forgets that a row was
    /// `processing`, the row is `queued` as before, and its message is delivered again.
    async fn run(&self, events: &[MovieStale]) -> Result<Vec<RefreshClaim>, StoreError> {
        let column = |of: fn(&MovieStale) -> String| events.iter().map(of).collect::<Vec<_>>();
        let movies: Vec<i64> = events.iter().map(|event| event.tmdb_id.get()).collect();
        let rows: Vec<Option<i64>> = events.iter().map(|event| event.queue_id).collect();
        let runs: Vec<Option<String>> =
            events.iter().map(|event| event.run_id.as_ref().map(ToString::to_string)).collect();
        let priorities: Vec<i32> = events.iter().map(|event| event.lane.priority()).collect();
        let claims = sqlx::query!(
            r#"
            with without_waiting as (
                select set_config('synchronous_commit', 'off', true)
            ),
            asked as (
                select a.*, t.work_id
                from without_waiting,
                    unnest(
                        $1::bigint[], $2::bigint[], $3::int[], $4::text[], $5::text[], $6::text[]
                    ) with ordinality
                        as a (tmdb_id, queue_id, priority, lane, reason, run_id, n)
                left join title t on t.tmdb_id = a.tmdb_id
            ),
            open as (
                select *
                from asked
                where work_id is not null
                    and (
                        queue_id is null
                        or exists (
                            select 1
                            from refresh_item o
                            where o.id = queue_id and o.status in ('queued', 'processing')
                        )
                    )
            ),
            claimed as (
                insert into refresh_item (
                    work_id, tmdb_id, status, priority, queued_at, lane, reason, run_id,
                    released_at, lease_until
                )
                select distinct on (work_id)
                    work_id, tmdb_id, 'processing', priority, now(), lane, reason, run_id,
                    now(), now() + make_interval(secs => $7)
                from open
                order by work_id, n
                on conflict (work_id) where status in ('queued', 'processing')
                do update set
                    status = 'processing',
                    lease_until = excluded.lease_until,
                    released_at = excluded.released_at
            )
            select
                work_id is not null as "is_known!",
                n in (select n from open) as "is_open!"
            from asked
            order by n
            "#,
            &movies,
            &rows as &[Option<i64>],
            &priorities,
            &column(|event| event.lane.as_str().to_owned()),
            &column(|event| event.reason.clone()),
            &runs as &[Option<String>],
            LEASE_SECS
        );
        let claims = claims.fetch_all(&self.0).await?.into_iter().map(|claim| {
            if claim.is_open {
                RefreshClaim::Claimed
            } else if claim.is_known {
                RefreshClaim::AlreadyDone
            } else {
                RefreshClaim::UnknownMovie
            }
        });
        Ok(claims.collect())
    }
}
