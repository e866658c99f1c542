//! Databases of an app before `mangoes migrate`, what is odd about them, their roles, and what
//! migrate left in them.

use std::{path::Path, process::Command};

use sqlx::{Connection, PgConnection};

use crate::{Folder, Said, database::Database, mangoes};

/// The app's tables in the app's shape: in a database that has none, migrate makes these.
const APP_TABLES: [&str; 2] = [
    include_str!("../../../migrations/0001_app_catalogue.sql"),
    include_str!("../../../migrations/0002_app_jobs.sql"),
];
const ROLES: &str = include_str!("../../../migrations/roles.sql");

/// A database of its own on a shared server, without anything of mangoes.
#[derive(Debug)]
pub struct AppDatabase {
    database: Database,
    url: String,
    folder: std::path::PathBuf,
}

impl std::ops::Deref for AppDatabase {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.database
    }
}

/// Something about an app's database that stands in the way.
#[derive(Debug, Clone, Copy)]
pub enum Oddity {
    ColumnIsMissing,
    ColumnHasAnotherType,
    ColumnIsGenerated,
    ColumnIsNotWritten,
    ColumnHasATypeWithACast,
    KeyColumnIsNotWritten,
    KeyIsMissing,
    WorksHaveNoPrimaryKey,
    RowsAreThereTwice,
    TableIsAView,
    RuleRefusesOurWord,
    SchemaIsNotOurs,
    RowsHaveNoIdentity,
}

impl Oddity {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::ColumnIsMissing,
        Self::ColumnHasAnotherType,
        Self::ColumnIsGenerated,
        Self::ColumnIsNotWritten,
        Self::ColumnHasATypeWithACast,
        Self::KeyColumnIsNotWritten,
        Self::KeyIsMissing,
        Self::WorksHaveNoPrimaryKey,
        Self::RowsAreThereTwice,
        Self::TableIsAView,
        Self::RuleRefusesOurWord,
        Self::SchemaIsNotOurs,
        Self::RowsHaveNoIdentity,
    ];

    const fn sql(self) -> &'static str {
        match self {
            Self::ColumnIsMissing => "alter table works_meta drop column trailers",
            Self::ColumnHasAnotherType => {
                "alter table works_meta alter column budget type uuid using null"
            }
            Self::ColumnIsGenerated => {
                "alter table works drop column year;
                 alter table works add column year integer generated always as (1999) stored"
            }
            Self::ColumnIsNotWritten => "alter table works add column shelf text not null",
            Self::ColumnHasATypeWithACast => {
                "alter table works alter column release_date type timestamp"
            }
            Self::KeyColumnIsNotWritten => {
                "alter table similar_movies alter column id drop default"
            }
            Self::WorksHaveNoPrimaryKey => {
                "drop table work_cards_cache;
                 alter table works drop constraint works_pkey cascade;
                 alter table works add unique (work_id)"
            }
            Self::KeyIsMissing => "alter table works_meta drop constraint works_meta_pkey",
            Self::RowsAreThereTwice => {
                "alter table work_cards_cache drop constraint work_cards_cache_pkey;
                 insert into works (tmdb_id, title) values ('603', 'The Matrix');
                 insert into work_cards_cache (work_id, payload)
                 select work_id, '{}'
                 from works, generate_series(1, 2)"
            }
            Self::TableIsAView => {
                "alter table aggregates rename to scores;
                 create view aggregates as select * from scores"
            }
            Self::RuleRefusesOurWord => {
                "alter table rating_sources
                 add constraint known_sources check (source_name in ('imdb', 'metacritic'))"
            }
            Self::SchemaIsNotOurs => "create schema mangoes; create table mangoes.fruit (n int)",
            Self::RowsHaveNoIdentity => {
                "alter table similar_movies drop constraint similar_movies_pkey;
                 create publication everything for all tables"
            }
        }
    }

    /// The object that has to be named.
    pub const fn object(self) -> &'static str {
        match self {
            Self::ColumnIsMissing => "public.works_meta.trailers",
            Self::ColumnHasAnotherType => "public.works_meta.budget",
            Self::ColumnIsGenerated => "public.works.year",
            Self::ColumnIsNotWritten => "public.works.shelf",
            Self::ColumnHasATypeWithACast => "public.works.release_date",
            Self::KeyColumnIsNotWritten => "public.similar_movies.id",
            Self::WorksHaveNoPrimaryKey => "public.works",
            Self::KeyIsMissing => "public.works_meta",
            Self::RowsAreThereTwice => "public.work_cards_cache",
            Self::TableIsAView => "public.aggregates",
            Self::RuleRefusesOurWord => "known_sources",
            Self::SchemaIsNotOurs => "mangoes.fruit",
            Self::RowsHaveNoIdentity => "public.similar_movies",
        }
    }

    /// Whether a person has to decide, so that no SQL helps as it is.
    pub const fn needs_a_person(self) -> bool {
        matches!(self, Self::ColumnHasAnotherType | Self::RowsAreThereTwice | Self::TableIsAView)
    }

    /// Words of the remedy.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::ColumnIsMissing => "alter table public.works_meta add column trailers jsonb;",
            Self::ColumnHasAnotherType => "give the column another name, and add budget bigint",
            Self::ColumnHasATypeWithACast => "alter column release_date type date",
            Self::KeyColumnIsNotWritten => "alter column id set default gen_random_uuid();",
            Self::WorksHaveNoPrimaryKey => "alter table public.works add primary key (work_id);",
            Self::ColumnIsGenerated => "alter column year drop expression;",
            Self::ColumnIsNotWritten => "alter column shelf drop not null;",
            Self::KeyIsMissing => "create unique index concurrently works_meta_work_id_key",
            Self::RowsAreThereTwice => "group by work_id having count(*) > 1",
            Self::TableIsAView => "make the table",
            Self::RuleRefusesOurWord => {
                "alter table public.rating_sources drop constraint known_sources;"
            }
            Self::SchemaIsNotOurs => "alter schema mangoes rename to",
            Self::RowsHaveNoIdentity => "replica identity full;",
        }
    }
}

impl Database {
    /// Takes a right away from a role; an owner can lose rights on its own tables.
    pub async fn revoke(&self, privilege: &str, table: &str, role: &str) {
        self.execute(&format!("revoke {privilege} on {table} from {role}")).await;
    }

    /// Gives it back.
    pub async fn grant(&self, privilege: &str, table: &str, role: &str) {
        self.execute(&format!("grant {privilege} on {table} to {role}")).await;
    }
}

impl AppDatabase {
    /// On the server at this address, with the app's tables.
    pub async fn make(server_url: &str, folder: &Folder, name: &str) -> Self {
        let this = Self::make_empty(server_url, folder, name).await;
        this.in_one_transaction(&APP_TABLES.join("\n")).await;
        this
    }

    /// On the server at this address, with nothing in it.
    pub async fn make_empty(server_url: &str, folder: &Folder, name: &str) -> Self {
        let mut session = PgConnection::connect(server_url).await.unwrap();
        let sql = format!("create database {name}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut session).await.unwrap();
        let (server, _) = server_url.rsplit_once('/').unwrap();
        let url = format!("{server}/{name}");
        let database = Database::connect(&url, &folder.0.join("no.log")).await;
        Self { database, url, folder: folder.0.clone() }
    }

    /// Names that the text makes go into the app's schema; the migrations end with ours in front.
    async fn in_one_transaction(&self, sql: &str) {
        let sql = format!(
            "begin;
             set local mangoes.app_schema = 'public';
             create schema mangoes;
             {sql};
             drop schema mangoes;
             commit"
        );
        // The search path of this session has our schema first: the tests need it.
        self.execute(&sql).await;
    }

    /// Makes it odd.
    pub async fn be_odd(&self, oddity: Oddity) {
        self.in_the_apps_schema(oddity.sql()).await;
    }

    async fn in_the_apps_schema(&self, sql: &str) {
        let sql = format!("begin; set local search_path = public; {sql}; commit");
        self.execute(&sql).await;
    }

    /// What an app may have, whatever mangoes makes: a view on a column that is written, a function
    /// that calls is_stale, tables with names that are also ours, bookkeeping of another shape,
    /// works that no calendar and no TMDB knows.
    pub async fn be_an_app_of_its_own(&self) {
        self.in_the_apps_schema(
            "create view budgets as select budget from works_meta;
             create function is_stale(work_id_input bigint) returns boolean
                 language sql as 'select work_id_input = 1';
             create view stale as select work_id from works where is_stale(work_id);
             create table job (x integer);
             create table outbox (x integer);
             drop table sync_state;
             create table sync_state (other integer);
             insert into works (tmdb_id, title, release_date) values
                 ('603', 'The Matrix', 'infinity'),
                 ('tt0133093', 'no number', null)",
        )
        .await;
    }

    /// Jobs of pg_cron as the old design had them: one active, one stopped, one of the app's own.
    pub async fn have_old_jobs(&self) {
        self.execute(
            "create schema cron;
             create table cron.job (
                 jobid bigint, schedule text, command text, active boolean, jobname name
             );
             insert into cron.job values
                 (1, '0 11 * * *', 'select call_scheduled_ingest()', true, 'morning'),
                 (2, '*/10 * * * *', 'select 1', false, 'refresh_worker'),
                 (3, '0 1 * * *', 'vacuum', true, 'nightly vacuum')",
        )
        .await;
    }

    /// So many works, all read long ago.
    pub async fn have_works(&self, number: i32) {
        self.in_the_apps_schema(&format!(
            "insert into works (tmdb_id, title, release_date)
             select n::text, 'Movie ' || n, '2000-01-01'
             from generate_series(1, {number}) n"
        ))
        .await;
    }

    /// Runs the program on this database.
    pub fn run(&self, args: &[&str]) -> Said {
        self.run_as(&self.url, args)
    }

    fn run_as(&self, url: &str, args: &[&str]) -> Said {
        Said::by(&mut self.command(url, args))
    }

    fn command(&self, url: &str, args: &[&str]) -> Command {
        // Nobody listens there: what is refused is refused before NATS is asked.
        let mut command = mangoes(&self.folder);
        command.args(args).envs([("DATABASE_URL", url), ("NATS_URL", "nats://u:p@127.0.0.1:9")]);
        command
    }

    /// Runs the program with another schema as the app's.
    pub fn run_with_app_schema(&self, schema: &str, args: &[&str]) -> Said {
        let mut command = self.command(&self.url, args);
        Said::by(command.env("MANGOES_APP_SCHEMA", schema))
    }

    /// Runs the program as another role of this database.
    pub fn run_as_role(&self, role: &str, args: &[&str]) -> Said {
        self.run_as(&self.url_of(role), args)
    }

    /// The address of this database for a role that `have_roles` made.
    fn url_of(&self, role: &str) -> String {
        let (_, host) = self.url.split_once('@').unwrap();
        format!("postgres://{role}:sesame@{host}")
    }

    /// The address of this database.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where the program keeps its files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs roles.sql, twice, and gives the roles that log in a password. What hosted Postgres
    /// grants by default is granted to `anon`.
    pub async fn have_roles(&self) {
        self.execute(ROLES).await;
        self.execute(
            "do $$ begin
                 if to_regrole('anon') is null then
                     create role anon login;
                 end if;
             end $$;
             alter role mangoes_migrate password 'sesame';
             alter role mangoes_app password 'sesame';
             alter role anon password 'sesame';
             alter default privileges for role mangoes_migrate grant all on tables to anon;
             alter default privileges for role mangoes_migrate grant all on functions to anon;
             alter default privileges for role mangoes_migrate grant all on sequences to anon;
             alter default privileges for role mangoes_migrate grant all on schemas to anon",
        )
        .await;
        self.execute(ROLES).await;
    }

    /// Row security that lets everybody read works, and nobody write them.
    pub async fn let_nobody_write_works(&self) {
        self.in_the_apps_schema(
            "alter role mangoes_app nobypassrls;
             alter table works enable row level security;
             create policy readers on works for select using (true)",
        )
        .await;
    }

    /// A policy for the services, as roles.sql shows it.
    pub async fn let_the_services_write_works(&self) {
        self.in_the_apps_schema(
            "create policy mangoes on works for all to mangoes_app using (true) with check (true)",
        )
        .await;
    }

    /// Rights on anything of ours, or on a table of the app that migrate made, that this role has.
    pub async fn rights_of(&self, role: &str) -> Vec<String> {
        self.values(&format!(
            "select s.nspname || '.' || c.relname || ': ' || p
             from pg_class c
             join pg_namespace s on s.oid = c.relnamespace,
                 unnest(array['select', 'insert', 'update', 'delete', 'truncate']) p
             where (s.nspname = 'mangoes' or c.relname = 'work_cards_cache')
                 and c.relkind in ('r', 'p', 'v')
                 and has_table_privilege('{role}', c.oid, p)
             union all
             select 'schema mangoes'
             where has_schema_privilege('{role}', 'mangoes', 'usage')
             union all
             select p.proname
             from pg_proc p
             where pronamespace = 'mangoes'::regnamespace
                 and has_function_privilege('{role}', p.oid, 'execute')
             order by 1"
        ))
        .await
    }

    /// Makes migrate make a table of the app.
    pub async fn lose_the_cards(&self) {
        self.execute("drop table public.work_cards_cache").await;
    }

    /// Whether anything of mangoes is there.
    pub async fn has_our_schema(&self) -> bool {
        self.value("select to_regclass('mangoes.title') is not null").await
    }

    /// Works that have their row in title; nothing while there is no such table.
    pub async fn titles(&self) -> i64 {
        if self.has_our_schema().await {
            self.value("select count(*) from mangoes.title").await
        } else {
            0
        }
    }

    /// Whether the views that the app made are there.
    pub async fn has_its_own_views(&self) -> bool {
        self.value("select count(*) = 2 from pg_views where viewname in ('budgets', 'stale')").await
    }

    /// Who made the installation's first rows; 0: they are not there.
    pub async fn installations(&self) -> i64 {
        self.value("select count(*) from mangoes.installation").await
    }
}
