//! Applies `migrations/`: tables, functions, views, first rows, rights, and triggers on the app's
//! works.
//!
//! All of it is one transaction: it is there as a whole or not at all. The locks that it needs on
//! the app's tables are waited for briefly and again, so that nobody waits behind it for long.

use std::{sync::LazyLock, time::Duration};

use sha2::{Digest, Sha256};
use sqlx::{
    AssertSqlSafe, PgConnection,
    migrate::{MigrateError, Migrator},
};

use crate::{
    Store, StoreError,
    db::deadline::{SHORT, within},
    schema::{
        adopt::MigrationNews,
        home,
        lock_waits::{self, LockWatch},
    },
};

static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrations = sqlx::migrate!("../../migrations");
    migrations.dangerous_set_table_name("mangoes.schema_migration");
    migrations.set_locking(false);
    // A newer program may have migrated the database further.
    migrations.set_ignore_missing(true);
    migrations
});

/// Functions and views: applied again when one of them differs.
static CODE: &[&str] = &include!(concat!(env!("OUT_DIR"), "/functions_and_views.rs"));
const APP_TRIGGERS: &str = include_str!("../../../../migrations/triggers.sql");
const FIRST_ROWS: &str = include_str!("../../../../migrations/seed.sql");
const RIGHTS: &str = include_str!("../../../../migrations/rights.sql");

/// How long a lock on a table of the app may be waited for; writers wait behind it meanwhile.
pub(crate) const LOCK_TIMEOUT: Duration = Duration::from_millis(300);
/// How often a lock is tried before it is given up, and the pause between two attempts.
const LOCK_ATTEMPTS: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(300);

/// What is done with the rows that an installation begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstRows {
    /// Jobs, policy and the installation's id are written.
    Written,
    /// They come out of a dump.
    Restored,
}

impl Store {
    /// Whether every migration of this program is applied, with its functions and triggers.
    ///
    /// # Errors
    /// When the database does not answer; `Setup` where the works of this installation are not in
    /// the schema that the settings name.
    pub async fn is_migrated(&self) -> Result<bool, StoreError> {
        within(SHORT, async {
            let mut session = self.pool.acquire().await?;
            home::read(&mut session).await?.check_works()?;
            is_applied(&mut session).await
        })
        .await
    }

    /// Applies what is missing in one transaction. Several processes may do it at once. A database
    /// that a newer program has migrated further is left as it is.
    ///
    /// # Errors
    /// `Setup` with a sentence that says what is in the way; nothing is changed then.
    pub async fn apply_schema(
        &self,
        rows: FirstRows,
        mut news: impl FnMut(MigrationNews),
    ) -> Result<(), StoreError> {
        let mut watch = LockWatch::default();
        for _ in 1..LOCK_ATTEMPTS {
            match self.apply_once(rows).await {
                Err(StoreError::Conflict(_)) => {
                    let holders = self.lock_holders(lock_waits::AGAINST_WRITERS).await?;
                    if watch.is_time_to_say_it() {
                        news(MigrationNews::Waits(lock_waits::words(&holders)));
                    }
                    tokio::time::sleep(LOCK_PAUSE).await;
                }
                done => return done,
            }
        }
        self.apply_once(rows).await
    }

    async fn apply_once(&self, rows: FirstRows) -> Result<(), StoreError> {
        let mut tx = self.pool.begin().await?;
        begin(&mut tx).await?;
        let is_applied = is_applied(&mut tx).await?;
        if !is_applied {
            let lacks_triggers = !home::read(&mut tx).await?.has_triggers();
            make(&mut tx).await?;
            if lacks_triggers {
                look_at_works_again(&mut tx).await?;
            }
        }
        if rows == FirstRows::Written && !has_first_rows(&mut tx).await? {
            sqlx::raw_sql(FIRST_ROWS).execute(&mut *tx).await?;
        }
        apply_rights(&mut tx).await?;
        if !is_applied {
            note_code(&mut tx).await?;
            // Last of all: writers of works wait from here to the end.
            sqlx::raw_sql(APP_TRIGGERS).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Works that came while the triggers were not there have no rows yet.
async fn look_at_works_again(tx: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query!("update adoption set next_work_id = default, finished_at = null")
        .execute(tx)
        .await?;
    Ok(())
}

/// Tables, functions and views.
async fn make(tx: &mut PgConnection) -> Result<(), StoreError> {
    note_app_objects(&mut *tx).await?;
    // Where it is there already, the right to make schemas is not needed.
    if !has_schema(&mut *tx).await? {
        sqlx::raw_sql("create schema mangoes").execute(&mut *tx).await?;
    }
    MIGRATIONS.run_direct(None, &mut *tx, false).await.map_err(failed)?;
    for code in CODE {
        sqlx::raw_sql(*code).execute(&mut *tx).await?;
    }
    Ok(())
}

async fn has_schema(connection: &mut PgConnection) -> Result<bool, StoreError> {
    let there = sqlx::query_scalar!(
        r#"select exists (select 1 from pg_namespace where nspname = 'mangoes') as "there!""#
    );
    Ok(there.fetch_one(connection).await?)
}

/// What the app's schema has before anything is made in it: `rights.sql` asks for it.
async fn note_app_objects(tx: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query_scalar!(
        "
        select set_config(
            'mangoes.app_objects_before',
            (
                select ',' || coalesce(string_agg(o.name, ','), '')
                from (
                    select relname::text as name, relnamespace as schema from pg_class
                    union all
                    select proname::text, pronamespace from pg_proc
                ) o
                join pg_namespace s on s.oid = o.schema
                where s.nspname = current_setting('mangoes.app_schema')
            ),
            true
        )
        "
    )
    .fetch_one(tx)
    .await?;
    Ok(())
}

/// Applies `rights.sql`, where this role owns our schema.
pub(crate) async fn apply_rights(tx: &mut PgConnection) -> Result<(), StoreError> {
    let owns = sqlx::query_scalar!(
        r#"
        select coalesce(bool_or(pg_has_role(nspowner, 'usage')), false) as "owns!"
        from pg_namespace
        where nspname = 'mangoes'
        "#
    );
    if owns.fetch_one(&mut *tx).await? {
        sqlx::raw_sql(RIGHTS).execute(tx).await?;
    }
    Ok(())
}

pub(crate) async fn has_first_rows(connection: &mut PgConnection) -> Result<bool, StoreError> {
    let there = sqlx::query_scalar!(
        r#"
        select exists (select 1 from installation) as "there!"
        "#
    );
    Ok(there.fetch_one(connection).await?)
}

/// What a program of this version makes in our schema.
pub(crate) struct Counts {
    pub(crate) tables: usize,
    pub(crate) functions_and_views: usize,
}

pub(crate) fn counts() -> Counts {
    let tables = |sql: &str| sql.lines().filter(|l| l.starts_with("create table ")).count();
    // Those of the app are made where they are missing.
    let of_app =
        |sql: &str| sql.lines().filter(|l| l.starts_with("create table if not exists ")).count();
    let all = MIGRATIONS.iter().map(|m| tables(m.sql.as_str()) - of_app(m.sql.as_str())).sum();
    Counts { tables: all, functions_and_views: CODE.len() }
}

/// One migration at a time, without a limit of time, with short waits for locks.
async fn begin(tx: &mut PgConnection) -> Result<(), StoreError> {
    // The number is a name: any that nobody else uses.
    let settings = format!(
        "
        set local lock_timeout = 0;
        set local statement_timeout = 0;
        set local idle_in_transaction_session_timeout = 0;
        select pg_advisory_xact_lock(hashtextextended('mangoes.schema', 0));
        set local lock_timeout = '{}ms';
        set local check_function_bodies = off;
        set local client_min_messages = warning",
        LOCK_TIMEOUT.as_millis()
    );
    sqlx::raw_sql(AssertSqlSafe(settings)).execute(tx).await?;
    Ok(())
}

/// Whether our schema has a table. Asked of the catalog, which needs no right on the schema.
pub(crate) async fn is_there(
    connection: &mut PgConnection,
    table: &str,
) -> Result<bool, StoreError> {
    let there = sqlx::query_scalar!(
        r#"
        select exists (
            select 1
            from pg_class c
            join pg_namespace s on s.oid = c.relnamespace
            where s.nspname = 'mangoes' and c.relname = $1
        ) as "there!"
        "#,
        table
    );
    Ok(there.fetch_one(connection).await?)
}

/// Whoever has no right on our schema learns it in one sentence.
async fn check_reading(connection: &mut PgConnection) -> Result<(), StoreError> {
    let seen = sqlx::query!(
        r#"
        select
            quote_ident(current_user) as "role!",
            coalesce(pg_has_role(to_regrole('mangoes_reader'), 'member'), false) as "reads!",
            has_schema_privilege(s.oid, 'usage') and has_table_privilege(c.oid, 'select')
                as "may!"
        from pg_class c
        join pg_namespace s on s.oid = c.relnamespace
        where s.nspname = 'mangoes' and c.relname = 'schema_code'
        "#
    );
    let seen = seen.fetch_one(connection).await?;
    if seen.may {
        return Ok(());
    }
    if seen.reads {
        return Err(StoreError::Setup(format!(
            "role {0} may only read the views (mangoes.job_status and others), as a member of \
             mangoes_reader; commands of mangoes need mangoes_app: grant mangoes_app to {0};",
            seen.role
        )));
    }
    Err(StoreError::Setup(format!(
        "role {0} has no right on schema mangoes: run migrations/roles.sql, then `mangoes \
         migrate`, and log in as mangoes_app or a member of it (grant mangoes_app to {0};)",
        seen.role
    )))
}

pub(crate) async fn is_applied(connection: &mut PgConnection) -> Result<bool, StoreError> {
    if !is_there(&mut *connection, "schema_code").await? {
        return Ok(false);
    }
    check_reading(&mut *connection).await?;
    // Unchecked: the database that the checked queries are prepared with has no such table.
    let applied: Vec<i64> = sqlx::query_scalar("select version from mangoes.schema_migration")
        .fetch_all(&mut *connection)
        .await?;
    let is_known = |version: &i64| MIGRATIONS.version_exists(*version);
    let known = applied.iter().filter(|version| is_known(version)).count();
    if known < MIGRATIONS.iter().count() {
        return Ok(false);
    }
    let digest = sqlx::query_scalar!("select digest from schema_code");
    let digest = digest.fetch_optional(&mut *connection).await?;
    // The functions and triggers of a newer program stay.
    if applied.len() > known {
        return Ok(true);
    }
    Ok(digest.as_deref() == Some(&code_digest()) && home::read(connection).await?.has_triggers())
}

async fn note_code(tx: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query!(
        "
        insert into schema_code (digest)
        values ($1)
        on conflict (only_row) do update set
            digest = excluded.digest,
            applied_at = now()
        ",
        code_digest()
    )
    .execute(tx)
    .await?;
    Ok(())
}

fn code_digest() -> String {
    let mut hash = Sha256::new();
    CODE.iter().chain([&APP_TRIGGERS, &RIGHTS]).for_each(|code| hash.update(code));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn failed(error: MigrateError) -> StoreError {
    let sentence = format!("migration failed: {}", runtime::chain(&error));
    let (MigrateError::ExecuteMigration(error, _) | MigrateError::Execute(error)) = error else {
        return StoreError::Setup(sentence);
    };
    error.into()
}
