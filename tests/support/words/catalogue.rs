//! Movies: what is stored of them, and movies put there by hand.

use serde_json::Value;
use sqlx::Row;

use super::Any;
use crate::database::{Database, Rows, quoted};

/// What the app and we know of each movie: `works` with the columns of `title` that tests ask for.
const MOVIES: &str = "(
    select w.*, t.due_at, t.due_cause, t.stale_at, t.band, t.pin_every, t.hold_until,
        t.fetched_at, t.revision, t.failures, t.missing_since, t.removed_at, t.imdb_id_clash
    from works w
    left join title t using (work_id)
) as movies";

/// Rows of `works`, with what `title` knows of each.
#[derive(Debug, Clone, Copy)]
pub enum Movies {}

/// Rows of `works_meta`.
#[derive(Debug, Clone, Copy)]
pub enum Details {}

/// All that is stored of one movie.
#[derive(Debug, Clone)]
pub struct StoredMovie {
    /// TMDB's id.
    pub id: String,
    /// Its row in `works`.
    pub work: Value,
    /// Its row in `works_meta`.
    pub details: Value,
    /// How many people TMDB has heard.
    pub votes: i64,
    /// What the app shows of it.
    pub card: Value,
    /// How many movies are noted as similar.
    pub similar: i64,
}

impl Database {
    /// All movies of the catalogue.
    pub fn movies(&self) -> Rows<'_, Movies> {
        self.rows(MOVIES)
    }

    /// The movie with this TMDB id.
    pub fn movie(&self, id: i64) -> Rows<'_, Movies> {
        self.movies_of(&[id])
    }

    /// The movies with these TMDB ids.
    pub fn movies_of(&self, ids: &[i64]) -> Rows<'_, Movies> {
        let ids: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
        self.movies().and(format!("tmdb_id in ({})", ids.join(", ")))
    }

    /// Waits until the movie is stored whole.
    pub async fn complete(&self, id: i64) {
        self.movie(id).complete().becomes(1).await;
    }

    /// Waits until these movies are stored whole.
    pub async fn all_complete(&self, ids: &[i64]) {
        let expected = i64::try_from(ids.len()).unwrap();
        self.movies_of(ids).complete().becomes(expected).await;
    }

    /// The movies' details.
    pub fn details(&self) -> Rows<'_, Details> {
        self.rows("works_meta")
    }

    /// Movies with at least one row in this table.
    pub fn movies_with_rows_in(&self, table: &str) -> Rows<'_, Any> {
        self.rows(table).number("count(distinct work_id)")
    }

    /// Movies that came to an end: stored whole, or a dead letter.
    pub fn movies_stored_or_dead(&self) -> Rows<'_, Any> {
        self.rows(
            "(select 1 from works where ingestion_status = 'complete'
              union all
              select 1 from dead_letter) as ended",
        )
    }

    /// Movies that came to an end: stored whole, or not known to TMDB.
    pub fn movies_stored_or_not_found(&self) -> Rows<'_, Any> {
        self.rows(
            "(select 1 from works where ingestion_status = 'complete'
              union all
              select 1 from dead_letter where reason = 'not-found') as ended",
        )
    }

    /// The TMDB ids of all movies, in order.
    pub async fn ids_of_movies(&self) -> Vec<i64> {
        self.values("select tmdb_id::bigint from works order by 1").await
    }

    /// The movie's title as it is stored.
    pub async fn title(&self, id: i64) -> String {
        self.value(&format!("select title from works where tmdb_id = '{id}'")).await
    }

    /// Every movie that has details, ratings, an aggregate and a card.
    pub async fn stored_movies(&self) -> Vec<StoredMovie> {
        let sql = "
            select w.tmdb_id, to_jsonb(w) as work, to_jsonb(m) as details,
                r.votes_count::bigint as votes_count,
                c.payload,
                (select count(*) from similar_movies s where s.work_id = w.work_id) as similar
            from works w
            join works_meta m using (work_id)
            join rating_sources r using (work_id)
            join aggregates a using (work_id)
            join work_cards_cache c using (work_id)";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await.unwrap();
        let stored = rows.iter().map(|row| StoredMovie {
            id: row.get("tmdb_id"),
            work: row.get("work"),
            details: row.get("details"),
            votes: row.get("votes_count"),
            card: row.get("payload"),
            similar: row.get("similar"),
        });
        stored.collect()
    }

    /// A movie of which nothing but its title is known.
    pub async fn add_movie(&self, id: i64, title: &str) {
        self.edit_works(&format!(
            "insert into works (tmdb_id, title, last_refreshed_at) values ('{id}', {}, null)",
            quoted(title)
        ))
        .await;
    }

    /// A movie that came out on this day and was never read from TMDB.
    pub async fn add_movie_of(&self, id: i64, title: &str, day: &str) {
        self.edit_works(&format!(
            "insert into works (tmdb_id, title, release_date, last_refreshed_at)
             values ('{id}', {}, '{day}', null)",
            quoted(title)
        ))
        .await;
    }

    /// As many movies as there are numbers in the range: out in 1999, never read from TMDB.
    pub async fn add_old_movies(&self, ids: std::ops::RangeInclusive<i64>) {
        self.edit_works(&format!(
            "insert into works (tmdb_id, title, release_date, last_refreshed_at)
             select n::text, 'TMDB ' || n, '1999-12-31', null
             from generate_series({}, {}) n",
            ids.start(),
            ids.end()
        ))
        .await;
    }

    /// Movies that were read from TMDB a moment ago.
    pub async fn add_fresh_movies(&self, ids: std::ops::RangeInclusive<i64>) {
        self.edit_works(&format!(
            "insert into works (tmdb_id, title, last_refreshed_at, ingestion_status)
             select n::text, 'TMDB ' || n, now(), 'complete'
             from generate_series({}, {}) n",
            ids.start(),
            ids.end()
        ))
        .await;
    }

    /// A hundred movies that TMDB has no more, due for longer than any other.
    pub async fn add_a_hundred_deleted_movies(&self) {
        self.edit_works(
            "insert into works (tmdb_id, title, ingestion_status, last_refreshed_at)
             select (800000000 + n)::text, 'gone', 'complete', now() - interval '9 years'
             from generate_series(1, 100) n",
        )
        .await;
    }

    /// Remembers the rows of the details as they are now, for `details_rewritten`.
    pub async fn remember_details(&self) {
        self.execute(
            "create table before as
             select work_id, xmin::text as version
             from works_meta",
        )
        .await;
    }

    /// Details that were written again since `remember_details`.
    pub fn details_rewritten(&self) -> Rows<'_, Details> {
        self.rows("works_meta m join before b using (work_id)").and("m.xmin::text <> b.version")
    }

    /// Somebody empties the app's tables.
    pub async fn truncate_movies(&self) {
        self.edit_works("truncate works cascade").await;
    }

    /// What we know of movies.
    pub fn titles(&self) -> Rows<'_, Any> {
        self.rows("title")
    }

    /// What we know of movies under another number than the app's, or of none of the app's.
    pub fn titles_with_another_number(&self) -> Rows<'_, Any> {
        self.rows("title t left join works w using (work_id)")
            .and("w.tmdb_id is distinct from t.tmdb_id::text")
            .and("t.tmdb_id is not null")
    }

    /// What we know of movies whose number another work has.
    pub fn titles_without_a_number(&self) -> Rows<'_, Any> {
        self.rows("title").and("tmdb_id is null")
    }

    /// Two works trade their numbers.
    pub async fn trade_numbers(&self, one: i64, other: i64) {
        self.edit_works(&format!(
            "alter table works drop constraint works_tmdb_id_key;
             update works
             set tmdb_id = case tmdb_id when '{one}' then '{other}' else '{one}' end
             where tmdb_id in ('{one}', '{other}');
             alter table works add constraint works_tmdb_id_key unique (tmdb_id)"
        ))
        .await;
    }

    /// From now on two works may have one number.
    pub async fn allow_doubles(&self) {
        self.execute("alter table works drop constraint works_tmdb_id_key").await;
    }

    /// The first of the works with this number goes.
    pub async fn delete_first_of(&self, id: i64) {
        self.edit_works(&format!(
            "delete from works
             where work_id = (select min(work_id) from works where tmdb_id = '{id}')"
        ))
        .await;
    }

    /// A movie that comes in as a restore with disabled triggers brings it.
    pub async fn add_movie_past_the_triggers(&self, id: i64) {
        self.execute(&format!(
            "begin;
             set local mangoes.writer = 'on';
             insert into works (tmdb_id, title) values ('{id}', 'unseen');
             commit"
        ))
        .await;
    }

    /// Somebody takes all details away.
    pub async fn delete_details(&self) {
        self.execute("delete from works_meta").await;
    }

    /// What became of the wish to have two movies with one IMDb id: owners and noted claims.
    pub fn claims_of_imdb_id(&self, ids: &[i64], imdb_id: &str) -> Rows<'_, Movies> {
        self.movies_of(ids).and(format!("'{imdb_id}' in (imdb_id, imdb_id_clash)"))
    }
}

impl Rows<'_, Movies> {
    /// Stored whole.
    pub fn complete(self) -> Self {
        self.and("ingestion_status = 'complete'")
    }

    /// With this title.
    pub fn titled(self, title: &str) -> Self {
        self.and(format!("title = {}", quoted(title)))
    }

    /// Answered with a 404 at the last look.
    pub fn missing(self) -> Self {
        self.and("missing_since is not null")
    }

    /// Answered with a 404, or not to be asked for at the moment.
    pub fn missing_or_held(self) -> Self {
        self.and("(missing_since is not null or hold_until is not null)")
    }

    /// Known to TMDB as far as anybody knows.
    pub fn not_missing(self) -> Self {
        self.and("missing_since is null")
    }

    /// A tombstone.
    pub fn removed(self) -> Self {
        self.and("removed_at is not null")
    }

    /// No tombstone.
    pub fn not_removed(self) -> Self {
        self.and("removed_at is null")
    }

    /// At their first revision, written once.
    pub fn written_once(self) -> Self {
        self.and("revision = 1")
    }
}

impl Rows<'_, Details> {
    /// With this overview.
    pub fn overview(self, text: &str) -> Self {
        self.and(format!("overview = {}", quoted(text)))
    }

    /// With another overview than this.
    pub fn overview_is_not(self, text: &str) -> Self {
        self.and(format!("overview <> {}", quoted(text)))
    }

    /// With this tagline.
    pub fn tagline(self, text: &str) -> Self {
        self.and(format!("tagline = {}", quoted(text)))
    }

    /// With somebody of this name in the cast.
    pub fn with_cast_member(self, name: &str) -> Self {
        let member = serde_json::json!([{"name": name}]).to_string();
        self.and(format!("cast_members @> {}", quoted(&member)))
    }

    /// With this trailer.
    pub fn with_trailer(self, key: &str) -> Self {
        self.and(format!("trailer_youtube_id = {}", quoted(key)))
    }

    /// With keywords, a cast and a poster.
    pub fn with_keywords_cast_and_poster(self) -> Self {
        self.and("array_length(keywords, 1) > 0")
            .and("jsonb_array_length(cast_members) > 0")
            .and("poster_url_large is not null")
    }

    /// With the movie as it was compared last.
    pub fn with_document(self) -> Self {
        self.and("exists (select 1 from document d where d.work_id = works_meta.work_id)")
    }

    /// Shorter than a minute.
    pub fn shorter_than_a_minute(self) -> Self {
        self.and("runtime_minutes is not null").and("runtime_minutes < 1")
    }
}
