//! Jobs of pg_cron that do what our jobs do: while both run, TMDB is asked twice.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::{
    Store, StoreError,
    db::deadline::{SHORT, within},
    schema::finding::Finding,
};

/// A job of pg_cron that is still active.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OldJob {
    pub id: i64,
    /// Empty where it has none.
    pub name: String,
    pub schedule: String,
    /// SQL that stops it.
    pub remedy: String,
}

/// The names of the jobs and of the functions that they called.
const WORDS: &str = "scheduled_ingest_(daily|weekly)|daily_refresh_enqueue|refresh_worker\
                     |call_scheduled_ingest|call_daily_refresh|call_refresh_worker";

impl OldJob {
    /// Its name, or its number where it has none.
    #[must_use]
    pub fn shown_name(&self) -> String {
        if self.name.is_empty() { format!("number {}", self.id) } else { self.name.clone() }
    }
}

impl Store {
    /// Active jobs of the old design, as far as this role may see the jobs of pg_cron.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn old_jobs(&self) -> Result<Vec<OldJob>, StoreError> {
        within(SHORT, async {
            let mut session = self.pool.acquire().await?;
            read(&mut session).await
        })
        .await
    }

    /// That this role cannot see all jobs of pg_cron; `None`: it sees them, or there is no pg_cron.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn old_jobs_unseen(&self) -> Result<Option<Finding>, StoreError> {
        within(SHORT, async {
            let mut session = self.pool.acquire().await?;
            unseen(&mut session).await
        })
        .await
    }
}

/// Without a right on them, or where row security shows each role its own.
pub(crate) async fn unseen(connection: &mut PgConnection) -> Result<Option<Finding>, StoreError> {
    let role = sqlx::query_scalar!(
        r#"
        select quote_ident(current_user) as "role!"
        from pg_class c
        join pg_namespace s on s.oid = c.relnamespace
        where s.nspname = 'cron'
            and c.relname = 'job'
            and (
                not has_schema_privilege(s.oid, 'usage')
                or not has_table_privilege(c.oid, 'select')
                or row_security_active(c.oid)
            )
        "#
    );
    let finding = |role: String| {
        let problem = format!("cannot be seen by this role ({role}), or not all of them");
        Finding::new("jobs of pg_cron", problem)
            .sql("select jobname, schedule from cron.job;")
            .remedy("run it as the owner of the jobs: those of the old design have to be stopped")
    };
    Ok(role.fetch_optional(connection).await?.map(finding))
}

pub(crate) async fn read(connection: &mut PgConnection) -> Result<Vec<OldJob>, StoreError> {
    if !may_look(&mut *connection).await? {
        return Ok(Vec::new());
    }
    // Unchecked: the database that the checked queries are prepared with has no pg_cron.
    let jobs: Vec<OldJobRow> = sqlx::query_as(
        "
        select jobid, coalesce(jobname::text, '') as jobname, schedule
        from cron.job
        where active
            and coalesce(jobname::text, '') || ' ' || command ~ $1
            and command !~ 'mangoes\\.'
        order by jobid
        ",
    )
    .bind(WORDS)
    .fetch_all(connection)
    .await?;
    Ok(jobs.into_iter().map(OldJob::from).collect())
}

#[derive(sqlx::FromRow)]
struct OldJobRow {
    jobid: i64,
    jobname: String,
    schedule: String,
}

impl From<OldJobRow> for OldJob {
    fn from(row: OldJobRow) -> Self {
        let OldJobRow { jobid: id, jobname: name, schedule } = row;
        let remedy = if name.is_empty() {
            format!("select cron.unschedule({id});")
        } else {
            format!("select cron.unschedule('{}');", name.replace('\'', "''"))
        };
        Self { id, name, schedule, remedy }
    }
}

async fn may_look(connection: &mut PgConnection) -> Result<bool, StoreError> {
    let may = sqlx::query_scalar!(
        r#"
        select exists (
            select 1
            from pg_class c
            join pg_namespace s on s.oid = c.relnamespace
            where s.nspname = 'cron'
                and c.relname = 'job'
                and has_schema_privilege(s.oid, 'usage')
                and has_table_privilege(c.oid, 'select')
        ) as "may!"
        "#
    );
    Ok(may.fetch_one(connection).await?)
}
