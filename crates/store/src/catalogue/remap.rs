//! Maps stored answers again, without a call to TMDB: `mangoes remap`.
//!
//! Page by page, in the order of works. A page is one transaction: titles and works are locked as
//! by the writers of movies, and rows that differ, events and the watermark (`remap`) are written
//! together, so that whoever is killed goes on behind the last page. When movies were read and are
//! due stays as it was. Where a person sees a difference, the movie has a new revision, an entry in
//! its timeline and its events, as after a refresh.

mod mapped;
mod rows;
mod watermark;

use std::{
    collections::{BTreeSet, HashSet},
    num::NonZero,
    sync::Arc,
    thread,
    time::Duration,
};

use catalogue::MapOptions;
use proto::TmdbId;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::{Connection, PgConnection, Postgres, pool::PoolConnection};
use time::OffsetDateTime;

use self::{
    mapped::{Mapped, StoredRows, Unmappable},
    rows::Title,
    watermark::Walk,
};
use crate::{
    Outage, Store, StoreError,
    catalogue::{change::Change, details, events, ratings, titles, works},
    db::{
        deadline::{SHORT, within},
        transaction,
    },
    delivery::outbox::Waking,
};

/// Titles of one transaction: refreshes of these movies wait until it is over.
const PAGE: usize = 100;
/// How long the titles may take to be counted, or a page to be written.
const LONG: Duration = Duration::from_secs(60);
/// How long the server lets a transaction wait while its answers are mapped.
const MAY_IDLE: &str = "60s";
/// What a person reads of a movie that is not there, or has been removed.
const NO_ANSWER: &str = "the catalogue has no answer about it: `mangoes ingest --movie` asks TMDB";
/// How often a page is tried that met others' transactions.
const ATTEMPTS: u32 = 5;

/// Which stored answers are mapped again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemapScope {
    /// Those that another version of the mapping mapped last.
    Outdated,
    /// Every one.
    All,
    /// Those of these movies.
    Movies(Vec<TmdbId>),
}

/// What became of the answers so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RemapCounts {
    /// All of them.
    pub checked: u64,
    /// Rows of the app were written.
    pub written: u64,
    /// The app's rows said the same already.
    pub unchanged: u64,
    /// The answer could not be mapped, or the rows not be written; they stay as they were.
    pub failed: u64,
}

/// What is said while answers are mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemapNews {
    /// An earlier process was stopped; it goes on behind it.
    GoesOn,
    /// So many of `of` are done.
    Done { counts: RemapCounts, of: u64 },
    /// The answer of this movie failed, and why.
    Failed { movie: TmdbId, problem: String },
}

impl Store {
    /// Maps stored answers again.
    ///
    /// # Errors
    /// `Refused` while another process does it. When the database does not answer: what is done
    /// stays done, and the next call goes on.
    pub async fn remap(
        &self,
        scope: &RemapScope,
        options: MapOptions,
        mut news: impl FnMut(RemapNews),
    ) -> Result<RemapCounts, StoreError> {
        let mut session = within(SHORT, async { Ok(self.pool.acquire().await?) }).await?;
        // The lock ends with its session.
        session.close_on_drop();
        if !within(SHORT, watermark::lock(&mut session)).await? {
            return Err(StoreError::Refused(
                "another `mangoes remap` runs on this database: wait for its end".to_owned(),
            ));
        }
        let mut remap = Remap {
            session,
            options: Arc::new(options),
            counts: RemapCounts::default(),
            of: 0,
            news: &mut news,
        };
        match scope {
            RemapScope::Outdated => remap.walk(false).await?,
            RemapScope::All => remap.walk(true).await?,
            RemapScope::Movies(ids) => remap.movies(ids).await?,
        }
        Ok(remap.counts)
    }
}

/// Answers that are mapped again.
struct Remap<'a> {
    /// Has the lock.
    session: PoolConnection<Postgres>,
    options: Arc<MapOptions>,
    counts: RemapCounts,
    /// Answers that there were at the start.
    of: u64,
    news: &'a mut dyn FnMut(RemapNews),
}

/// What becomes of the watermark with a page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Watermark {
    Moves,
    Stays,
}

impl Remap<'_> {
    /// Page by page, from the watermark on.
    async fn walk(&mut self, all: bool) -> Result<(), StoreError> {
        let walk = Walk::new(all, &self.options);
        let mut from = within(SHORT, watermark::begin(&mut self.session, &walk)).await?;
        if from > i64::MIN {
            (self.news)(RemapNews::GoesOn);
        }
        self.of = within(LONG, rows::count(&mut self.session, from, all)).await?;
        loop {
            let page = rows::page(&mut self.session, from, all, PAGE as i64);
            let page = within(LONG, page).await?;
            let Some(last) = page.last() else { break };
            from = last.work_id.saturating_add(1);
            self.page(&page, Watermark::Moves).await?;
        }
        within(SHORT, watermark::finish(&mut self.session)).await
    }

    /// These movies, each once.
    async fn movies(&mut self, ids: &[TmdbId]) -> Result<(), StoreError> {
        let titles = within(SHORT, rows::titles_of(&mut self.session, ids)).await?;
        let known: HashSet<i64> = titles.iter().map(|title| i64::from(title.tmdb_id)).collect();
        let ids: BTreeSet<TmdbId> = ids.iter().copied().collect();
        self.of = ids.len() as u64;
        for id in ids.into_iter().filter(|id| !known.contains(&id.get())) {
            self.failed(id, NO_ANSWER.to_owned());
        }
        for page in titles.chunks(PAGE) {
            self.page(page, Watermark::Stays).await?;
        }
        Ok(())
    }

    /// One transaction. Where the database refuses a movie's data, one for each movie, so that it
    /// fails alone.
    async fn page(&mut self, titles: &[Title], watermark: Watermark) -> Result<(), StoreError> {
        match self.attempts(titles, watermark).await {
            Ok(outcomes) => self.count(outcomes),
            Err(error) if !is_of_data(&error) => return Err(error),
            Err(_) => {
                for title in titles {
                    match self.attempts(std::slice::from_ref(title), watermark).await {
                        Ok(outcomes) => self.count(outcomes),
                        Err(error) if !is_of_data(&error) => return Err(error),
                        Err(error) => {
                            let id = TmdbId::try_from(i64::from(title.tmdb_id));
                            id.into_iter().for_each(|id| self.failed(id, runtime::chain(&error)));
                        }
                    }
                }
            }
        }
        let (counts, of) = (self.counts, self.of.max(self.counts.checked));
        (self.news)(RemapNews::Done { counts, of });
        Ok(())
    }

    /// Again where another transaction was in the way.
    async fn attempts(
        &mut self,
        titles: &[Title],
        watermark: Watermark,
    ) -> Result<Vec<Outcome>, StoreError> {
        for _ in 1..ATTEMPTS {
            match within(LONG, self.write(titles, watermark)).await {
                Err(StoreError::Conflict(_)) => {}
                ended => return ended,
            }
        }
        within(LONG, self.write(titles, watermark)).await
    }

    async fn write(
        &mut self,
        titles: &[Title],
        watermark: Watermark,
    ) -> Result<Vec<Outcome>, StoreError> {
        let mut tx = Connection::begin(&mut *self.session).await?;
        transaction::may_idle(&mut tx, MAY_IDLE).await?;
        let now = transaction::time_of(&mut tx).await?;
        let stored = rows::lock(&mut tx, titles).await?;
        let mut tried = map(stored, &self.options).await?;
        let outcomes = tried.iter().map(Tried::outcome).collect();
        let changes: Vec<Change<'_>> = tried.iter_mut().filter_map(|t| t.change(now)).collect();
        write_rows(&mut tx, &changes).await?;
        if let (Watermark::Moves, Some(last)) = (watermark, titles.last()) {
            watermark::advance(&mut tx, last.work_id.saturating_add(1)).await?;
        }
        tx.commit().await?;
        Ok(outcomes)
    }

    fn count(&mut self, outcomes: Vec<Outcome>) {
        for outcome in outcomes {
            match outcome {
                Outcome::Written => self.counts.written += 1,
                Outcome::Unchanged => self.counts.unchanged += 1,
                Outcome::Failed { movie, problem } => {
                    self.failed(movie, problem);
                    continue;
                }
            }
            self.counts.checked += 1;
        }
    }

    fn failed(&mut self, movie: TmdbId, problem: String) {
        self.counts.checked += 1;
        self.counts.failed += 1;
        (self.news)(RemapNews::Failed { movie, problem });
    }
}

/// What became of one answer.
enum Outcome {
    Written,
    Unchanged,
    Failed { movie: TmdbId, problem: String },
}

/// A stored answer, and what came of it.
struct Tried {
    stored: StoredRows,
    mapped: Result<Mapped, Unmappable>,
}

impl Tried {
    fn change(&mut self, now: OffsetDateTime) -> Option<Change<'_>> {
        Some(self.mapped.as_mut().ok()?.change(&self.stored.known, now))
    }

    fn outcome(&self) -> Outcome {
        match &self.mapped {
            Ok(mapped) if mapped.writes(&self.stored.known) => Outcome::Written,
            Ok(_) => Outcome::Unchanged,
            Err(error) => {
                Outcome::Failed { movie: self.stored.tmdb_id, problem: runtime::chain(error) }
            }
        }
    }
}

/// Whether the rows of a movie are at fault, and not the database or others.
fn is_of_data(error: &StoreError) -> bool {
    match error {
        StoreError::Data(_) | StoreError::Row { .. } | StoreError::Refused(_) => true,
        StoreError::Unavailable(_)
        | StoreError::Conflict(_)
        | StoreError::Setup(_)
        | StoreError::Unknown { .. }
        | StoreError::Repeated(_)
        | StoreError::Other(_) => false,
    }
}

/// Maps on all cores.
async fn map(stored: Vec<StoredRows>, options: &Arc<MapOptions>) -> Result<Vec<Tried>, StoreError> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let share = stored.len().div_ceil(cores).max(1);
    let (mut rest, mut tasks) = (stored.into_iter(), Vec::with_capacity(cores));
    loop {
        let part: Vec<StoredRows> = rest.by_ref().take(share).collect();
        if part.is_empty() {
            break;
        }
        let options = Arc::clone(options);
        tasks.push(tokio::task::spawn_blocking(move || {
            let of = |stored| Tried { mapped: Mapped::of(&stored, &options), stored };
            part.into_iter().map(of).collect::<Vec<Tried>>()
        }));
    }
    let mut tried = Vec::new();
    for task in tasks {
        let part = task.await.map_err(|_| StoreError::Unavailable(Outage::BatchStopped))?;
        tried.extend(part);
    }
    Ok(tried)
}

/// Only what differs.
async fn write_rows(tx: &mut PgConnection, changes: &[Change<'_>]) -> Result<(), StoreError> {
    let clashes = works::write(&mut *tx, changes).await?;
    titles::write_mapping(&mut *tx, changes, &clashes).await?;
    details::write(&mut *tx, changes).await?;
    ratings::write(&mut *tx, changes).await?;
    // This process has no relay: the database wakes the others'.
    events::write(tx, changes, Waking::Database).await
}
