//! Stores fetched movies: one transaction per batch, rows by `unnest`, events with them.
//!
//! Inbox row, guarded upsert (the newest `fetched_at` wins), queue row, run item and outbox rows
//! commit together. A message that was handled before writes nothing. Unchanged movies write only
//! times (`works`, `title`) and, where votes moved, `rating_sources` and `aggregates`.

use std::collections::{BTreeSet, HashMap};

use catalogue::AppRow;
use delivery::MessageRef;
use proto::{RefreshOutcome, TmdbId};
use runtime::fault_injection;
use sqlx::PgConnection;

use crate::{
    Store, StoreError,
    catalogue::{
        change::{Change, KnownMovie, Save, Saved, StoredMovie, compare},
        details, events, ratings, titles, works,
    },
    db::row::Row,
    delivery::attempts::claim,
    jobs::items::{self, ItemState, SettledItem},
};

/// Far above what the client takes from TMDB.
pub(crate) const DOCUMENT_MAX_BYTES: usize = 256 << 20;

/// All rows of a batch are found by their keys. Where tables are small, or were when their
/// statistics were made, the planner would read them whole instead, for each batch. So one plan is
/// right for all batches.
const BEGIN_BY_KEY: &str = "
    begin;
    set local enable_seqscan = off;
    set local enable_hashjoin = off;
    set local enable_mergejoin = off;
    set local plan_cache_mode = force_generic_plan";

impl Store {
    /// Stores a batch; at most one message per movie. The answers come in the order of the batch.
    ///
    /// # Errors
    /// The whole batch is undone; repeating is safe, also when only the answer to the commit was
    /// lost.
    pub async fn save(&self, batch: &[Save]) -> Result<Vec<Saved>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.pool.begin_with(BEGIN_BY_KEY).await?;
        let messages: Vec<&MessageRef> = batch.iter().map(|save| &save.message).collect();
        let fresh = claim(&mut tx, &messages).await?;
        let todo: Vec<&Save> = batch.iter().filter(|s| fresh.contains(&s.message)).collect();
        let known = titles::lock(&mut tx, &todo).await?;
        let changes = changes(&mut tx, &todo, &known).await?;
        let clashes = works::write(&mut tx, &changes).await?;
        titles::write(&mut tx, &changes, &clashes).await?;
        details::write(&mut tx, &changes).await?;
        ratings::write(&mut tx, &changes).await?;
        events::write(&mut tx, &changes, self.relay_wake.waking()).await?;
        settle(&mut tx, &todo).await?;
        tx.commit().await?;
        self.relay_wake.written();
        let stored: HashMap<TmdbId, RefreshOutcome> =
            changes.iter().map(|c| (c.tmdb_id, c.outcome)).collect();
        let answer = |save: &Save| match stored.get(&save.look.tmdb_id) {
            Some(outcome) => Saved::Stored(*outcome),
            None if !fresh.contains(&save.message) => Saved::Duplicate,
            None if !known.contains_key(&save.look.tmdb_id) => Saved::Deleted,
            None => Saved::Superseded,
        };
        Ok(batch.iter().map(answer).collect())
    }
}

/// Compares with what is stored. Only movies whose hash differs, or whose answer lacks a part, cost
/// a look at what is stored.
async fn changes<'a>(
    tx: &mut PgConnection,
    todo: &[&'a Save],
    known: &HashMap<TmdbId, KnownMovie>,
) -> Result<Vec<Change<'a>>, StoreError> {
    let of = |save: &&'a Save| Some((*save, known.get(&save.look.tmdb_id)?));
    let newer: Vec<(&Save, &KnownMovie)> = todo
        .iter()
        .filter_map(of)
        .filter(|(save, known)| known.is_older_than(save) || fault_injection::without("upsert"))
        .collect();
    let needed: Vec<Needed> = newer
        .iter()
        .filter(|(save, known)| known.needs_stored(save))
        .map(|(save, known)| Needed {
            work_id: known.work_id,
            rows: known.needs_rows(save),
            certificate: save.look.movie().certification.is_none(),
        })
        .collect();
    let mut stored = stored(tx, &needed).await?;
    let mut changes = Vec::with_capacity(newer.len());
    for (save, known) in newer {
        let stored = stored.remove(&known.work_id);
        // To compare with what is stored, and to render, takes most of a millisecond: others have
        // their turn.
        let takes_long = stored.is_some() || known.revision == 0;
        changes.push(compare(save, known, stored));
        if takes_long {
            tokio::task::yield_now().await;
        }
    }
    Ok(changes)
}

/// What is needed of a stored movie, beside its document.
struct Needed {
    work_id: i64,
    /// Its rows in the app's tables, whatever is in them.
    rows: bool,
    /// Those rows where they have a certificate: it stays where the answer has none.
    certificate: bool,
}

/// What is stored of these movies. Rows in the app's tables that nobody else has written since we
/// did are left out where nothing of them is needed (docs/adr/0017). To be asked after the works
/// are locked: whoever had locked them before may have written these rows.
async fn stored(
    tx: &mut PgConnection,
    needed: &[Needed],
) -> Result<HashMap<i64, StoredMovie>, StoreError> {
    if needed.is_empty() {
        return Ok(HashMap::new());
    }
    let works: Vec<i64> = needed.iter().map(|of| of.work_id).collect();
    let with_rows: Vec<bool> = needed.iter().map(|of| of.rows).collect();
    let with_certificate: Vec<bool> = needed.iter().map(|of| of.certificate).collect();
    let rows = sqlx::query!(
        r#"
        select
            n.work_id as "work_id!",
            d.body as "document?",
            case when r.are_read then row_to_json(m) end as "details?",
            case when r.are_read then c.payload end as "card?"
        from unnest($1::bigint[], $2::boolean[], $3::boolean[])
            as n (work_id, with_rows, with_certificate)
        join title t using (work_id)
        left join document d using (work_id)
        left join works_meta m using (work_id)
        left join work_cards_cache c using (work_id)
        cross join lateral (
            select n.with_rows
                or (m.xmin = t.details_xid and c.xmin = t.card_xid) is not true
                or (n.with_certificate and m.certification is not null) as are_read
        ) r
        "#,
        &works,
        &with_rows,
        &with_certificate
    )
    .fetch_all(tx)
    .await?;
    let stored = rows.into_iter().map(|r| {
        let document = r.document.and_then(|body| document(r.work_id, &body));
        let row = AppRow::new(r.details, r.card);
        (r.work_id, StoredMovie { document, row })
    });
    Ok(stored.collect())
}

/// `None`: it cannot be read. The new answer takes its place: only so does the row heal.
fn document(work_id: i64, body: &[u8]) -> Option<String> {
    catalogue::unpack(body, DOCUMENT_MAX_BYTES)
        .inspect_err(|e| {
            let error = Row::of("document", &work_id).unreadable("body", e);
            tracing::warn!(%error, "a stored document is replaced without a comparison");
        })
        .ok()
}

/// Ends the queue rows and run items of everything that this batch handled, also of what a newer
/// answer superseded. A queue row may belong to another run than the message: that run's item is
/// settled with it, because no other message will come for it.
///
/// Rows are locked in the order in which they are claimed, so that nobody locks another out.
async fn settle(tx: &mut PgConnection, todo: &[&Save]) -> Result<(), StoreError> {
    let ids: Vec<i64> = todo.iter().map(|s| s.look.tmdb_id.get()).collect();
    let queued = sqlx::query!(
        r#"
        with open as (
            select q.id, t.tmdb_id
            from title t
            join refresh_item q using (work_id)
            where t.tmdb_id = any ($1::bigint[]) and q.status in ('queued', 'processing')
            order by work_id
            for update of q
        )
        update refresh_item q
        set status = 'completed', processed_at = now(), lease_until = null, last_error = null
        from open
        where q.id = open.id
        returning q.run_id, open.tmdb_id::bigint as "tmdb_id!"
        "#,
        &ids
    )
    .fetch_all(&mut *tx)
    .await?;
    let done = |run_id: String, save: &Save| SettledItem {
        run_id,
        tmdb_id: save.look.tmdb_id.get(),
        state: ItemState::Done,
        title: Some(save.look.facts.title.clone()),
        error: None,
    };
    let mut settled = Vec::new();
    for save in todo {
        let of_queue = queued
            .iter()
            .filter(|q| q.tmdb_id == save.look.tmdb_id.get())
            .filter_map(|q| q.run_id.clone());
        let of_message = save.run_id.iter().map(ToString::to_string);
        let runs: BTreeSet<String> = of_message.chain(of_queue).collect();
        settled.extend(runs.into_iter().map(|run_id| done(run_id, save)));
    }
    items::settle(tx, &settled).await
}
