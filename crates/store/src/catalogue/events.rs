//! Writes the events of a save: `movies.refreshed`, `movies.changed`, and the movie's timeline
//! (`work_event`).

use proto::{MovieChanged, MovieRefreshed};
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    StoreError,
    catalogue::change::Change,
    delivery::outbox::{self, Entry, Envelope, Waking},
};

pub(crate) async fn write(
    tx: &mut PgConnection,
    changes: &[Change<'_>],
    waking: Waking,
) -> Result<(), StoreError> {
    let entries: Vec<Entry> = changes.iter().flat_map(entries).collect();
    outbox::enqueue_and_wake(tx, &entries, waking).await?;
    let timeline: Vec<TimelineRow<'_>> = changes.iter().filter_map(TimelineRow::of).collect();
    if timeline.is_empty() {
        return Ok(());
    }
    write_timeline(tx, &timeline).await
}

/// An entry of a movie's timeline.
struct TimelineRow<'a> {
    kind: &'static str,
    change: &'a Change<'a>,
}

impl<'a> TimelineRow<'a> {
    /// `None`: nothing changed.
    fn of(change: &'a Change<'_>) -> Option<Self> {
        change.outcome.change()?;
        Some(Self { kind: change.outcome.as_str(), change })
    }
}

async fn write_timeline(tx: &mut PgConnection, rows: &[TimelineRow<'_>]) -> Result<(), StoreError> {
    let works: Vec<i64> = rows.iter().map(|row| row.change.work_id).collect();
    let ids: Vec<i64> = rows.iter().map(|row| row.change.tmdb_id.get()).collect();
    let kinds: Vec<String> = rows.iter().map(|row| row.kind.to_owned()).collect();
    let causes: Vec<String> = rows.iter().map(|row| row.change.cause().to_owned()).collect();
    let revisions: Vec<i64> = rows.iter().map(|row| row.change.revision).collect();
    let diff = |row: &TimelineRow<'_>| serde_json::to_value(&row.change.diff).unwrap_or_default();
    let diffs: Vec<Value> = rows.iter().map(diff).collect();
    // The time of the answer: two writers of one movie commit in either order.
    let times: Vec<OffsetDateTime> = rows.iter().map(|row| row.change.changed_at).collect();
    sqlx::query!(
        "
        insert into work_event (work_id, tmdb_id, kind, cause, revision, diff, at)
        select work_id, tmdb_id, kind, cause, revision, diff, at
        from unnest(
            $1::bigint[], $2::bigint[], $3::text[], $4::text[],
            $5::bigint[], $6::jsonb[], $7::timestamptz[]
        ) as t (work_id, tmdb_id, kind, cause, revision, diff, at)
        ",
        &works,
        &ids,
        &kinds,
        &causes,
        &revisions,
        &diffs,
        &times
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A look has an event also where nothing changed.
fn entries(change: &Change<'_>) -> Vec<Entry> {
    if !change.is_changed() && !change.is_look() {
        return Vec::new();
    }
    let id = change.tmdb_id;
    let refreshed = MovieRefreshed {
        work_id: change.work_id,
        tmdb_id: id,
        title: change.facts.title.clone(),
        outcome: change.outcome,
        revision: change.revision,
        changed: change.diff.keys().cloned().collect(),
        refreshed_at: change.read_at,
        cause: change.cause().to_owned(),
    };
    let key = change.event_key();
    let envelope = |kind: &str| Envelope {
        message_id: format!("{kind}:{id}:{key}"),
        ordering_key: id.to_string(),
        trace: change.trace(),
        cause: change.shared_cause().unwrap_or(&key),
        at: change.changed_at,
    };
    let mut entries = vec![Entry::new(&refreshed, envelope("refreshed"))];
    if let Some(kind) = change.outcome.change() {
        let changed = MovieChanged {
            work_id: refreshed.work_id,
            tmdb_id: id,
            title: refreshed.title,
            change: kind,
            revision: refreshed.revision,
            changed_at: refreshed.refreshed_at,
            cause: refreshed.cause,
            diff: change.diff.clone(),
            card: change.short_card.clone(),
            survivor: None,
        };
        entries.push(Entry::new(&changed, envelope("changed")));
    }
    entries
}
