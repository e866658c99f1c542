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
        let Columns { movies, rows, runs, priorities, lanes, reasons } = Columns::of(events);
        let claims = sqlx::query!(
            r#"
            with without_waiting as (
                select set_config('synchronous_commit', 'off', true)
            ),
            asked as (
                select
                    a.*,
                    t.work_id,
                    t.work_id is not null and (
                        a.queue_id is null
                        or exists (
                            select 1
                            from refresh_item o
                            where o.id = a.queue_id and o.status in ('queued', 'processing')
                        )
                    ) as is_open
                from without_waiting,
                    unnest(
                        $1::bigint[], $2::bigint[], $3::int[], $4::text[], $5::text[], $6::text[]
                    ) with ordinality
                        as a (tmdb_id, queue_id, priority, lane, reason, run_id, n)
                left join title t on t.tmdb_id = a.tmdb_id
            ),
            claimed as (
                insert into refresh_item (
                    work_id, tmdb_id, status, priority, queued_at, lane, reason, run_id,
                    released_at, lease_until
                )
                select distinct on (work_id)
                    work_id, tmdb_id, 'processing', priority, now(), lane, reason, run_id,
                    now(), now() + make_interval(secs => $7)
                from asked
                where is_open
                order by work_id, n
                on conflict (work_id) where status in ('queued', 'processing')
                do update set
                    status = 'processing',
                    lease_until = excluded.lease_until,
                    released_at = excluded.released_at
            )
            select work_id is not null as "is_known!", is_open as "is_open!"
            from asked
            order by n
            "#,
            &movies,
            &rows as &[Option<i64>],
            &priorities,
            &lanes,
            &reasons,
            &runs as &[Option<String>],
            LEASE_SECS
        );
        let claims = claims.fetch_all(&self.0).await?;
        Ok(claims.iter().map(|claim| claim_of(claim.is_known, claim.is_open)).collect())
    }
}

const fn claim_of(is_known: bool, is_open: bool) -> RefreshClaim {
    if is_open {
        RefreshClaim::Claimed
    } else if is_known {
        RefreshClaim::AlreadyDone
    } else {
        RefreshClaim::UnknownMovie
    }
}

/// What messages ask for, column by column.
struct Columns {
    movies: Vec<i64>,
    rows: Vec<Option<i64>>,
    runs: Vec<Option<String>>,
    priorities: Vec<i32>,
    lanes: Vec<String>,
    reasons: Vec<String>,
}

impl Columns {
    fn of(events: &[MovieStale]) -> Self {
        let run = |event: &MovieStale| event.run_id.as_ref().map(ToString::to_string);
        Self {
            movies: events.iter().map(|event| event.tmdb_id.get()).collect(),
            rows: events.iter().map(|event| event.queue_id).collect(),
            runs: events.iter().map(run).collect(),
            priorities: events.iter().map(|event| event.lane.priority()).collect(),
            lanes: events.iter().map(|event| event.lane.as_str().to_owned()).collect(),
            reasons: events.iter().map(|event| event.reason.clone()).collect(),
        }
    }
}
