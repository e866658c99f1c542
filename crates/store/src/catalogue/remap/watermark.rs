//! How far stored answers are mapped again (`remap`), and the lock of whoever does it.

use catalogue::{MAPPING_VERSION, MapOptions};
use sqlx::PgConnection;

use crate::StoreError;

/// What is mapped, and how.
#[derive(Debug, Clone)]
pub(crate) struct Walk {
    /// Titles of this version of the mapping too.
    pub(crate) all: bool,
    /// The mapping, in a text that another one does not have.
    mapping: String,
}

impl Walk {
    pub(crate) fn new(all: bool, options: &MapOptions) -> Self {
        let MapOptions { language, region, streaming_regions } = options;
        let regions = streaming_regions.join(",");
        Self { all, mapping: format!("{MAPPING_VERSION} {language} {region} {regions}") }
    }
}

/// Takes the lock of those who map again, until the session ends. `false`: another process has it.
pub(crate) async fn lock(session: &mut PgConnection) -> Result<bool, StoreError> {
    let lock = sqlx::query_scalar!(
        r#"
        select pg_try_advisory_lock(hashtextextended('mangoes.remap', 0)) as "is_ours!"
        "#
    );
    Ok(lock.fetch_one(session).await?)
}

/// Where the walk begins: where the same walk was left off, or at the first work.
pub(crate) async fn begin(session: &mut PgConnection, walk: &Walk) -> Result<i64, StoreError> {
    let next = sqlx::query_scalar!(
        "
        insert into remap as r (maps_all, mapping)
        values ($1, $2)
        on conflict (only_row) do update set
            (next_work_id, started_at) = (
                select
                    case when same then r.next_work_id else excluded.next_work_id end,
                    case when same then r.started_at else excluded.started_at end
                from (
                    values (
                        r.finished_at is null
                            and r.maps_all = excluded.maps_all
                            and r.mapping = excluded.mapping
                    )
                ) as v (same)
            ),
            maps_all = excluded.maps_all,
            mapping = excluded.mapping,
            finished_at = null
        returning next_work_id
        ",
        walk.all,
        walk.mapping
    );
    Ok(next.fetch_one(session).await?)
}

/// Everything before this work is done.
pub(crate) async fn advance(tx: &mut PgConnection, next_work_id: i64) -> Result<(), StoreError> {
    sqlx::query!("update remap set next_work_id = $1", next_work_id).execute(tx).await?;
    Ok(())
}

pub(crate) async fn finish(session: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query!("update remap set finished_at = now()").execute(session).await?;
    Ok(())
}
