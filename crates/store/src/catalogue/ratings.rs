//! Writes ratings (`rating_sources`) and the score that is computed from them (`aggregates`), under
//! the names that the app has for them.

use catalogue::Score;
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{StoreError, catalogue::change::Change};

/// `rating_sources.source_name` of our rows, as the app has it.
pub(crate) const SOURCE_NAME: &str = "TMDB";
/// `aggregates.method_version` of our rows, as the app has it.
pub(crate) const METHOD_VERSION: &str = "v1_2025_11";

/// Votes move by themselves: they are written where they did, and make no change. With one source
/// the score is that source's.
pub(crate) async fn write(tx: &mut PgConnection, changes: &[Change<'_>]) -> Result<(), StoreError> {
    let changes: Vec<&Change<'_>> = changes.iter().filter(|c| c.writes_rating).collect();
    if changes.is_empty() {
        return Ok(());
    }
    let works: Vec<i64> = changes.iter().map(|c| c.work_id).collect();
    let scores: Vec<Score> = changes.iter().map(|c| Score::of(&c.rating)).collect();
    let averages: Vec<f64> = scores.iter().map(|s| s.average).collect();
    let values: Vec<f64> = scores.iter().map(|s| s.value).collect();
    let lows: Vec<f64> = scores.iter().map(|s| s.low).collect();
    let highs: Vec<f64> = scores.iter().map(|s| s.high).collect();
    let votes: Vec<i64> = scores.iter().map(|s| s.votes).collect();
    let by_source: Vec<Value> = scores.iter().map(Score::source_scores).collect();
    let times: Vec<OffsetDateTime> = changes.iter().map(|c| c.read_at).collect();
    sqlx::query!(
        "
        with new as (
            select work_id, average, value, low, high, votes, by_source, at
            from unnest(
                $1::bigint[], $2::float8[], $3::float8[], $4::float8[], $5::float8[],
                $6::bigint[], $7::jsonb[], $8::timestamptz[]
            ) as t (work_id, average, value, low, high, votes, by_source, at)
        ),
        ratings as (
            insert into rating_sources (
                work_id, source_name, scale_type, value_raw, value_0_100, votes_count, last_seen_at
            )
            select work_id, $9, '0_10', average, value, votes, at
            from new
            on conflict (work_id, source_name) do update set
                value_raw = excluded.value_raw,
                value_0_100 = excluded.value_0_100,
                votes_count = excluded.votes_count,
                last_seen_at = excluded.last_seen_at
        )
        insert into aggregates (
            work_id, method_version, n_audience, audience_score, ai_score, ai_score_low,
            ai_score_high, source_scores, computed_at
        )
        select work_id, $10, 1, value, value, low, high, by_source, at
        from new
        on conflict (work_id, method_version) do update set
            n_audience = excluded.n_audience,
            audience_score = excluded.audience_score,
            ai_score = excluded.ai_score,
            ai_score_low = excluded.ai_score_low,
            ai_score_high = excluded.ai_score_high,
            source_scores = excluded.source_scores,
            computed_at = excluded.computed_at
        where aggregates.source_scores is distinct from excluded.source_scores
            or aggregates.ai_score is distinct from excluded.ai_score
        ",
        &works,
        &averages,
        &values,
        &lows,
        &highs,
        &votes,
        &by_source,
        &times,
        SOURCE_NAME,
        METHOD_VERSION
    )
    .execute(tx)
    .await?;
    Ok(())
}
