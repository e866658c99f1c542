//! What is in the app's database after it was adopted: our rows beside the app's.

use sqlx::Row;

use super::app::HostedApp;

impl HostedApp {
    /// Works off what the triggers noted, as a process does within a second.
    pub async fn apply_edits(&self) {
        self.value::<i32>("select mangoes.apply_work_edits(1000000)").await;
    }

    /// In how many days the movie is due; below zero: it is; `None`: it has no row of ours.
    pub async fn due_in_days(&self, tmdb_id: &str) -> Option<f64> {
        self.apply_edits().await;
        let rows = self
            .rows(&format!(
                "select extract(epoch from t.due_at - now())::float8 / 86400 as days
                 from mangoes.title t
                 join public.works w using (work_id)
                 where w.tmdb_id = '{tmdb_id}'"
            ))
            .await;
        rows.first().map(|row| row.get("days"))
    }

    /// Movies that were read and are due later than so many days after that.
    pub async fn due_later_than_days(&self, days: i32) -> i64 {
        self.apply_edits().await;
        self.value(&format!(
            "select count(*)
             from mangoes.title
             join public.works using (work_id)
             where due_at > last_refreshed_at + interval '{days} days 1 minute'"
        ))
        .await
    }

    /// Rows of ours about movies.
    pub async fn titles(&self) -> i64 {
        self.apply_edits().await;
        self.value("select count(*) from mangoes.title").await
    }

    /// The database says that another cluster is where it was written.
    pub async fn say_that_a_dump_was_restored(&self) {
        self.as_superuser("update mangoes.installation set cluster = 1").await;
    }

    /// Only a superuser may ask which cluster this is.
    pub async fn forbid_asking_for_the_cluster(&self) {
        self.as_superuser("revoke execute on function pg_control_system() from public").await;
    }

    /// Sessions that wait for a lock of another.
    pub async fn waiting_sessions(&self) -> i64 {
        self.value(
            "select count(*) from pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock'",
        )
        .await
    }

    /// How many of these movies have rows of details and cards that nobody else has written since
    /// we did, with nothing of the app's own in them.
    pub async fn titles_whose_rows_are_ours(&self, tmdb_ids: &[i64]) -> i64 {
        let ids: Vec<String> = tmdb_ids.iter().map(ToString::to_string).collect();
        self.value(&format!(
            "select count(*)
             from mangoes.title t
             join works_meta m using (work_id)
             join work_cards_cache c using (work_id)
             where t.tmdb_id in ({}) and m.xmin = t.details_xid and c.xmin = t.card_xid",
            ids.join(", ")
        ))
        .await
    }

    /// Movies of the app, and rows of ours, that have no counterpart.
    pub async fn movies_or_titles_alone(&self) -> i64 {
        self.apply_edits().await;
        self.value(
            "select count(*)
             from public.works w
             full join mangoes.title t using (work_id)
             where w.work_id is null or t.work_id is null",
        )
        .await
    }

    /// Rows of the app's table.
    pub async fn rows_of(&self, table: &str) -> i64 {
        self.value(&format!("select count(*) from public.{table}")).await
    }

    /// Ratings of this source and aggregates of this method, each movie's.
    pub async fn scores_of(&self, tmdb_id: i64) -> Vec<String> {
        let rows = self
            .rows(&format!(
                "select source_name as name
                 from public.rating_sources
                 join public.works using (work_id)
                 where tmdb_id = '{tmdb_id}'
                 union all
                 select method_version
                 from public.aggregates
                 join public.works using (work_id)
                 where tmdb_id = '{tmdb_id}'
                 order by 1"
            ))
            .await;
        rows.iter().map(|row| row.get("name")).collect()
    }

    /// Rows of similar movies by where they come from.
    pub async fn similar_rows(&self, tmdb_id: i64, source: &str) -> i64 {
        self.value(&format!(
            "select count(*)
             from public.similar_movies
             join public.works using (work_id)
             where tmdb_id = '{tmdb_id}' and source = '{source}'"
        ))
        .await
    }

    /// What the app's columns of a score hold, as JSON.
    pub async fn aggregate(&self, tmdb_id: i64) -> serde_json::Value {
        self.value(&format!(
            "select to_jsonb(a)
             from public.aggregates a
             join public.works using (work_id)
             where tmdb_id = '{tmdb_id}' and method_version = 'v1_2025_11'"
        ))
        .await
    }

    /// Calls that the app's log shows of this service or function.
    pub async fn calls_logged_by(&self, name: &str) -> i64 {
        self.value(&format!(
            "select count(*) from public.tmdb_api_logs where edge_function = '{name}'"
        ))
        .await
    }

    /// The budget that the app's view shows.
    pub async fn budget_in_view(&self, tmdb_id: i64) -> Option<i64> {
        self.value(&format!(
            "select budget
             from public.movie_budgets
             join public.works using (work_id)
             where tmdb_id = '{tmdb_id}'"
        ))
        .await
    }

    /// Statuses in the app's queue, with how many rows have them.
    pub async fn queue_by_status(&self) -> Vec<String> {
        let rows = self
            .rows(
                "select status || ': ' || count(*) as line
                 from public.refresh_queue
                 group by status
                 order by status",
            )
            .await;
        rows.iter().map(|row| row.get("line")).collect()
    }

    /// Whether schema `mangoes` is there.
    pub async fn is_adopted(&self) -> bool {
        self.value("select to_regclass('mangoes.title') is not null").await
    }

    /// Tables of ours without a primary key: a publication of all tables refuses their updates.
    pub async fn tables_of_ours_without_a_key(&self) -> Vec<String> {
        let rows = self
            .rows(
                "select relname
                 from pg_class c
                 where relnamespace = 'mangoes'::regnamespace
                   and relkind in ('r', 'p')
                   and not exists (
                       select from pg_index i where i.indrelid = c.oid and i.indisprimary
                   )",
            )
            .await;
        rows.iter().map(|row| row.get("relname")).collect()
    }

    /// Functions of ours that leave their search path to the caller.
    pub async fn functions_of_ours_without_a_path(&self) -> Vec<String> {
        let rows = self
            .rows(
                "select oid::regprocedure::text as name
                 from pg_proc
                 where pronamespace = 'mangoes'::regnamespace
                   and not coalesce(proconfig::text like '%search_path%', false)",
            )
            .await;
        rows.iter().map(|row| row.get("name")).collect()
    }
}
