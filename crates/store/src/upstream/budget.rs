//! The TMDB budget that all processes share: one row, a generic cell rate algorithm, leased in
//! slices.
//!
//! A 429 pauses all processes and lowers the rate to a share of what it was. It then rises by a
//! constant amount per second (additive increase, multiplicative decrease) until it is the
//! configured one again.

use std::time::Duration;

use time::OffsetDateTime;

use crate::{
    Store, StoreError,
    db::deadline::{SHORT, within},
};

/// The share of the rate that is left after a 429.
const DECREASE: f64 = 0.7;
/// The share of the configured rate that comes back per second.
const INCREASE_PER_SEC: f64 = 0.02;
/// The pause after a first 429 without Retry-After. It doubles with each further one, up to
/// [`PAUSE_MAX_SECS`].
const PAUSE_FIRST_SECS: f64 = 1.0;
const PAUSE_MAX_SECS: f64 = 60.0;
/// This long after a pause without another 429, the next one counts as the first again.
const FORGIVEN_AFTER_SECS: f64 = 30.0;

/// Calls that were granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    pub calls: u32,
    /// How long to wait for the first one.
    pub wait: Duration,
    /// Time from one call to the next.
    pub interval: Duration,
}

/// The state of the budget.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct BudgetRow {
    /// Calls per second, where a 429 lowered them.
    pub lowered_rate: Option<f64>,
    /// Until when no process calls.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<proto::Rfc3339>")]
    pub paused_until: Option<OffsetDateTime>,
    /// Since when TMDB refuses the credential.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<proto::Rfc3339>")]
    pub credential_refused_at: Option<OffsetDateTime>,
    /// Calls that were made and could not be written to `tmdb_call`.
    pub calls_not_logged: i64,
}

impl Store {
    /// Leases a slice of calls from the shared budget: `share` of a second's worth at the current
    /// rate, one call at least. `rate`: the configured calls per second, at least 1.
    ///
    /// The commit does not wait for the disk: a crash of Postgres forgets the slots of its last
    /// moment, and as many calls more are made in the next one.
    ///
    /// # Errors
    /// When the database does not answer; nothing is leased then.
    pub async fn lease_calls(&self, share: f64, rate: u32) -> Result<Lease, StoreError> {
        let leased = sqlx::query!(
            r#"
            with without_waiting as (
                select set_config('synchronous_commit', 'off', true)
            ),
            risen as (
                select
                    clock_timestamp() as at,
                    least(
                        $2::float8,
                        coalesce(
                            b.rate_now
                                + greatest(0, extract(epoch from clock_timestamp() - b.rate_at))
                                    * $3::float8 * $2::float8,
                            $2::float8
                        )
                    ) as rate
                from without_waiting, tmdb_budget b
                for update of b
            ),
            slice as (
                select at, rate, greatest(1, floor(rate * $1::float8)) as calls
                from risen
            )
            update tmdb_budget b
            set rate_now = nullif(s.rate, $2::float8),
                rate_at = greatest(b.rate_at, s.at),
                tat = greatest(b.tat, s.at, coalesce(b.paused_until, 'epoch'))
                    + make_interval(secs => s.calls / s.rate)
            from slice s
            returning
                s.calls::int as "calls!",
                s.rate as "rate!",
                greatest(
                    0,
                    extract(epoch from b.tat - s.at) - s.calls / s.rate
                )::float8 as "wait!"
            "#,
            share,
            f64::from(rate.max(1)),
            INCREASE_PER_SEC
        );
        let row = within(SHORT, async { Ok(leased.fetch_one(&self.pool).await?) }).await?;
        Ok(Lease {
            calls: u32::try_from(row.calls).unwrap_or(1),
            wait: Duration::from_secs_f64(row.wait.max(0.0)),
            interval: Duration::from_secs_f64(1.0 / row.rate.max(0.01)),
        })
    }

    /// Whether the calls of all processes pause, or go on at a rate that a 429 lowered.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn calls_are_refused(&self) -> Result<bool, StoreError> {
        let refused = sqlx::query_scalar!(
            r#"
            select
                rate_now is not null or coalesce(paused_until > clock_timestamp(), false)
                    as "refused!"
            from tmdb_budget
            "#
        );
        within(SHORT, async { Ok(refused.fetch_one(&self.pool).await?) }).await
    }

    /// Records a 429: pauses the calls of every process and lowers the rate. Those that were in
    /// flight together count once. `rate`: the configured one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn calls_refused(
        &self,
        retry_after: Option<Duration>,
        rate: u32,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            r#"
            with next as (
                select
                    clock_timestamp() as at,
                    coalesce(b.paused_until > clock_timestamp(), false) as is_known,
                    case
                        when b.refused_at > clock_timestamp() - make_interval(secs => $4::float8)
                        then b.refusals
                        else 0
                    end as before
                from tmdb_budget b
                for update
            ),
            pause as (
                select
                    n.*,
                    n.at + make_interval(secs => coalesce(
                        $1::float8,
                        least($5::float8, $3::float8 * 2 ^ least(n.before, 10))
                    )) as until
                from next n
            )
            update tmdb_budget b
            set refusals = case when p.is_known then b.refusals else p.before + 1 end,
                paused_until = case
                    when p.is_known and $1::float8 is null then b.paused_until
                    else greatest(b.paused_until, p.until)
                end,
                refused_at = greatest(b.refused_at, p.until),
                rate_now = case
                    when p.is_known then b.rate_now
                    else greatest(1, $6::float8 * coalesce(b.rate_now, $2::float8))
                end,
                rate_at = greatest(b.rate_at, p.until)
            from pause p
            "#,
            retry_after.map(|d| d.as_secs_f64()),
            f64::from(rate.max(1)),
            PAUSE_FIRST_SECS,
            FORGIVEN_AFTER_SECS,
            PAUSE_MAX_SECS,
            DECREASE
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Records that TMDB refuses the credential, or accepts it again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn note_credential(&self, accepted: bool) -> Result<(), StoreError> {
        sqlx::query!(
            "
            update tmdb_budget
            set credential_refused_at = case
                when $1 then null
                else coalesce(credential_refused_at, now())
            end
            ",
            accepted
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Counts calls that could not be logged.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn note_unlogged(&self, calls: u64) -> Result<(), StoreError> {
        sqlx::query!(
            "
            update tmdb_budget
            set calls_not_logged = calls_not_logged + $1
            ",
            i64::try_from(calls).unwrap_or(i64::MAX)
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// For how many seconds no process calls TMDB; 0: there is no pause.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn calls_paused_secs(&self) -> Result<i64, StoreError> {
        let secs = sqlx::query_scalar!(
            r#"
            select coalesce(
                greatest(0, extract(epoch from paused_until - clock_timestamp()))::bigint,
                0
            ) as "secs!"
            from tmdb_budget
            "#
        );
        Ok(secs.fetch_one(&self.pool).await?)
    }

    /// The state of the budget.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn budget(&self) -> Result<BudgetRow, StoreError> {
        let budget = sqlx::query_as!(
            BudgetRow,
            "
            select
                rate_now as lowered_rate,
                case when paused_until > now() then paused_until end as paused_until,
                credential_refused_at,
                calls_not_logged
            from tmdb_budget
            "
        );
        Ok(budget.fetch_one(&self.pool).await?)
    }
}
