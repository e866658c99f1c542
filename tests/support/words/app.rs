//! A database as a movie app has it on hosted Postgres, in a server of the test's own: made from
//! `app/*.sql`, adopted by the program under test, read as the app reads it (`app_readers.rs`).

use std::{path::PathBuf, process::Command, sync::Arc};

use embedded::Postgres;
use sqlx::{
    AssertSqlSafe, PgPool, Row,
    postgres::{PgPoolOptions, PgRow},
};

use crate::{
    folder::Folder,
    program::{Said, mangoes},
    servers::postgres,
    superuser::superuser,
};

/// The database's name.
const NAME: &str = "app";

/// Who logs in. Each is a role of `app/roles.sql`, and none but the first a superuser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// The server's own superuser.
    Superuser,
    /// Owns the database and all that is in the app's schema.
    Owner,
    /// Is a member of the owner's role.
    Member,
    /// Holds every grant; no row security counts for it.
    Trusted,
    /// Holds every grant; row security counts.
    Guest,
    /// The HTTP interface, which becomes one of `anon`, `authenticated`, `service_role`.
    Gateway,
    /// Our role that migrates; see [`HostedApp::make_roles_of_ours`].
    Migrate,
    /// Our role that the services work as.
    Services,
    /// A member of our role that reads.
    Reader,
}

impl Login {
    /// The role's name.
    pub const fn role(self) -> &'static str {
        match self {
            Self::Superuser => "postgres",
            Self::Owner => "app_owner",
            Self::Member => "app_member",
            Self::Trusted => "app_trusted",
            Self::Guest => "app_guest",
            Self::Gateway => "authenticator",
            Self::Migrate => "mangoes_migrate",
            Self::Services => "mangoes_app",
            Self::Reader => "app_dashboard",
        }
    }

    const fn password(self) -> &'static str {
        match self {
            Self::Superuser => "none",
            Self::Owner => "owner",
            Self::Member => "member",
            Self::Trusted => "trusted",
            Self::Guest => "guest",
            Self::Gateway => "gateway",
            Self::Migrate | Self::Services | Self::Reader => "ours",
        }
    }
}

/// The app's database, in a server that goes with the last of its databases.
#[derive(Debug)]
pub struct HostedApp {
    /// Names its folder, and that of the world that runs on it.
    pub(crate) name: String,
    database: String,
    /// Where its tables are.
    schema: String,
    pub(super) superuser: PgPool,
    pub(super) owner: PgPool,
    pub(super) gateway: PgPool,
    server: Arc<Server>,
}

/// A server and the folder that it is in.
#[derive(Debug)]
struct Server {
    postgres: Postgres,
    folder: Folder,
}

/// What differs between the app's migrations and its production.
#[derive(Debug, Clone, Copy)]
struct Variant {
    logs: &'static str,
    rows: &'static str,
}

const PRODUCTION: Variant = Variant {
    logs: include_str!("../app/production.sql"),
    rows: include_str!("../app/rows_production.sql"),
};
const REPOSITORY: Variant = Variant {
    logs: include_str!("../app/repository.sql"),
    rows: include_str!("../app/rows_repository.sql"),
};

impl HostedApp {
    /// As the app's production: logs of other types, no queue, no `get_stale_movies`.
    pub async fn production(name: &str) -> Self {
        Self::make(name, PRODUCTION).await
    }

    /// As the app's migrations make it, with a queue in which rows are stuck.
    pub async fn repository(name: &str) -> Self {
        Self::make(name, REPOSITORY).await
    }

    async fn make(name: &str, variant: Variant) -> Self {
        let app = Self::empty(name).await;
        app.as_superuser(include_str!("../app/hosting.sql")).await;
        app.as_owner(include_str!("../app/tables.sql")).await;
        app.as_owner(variant.logs).await;
        app.as_owner(include_str!("../app/functions.sql")).await;
        app.as_owner(include_str!("../app/rights.sql")).await;
        app.as_superuser(include_str!("../app/cron.sql")).await;
        app.as_superuser("create publication app_realtime for all tables").await;
        app.as_owner(include_str!("../app/rows.sql")).await;
        app.as_owner(variant.rows).await;
        app
    }

    /// The roles and a database without a table, which belongs to the app's owner.
    pub async fn empty(name: &str) -> Self {
        let folder = Folder::new(&format!("{name}-app"));
        let postgres = postgres(&folder).await;
        let maintenance = connect(&superuser(&postgres).await).await;
        run(&maintenance, include_str!("../app/roles.sql")).await;
        run(&maintenance, &format!("create database {NAME} owner app_owner")).await;
        maintenance.close().await;
        Self::in_server(Arc::new(Server { postgres, folder }), name, NAME).await
    }

    async fn in_server(server: Arc<Server>, name: &str, database: &str) -> Self {
        let pool = async |login| connect(&url(&server.postgres, login, database)).await;
        Self {
            name: name.to_owned(),
            database: database.to_owned(),
            schema: "public".to_owned(),
            superuser: pool(Login::Superuser).await,
            owner: pool(Login::Owner).await,
            gateway: pool(Login::Gateway).await,
            server,
        }
    }

    /// Another database of the same server, with the same roles and nothing in it.
    pub async fn another(&self, database: &str) -> Self {
        self.as_superuser(&format!("create database {database} owner app_owner")).await;
        let name = format!("{}-{database}", self.name);
        Self::in_server(Arc::clone(&self.server), &name, database).await
    }

    /// Its address for the owner, who is no superuser.
    pub fn url(&self) -> String {
        self.url_as(Login::Owner)
    }

    /// Its address for somebody.
    pub fn url_as(&self, login: Login) -> String {
        url(&self.server.postgres, login, &self.database)
    }

    /// The program's settings for this database.
    pub fn settings(&self, login: Login) -> [(&'static str, String); 2] {
        [("DATABASE_URL", self.url_as(login)), ("MANGOES_APP_SCHEMA", self.schema.clone())]
    }

    /// All that is the app's is in a schema of this name from now on.
    pub async fn move_to_schema(&mut self, name: &str) {
        name.clone_into(&mut self.schema);
        self.as_superuser(&format!(
            "alter schema public rename to \"{name}\";
             alter role authenticator set search_path = \"{name}\""
        ))
        .await;
        self.gateway = self.pool(Login::Gateway).await;
    }

    /// The program with this database.
    pub fn program(&self, login: Login) -> Command {
        let mut command = mangoes(&self.server.folder.0);
        command.envs(self.settings(login)).env("NO_COLOR", "1");
        command
    }

    /// `mangoes migrate` as the owner, who is no superuser.
    pub fn migrate(&self) -> Said {
        self.migrate_with(Login::Owner, &[])
    }

    /// `mangoes migrate` with these flags.
    pub fn migrate_with(&self, login: Login, flags: &[&str]) -> Said {
        Said::by(self.program(login).arg("migrate").args(flags))
    }

    /// `mangoes migrate`, which has to succeed.
    pub fn adopt(&self) {
        let said = self.migrate();
        assert!(said.succeeded(), "migrate: {}", said.text);
    }

    /// Makes the roles of `migrations/roles.sql` as somebody who may make roles, and gives them
    /// passwords; and somebody whom the one that reads is granted to.
    pub async fn make_roles_of_ours(&self, maker: Login) {
        let pool = self.pool(maker).await;
        run(&pool, include_str!("../../../migrations/roles.sql")).await;
        pool.close().await;
        self.as_superuser(
            "alter role mangoes_migrate password 'ours';
             alter role mangoes_app password 'ours';
             create role app_dashboard login password 'ours' in role mangoes_reader",
        )
        .await;
    }

    /// Sessions of somebody.
    pub(super) async fn pool(&self, login: Login) -> PgPool {
        connect(&self.url_as(login)).await
    }

    /// A program of the server's installation, as `pg_dump`.
    pub fn server_program(&self, name: &str) -> Command {
        let mut command = Command::new(self.server.postgres.programs().join(name));
        command.current_dir("/").env("LC_ALL", "C");
        command
    }

    /// A file beside the server.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.server.folder.0.join(name)
    }

    pub(super) async fn as_superuser(&self, sql: &str) {
        run(&self.superuser, sql).await;
    }

    pub(super) async fn as_owner(&self, sql: &str) {
        run(&self.owner, sql).await;
    }

    /// The one value that this SQL asks for, as the superuser sees it.
    pub(super) async fn value<T>(&self, sql: &str) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&self.superuser).await;
        row.unwrap_or_else(|e| panic!("{sql}: {e}")).get(0)
    }

    /// All rows, as the superuser sees them.
    pub(super) async fn rows(&self, sql: &str) -> Vec<PgRow> {
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&self.superuser).await;
        rows.unwrap_or_else(|e| panic!("{sql}: {e}"))
    }
}

fn url(server: &Postgres, login: Login, database: &str) -> String {
    let own = server.database_url();
    let (_, place) = own.rsplit_once('@').unwrap();
    let (address, _) = place.split_once('/').unwrap();
    format!("postgres://{}:{}@{address}/{database}", login.role(), login.password())
}

async fn connect(url: &str) -> PgPool {
    PgPoolOptions::new().max_connections(4).connect(url).await.unwrap()
}

async fn run(pool: &PgPool, sql: &str) {
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(pool).await;
    done.unwrap_or_else(|e| panic!("{e}:\n{sql}"));
}
