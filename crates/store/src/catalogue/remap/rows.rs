//! Reads titles with a stored answer, page by page, and what is stored of them.

use std::collections::HashMap;

use catalogue::{
    MAPPING_VERSION,
    app::{SIMILAR_SOURCE, SimilarRow},
};
use proto::TmdbId;
use sqlx::PgConnection;

use crate::{
    StoreError,
    catalogue::{change::KnownMovie, remap::mapped::StoredRows, titles},
};

/// A title with a stored answer. Tombstones are none: TMDB does not have them any more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Title {
    pub(crate) work_id: i64,
    pub(crate) tmdb_id: i32,
}

/// The next titles from this work on; without `all`, those that another version mapped.
pub(crate) async fn page(
    session: &mut PgConnection,
    from: i64,
    all: bool,
    limit: i64,
) -> Result<Vec<Title>, StoreError> {
    let titles = sqlx::query_as!(
        Title,
        r#"
        select t.work_id, t.tmdb_id as "tmdb_id!"
        from title t
        where t.work_id >= $1
            and t.tmdb_id is not null
            and t.removed_at is null
            and ($2 or t.mapping_version is distinct from $3)
            and exists (select 1 from document d where d.work_id = t.work_id)
        order by t.work_id
        limit $4
        "#,
        from,
        all,
        MAPPING_VERSION,
        limit
    );
    Ok(titles.fetch_all(session).await?)
}

/// How many titles [`page`] gives from this work on.
pub(crate) async fn count(
    session: &mut PgConnection,
    from: i64,
    all: bool,
) -> Result<u64, StoreError> {
    let count = sqlx::query_scalar!(
        r#"
        select count(*) as "n!"
        from title t
        join document d using (work_id)
        where t.work_id >= $1
            and t.tmdb_id is not null
            and t.removed_at is null
            and ($2 or t.mapping_version is distinct from $3)
        "#,
        from,
        all,
        MAPPING_VERSION
    );
    Ok(count.fetch_one(session).await?.unsigned_abs())
}

/// Those of these movies that have a stored answer.
pub(crate) async fn titles_of(
    session: &mut PgConnection,
    ids: &[TmdbId],
) -> Result<Vec<Title>, StoreError> {
    let ids: Vec<i64> = ids.iter().map(|id| id.get()).collect();
    let titles = sqlx::query_as!(
        Title,
        r#"
        select t.work_id, t.tmdb_id as "tmdb_id!"
        from title t
        join document d using (work_id)
        where t.tmdb_id = any ($1::bigint[]) and t.removed_at is null
        order by t.work_id
        "#,
        &ids
    );
    Ok(titles.fetch_all(session).await?)
}

/// Locks these titles, and reads what is stored of them. One whose answer went meanwhile is left
/// out.
///
/// # Errors
/// `Unavailable` where row security hides one from us.
pub(crate) async fn lock(
    tx: &mut PgConnection,
    titles: &[Title],
) -> Result<Vec<StoredRows>, StoreError> {
    let ids: Vec<i32> = titles.iter().map(|title| title.tmdb_id).collect();
    let known = titles::lock_known(&mut *tx, &ids).await?;
    titles::hides_none(&mut *tx, &ids, &known).await?;
    let by_work = known.into_iter().map(|(id, known)| (known.work_id, Locked { id, known }));
    stored(tx, by_work.collect()).await
}

/// A title that this transaction has locked.
struct Locked {
    id: TmdbId,
    known: KnownMovie,
}

/// JSON as text: it is read where the answers are, and not where the connection is.
async fn stored(
    tx: &mut PgConnection,
    mut locked: HashMap<i64, Locked>,
) -> Result<Vec<StoredRows>, StoreError> {
    let works: Vec<i64> = locked.keys().copied().collect();
    let rows = sqlx::query!(
        r#"
        select
            d.work_id,
            d.body,
            row_to_json(m)::text as "details?",
            m.fetched_at as "details_read_at?",
            c.payload::text as "card?",
            s.ids as "similar_ids!",
            s.ranks as "similar_ranks!: Vec<Option<i32>>"
        from document d
        left join works_meta m using (work_id)
        left join work_cards_cache c using (work_id)
        cross join lateral (
            select
                coalesce(array_agg(similar_tmdb_id order by rank_order), '{}') as ids,
                coalesce(array_agg(rank_order order by rank_order), '{}') as ranks
            from similar_movies s
            where s.work_id = d.work_id and s.source = $2
        ) s
        where d.work_id = any ($1)
        "#,
        &works,
        SIMILAR_SOURCE
    )
    .fetch_all(tx)
    .await?;
    let stored = rows.into_iter().filter_map(|r| {
        let Locked { id, known } = locked.remove(&r.work_id)?;
        let ranked = r.similar_ids.into_iter().zip(r.similar_ranks);
        let similar = ranked.map(|(similar_tmdb_id, rank)| SimilarRow {
            similar_tmdb_id,
            rank_order: rank.unwrap_or_default(),
        });
        Some(StoredRows {
            tmdb_id: id,
            known,
            document: r.body,
            details: r.details,
            details_read_at: r.details_read_at,
            card: r.card,
            similar: similar.collect(),
        })
    });
    Ok(stored.collect())
}
