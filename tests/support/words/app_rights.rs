//! What a role may do with what is ours, tried out.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, PgPool, Row};

use super::app::{HostedApp, Login};

/// SQLSTATE of a missing right.
const REFUSED: &str = "42501";

/// By hand: what no list of objects leads to.
const FURTHER: [&str; 19] = [
    "create table mangoes.intruder (id int)",
    "create view mangoes.intruder as select 1",
    "create function mangoes.intruder() returns int language sql as 'select 1'",
    "drop schema mangoes cascade",
    "drop table mangoes.title",
    "alter table mangoes.job add column intruder int",
    "alter table mangoes.job owner to current_user",
    "alter schema mangoes rename to bananas",
    "grant all on all tables in schema mangoes to public",
    "grant usage on schema mangoes to public",
    "comment on table mangoes.job is 'mine'",
    "lock table mangoes.job in access exclusive mode",
    "copy mangoes.outbox to stdout",
    "create index on mangoes.job (name)",
    "create trigger intruder before insert on mangoes.job
         for each row execute function public.update_updated_at()",
    "alter table public.works disable trigger all",
    "create policy intruder on mangoes.job using (true)",
    "set local session_replication_role = 'replica'",
    "insert into mangoes.outbox (subject, message_id, ordering_key, headers, payload)
         values ('movies.stale.now', 'intruder', '1', '{}', '{}')",
];

/// Tables that the app needs and did not have, which we made beside its own.
const MADE_FOR_THE_APP: [&str; 8] = [
    "select * from public.refresh_queue",
    "insert into public.refresh_queue (work_id) values (1)",
    "update public.refresh_queue set priority = 9",
    "delete from public.refresh_queue",
    "truncate public.refresh_queue",
    "select * from public.sync_state",
    "update public.sync_state set last_sync_at = null",
    "delete from public.sync_state",
];

/// Statements that belong together.
#[derive(Debug, Clone, Copy)]
pub enum Deeds {
    /// Reading status, titles, timeline.
    Look,
    /// Reading what is in messages and documents.
    LookInside,
    /// Steering jobs.
    Steer,
    /// Writing rows of ours, as the services do.
    Work,
    /// Writing the app's catalogue, as the services do.
    WriteCatalogue,
    /// Making, changing and emptying tables of ours.
    Build,
    /// Making something beside the app's tables, or taking rows of its catalogue away.
    Meddle,
}

impl Deeds {
    const fn statements(self) -> &'static [&'static str] {
        match self {
            Self::Look => &[
                "select * from mangoes.title",
                "select * from mangoes.work_event",
                "select * from mangoes.job_status",
                "select * from mangoes.job_run_details",
                "select * from mangoes.freshness",
                "select * from mangoes.staleness_policy",
            ],
            Self::LookInside => &[
                "select * from mangoes.outbox",
                "select * from mangoes.dead_letter",
                "select * from mangoes.document",
                "select * from mangoes.tmdb_call",
            ],
            Self::Steer => &[
                "select mangoes.job_pause('refresh_worker', 'a test')",
                "select mangoes.job_resume('refresh_worker')",
                "select mangoes.job_schedule('refresh_worker', '*/5 * * * *')",
                "select mangoes.job_run('daily_refresh_enqueue')",
                "update mangoes.staleness_policy set interval_days = 3 where band = 'recent'",
                "update mangoes.job set note = 'mine'",
            ],
            Self::Work => &[
                "update mangoes.title set failures = 0",
                "delete from mangoes.inbox",
                "insert into mangoes.refresh_item (work_id) values (0)",
            ],
            Self::WriteCatalogue => &[
                "update public.works set request_count = request_count",
                "insert into public.works (tmdb_id, title) values ('3999999', 'New')",
                "update public.works_meta set budget = budget",
                "update public.work_cards_cache set etag = etag",
            ],
            Self::Build => &[
                "create table mangoes.intruder (id int)",
                "create function mangoes.intruder() returns int language sql as 'select 1'",
                "drop table mangoes.inbox",
                "alter table mangoes.job add column intruder int",
                "truncate mangoes.title",
            ],
            Self::Meddle => &[
                "create trigger intruder before insert on public.work_cards_cache
                     for each row execute function public.update_updated_at()",
                "delete from public.works where tmdb_id = '13'",
                "delete from public.user_ratings",
                "truncate public.works cascade",
                "drop table public.user_ratings",
                "alter table public.works disable row level security",
            ],
        }
    }
}

impl HostedApp {
    /// One statement of each kind for each object of ours.
    async fn statements_on_ours(&self) -> Vec<String> {
        let objects = self
            .rows(
                "select format('%I.%I', n.nspname, c.relname) as name,
                     case when c.relkind in ('r', 'p') then 'table'
                         when c.relkind in ('v', 'm') then 'view'
                         when c.relkind = 'S' then 'sequence' end as kind
                 from pg_class c
                 join pg_namespace n on n.oid = c.relnamespace
                 where n.nspname = 'mangoes' and c.relkind in ('r', 'p', 'v', 'm', 'S')
                 union all
                 select format('%I.%I(%s)', n.nspname, p.proname,
                         (select string_agg('null::' || format_type(t, null), ', ' order by i)
                          from unnest(p.proargtypes) with ordinality as arguments (t, i))),
                     'function'
                 from pg_proc p
                 join pg_namespace n on n.oid = p.pronamespace
                 where n.nspname = 'mangoes'
                 union all
                 select rolname, 'role'
                 from pg_roles
                 where rolname in ('mangoes_app', 'mangoes_migrate', 'mangoes_reader')
                 order by 1",
            )
            .await;
        let of = |name: &str, kind: &str| match kind {
            "table" => vec![
                format!("select * from {name}"),
                format!("insert into {name} default values"),
                format!("update {name} set tableoid = null"),
                format!("delete from {name}"),
                format!("truncate {name}"),
            ],
            "view" => vec![format!("select * from {name}")],
            "sequence" => vec![
                format!("select nextval('{name}')"),
                format!("select setval('{name}', 1)"),
                format!("select last_value from {name}"),
            ],
            "role" => vec![format!("set local role {name}")],
            kind => {
                assert_eq!(kind, "function");
                vec![format!("select {name}")]
            }
        };
        let each = objects.iter().flat_map(|row| of(row.get("name"), row.get("kind")));
        let further = FURTHER.into_iter().map(ToOwned::to_owned);
        each.chain(further).collect()
    }

    /// Tries every statement on what is ours as this role; returns how many were refused for want
    /// of a right, and those that were not.
    pub async fn try_everything_as(&self, role: &str) -> Tried {
        let statements = self.statements_on_ours().await;
        try_all(&self.gateway, Some(role), statements).await
    }

    /// Tries these as somebody; what was done is taken back.
    pub async fn try_as_login(&self, login: Login, deeds: Deeds) -> Tried {
        let pool = self.pool(login).await;
        let statements = deeds.statements().iter().map(|sql| (*sql).to_owned()).collect();
        try_all(&pool, None, statements).await
    }

    /// As `try_everything_as`, with the tables that were made in the app's schema where it had
    /// none.
    pub async fn try_tables_made_for_the_app_as(&self, role: &str) -> Tried {
        let statements = MADE_FOR_THE_APP.map(ToOwned::to_owned).to_vec();
        try_all(&self.gateway, Some(role), statements).await
    }

    /// Every right that this role holds on what we made, wherever it is: rights on schema `mangoes`
    /// and what is in it, and on the tables that we made for the app.
    pub async fn rights_on_ours(&self, role: &str) -> Vec<String> {
        let rows = self
            .rows(&format!(
                "select format('%s on %s.%s', a.privilege_type, n.nspname, c.relname)
                 from pg_class c
                 join pg_namespace n on n.oid = c.relnamespace
                 cross join lateral aclexplode(c.relacl) a
                 where (n.nspname = 'mangoes'
                       or n.nspname = 'public' and c.relname in ('refresh_queue', 'sync_state'))
                   and (a.grantee = 0 or pg_has_role('{role}', a.grantee, 'usage'))
                 union all
                 select format('%s on function %s', a.privilege_type, p.oid::regprocedure)
                 from pg_proc p
                 join pg_namespace n on n.oid = p.pronamespace
                 cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                 where n.nspname = 'mangoes'
                   and (a.grantee = 0 or pg_has_role('{role}', a.grantee, 'usage'))
                 union all
                 select format('%s on schema %s', a.privilege_type, n.nspname)
                 from pg_namespace n
                 cross join lateral aclexplode(n.nspacl) a
                 where n.nspname = 'mangoes'
                   and (a.grantee = 0 or pg_has_role('{role}', a.grantee, 'usage'))
                 union all
                 select format('%s on a column of %s.%s', a.privilege_type, n.nspname, c.relname)
                 from pg_attribute t
                 join pg_class c on c.oid = t.attrelid
                 join pg_namespace n on n.oid = c.relnamespace
                 cross join lateral aclexplode(t.attacl) a
                 where n.nspname = 'mangoes'
                   and (a.grantee = 0 or pg_has_role('{role}', a.grantee, 'usage'))"
            ))
            .await;
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// What this role of the HTTP interface sees of the app's tables: how many rows and a sum, or
    /// why nothing.
    pub async fn seen_as(&self, role: &str) -> BTreeMap<String, String> {
        const TABLES: [&str; 9] = [
            "works",
            "works_meta",
            "rating_sources",
            "aggregates",
            "similar_movies",
            "work_cards_cache",
            "scheduled_ingestion_log",
            "tmdb_api_logs",
            "user_ratings",
        ];
        let mut seen = BTreeMap::new();
        for table in TABLES {
            let sql = format!(
                "select count(*) as rows, md5(string_agg(t::text, ' ' order by t::text)) as sum
                 from {table} t"
            );
            let answer = self.ask(role, &sql).await;
            seen.insert(table.to_owned(), answer.map_or_else(|e| e, |rows| rows.to_string()));
        }
        seen
    }
}

async fn try_all(pool: &PgPool, role: Option<&str>, statements: Vec<String>) -> Tried {
    let mut tried = Tried::default();
    for sql in statements {
        match try_one(pool, role, &sql).await {
            Err(code) if code == REFUSED => tried.refused += 1,
            Err(code) => tried.others.push(format!("{code}: {sql}")),
            Ok(()) => tried.done.push(sql),
        }
    }
    tried
}

/// Does it and takes it back; the SQLSTATE where it cannot be done.
async fn try_one(pool: &PgPool, role: Option<&str>, sql: &str) -> Result<(), String> {
    let mut transaction = pool.begin().await.unwrap();
    let role = role.map_or_else(String::new, |role| format!("set local role {role}"));
    sqlx::raw_sql(AssertSqlSafe(role)).execute(&mut *transaction).await.unwrap();
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *transaction).await;
    transaction.rollback().await.unwrap();
    let code = |e: sqlx::Error| {
        let code = e.as_database_error().and_then(|d| d.code().map(|c| c.into_owned()));
        code.unwrap_or_else(|| e.to_string())
    };
    done.map(drop).map_err(code)
}

/// What became of many statements.
#[derive(Debug, Default)]
pub struct Tried {
    /// How many were refused for want of a right.
    pub refused: usize,
    /// What was done.
    pub done: Vec<String>,
    /// What failed for another reason, with its SQLSTATE.
    pub others: Vec<String>,
}

impl Tried {
    /// Fails unless each was refused for want of a right.
    pub fn all_refused(&self, who: &str) {
        let passed: Vec<&String> = self.done.iter().chain(&self.others).collect();
        assert!(passed.is_empty() && self.refused > 0, "{who} was not refused: {passed:#?}");
    }

    /// Fails unless each was done.
    pub fn all_done(&self, who: &str) {
        let Self { refused, done, others } = self;
        assert!(
            *refused == 0 && others.is_empty(),
            "{who}: {refused} refused, failed: {others:#?}"
        );
        assert!(!done.is_empty(), "{who} tried nothing");
    }
}
