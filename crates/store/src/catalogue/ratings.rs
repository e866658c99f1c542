//! Writes ratings (`rating_sources`) and the score that is computed from them (`aggregates`).

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{StoreError, catalogue::change::Change};

/// Votes move daily: they are written with every save, and make no change. With one source the
/// score is that source's.
pub(crate) async fn write(tx: &mut PgConnection, changes: &[Change<'_>]) -> Result<(), StoreError> {
    let works: Vec<i64> = changes.iter().map(|c| c.work_id).collect();
    let averages: Vec<Option<f64>> = changes.iter().map(|c| c.movie.rating.vote_average).collect();
    let counts: Vec<i64> = changes.iter().map(|c| c.movie.rating.vote_count).collect();
    let times: Vec<OffsetDateTime> = changes.iter().map(|c| c.save.fetched_at).collect();
    sqlx::query!(
        "
        with new as (
            select work_id, average, votes, at
            from unnest($1::bigint[], $2::float8[], $3::bigint[], $4::timestamptz[])
                as t (work_id, average, votes, at)
        ),
        ratings as (
            insert into rating_sources (
                work_id, source_name, scale_type, value_raw, value_0_100, votes_count, last_seen_at
            )
            select work_id, 'tmdb', '0_10', average, average * 10, votes, at
            from new
            on conflict (work_id, source_name) do update set
                value_raw = excluded.value_raw,
                value_0_100 = excluded.value_0_100,
                votes_count = excluded.votes_count,
                last_seen_at = excluded.last_seen_at
        )
        insert into aggregates (work_id, method_version, ai_score, source_scores, computed_at)
        select work_id, 'v1', average * 10, jsonb_build_object('tmdb', average * 10), at
        from new
        on conflict (work_id, method_version) do update set
            ai_score = excluded.ai_score,
            source_scores = excluded.source_scores,
            computed_at = excluded.computed_at
        where aggregates.ai_score is distinct from excluded.ai_score
        ",
        &works,
        &averages as &[Option<f64>],
        &counts,
        &times
    )
    .execute(tx)
    .await?;
    Ok(())
}
