//! Reads, locks and writes `title`: what we know of each work beside the app's own tables.

use std::collections::HashMap;

use catalogue::{Facts, MAPPING_VERSION, Rating};
use proto::TmdbId;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    Outage, StoreError,
    catalogue::{
        change::{Change, KnownMovie, KnownWork, Save},
        ratings::{METHOD_VERSION, SOURCE_NAME},
        works::{self, Clashes},
    },
    db::row::Row,
    schema::rights,
};

/// Makes the rows of movies that are added, and locks all that are there, in the order of their
/// ids, so that two writers never lock each other out. A movie that is not there and is not added
/// is left out.
///
/// # Errors
/// `Unavailable` where a work is there, or could not be made, and row security hides it from us.
pub(crate) async fn lock(
    tx: &mut PgConnection,
    todo: &[&Save],
) -> Result<HashMap<TmdbId, KnownMovie>, StoreError> {
    let mut ids: Vec<i32> = todo.iter().map(|s| number(s.look.tmdb_id)).collect();
    ids.sort_unstable();
    ids.dedup();
    let known = lock_known(&mut *tx, &ids).await?;
    let is_new = |save: &&&Save| save.adds && !known.contains_key(&save.look.tmdb_id);
    let mut new: Vec<i32> = todo.iter().filter(is_new).map(|s| number(s.look.tmdb_id)).collect();
    if new.is_empty() {
        hides_none(tx, &ids, &known).await?;
        return Ok(known);
    }
    new.sort_unstable();
    works::add(&mut *tx, &new).await?;
    let is_missing = |known: &HashMap<TmdbId, KnownMovie>| {
        todo.iter().any(|save| save.adds && !known.contains_key(&save.look.tmdb_id))
    };
    let mut known = lock_known(&mut *tx, &ids).await?;
    if is_missing(&known) {
        add(&mut *tx, &new).await?;
        known = lock_known(&mut *tx, &ids).await?;
    }
    if is_missing(&known) {
        return Err(HIDDEN);
    }
    hides_none(tx, &ids, &known).await?;
    Ok(known)
}

const HIDDEN: StoreError = StoreError::Unavailable(Outage::NotWritable("works"));

/// Checks that the works of these titles that are not known are gone, and not hidden: what row
/// security hides, or lets us see and not lock, is there.
///
/// # Errors
/// `Unavailable` where one is hidden.
pub(crate) async fn hides_none(
    tx: &mut PgConnection,
    ids: &[i32],
    known: &HashMap<TmdbId, KnownMovie>,
) -> Result<(), StoreError> {
    if known.len() == ids.len() {
        return Ok(());
    }
    let titles =
        sqlx::query_scalar!(r#"select count(*) as "n!" from title where tmdb_id = any ($1)"#, ids);
    let titles = usize::try_from(titles.fetch_one(&mut *tx).await?).unwrap_or_default();
    if titles > known.len() && rights::hides_rows(tx, "works").await? {
        return Err(HIDDEN);
    }
    Ok(())
}

/// As the column has it.
fn number(id: TmdbId) -> i32 {
    i32::try_from(id.get()).unwrap_or(i32::MAX)
}

/// Locks titles and works in the order of these ids, as every writer of movies does.
pub(crate) async fn lock_known(
    tx: &mut PgConnection,
    ids: &[i32],
) -> Result<HashMap<TmdbId, KnownMovie>, StoreError> {
    let rows = sqlx::query_as!(
        KnownRow,
        r#"
        select
            t.work_id,
            t.tmdb_id as "tmdb_id!",
            t.revision,
            t.fingerprint,
            t.fetched_at,
            t.mapping_version,
            t.imdb_id_clash,
            w.imdb_id,
            coalesce(w.title, '') as "title!",
            w.original_title,
            w.release_date::text as release_date,
            w.ingestion_status is not distinct from 'complete' as "is_complete!",
            c.etag as "etag?",
            a.ai_score as "score?",
            s.value_raw::float8 as "average?",
            s.votes_count::bigint as "votes?",
            t.removed_at is not null as "is_removed!",
            d.work_id is not null as "has_document!",
            m.work_id is not null as "has_details!"
        from title t
        join works w using (work_id)
        left join document d using (work_id)
        left join works_meta m using (work_id)
        left join work_cards_cache c using (work_id)
        left join aggregates a on a.work_id = t.work_id and a.method_version = $2
        left join rating_sources s on s.work_id = t.work_id and s.source_name = $3
        where t.tmdb_id = any ($1)
        order by t.tmdb_id
        for update of t
        for no key update of w
        "#,
        ids,
        METHOD_VERSION,
        SOURCE_NAME
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter().map(KnownRow::known).collect()
}

struct KnownRow {
    work_id: i64,
    tmdb_id: i32,
    revision: i64,
    fingerprint: Option<Vec<u8>>,
    fetched_at: Option<OffsetDateTime>,
    mapping_version: Option<i16>,
    imdb_id_clash: Option<String>,
    imdb_id: Option<String>,
    title: String,
    original_title: Option<String>,
    release_date: Option<String>,
    is_complete: bool,
    etag: Option<String>,
    score: Option<f32>,
    average: Option<f64>,
    votes: Option<i64>,
    is_removed: bool,
    has_document: bool,
    has_details: bool,
}

impl KnownRow {
    /// The movie, under its number.
    fn known(self) -> Result<(TmdbId, KnownMovie), StoreError> {
        let tmdb_id = TmdbId::try_from(i64::from(self.tmdb_id))
            .map_err(|e| Row::of("title", &self.work_id).unreadable("tmdb_id", &e))?;
        let facts = Facts {
            imdb_id: self.imdb_id,
            title: self.title,
            original_title: self.original_title,
            release_date: self.release_date,
        };
        let (vote_average, is_complete) = (self.average, self.is_complete);
        let known = KnownMovie {
            work_id: self.work_id,
            revision: self.revision,
            fingerprint: self.fingerprint,
            fetched_at: self.fetched_at,
            mapping_version: self.mapping_version,
            work: KnownWork { facts, imdb_id_clash: self.imdb_id_clash, is_complete },
            rating: self.votes.map(|vote_count| Rating { vote_average, vote_count }),
            card_etag: self.etag,
            score: self.score,
            is_removed: self.is_removed,
            has_document: self.has_document,
            has_details: self.has_details,
        };
        Ok((tmdb_id, known))
    }
}

/// Titles of works that came past the triggers. The title of a work that is gone gives its number
/// to the work that has it now.
async fn add(tx: &mut PgConnection, ids: &[i32]) -> Result<(), StoreError> {
    sqlx::query!(
        "
        select keep_titles(
            array(
                select w.work_id
                from works w
                where w.tmdb_id = any ($1::int[]::text[])
                union
                select t.work_id
                from title t
                where t.tmdb_id = any ($1)
            ),
            false
        )::text
        ",
        ids
    )
    .fetch_one(tx)
    .await?;
    Ok(())
}

/// What is written of each title, column by column.
struct Columns<'a> {
    works: Vec<i64>,
    times: Vec<OffsetDateTime>,
    dates: Vec<Option<String>>,
    revisions: Vec<i64>,
    fingerprints: Vec<&'a [u8]>,
    clashes: Vec<Option<String>>,
    /// `None`: the row is not written.
    owns_details: Vec<Option<bool>>,
    owns_cards: Vec<Option<bool>>,
    lacks: Vec<Option<String>>,
    is_changed: Vec<bool>,
}

impl<'a> Columns<'a> {
    fn of(changes: &'a [Change<'_>], clashes: &Clashes) -> Self {
        let owns = |is_written: bool, change: &Change<'_>| is_written.then_some(change.owns_rows);
        Self {
            works: changes.iter().map(|c| c.work_id).collect(),
            times: changes.iter().map(|c| c.read_at).collect(),
            dates: changes.iter().map(|c| c.facts.release_date.clone()).collect(),
            revisions: changes.iter().map(|c| c.revision).collect(),
            fingerprints: changes.iter().map(|c| c.fingerprint.as_slice()).collect(),
            clashes: changes.iter().map(|c| clashes.of(c)).collect(),
            owns_details: changes.iter().map(|c| owns(c.details.is_some(), c)).collect(),
            owns_cards: changes.iter().map(|c| owns(c.card.is_some(), c)).collect(),
            lacks: changes.iter().map(Change::lacking).collect(),
            is_changed: changes.iter().map(Change::is_changed).collect(),
        }
    }
}

/// Locks the titles with these numbers in the order of the writer, so that neither waits for the
/// other in a circle. Returns their works.
pub(crate) async fn lock_numbers(
    tx: &mut PgConnection,
    numbers: &[i64],
) -> Result<Vec<i64>, StoreError> {
    let works = sqlx::query_scalar!(
        "
        select work_id
        from title
        where tmdb_id = any ($1::bigint[])
        order by tmdb_id, work_id
        for update
        ",
        numbers
    );
    Ok(works.fetch_all(tx).await?)
}

/// Writes what was read, and when it is due again.
pub(crate) async fn write(
    tx: &mut PgConnection,
    changes: &[Change<'_>],
    clashes: &Clashes,
) -> Result<(), StoreError> {
    let of = Columns::of(changes, clashes);
    // The rows are written in this transaction, whose id they have from then on.
    sqlx::query!(
        "
        update title t
        set band = f.band,
            band_until = f.band_until,
            stale_at = f.stale_at,
            stale_cause = f.stale_cause,
            planned_at = f.planned_at,
            parts_at = f.parts_at,
            incomplete_looks = f.incomplete_looks,
            feed_at = f.feed_at,
            told_at = f.told_at,
            told_looks = f.told_looks,
            lacks = string_to_array(n.lacks, ','),
            fetched_at = n.at,
            revision = n.revision,
            fingerprint = n.fingerprint,
            mapping_version = $7,
            imdb_id_clash = n.clash,
            details_xid = case
                when n.owns_details then pg_current_xact_id()::xid
                when n.owns_details is null then t.details_xid
            end,
            card_xid = case
                when n.owns_card then pg_current_xact_id()::xid
                when n.owns_card is null then t.card_xid
            end,
            failures = 0,
            hold_until = null,
            missing_since = null,
            removed_at = null
        from unnest(
                $1::bigint[], $2::timestamptz[], $3::text[], $4::bigint[], $5::bytea[], $6::text[],
                $8::boolean[], $9::boolean[], $10::text[], $11::boolean[]
            ) as n (
                work_id, at, released, revision, fingerprint, clash, owns_details, owns_card, lacks,
                is_changed
            ),
            due_after_look(
                n.work_id, n.at, n.released::date, n.lacks is not null, n.is_changed
            ) f
        where t.work_id = n.work_id
        ",
        &of.works,
        &of.times,
        &of.dates as &[Option<String>],
        &of.revisions,
        &of.fingerprints as &[&[u8]],
        &of.clashes as &[Option<String>],
        MAPPING_VERSION,
        &of.owns_details as &[Option<bool>],
        &of.owns_cards as &[Option<bool>],
        &of.lacks as &[Option<String>],
        &of.is_changed
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Writes what a stored answer that was mapped again says; when it was read and is due stays.
pub(crate) async fn write_mapping(
    tx: &mut PgConnection,
    changes: &[Change<'_>],
    clashes: &Clashes,
) -> Result<(), StoreError> {
    let works: Vec<i64> = changes.iter().map(|c| c.work_id).collect();
    let revisions: Vec<i64> = changes.iter().map(|c| c.revision).collect();
    let fingerprints: Vec<&[u8]> = changes.iter().map(|c| c.fingerprint.as_slice()).collect();
    let clashes: Vec<Option<String>> = changes.iter().map(|c| clashes.of(c)).collect();
    sqlx::query!(
        "
        update title t
        set revision = n.revision,
            fingerprint = n.fingerprint,
            mapping_version = $5,
            imdb_id_clash = n.clash
        from unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::text[])
            as n (work_id, revision, fingerprint, clash)
        where t.work_id = n.work_id
            and (t.revision, t.fingerprint, t.mapping_version, t.imdb_id_clash)
                is distinct from (n.revision, n.fingerprint, $5, n.clash)
        ",
        &works,
        &revisions,
        &fingerprints as &[&[u8]],
        &clashes as &[Option<String>],
        MAPPING_VERSION
    )
    .execute(tx)
    .await?;
    Ok(())
}
