//! What a save tells: `movies.refreshed`, `movies.changed`, and the movie's history.

use proto::{MovieChanged, MovieRefreshed, RefreshOutcome};
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::Change;
use crate::{
    StoreError,
    outbox::{self, Entry, entry},
};

pub(super) async fn write(
    tx: &mut PgConnection,
    changes: &[Change<'_>],
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let entries: Vec<Entry> = changes.iter().flat_map(events).collect();
    outbox::enqueue(tx, &entries).await?;
    let real: Vec<&Change<'_>> =
        changes.iter().filter(|c| c.outcome != RefreshOutcome::Unchanged).collect();
    let works: Vec<i64> = real.iter().map(|c| c.work_id).collect();
    let ids: Vec<i64> = real.iter().map(|c| c.movie.tmdb_id.get()).collect();
    let kinds: Vec<String> = real
        .iter()
        .map(|c| {
            if c.outcome == RefreshOutcome::Created { "created" } else { "updated" }.to_owned()
        })
        .collect();
    let causes: Vec<String> = real.iter().map(|c| c.save.cause.clone()).collect();
    let revisions: Vec<i64> = real.iter().map(|c| c.revision).collect();
    let diffs: Vec<Value> =
        real.iter().map(|c| serde_json::to_value(&c.diff).unwrap_or_default()).collect();
    sqlx::query!(
        "insert into work_events (work_id, tmdb_id, kind, cause, revision, diff, at)
         select w, t, k, c, r, d, $7 from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::jsonb[]) as x(w, t, k, c, r, d)",
        &works,
        &ids,
        &kinds,
        &causes,
        &revisions,
        &diffs,
        now
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

fn events(change: &Change<'_>) -> Vec<Entry> {
    let (save, id) = (change.save, change.movie.tmdb_id);
    let refreshed = MovieRefreshed {
        work_id: change.work_id,
        tmdb_id: id,
        title: change.movie.title.clone(),
        outcome: change.outcome,
        revision: change.revision,
        changed: change.diff.keys().cloned().collect(),
        refreshed_at: save.fetched_at,
        cause: save.cause.clone(),
    };
    let cause = save.run_id.as_deref().unwrap_or(&save.message.key);
    let event_id =
        |kind: &str| format!("{kind}:{id}:{}:{}", save.message.consumer, save.message.key);
    let mut entries =
        vec![entry(&refreshed, event_id("refreshed"), id.to_string(), cause, save.fetched_at)];
    if change.outcome == RefreshOutcome::Updated {
        let changed = MovieChanged { refreshed, diff: change.diff.clone() };
        entries.push(entry(&changed, event_id("changed"), id.to_string(), cause, save.fetched_at));
    }
    entries
}
