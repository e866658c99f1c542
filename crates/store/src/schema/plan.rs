//! What `mangoes migrate` finds, what it would do, what stands in its way, and how long it takes.
//! Changes nothing.

mod columns;
pub(crate) mod existing;
mod keys;
mod made;
mod rights;
mod values;

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use sqlx::PgConnection;

use crate::{
    Store, StoreError,
    db::deadline::within,
    schema::{
        apply,
        finding::{Finding, Findings},
        home, lock_waits,
        old_jobs::{self, OldJob},
        plan::existing::AppTableState,
    },
};

/// How long all checks may take. Two of them read the app's works once.
const LIMIT: Duration = Duration::from_secs(60);
/// Works that get their rows in `title` in one second, on two busy cores: docs/figures.md.
const WORKS_PER_SEC: i64 = 8_000;

/// The database, as it is.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PlanDatabase {
    pub name: String,
    pub server_version: String,
    /// Who is logged in.
    pub role: String,
    pub app_schema: String,
}

/// A lock on a table of the app.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PlanLock {
    pub table: String,
    /// As the manual of Postgres calls it.
    pub mode: &'static str,
    /// Whom it makes wait, and for how long at most.
    pub effect: String,
}

/// What `mangoes migrate` finds and would do.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct MigrationPlan {
    pub database: PlanDatabase,
    pub tables: Vec<AppTableState>,
    /// Whether all migrations are applied.
    pub is_migrated: bool,
    /// Whether every work has its row in `title`.
    pub is_adopted: bool,
    /// Whether jobs, policy and the installation's id are there.
    pub has_first_rows: bool,
    /// What would be made.
    pub to_make: Vec<String>,
    /// What has to be put right first.
    pub in_the_way: Vec<Finding>,
    /// What is good to know.
    pub warnings: Vec<Finding>,
    /// Jobs of pg_cron that do what ours do.
    pub old_jobs: Vec<OldJob>,
    /// Where this role cannot see whether there are any.
    pub old_jobs_unseen: Option<Finding>,
    /// Works that have no row in `title` yet, as estimated.
    pub works_to_adopt: i64,
    /// How long that takes, as estimated.
    pub estimated_secs: i64,
    pub locks: Vec<PlanLock>,
}

impl MigrationPlan {
    /// Whether everything is applied.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.is_migrated && self.is_adopted
    }

    /// Whether the app has this table.
    #[must_use]
    pub fn table_is_there(&self, name: &str) -> bool {
        self.table(name).is_some_and(|table| table.exists)
    }

    fn table(&self, name: &str) -> Option<&AppTableState> {
        self.tables.iter().find(|table| table.name == name)
    }
}

impl Store {
    /// Looks at the database, and changes nothing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn migration_plan(&self) -> Result<MigrationPlan, StoreError> {
        let looked = within(LIMIT, async {
            let mut session = self.pool.acquire().await?;
            sqlx::raw_sql("set lock_timeout = '2s'").execute(&mut *session).await?;
            let looked = plan(&mut session).await;
            sqlx::raw_sql("set lock_timeout = 0").execute(&mut *session).await?;
            looked
        });
        match looked.await {
            Err(StoreError::Conflict(_)) => Err(self.locked().await?),
            looked => looked,
        }
    }

    /// Why a look at the app's tables was given up.
    async fn locked(&self) -> Result<StoreError, StoreError> {
        let holders = self.lock_holders(lock_waits::AGAINST_READERS).await?;
        Ok(StoreError::Setup(format!(
            "the app's tables cannot be looked at: {}, and did not let go within 2 s; try again \
             when its transaction is over",
            lock_waits::words(&holders)
        )))
    }
}

async fn plan(connection: &mut PgConnection) -> Result<MigrationPlan, StoreError> {
    let is_migrated = apply::is_applied(&mut *connection).await?;
    let tables = existing::read(&mut *connection).await?;
    let mut findings = Findings::default();
    let mut to_make = Vec::new();
    let home = home::read(&mut *connection).await?;
    let (stops, warns): (Vec<_>, Vec<_>) =
        home.missing_tables().into_iter().partition(|table| table.stops_work);
    findings.in_the_way.extend(stops.into_iter().map(|table| table.finding));
    findings.warnings.extend(warns.into_iter().map(|table| table.finding));
    findings.in_the_way.extend(home.disabled_triggers());
    if !is_migrated && findings.in_the_way.is_empty() {
        let made = made::read(&mut *connection, &tables).await?;
        rights::check(&mut *connection, &tables, &made, &mut findings).await?;
        to_make = made.words();
    }
    rights::warn_of_open_schema(&mut *connection, &mut findings).await?;
    check_app_tables(&mut *connection, &tables, &mut findings).await?;
    let adoption = made::adoption(&mut *connection, &tables).await?;
    let mut plan = MigrationPlan {
        database: database(&mut *connection).await?,
        is_migrated,
        is_adopted: is_migrated && adoption.works_left == 0 && adoption.is_finished,
        has_first_rows: is_migrated && apply::has_first_rows(&mut *connection).await?,
        to_make,
        in_the_way: findings.in_the_way,
        warnings: findings.warnings,
        old_jobs_unseen: old_jobs::unseen(&mut *connection).await?,
        old_jobs: old_jobs::read(connection).await?,
        works_to_adopt: adoption.works_left,
        estimated_secs: adoption.works_left / WORKS_PER_SEC + i64::from(!is_migrated),
        locks: Vec::new(),
        tables,
    };
    plan.locks = locks(&plan);
    Ok(plan)
}

/// What holds for the tables of the app, migrated or not.
async fn check_app_tables(
    connection: &mut PgConnection,
    tables: &[AppTableState],
    findings: &mut Findings,
) -> Result<(), StoreError> {
    existing::check_kinds(tables, findings);
    columns::check(&mut *connection, findings).await?;
    keys::check(&mut *connection, tables, findings).await?;
    keys::warn_of_deferred_rules(&mut *connection, findings).await?;
    values::check_words(&mut *connection, findings).await?;
    rights::check_publications(&mut *connection, findings).await?;
    let works = tables.iter().find(|table| table.name == "works" && table.is_table());
    if let Some(works) = works {
        keys::warn_of_missing_indexes(&mut *connection, works, findings).await?;
        values::warn_of_odd_works(connection, works, findings).await?;
    }
    Ok(())
}

async fn database(connection: &mut PgConnection) -> Result<PlanDatabase, StoreError> {
    let database = sqlx::query_as!(
        PlanDatabase,
        r#"
        select
            current_database()::text as "name!",
            current_setting('server_version') as "server_version!",
            current_user::text as "role!",
            current_setting('mangoes.app_schema') as "app_schema!"
        "#
    );
    Ok(database.fetch_one(connection).await?)
}

fn locks(plan: &MigrationPlan) -> Vec<PlanLock> {
    let mut locks = Vec::new();
    let Some(works) = plan.table("works").filter(|works| works.exists) else { return locks };
    if !plan.is_migrated {
        locks.push(PlanLock {
            table: works.object.clone(),
            mode: "share row exclusive",
            effect: format!(
                "readers never wait, writers {} ms at most for each attempt to get it, and some \
                 milliseconds while the triggers are made",
                apply::LOCK_TIMEOUT.as_millis()
            ),
        });
    }
    if !plan.is_done() {
        locks.push(PlanLock {
            table: works.object.clone(),
            mode: "access share",
            effect: "while works are looked at: nobody waits".to_owned(),
        });
    }
    locks
}
