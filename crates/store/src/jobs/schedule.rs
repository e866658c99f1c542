//! Jobs as the scheduler sees them (`job`): which are due, when the next one fires, which cannot be
//! read.

use calendar::{Gap, Overlap};
use proto::JobName;
use time::OffsetDateTime;

use crate::{
    Store, StoreError,
    db::row::{Row, readable},
};

/// A job that somebody holds locked is left to the next sweep, so that it stops no other.
pub(super) const BEGIN_WITH_SHORT_WAITS: &str = "begin; set local lock_timeout = '300ms'";

/// A job as the scheduler needs it.
#[derive(Debug, Clone)]
pub struct DueJob {
    pub name: JobName,
    /// A schedule as [`calendar`] reads it.
    pub schedule: String,
    /// IANA time zone.
    pub timezone: String,
    pub dst_gap: Gap,
    pub dst_overlap: Overlap,
    /// Next nominal time; `None` after an edit.
    pub next_at: Option<OffsetDateTime>,
    /// A nominal time that was missed by more seconds than this does not run.
    pub catch_up_secs: i32,
    /// Of the nominal times that were missed, at most this many run.
    pub catch_up_max: i32,
    /// Times that this schedule matches do not run.
    pub exclusions: Option<String>,
    /// A nominal time fires up to this many seconds later.
    pub jitter_secs: i32,
    /// How many runs it has left; `None`: no limit.
    pub runs_left: Option<i64>,
    /// No nominal time before it.
    pub starts_at: Option<OffsetDateTime>,
    /// No nominal time after it.
    pub ends_at: Option<OffsetDateTime>,
    /// False: it is paused.
    pub enabled: bool,
    /// When it fires again by itself.
    pub paused_until: Option<OffsetDateTime>,
    /// Why all jobs are held; `None`: they are not.
    pub hold: Option<String>,
    /// Why it is paused.
    pub note: Option<String>,
    /// Grows by one with each edit.
    pub revision: i64,
    /// The time of the database when it was asked.
    pub now: OffsetDateTime,
}

/// The next nominal time of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextTime {
    /// `None`: there is none.
    pub at: Option<OffsetDateTime>,
    /// It fires this many seconds later.
    pub jitter_secs: i32,
}

/// When the next job fires.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NextAlarm {
    pub at: OffsetDateTime,
    /// Seconds until then by the clock of the database: the clock of a process may be wrong.
    /// Negative: it is late.
    pub in_secs: f64,
}

/// A job that does not fire because its schedule cannot be read.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct UnreadableJob {
    pub name: String,
    /// What is wrong with the schedule, the zone or the exclusions.
    pub reason: String,
}

impl Store {
    /// Jobs whose time has come, or has to be computed; paused ones too, because their nominal
    /// times get rows as well.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due_jobs(&self, limit: i64) -> Result<Vec<DueJob>, StoreError> {
        let rows = sqlx::query!(
            r#"
            select
                name, schedule, timezone, dst_gap, dst_overlap, next_at, revision,
                catch_up_secs, catch_up_max, exclusions, jitter_secs,
                case when max_runs is not null then greatest(max_runs - runs_done, 0) end
                    as runs_left,
                starts_at, ends_at, enabled, paused_until,
                (select coalesce(note, '') from job_hold where held) as hold,
                note,
                now() as "now!"
            from job
            where fire_at is null or fire_at <= now()
            order by fire_at nulls first
            limit $1
            "#,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(readable(rows.into_iter().map(|r| {
            let row = Row::of("job", &r.name);
            Ok(DueJob {
                name: row.read("name", &r.name)?,
                dst_gap: row.read("dst_gap", &r.dst_gap)?,
                dst_overlap: row.read("dst_overlap", &r.dst_overlap)?,
                schedule: r.schedule,
                timezone: r.timezone,
                next_at: r.next_at,
                catch_up_secs: r.catch_up_secs,
                catch_up_max: r.catch_up_max,
                exclusions: r.exclusions,
                jitter_secs: r.jitter_secs,
                runs_left: r.runs_left,
                starts_at: r.starts_at,
                ends_at: r.ends_at,
                enabled: r.enabled,
                paused_until: r.paused_until,
                hold: r.hold,
                note: r.note,
                revision: r.revision,
                now: r.now,
            })
        })))
    }

    /// When the next job fires. `None`: no job will. One that is late by a second or more is left
    /// out: it could not be claimed, and waits for the next sweep.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn next_alarm(&self) -> Result<Option<NextAlarm>, StoreError> {
        let next = sqlx::query_as!(
            NextAlarm,
            r#"
            select
                fire_at as "at!",
                extract(epoch from fire_at - clock_timestamp())::float8 as "in_secs!"
            from job
            where fire_at > clock_timestamp() - interval '1 second' and fire_at < 'infinity'
            order by fire_at
            limit 1
            "#
        );
        Ok(next.fetch_optional(&self.pool).await?)
    }

    /// Ends pauses whose time is over.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn end_pauses(&self) -> Result<(), StoreError> {
        sqlx::query!(
            "
            update job
            set enabled = true
            where name in (
                select name
                from job
                where not enabled
                    and paused_until <= now()
                    and (next_at > now() or next_at is null)
                for update skip locked
            )
            "
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Sets the next nominal time, unless the job was edited meanwhile.
    ///
    /// # Errors
    /// When the database does not answer, and `Conflict` when somebody holds the job.
    pub async fn set_next(&self, job: &DueJob, next: NextTime) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with(BEGIN_WITH_SHORT_WAITS).await?;
        sqlx::query!(
            "
            update job
            set next_at = coalesce($3, 'infinity'::timestamptz), jitter_offset = $4
            where name = $1 and revision = $2
            ",
            job.name.as_str(),
            job.revision,
            next.at,
            next.jitter_secs
        )
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Pauses a job whose schedule cannot be read, unless it was edited meanwhile or another
    /// scheduler paused it. The next edit resumes it.
    ///
    /// # Errors
    /// As [`Self::set_next`].
    pub async fn pause_unreadable(&self, job: &DueJob, reason: &str) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with(BEGIN_WITH_SHORT_WAITS).await?;
        sqlx::query!(
            "
            update job
            set next_at = 'infinity',
                jitter_offset = 0,
                schedule_error = $3,
                note = case when enabled then $3 else note end,
                paused_by = case when enabled then 'mangoes' else paused_by end,
                enabled = false
            where name = $1 and revision = $2 and schedule_error is null
            ",
            job.name.as_str(),
            job.revision,
            reason
        )
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// The jobs whose schedule cannot be read, by name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn unreadable_jobs(&self) -> Result<Vec<UnreadableJob>, StoreError> {
        let jobs = sqlx::query_as!(
            UnreadableJob,
            r#"
            select name, schedule_error as "reason!"
            from job
            where schedule_error is not null
            order by name
            limit 100
            "#
        );
        Ok(jobs.fetch_all(&self.pool).await?)
    }
}
