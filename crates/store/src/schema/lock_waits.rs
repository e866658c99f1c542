//! Who holds the locks on the app's tables that a migration, or a look at them, waits for.

use std::time::{Duration, Instant};

use sqlx::PgConnection;

use crate::{
    Store, StoreError,
    db::deadline::{SHORT, within},
    schema::app_tables,
};

/// A wait that is shorter is not worth a word.
const FIRST_WORD: Duration = Duration::from_secs(2);
/// How often it is said again.
const NEXT_WORD: Duration = Duration::from_secs(10);

/// Locks that `share row exclusive` waits for: making triggers and foreign keys.
pub(crate) const AGAINST_WRITERS: &[&str] = &[
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
];
/// Locks that a reader waits for.
pub(crate) const AGAINST_READERS: &[&str] = &["AccessExclusiveLock"];

/// A table of the app, and the processes of the server that hold a lock on it.
pub(crate) struct LockHolder {
    object: String,
    pids: Vec<i32>,
}

/// When a wait is spoken of.
pub(crate) struct LockWatch {
    next: Instant,
}

impl Default for LockWatch {
    fn default() -> Self {
        Self { next: Instant::now() + FIRST_WORD }
    }
}

impl LockWatch {
    pub(crate) fn is_time_to_say_it(&mut self) -> bool {
        let now = Instant::now();
        let is_time = now >= self.next;
        if is_time {
            self.next = now + NEXT_WORD;
        }
        is_time
    }
}

impl Store {
    /// Who holds a lock of these kinds on a table of the app.
    pub(crate) async fn lock_holders(&self, modes: &[&str]) -> Result<Vec<LockHolder>, StoreError> {
        within(SHORT, async {
            let mut session = self.pool.acquire().await?;
            holders(&mut session, modes).await
        })
        .await
    }
}

async fn holders(
    connection: &mut PgConnection,
    modes: &[&str],
) -> Result<Vec<LockHolder>, StoreError> {
    let modes: Vec<String> = modes.iter().map(|&mode| mode.to_owned()).collect();
    let holders = sqlx::query_as!(
        LockHolder,
        r#"
        select
            format('%I.%I', s.nspname, c.relname) as "object!",
            array_agg(distinct l.pid order by l.pid) as "pids!"
        from pg_locks l
        join pg_class c on c.oid = l.relation
        join pg_namespace s on s.oid = c.relnamespace
        where l.locktype = 'relation'
            and l.granted
            and l.database = (select oid from pg_database where datname = current_database())
            and l.pid <> pg_backend_pid()
            and l.mode = any ($1)
            and c.relname = any ($2)
            and s.nspname = current_setting('mangoes.app_schema')
        group by 1
        order by 1
        "#,
        &modes,
        &app_tables::names()
    );
    Ok(holders.fetch_all(connection).await?)
}

/// "public.works is locked by process 12 of the server"
pub(crate) fn words(holders: &[LockHolder]) -> String {
    let of = |holder: &LockHolder| {
        let pids: Vec<String> = holder.pids.iter().map(ToString::to_string).collect();
        format!("{} is locked by process {} of the server", holder.object, pids.join(", "))
    };
    if holders.is_empty() {
        return "a table of the app is locked".to_owned();
    }
    holders.iter().map(of).collect::<Vec<_>>().join("; ")
}
