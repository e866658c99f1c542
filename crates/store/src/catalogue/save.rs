//! Stores fetched movies: one transaction per batch, rows by `unnest`, events with them.
//!
//! Inbox row, guarded upsert (the newest `fetched_at` wins), queue row, run item and outbox rows
//! commit together. A message that was handled before writes nothing. Unchanged movies touch
//! `works` and `rating_sources` only.

mod events;
mod ratings;

use std::collections::{BTreeMap, HashMap, HashSet};

use catalogue::{Movie, diff};

use delivery::MessageRef;
use proto::{FieldChange, RefreshOutcome, RunId};
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    Store, StoreError, ledger,
    runs::{self, Settled},
};

/// A fetched movie with the message that asked for it.
#[derive(Debug, Clone)]
pub struct Save {
    /// The message whose inbox row is written with it.
    pub message: MessageRef,
    /// What TMDB sent, mapped.
    pub movie: Movie,
    /// When it was read.
    pub fetched_at: OffsetDateTime,
    /// Why, for people.
    pub cause: String,
    /// The run that it is an item of.
    pub run_id: Option<RunId>,
}

/// What became of a movie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// Stored, with this outcome.
    Stored(RefreshOutcome),
    /// The message was handled before.
    Duplicate,
    /// The catalogue holds a newer answer.
    Superseded,
}

struct Known {
    work_id: i64,
    revision: i64,
    hash: Option<Vec<u8>>,
    fetched_at: Option<OffsetDateTime>,
    card_etag: Option<String>,
    /// Its big row is there, with its document.
    is_whole: bool,
}

struct Change<'a> {
    save: &'a Save,
    movie: Movie,
    work_id: i64,
    revision: i64,
    hash: Vec<u8>,
    outcome: RefreshOutcome,
    diff: BTreeMap<String, FieldChange>,
    old_etag: Option<String>,
    /// The big rows are written: it changed, or somebody took them away.
    writes_details: bool,
}

impl Store {
    /// Stores a batch; at most one message per movie. The answers come in the order of the batch.
    ///
    /// # Errors
    /// The whole batch is undone; repeating is safe, also when only the commit's answer was lost.
    pub async fn save(&self, batch: &[Save]) -> Result<Vec<Saved>, StoreError> {
        let Some(now) = batch.iter().map(|s| s.fetched_at).max() else { return Ok(Vec::new()) };
        let mut tx = self.pool.begin().await?;
        let consumers: Vec<_> = batch.iter().map(|s| s.message.consumer.to_owned()).collect();
        let keys: Vec<_> = batch.iter().map(|s| s.message.key.to_string()).collect();
        let fresh: HashSet<String> =
            ledger::claim(&mut tx, &consumers, &keys).await?.into_iter().collect();
        let todo: Vec<&Save> =
            batch.iter().filter(|s| fresh.contains(s.message.key.as_str())).collect();
        let known = lock_works(&mut tx, &todo).await?;
        let changes = decide(&mut tx, &todo, &known).await?;
        write_works(&mut tx, &changes).await?;
        write_details(&mut tx, &changes).await?;
        ratings::write(&mut tx, &changes).await?;
        events::write(&mut tx, &changes, now).await?;
        settle(&mut tx, &todo, now).await?;
        tx.commit().await?;
        let stored: HashMap<&str, RefreshOutcome> =
            changes.iter().map(|c| (c.save.message.key.as_str(), c.outcome)).collect();
        let answer = |s: &Save| match stored.get(s.message.key.as_str()) {
            Some(outcome) => Saved::Stored(*outcome),
            None if fresh.contains(s.message.key.as_str()) => Saved::Superseded,
            None => Saved::Duplicate,
        };
        Ok(batch.iter().map(answer).collect())
    }
}

/// Makes the rows that are missing and locks all, in the order of their ids, so that two writers
/// never lock each other out.
async fn lock_works(
    tx: &mut PgConnection,
    todo: &[&Save],
) -> Result<HashMap<String, Known>, StoreError> {
    let mut ids: Vec<String> = todo.iter().map(|s| s.movie.tmdb_id.to_string()).collect();
    ids.sort_unstable();
    sqlx::query!(
        "insert into works (tmdb_id, title, ingestion_status) select t, 'TMDB ' || t, 'ingesting' from unnest($1::text[]) as t
         where not exists (select 1 from works w where w.tmdb_id = t) order by t on conflict do nothing",
        &ids
    )
    .execute(&mut *tx)
    .await?;
    let rows = sqlx::query!(
        r#"select w.work_id, w.tmdb_id as "tmdb_id!", w.revision, w.content_hash, w.fetched_at, c.etag as "etag?",
            coalesce(m.document is not null, false) as "is_whole!"
        from works w left join work_cards_cache c using (work_id) left join works_meta m using (work_id)
        where w.tmdb_id = any($1) order by w.tmdb_id for update of w"#,
        &ids
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| {
            let known = Known {
                work_id: r.work_id,
                revision: r.revision,
                hash: r.content_hash,
                fetched_at: r.fetched_at,
                card_etag: r.etag,
                is_whole: r.is_whole,
            };
            (r.tmdb_id, known)
        })
        .collect())
}

/// Compares with what is stored; only movies whose hash differs, or whose answer lacked a part,
/// cost a look at the old document.
async fn decide<'a>(
    tx: &mut PgConnection,
    todo: &[&'a Save],
    known: &HashMap<String, Known>,
) -> Result<Vec<Change<'a>>, StoreError> {
    let mut open = Vec::new();
    for save in todo {
        let Some(old) = known.get(&save.movie.tmdb_id.to_string()) else { continue };
        if old.fetched_at.is_none_or(|at| at < save.fetched_at) || runtime::trial::without("upsert")
        {
            open.push((*save, old));
        }
    }
    let differing: Vec<i64> = open
        .iter()
        .filter(|(s, old)| {
            old.revision > 0
                && (s.movie.is_incomplete() || old.hash.as_deref() != Some(&s.movie.content_hash()))
        })
        .map(|(_, old)| old.work_id)
        .collect();
    let documents: HashMap<i64, Option<Value>> = sqlx::query!(
        "select work_id, document from works_meta where work_id = any($1)",
        &differing
    )
    .fetch_all(&mut *tx)
    .await?
    .into_iter()
    .map(|r| (r.work_id, r.document))
    .collect();
    Ok(open
        .into_iter()
        .map(|(save, old)| {
            let document = documents
                .get(&old.work_id)
                .cloned()
                .flatten()
                .and_then(|d| serde_json::from_value(d).ok());
            change(save, old, document)
        })
        .collect())
}

fn change<'a>(save: &'a Save, old: &Known, document: Option<Movie>) -> Change<'a> {
    let mut movie = save.movie.clone();
    if let Some(stored) = &document {
        movie.keep_missing(stored);
    }
    if let Some(Value::Object(extras)) = &mut movie.extras {
        extras.remove("missing_parts");
    }
    let hash = movie.content_hash();
    let unchanged = old.hash.as_deref() == Some(&hash) && old.revision > 0;
    let outcome = match (unchanged, old.revision) {
        (true, _) => RefreshOutcome::Unchanged,
        (false, 0) => RefreshOutcome::Created,
        (false, _) => RefreshOutcome::Updated,
    };
    let diff = document
        .as_ref()
        .filter(|_| !unchanged)
        .map(|stored| diff(stored, &movie))
        .unwrap_or_default();
    let revision = old.revision + i64::from(!unchanged);
    let writes_details = !unchanged || !old.is_whole || old.card_etag.is_none();
    Change {
        save,
        movie,
        work_id: old.work_id,
        revision,
        hash,
        outcome,
        diff,
        old_etag: old.card_etag.clone(),
        writes_details,
    }
}

async fn write_works(tx: &mut PgConnection, changes: &[Change<'_>]) -> Result<(), StoreError> {
    let docs: Vec<Value> = changes
        .iter()
        .map(|c| {
            let hash: String = c.hash.iter().map(|b| format!("{b:02x}")).collect();
            serde_json::json!({
                "work_id": c.work_id, "tmdb_id": c.movie.tmdb_id.to_string(), "imdb_id": c.movie.imdb_id, "title": c.movie.title,
                "original_title": c.movie.original_title, "release_date": c.movie.release_date, "status": c.movie.status,
                "popularity": c.movie.popularity, "revision": c.revision, "hash": hash,
            })
        })
        .collect();
    let times: Vec<OffsetDateTime> = changes.iter().map(|c| c.save.fetched_at).collect();
    // Whoever holds an imdb_id keeps it; a second claim, also within this batch, is written down
    // beside it.
    sqlx::query!(
        r#"with new as (
            select r.*, t.at from unnest($1::jsonb[], $2::timestamptz[]) as t(doc, at),
                jsonb_to_record(t.doc) as r(work_id bigint, tmdb_id text, imdb_id text, title text, original_title text,
                    release_date date, status text, popularity double precision, revision bigint, hash text)),
        claims as (
            select new.*, (new.imdb_id is null
                or exists (select 1 from works o where o.imdb_id = new.imdb_id and o.work_id <> new.work_id)
                or exists (select 1 from new n where n.imdb_id = new.imdb_id and n.work_id < new.work_id)) as lost from new)
        update works w set imdb_id = case when c.lost then null else c.imdb_id end,
            imdb_id_clash = case when c.lost then c.imdb_id end,
            title = c.title, original_title = c.original_title, release_date = c.release_date,
            year = extract(year from c.release_date)::int, status = c.status, popularity = c.popularity,
            last_refreshed_at = c.at, fetched_at = c.at, ingestion_status = 'complete', revision = c.revision,
            content_hash = decode(c.hash, 'hex'), failures = 0, hold_until = null, missing_since = null, removed_at = null,
            updated_at = case when w.revision = c.revision then w.updated_at else c.at end
        from claims c where w.work_id = c.work_id"#,
        &docs,
        &times
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// The big rows: only for movies that changed.
async fn write_details(tx: &mut PgConnection, changes: &[Change<'_>]) -> Result<(), StoreError> {
    let changed: Vec<&Change<'_>> = changes.iter().filter(|c| c.writes_details).collect();
    if changed.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = changed.iter().map(|c| c.work_id).collect();
    let adopted = adopted_details(&mut *tx, &changed).await?;
    let meta = |c: &&Change<'_>| keep_adopted(catalogue::meta(&c.movie), adopted.get(&c.work_id));
    let metas: Vec<Value> = changed.iter().map(meta).collect();
    let documents: Vec<Value> =
        changed.iter().map(|c| serde_json::to_value(&c.movie).unwrap_or_default()).collect();
    let times: Vec<OffsetDateTime> = changed.iter().map(|c| c.save.fetched_at).collect();
    sqlx::query!(
        r#"insert into works_meta (work_id, runtime_minutes, runtime_display, tagline, overview, overview_short, genres, certification,
            poster_url_small, poster_url_medium, poster_url_large, poster_url_original, backdrop_url, backdrop_url_mobile,
            trailer_youtube_id, cast_members, crew_members, keywords, streaming, original_language, spoken_languages,
            production_companies, production_countries, budget, revenue_worldwide, collection, trailers, homepage, extras,
            document, fetched_at, updated_at)
        select t.work_id, r.*, t.document, t.at, t.at
        from unnest($1::bigint[], $2::jsonb[], $3::jsonb[], $4::timestamptz[]) as t(work_id, doc, document, at),
            jsonb_to_record(t.doc) as r(runtime_minutes int, runtime_display text, tagline text, overview text, overview_short text,
            genres text[], certification text, poster_url_small text, poster_url_medium text, poster_url_large text,
            poster_url_original text, backdrop_url text, backdrop_url_mobile text, trailer_youtube_id text, cast_members jsonb,
            crew_members jsonb, keywords text[], streaming jsonb, original_language text, spoken_languages text[],
            production_companies jsonb, production_countries text[], budget bigint, revenue_worldwide bigint, collection jsonb,
            trailers jsonb, homepage text, extras jsonb)
        on conflict (work_id) do update set runtime_minutes = excluded.runtime_minutes, runtime_display = excluded.runtime_display,
            tagline = excluded.tagline, overview = excluded.overview, overview_short = excluded.overview_short, genres = excluded.genres,
            certification = excluded.certification, poster_url_small = excluded.poster_url_small,
            poster_url_medium = excluded.poster_url_medium, poster_url_large = excluded.poster_url_large,
            poster_url_original = excluded.poster_url_original, backdrop_url = excluded.backdrop_url,
            backdrop_url_mobile = excluded.backdrop_url_mobile, trailer_youtube_id = excluded.trailer_youtube_id,
            cast_members = excluded.cast_members, crew_members = excluded.crew_members, keywords = excluded.keywords,
            streaming = excluded.streaming, original_language = excluded.original_language,
            spoken_languages = excluded.spoken_languages, production_companies = excluded.production_companies,
            production_countries = excluded.production_countries, budget = excluded.budget,
            revenue_worldwide = excluded.revenue_worldwide, collection = excluded.collection, trailers = excluded.trailers,
            homepage = excluded.homepage, extras = excluded.extras, document = excluded.document, fetched_at = excluded.fetched_at,
            updated_at = excluded.updated_at"#,
        &ids,
        &metas,
        &documents,
        &times
    )
    .execute(&mut *tx)
    .await?;
    write_similar(tx, &changed).await?;
    write_cards(tx, &changed).await
}

/// Big rows that another program filled: they have no document to compare with.
async fn adopted_details(
    tx: &mut PgConnection,
    changed: &[&Change<'_>],
) -> Result<HashMap<i64, Value>, StoreError> {
    let ids: Vec<i64> = changed
        .iter()
        .filter(|c| c.outcome == RefreshOutcome::Created)
        .map(|c| c.work_id)
        .collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        r#"select work_id, to_jsonb(m) as "row!" from works_meta m where work_id = any($1) and document is null"#,
        &ids
    );
    Ok(rows.fetch_all(&mut *tx).await?.into_iter().map(|r| (r.work_id, r.row)).collect())
}

/// What the answer lacks stays as the other program left it.
fn keep_adopted(mut meta: Value, adopted: Option<&Value>) -> Value {
    for (column, value) in
        meta.as_object_mut().into_iter().flatten().filter(|(_, value)| value.is_null())
    {
        if let Some(kept) = adopted.and_then(|row| row.get(column)) {
            *value = kept.clone();
        }
    }
    meta
}

async fn write_similar(tx: &mut PgConnection, changed: &[&Change<'_>]) -> Result<(), StoreError> {
    let known: Vec<_> =
        changed.iter().filter_map(|c| c.movie.similar.as_ref().map(|s| (c.work_id, s))).collect();
    let works: Vec<i64> = known.iter().map(|(work, _)| *work).collect();
    sqlx::query!("delete from similar_movies where work_id = any($1)", &works)
        .execute(&mut *tx)
        .await?;
    let rows: Vec<_> =
        known.iter().flat_map(|(work, similar)| similar.iter().map(|s| (*work, s))).collect();
    let works: Vec<i64> = rows.iter().map(|(work, _)| *work).collect();
    let ids: Vec<String> = rows.iter().map(|(_, s)| s.tmdb_id.to_string()).collect();
    let sources: Vec<String> = rows.iter().map(|(_, s)| s.source.clone()).collect();
    let ranks: Vec<i32> = rows.iter().map(|(_, s)| s.rank_order).collect();
    let titles: Vec<String> = rows.iter().map(|(_, s)| s.title.clone()).collect();
    sqlx::query!(
        "insert into similar_movies (work_id, similar_tmdb_id, source, rank_order, title)
         select * from unnest($1::bigint[], $2::text[], $3::text[], $4::int[], $5::text[]) on conflict do nothing",
        &works,
        &ids,
        &sources,
        &ranks,
        &titles
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

async fn write_cards(tx: &mut PgConnection, changed: &[&Change<'_>]) -> Result<(), StoreError> {
    let cards: Vec<_> =
        changed.iter().map(|c| (c, catalogue::cards(c.work_id, &c.movie))).collect();
    let new: Vec<_> =
        cards.iter().filter(|(c, (_, _, etag))| c.old_etag.as_ref() != Some(etag)).collect();
    let works: Vec<i64> = new.iter().map(|(c, _)| c.work_id).collect();
    let full: Vec<Value> = new.iter().map(|(_, card)| card.0.clone()).collect();
    let short: Vec<Value> = new.iter().map(|(_, card)| card.1.clone()).collect();
    let etags: Vec<String> = new.iter().map(|(_, card)| card.2.clone()).collect();
    sqlx::query!(
        "insert into work_cards_cache (work_id, payload, payload_short, etag, computed_at)
         select w, f, s, e, now() from unnest($1::bigint[], $2::jsonb[], $3::jsonb[], $4::text[]) as t(w, f, s, e)
         on conflict (work_id) do update set payload = excluded.payload, payload_short = excluded.payload_short,
            etag = excluded.etag, computed_at = excluded.computed_at",
        &works,
        &full,
        &short,
        &etags
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Queue rows and run items of everything that this batch handled, also of what a newer answer
/// superseded. A queue row may belong to another run than the message: that run's item is settled
/// with it, for no other message may come for it.
async fn settle(
    tx: &mut PgConnection,
    todo: &[&Save],
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let ids: Vec<String> = todo.iter().map(|s| s.movie.tmdb_id.to_string()).collect();
    let queue = sqlx::query!(
        r#"update refresh_queue q set status = 'completed', processed_at = $2, lease_until = null, last_error = null
         from works w where w.tmdb_id = any($1) and q.work_id = w.work_id and q.status in ('queued', 'processing')
         returning q.run_id, w.tmdb_id::bigint as "tmdb_id!""#,
        &ids,
        now
    )
    .fetch_all(&mut *tx)
    .await?;
    let done = |run_id: String, save: &Save| Settled {
        run_id,
        tmdb_id: save.movie.tmdb_id.get(),
        state: "done",
        title: Some(save.movie.title.clone()),
        error: None,
    };
    let mut items = Vec::new();
    for save in todo {
        let queued = queue
            .iter()
            .filter(|q| q.tmdb_id == save.movie.tmdb_id.get())
            .filter_map(|q| q.run_id.clone());
        let runs: HashSet<String> =
            save.run_id.iter().map(ToString::to_string).chain(queued).collect();
        items.extend(runs.into_iter().map(|run_id| done(run_id, save)));
    }
    runs::settle(tx, &items, now).await
}
