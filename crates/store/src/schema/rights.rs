//! Whether this role can write each table that it has to: privileges, row security, sequences.

use sqlx::PgConnection;

use crate::{
    Store, StoreError,
    db::deadline::{SHORT, within},
    schema::{
        app_tables::{APP_TABLES, AppTable},
        finding::Finding,
        home::{self, MissingTable},
    },
};

/// A right on a table of the app.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Want {
    pub(crate) table: &'static str,
    pub(crate) privilege: &'static str,
}

/// A right that is not there.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) table: String,
    /// The table's name, as SQL writes it.
    pub(crate) object: String,
    pub(crate) privilege: String,
    pub(crate) role: String,
    /// The right is granted, and row security hides rows all the same.
    pub(crate) by_row_security: bool,
}

impl Refusal {
    pub(crate) fn problem(&self) -> String {
        let Self { role, privilege, .. } = self;
        if self.by_row_security {
            format!("row security keeps rows from {role} ({privilege})")
        } else {
            format!("{role} has no right of {privilege} on it")
        }
    }

    /// What is the matter with this object, and what helps.
    pub(crate) fn finding(&self, object: impl Into<String>) -> Finding {
        let Self { role, privilege, object: table, .. } = self;
        let finding = Finding::new(object, self.problem());
        if self.by_row_security {
            finding
                .sql(format!(
                    "create policy mangoes on {table} to {role} using (true) with check (true);"
                ))
                .remedy(format!("or, for all tables at once: alter role {role} bypassrls;"))
        } else {
            finding.sql(format!("grant {privilege} on {table} to {role};"))
        }
    }
}

/// Which of these rights a role does not have, of the tables that there are; a table for which it
/// lacks several is there once.
///
/// Row security counts as no hindrance where it is not active for the role, or where a policy lets
/// every row pass and no restrictive one stands against it.
pub(crate) async fn refusals(
    connection: &mut PgConnection,
    role: &str,
    wants: &[Want],
) -> Result<Vec<Refusal>, StoreError> {
    let tables: Vec<String> = wants.iter().map(|w| w.table.to_owned()).collect();
    let privileges: Vec<String> = wants.iter().map(|w| w.privilege.to_owned()).collect();
    let refusals = sqlx::query_as!(
        Refusal,
        r#"
        with wanted as (
            select
                w.name, w.privilege, w.place, c.oid,
                not (who.rolsuper or who.rolbypassrls)
                    and c.relrowsecurity
                    and (c.relforcerowsecurity or not pg_has_role(who.oid, c.relowner, 'usage'))
                    as has_row_security,
                who.oid as role_id, who.rolname as role,
                format('%I.%I', s.nspname, c.relname) as object,
                ('{"select": "r", "insert": "a", "update": "w", "delete": "d"}'::jsonb
                    ->> w.privilege) as command
            from unnest($1::text[], $2::text[]) with ordinality as w (name, privilege, place)
            join pg_roles who on who.rolname = $3
            join pg_class c on c.relname = w.name and c.relkind = 'r'
            join pg_namespace s on s.oid = c.relnamespace
            where s.nspname = current_setting('mangoes.app_schema')
        ),
        seen as (
            select w.*, has_table_privilege(w.role_id, w.oid, w.privilege) as is_granted,
                w.command is not null
                    and w.has_row_security
                    and (
                        select bool_or(p.polpermissive and p.is_open) is distinct from true
                            or bool_or(not p.polpermissive and not p.is_open)
                        from (
                            select
                                p.polpermissive,
                                (w.command = 'a' or q.qual = 'true')
                                    and (
                                        w.command in ('r', 'd')
                                        or coalesce(q.with_check, q.qual) = 'true'
                                    ) as is_open
                            from pg_policy p,
                                lateral (values (
                                    pg_get_expr(p.polqual, p.polrelid),
                                    pg_get_expr(p.polwithcheck, p.polrelid)
                                )) as q (qual, with_check)
                            where p.polrelid = w.oid
                                and p.polcmd in ('*', w.command::"char")
                                and exists (
                                    select 1 from unnest(p.polroles) r
                                    where case when r = 0 then true
                                        else pg_has_role(w.role_id, r, 'usage') end
                                )
                        ) p
                    ) as is_hidden
            from wanted w
        )
        select
            name as "table!", object as "object!",
            string_agg(privilege, ', ' order by place) as "privilege!",
            quote_ident(role) as "role!",
            is_granted as "by_row_security!"
        from seen
        where not is_granted or is_hidden
        group by name, object, role, is_granted
        order by min(place)
        "#,
        &tables,
        &privileges,
        role
    );
    Ok(refusals.fetch_all(connection).await?)
}

/// Whether row security keeps rows of this table of the app from this role.
pub(crate) async fn hides_rows(
    connection: &mut PgConnection,
    table: &'static str,
) -> Result<bool, StoreError> {
    let role = own_role(&mut *connection).await?;
    let wants: Vec<Want> = wants().into_iter().filter(|want| want.table == table).collect();
    let refusals = refusals(connection, &role, &wants).await?;
    Ok(refusals.iter().any(|refusal| refusal.by_row_security))
}

/// Rights on the app's tables that the services need.
fn wants() -> Vec<Want> {
    let of = |t: &'static AppTable| {
        t.privileges.iter().map(|&privilege| Want { table: t.name, privilege })
    };
    APP_TABLES.iter().flat_map(of).collect()
}

impl Store {
    /// Checks that this role can write each table that the services write.
    ///
    /// # Errors
    /// `Setup` with one sentence that names the table and the remedy. Where only bookkeeping cannot
    /// be written, that is logged.
    pub async fn check_rights(&self) -> Result<(), StoreError> {
        let problems = self.missing_rights().await?;
        for problem in problems.iter().filter(|problem| !problem.stops_work) {
            tracing::warn!(problem = problem.sentence(), "rows of bookkeeping will be missing");
        }
        match problems.into_iter().find(|problem| problem.stops_work) {
            Some(problem) => Err(StoreError::Setup(problem.sentence())),
            None => Ok(()),
        }
    }

    /// What this role cannot write, of what the services write.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn missing_rights(&self) -> Result<Vec<MissingRight>, StoreError> {
        within(SHORT, async {
            let mut session = self.pool.acquire().await?;
            let role = own_role(&mut session).await?;
            missing(&mut session, &role).await
        })
        .await
    }

    /// What the role that runs the services cannot write: `mangoes_app` where `mangoes_migrate` is
    /// logged in, which writes no rows itself; else whoever is logged in.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn missing_rights_of_services(&self) -> Result<Vec<MissingRight>, StoreError> {
        within(SHORT, async {
            let mut session = self.pool.acquire().await?;
            let role = services_role(&mut session).await?;
            missing(&mut session, &role).await
        })
        .await
    }
}

pub(crate) async fn own_role(connection: &mut PgConnection) -> Result<String, StoreError> {
    let role = sqlx::query_scalar!(r#"select current_user::text as "role!""#);
    Ok(role.fetch_one(connection).await?)
}

async fn services_role(connection: &mut PgConnection) -> Result<String, StoreError> {
    let role = sqlx::query_scalar!(
        r#"
        select case
            when current_user = 'mangoes_migrate' and to_regrole('mangoes_app') is not null
                then 'mangoes_app'
            else current_user::text
        end as "role!"
        "#
    );
    Ok(role.fetch_one(connection).await?)
}

/// Something that a role cannot write.
#[derive(Debug, Clone)]
pub struct MissingRight {
    pub finding: Finding,
    /// False where only bookkeeping is concerned.
    pub stops_work: bool,
    /// The table itself is not there.
    is_missing: bool,
}

impl From<MissingTable> for MissingRight {
    fn from(table: MissingTable) -> Self {
        let MissingTable { finding, stops_work } = table;
        Self { finding, stops_work, is_missing: true }
    }
}

impl MissingRight {
    /// The object, what is the matter, what helps.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Finding { object, problem, .. } = &self.finding;
        if self.is_missing {
            return self.finding.sentence();
        }
        let help = self.finding.help();
        if help.is_empty() {
            format!("{object} cannot be written: {problem}")
        } else {
            format!("{object} cannot be written: {problem}; what helps: {help}")
        }
    }
}

async fn missing(
    connection: &mut PgConnection,
    role: &str,
) -> Result<Vec<MissingRight>, StoreError> {
    let refusals = refusals(&mut *connection, role, &wants()).await?;
    let tables = home::read(&mut *connection).await?.missing_tables();
    let mut missing: Vec<MissingRight> = tables.into_iter().map(MissingRight::from).collect();
    missing.extend(refusals.iter().map(missing_on_a_table));
    missing.extend(missing_on_ours(&mut *connection, role).await?);
    missing.extend(missing_on_sequences(connection, role).await?);
    Ok(missing)
}

fn missing_on_a_table(refusal: &Refusal) -> MissingRight {
    let is_bookkeeping = AppTable::named(&refusal.table).is_some_and(AppTable::is_bookkeeping);
    MissingRight {
        finding: refusal.finding(format!("table {}", refusal.object)),
        stops_work: !is_bookkeeping,
        is_missing: false,
    }
}

/// Our own tables: migrate grants these rights, where role mangoes_app is there.
async fn missing_on_ours(
    connection: &mut PgConnection,
    role: &str,
) -> Result<Vec<MissingRight>, StoreError> {
    let found = sqlx::query!(
        r#"
        select
            min(format('%I.%I', s.nspname, c.relname)) as object,
            quote_ident($1) as "role!"
        from pg_class c
        join pg_namespace s on s.oid = c.relnamespace
        where s.nspname = 'mangoes'
            and c.relkind in ('r', 'p')
            and not c.relispartition
            and c.relname not in ('schema_migration', 'schema_code', 'reader_role')
            and not (
                has_table_privilege($1, c.oid, 'select')
                and has_table_privilege($1, c.oid, 'insert')
                and has_table_privilege($1, c.oid, 'update')
                and has_table_privilege($1, c.oid, 'delete')
            )
        "#,
        role
    )
    .fetch_one(connection)
    .await?;
    let role = found.role;
    let finding = |object: String| {
        let remedy = if role == "mangoes_app" {
            "run `mangoes migrate` as mangoes_migrate: it grants them".to_owned()
        } else {
            format!(
                "run migrations/roles.sql, then `mangoes migrate`, and log in as mangoes_app or a \
                 member of it (grant mangoes_app to {role};)"
            )
        };
        Finding::new(format!("table {object}"), format!("{role} has not all rights on it"))
            .remedy(remedy)
    };
    let missing = found.object.map(finding);
    Ok(missing
        .map(|finding| MissingRight { finding, stops_work: true, is_missing: false })
        .into_iter()
        .collect())
}

/// Sequences that give new rows of the app's tables their numbers.
async fn missing_on_sequences(
    connection: &mut PgConnection,
    role: &str,
) -> Result<Vec<MissingRight>, StoreError> {
    let inserted: Vec<String> = APP_TABLES.iter().map(|t| t.name.to_owned()).collect();
    let sequences = sqlx::query!(
        r#"
        select distinct
            t.relname as "table!",
            format('%I.%I', n.nspname, q.relname) as "object!",
            quote_ident($2) as "role!"
        from pg_attrdef d
        join pg_class t on t.oid = d.adrelid
        join pg_namespace s on s.oid = t.relnamespace
        join pg_depend p
            on p.classid = 'pg_attrdef'::regclass
            and p.objid = d.oid
            and p.refclassid = 'pg_class'::regclass
        join pg_class q on q.oid = p.refobjid and q.relkind = 'S'
        join pg_namespace n on n.oid = q.relnamespace
        where s.nspname = current_setting('mangoes.app_schema')
            and t.relname = any ($1)
            and case when q.relkind = 'S' then not has_sequence_privilege($2, q.oid, 'usage') end
        "#,
        &inserted,
        role
    )
    .fetch_all(connection)
    .await?;
    let missing = |table: &str, object: &str, role: &str| MissingRight {
        finding: Finding::new(format!("sequence {object}"), format!("{role} may not use it"))
            .sql(format!("grant usage on sequence {object} to {role};")),
        stops_work: !AppTable::named(table).is_some_and(AppTable::is_bookkeeping),
        is_missing: false,
    };
    Ok(sequences.iter().map(|s| missing(&s.table, &s.object, &s.role)).collect())
}
