//! What people do to the app's database before it is adopted, and what stands in it for other
//! reasons.

use sqlx::AssertSqlSafe;

use super::app::{HostedApp, Login};

/// Where the app keeps a poster.
const OWN_POSTER: &str = "https://xyz.example.co/storage/v1/object/public/posters/own.jpg";

impl HostedApp {
    /// Rows that years of edits by hand leave behind: ids that are no numbers, a date before
    /// Christ, cards of other types.
    pub async fn add_odd_rows(&self) {
        self.as_owner(include_str!("../app/odd_rows.sql")).await;
    }

    /// So many further movies, out in 1999 and read from TMDB within the last forty days.
    pub async fn add_movies(&self, count: i64) {
        self.as_owner(&format!(
            "insert into works (tmdb_id, title, release_date, last_refreshed_at,
                 ingestion_status)
             select (2000000 + n)::text, 'Movie ' || n, '1999-12-31',
                 now() - make_interval(hours => n % 960), 'complete'
             from generate_series(1, {count}) n;
             insert into works_meta (work_id, overview, schema_version)
             select work_id, 'as it was', 4
             from works
             where tmdb_id::bigint > 2000000;
             analyze works"
        ))
        .await;
    }

    /// Nothing keeps two movies from having one IMDb id, and two of them have: Fight Club's is The
    /// Matrix's.
    pub async fn let_two_movies_have_one_imdb_id(&self) {
        self.as_owner(
            "alter table works drop constraint works_imdb_id_key;
             update works set imdb_id = 'tt0133093' where tmdb_id = '550'",
        )
        .await;
    }

    /// Tables of the app with the names of ours, each with a row.
    pub async fn add_tables_with_our_names(&self) {
        for table in ["job", "outbox", "inbox", "title", "document", "installation"] {
            self.as_owner(&format!(
                "create table public.{table} (id bigint primary key, note text);
                 insert into public.{table} values (1, 'of the app')"
            ))
            .await;
        }
    }

    /// What other programs that use the same library leave: their list of migrations.
    pub async fn add_migrations_of_another_program(&self) {
        self.as_owner(
            "create table public._sqlx_migrations (
                 version bigint primary key,
                 description text not null,
                 installed_on timestamptz not null default now(),
                 success boolean not null,
                 checksum bytea not null,
                 execution_time bigint not null
             );
             insert into public._sqlx_migrations
             values (1, 'of the app', now(), true, '\\x00', 1),
                 (20991231000000, 'of the app', now(), true, '\\x01', 1)",
        )
        .await;
    }

    /// Statements of this role may take so long, as hosters set it.
    pub async fn limit_statements_of(&self, login: Login, limit: &str) {
        let role = login.role();
        self.as_superuser(&format!("alter role {role} set statement_timeout = '{limit}'")).await;
    }

    /// The app copies a movie's poster to its own storage, and says so in the row of details.
    pub async fn keep_own_poster_in_details(&self, tmdb_id: i64) {
        self.as_owner(&format!(
            "update works_meta m
             set poster_url_medium = '{OWN_POSTER}'
             from works w
             where m.work_id = w.work_id and w.tmdb_id = '{tmdb_id}'"
        ))
        .await;
    }

    /// As above, in a transaction that has edited the work, too, and is not over.
    pub async fn keep_own_poster_meanwhile(&self, tmdb_id: i64) -> OpenTransaction {
        self.open(&format!(
            "update works set updated_at = now() where tmdb_id = '{tmdb_id}';
             update works_meta m
             set poster_url_medium = '{OWN_POSTER}'
             from works w
             where m.work_id = w.work_id and w.tmdb_id = '{tmdb_id}'"
        ))
        .await
    }

    /// As above, and says so in the card.
    pub async fn keep_own_poster_in_card(&self, tmdb_id: i64) {
        self.as_owner(&format!(
            "update work_cards_cache c
             set payload = jsonb_set(payload, '{{poster,medium}}', to_jsonb('{OWN_POSTER}'::text))
             from works w
             where c.work_id = w.work_id and w.tmdb_id = '{tmdb_id}'"
        ))
        .await;
    }

    /// Row security counts for the owner too.
    pub async fn force_row_security(&self, table: &str) {
        self.as_owner(&format!("alter table public.{table} force row level security")).await;
    }

    /// Row security does not count for the owner any more.
    pub async fn relax_row_security(&self, table: &str) {
        self.as_owner(&format!("alter table public.{table} no force row level security")).await;
    }

    /// All movies go at once, with all that refers to them.
    pub async fn truncate_works(&self) {
        self.as_owner("truncate works restart identity cascade").await;
    }

    /// Somebody changes this table and has not ended yet: nobody else reads or writes it.
    pub async fn lock_table(&self, table: &str) -> OpenTransaction {
        self.open(&format!("lock table public.{table} in access exclusive mode")).await
    }

    /// Everything that the owner makes from now on is everybody's, in whatever schema.
    pub async fn grant_everything_by_default(&self) {
        let to = "to anon, authenticated, service_role, public";
        for kind in ["schemas", "tables", "sequences", "functions"] {
            self.as_superuser(&format!(
                "alter default privileges for role app_owner grant all on {kind} {to}"
            ))
            .await;
        }
    }

    /// Takes away what `docs/adoption.md` says, where production had no `get_stale_movies`.
    pub async fn leave(&self) {
        self.as_owner(
            "drop schema mangoes cascade;
             drop function get_stale_movies(integer)",
        )
        .await;
    }

    /// This role may ask for stale movies.
    pub async fn grant_stale_movies(&self, role: &str) {
        self.as_owner(&format!("grant execute on function get_stale_movies to {role}")).await;
    }

    /// This login may do what the services do; its rights on the app's tables stay as they are.
    pub async fn let_services_run_as(&self, login: Login) {
        self.as_superuser(&format!("grant mangoes_app to {}", login.role())).await;
    }

    /// Row security counts for our roles, as where nobody could spare them it.
    pub async fn forget_bypassrls_of_ours(&self) {
        self.as_superuser(
            "alter role mangoes_migrate nobypassrls;
             alter role mangoes_app nobypassrls",
        )
        .await;
    }

    /// The policies that `migrations/roles.sql` names, on each table with row security.
    pub async fn add_policies_of_ours(&self) {
        self.as_owner(
            "do $$
             declare
                 secured record;
             begin
                 for secured in
                     select oid::regclass as name from pg_class
                     where relnamespace = 'public'::regnamespace and relrowsecurity
                 loop
                     execute format(
                         'create policy mangoes on %s for all to mangoes_migrate, mangoes_app
                              using (true) with check (true)',
                         secured.name
                     );
                 end loop;
             end $$",
        )
        .await;
    }

    /// Every row that somebody writes into this table of the app is refused.
    pub async fn refuse_rows_of(&self, table: &str) {
        self.as_owner(&format!(
            "create function public.refuse_{table}() returns trigger language plpgsql
             as $$ begin raise exception 'no rows here'; end $$;
             create trigger refuse_{table} before insert or update on public.{table}
                 for each row execute function public.refuse_{table}()"
        ))
        .await;
    }

    /// A reader's transaction on `works` that stays open until it is dropped.
    pub async fn reader(&self) -> OpenTransaction {
        self.open("select count(*) from works").await
    }

    /// A writer's transaction on `works` that stays open until it is dropped.
    pub async fn writer(&self) -> OpenTransaction {
        self.open("update works set request_count = 8 where tmdb_id = '603'").await
    }

    async fn open(&self, sql: &str) -> OpenTransaction {
        let mut transaction = self.owner.begin().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *transaction).await.unwrap();
        OpenTransaction(transaction)
    }
}

/// A transaction that holds its locks.
#[derive(Debug)]
pub struct OpenTransaction(sqlx::Transaction<'static, sqlx::Postgres>);

impl OpenTransaction {
    /// Ends it; what it wrote is there.
    pub async fn commit(self) {
        self.0.commit().await.unwrap();
    }

    /// Ends it; what it wrote is gone.
    pub async fn end(self) {
        self.0.rollback().await.unwrap();
    }
}
