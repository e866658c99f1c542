//! Freshness: what is stale or due, and movies that are aged.

use super::{Any, Lock, Movies};
use crate::database::{Database, Rows};

impl Database {
    /// Movies on the list of stale ones, which the scan reads.
    pub fn stale_list(&self) -> Rows<'_, Any> {
        self.rows("get_stale_movies(10)")
    }

    /// The titles of that list, the longest due first.
    pub async fn stale_titles(&self) -> String {
        self.value("select string_agg(title, ',') from get_stale_movies(10)").await
    }

    /// Movies of which `is_stale` and `stale_at` say different things.
    pub fn movies_stale_or_due_but_not_both(&self) -> Rows<'_, Movies> {
        self.movies().and("is_stale(work_id) <> (stale_at <= now())")
    }

    /// Waits until titles were counted after all that has been done so far, as looks show them.
    pub async fn titles_are_counted(&self) {
        let begun: String = self.value("select clock_timestamp()::text").await;
        let samples: Rows<'_, Any> = self.rows("status_sample");
        samples.and(format!("taken_at > '{begun}'")).becomes(1).await;
    }

    /// In how many days a movie that comes out today is stale.
    pub async fn staleness_days_today(&self) -> i32 {
        self.value("select staleness_days(current_date)").await
    }

    /// Edits of the policy that are not applied to all movies yet.
    pub fn edits_of_the_policy(&self) -> Rows<'_, Any> {
        self.rows("policy_edit")
    }

    /// Every movie is stale after a day.
    pub async fn let_everything_be_stale_after_a_day(&self) {
        self.execute("update staleness_policy set interval_days = 1").await;
    }

    /// All movies were refreshed so long ago.
    pub async fn age_all(&self, days: i32) {
        self.age(days, "true").await;
    }

    /// This movie was refreshed so long ago.
    pub async fn age_movie(&self, id: i64, days: i32) {
        self.age(days, &format!("tmdb_id::text = '{id}'")).await;
    }

    /// Titles that lack a part are due for it.
    pub async fn hours_of_incomplete_titles_pass(&self) {
        self.execute("update title set parts_at = now() where lacks is not null").await;
    }

    /// The movie came out so long ago.
    pub async fn is_released_days_ago(&self, id: i64, days: i32) {
        self.edit_works(&format!(
            "update works set release_date = current_date - {days} where tmdb_id::text = '{id}'"
        ))
        .await;
    }

    /// Everything is so many days older, and no trigger notices.
    pub async fn days_pass(&self, days: i32) {
        self.execute(&format!(
            "alter table works disable trigger user;
             update works
             set release_date = release_date - {days},
                 last_refreshed_at = last_refreshed_at - interval '{days} days';
             update title
             set band_until = band_until - interval '{days} days',
                 stale_at = stale_at - interval '{days} days',
                 planned_at = planned_at - interval '{days} days';
             alter table works enable trigger user"
        ))
        .await;
    }

    /// All pins are over.
    pub async fn pins_end(&self) {
        self.execute(
            "update title
             set pin_until = now() - interval '1 second', band_until = now()
             where pin_every is not null",
        )
        .await;
    }

    /// No movie is in demand any more.
    pub async fn demand_ends(&self) {
        self.execute(
            "update title
             set demand_until = now() - interval '1 second', band_until = now()
             where demand_until is not null",
        )
        .await;
    }

    /// Movies that the change feed named and whose change no answer has shown.
    pub fn told(&self) -> Rows<'_, Any> {
        self.rows("title").and("told_at is not null")
    }

    /// So many hours ago the feed named what it named.
    pub async fn hours_pass_since_the_feed(&self, hours: u64) {
        self.execute(&format!(
            "update title
             set told_at = told_at - interval '{hours} hours',
                 feed_at = feed_at - interval '{hours} hours',
                 fetched_at = fetched_at - interval '{hours} hours'
             where told_at is not null"
        ))
        .await;
    }

    /// The feed cannot move on, until this is released.
    pub async fn hold_the_feed(&self) -> Lock {
        self.hold("select 1 from feed_state for update").await
    }

    /// Nobody read the change feed since then.
    pub async fn feed_was_read_days_ago(&self, days: i32) {
        self.execute(&format!("update feed_state set next_day = current_date - {days}")).await;
    }

    async fn age(&self, days: i32, which: &str) {
        self.edit_works(&format!(
            "update works
             set last_refreshed_at = now() - interval '{days} days'
             where {which};
             update title
             set fetched_at = now() - interval '{days} days'
             where {which}"
        ))
        .await;
    }

    /// The first 404 came so many hours earlier than it did.
    pub async fn missing_since_hours_earlier(&self, hours: i32) {
        self.execute(&format!(
            "update title
             set missing_since = missing_since - interval '{hours} hours'"
        ))
        .await;
    }

    /// No movie is left alone any longer after its refresh failed.
    pub async fn end_holds(&self) {
        self.execute("update title set hold_until = now() - interval '1 second'").await;
    }

    /// Three thousand movies of all ages, some without a date, some never refreshed.
    pub async fn add_movies_of_all_ages(&self) {
        self.edit_works(
            "insert into works (tmdb_id, title, ingestion_status, release_date, last_refreshed_at)
             select (1000000 + n)::text, 'T', 'complete',
                 case when n % 7 = 0 then null else current_date + (n * 37 % 900 - 700) end,
                 case when n % 11 = 0 then null
                     else now() - make_interval(hours => n * 13 % 900) end
             from generate_series(1, 3000) as n",
        )
        .await;
    }

    /// Four movies: never refreshed, old, older, fresh.
    pub async fn add_never_old_older_and_fresh(&self) {
        self.edit_works(
            "insert into works (tmdb_id, title, ingestion_status, release_date, last_refreshed_at)
             values ('1', 'never', 'complete', '2000-01-01', null),
                 ('2', 'old', 'complete', '2000-01-01', now() - interval '90 days'),
                 ('3', 'older', 'complete', '2000-01-01', now() - interval '95 days'),
                 ('4', 'fresh', 'complete', '2000-01-01', now())",
        )
        .await;
    }
}

impl Rows<'_, Any> {
    /// The movie with this TMDB id, which need not be a number in an adopted database.
    pub fn with_tmdb_id(self, id: &str) -> Self {
        self.and(format!("tmdb_id = '{id}'"))
    }
}

impl Rows<'_, Movies> {
    /// Stale, as the app asks.
    pub fn stale(self) -> Self {
        self.and("is_stale(work_id)")
    }

    /// Due, as the scan asks.
    pub fn due(self) -> Self {
        self.and("due_at <= now()")
    }

    /// In this freshness band.
    pub fn in_band(self, band: &str) -> Self {
        self.and(format!("band = '{band}'"))
    }

    /// Pinned by a person.
    pub fn pinned(self) -> Self {
        self.and("pin_every is not null")
    }

    /// Never refreshed.
    pub fn never_refreshed(self) -> Self {
        self.and("last_refreshed_at is null")
    }

    /// Refreshed within the last hours.
    pub fn refreshed_within_hours(self, hours: i32) -> Self {
        self.and(format!("last_refreshed_at > now() - interval '{hours} hours'"))
    }

    /// Refreshed at the very time of TMDB's answer.
    pub fn refreshed_with_its_answer(self) -> Self {
        self.and("last_refreshed_at = fetched_at")
    }
}
