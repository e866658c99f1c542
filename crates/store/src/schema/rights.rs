//! Whether this role can write each table that it has to: privileges, row security, sequences.

use sqlx::PgConnection;

use crate::{
    Store, StoreError,
    db::deadline::{SHORT, within},
    schema::{
        app_tables::{APP_TABLES, AppTable},
        finding::Finding,
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

    pub(crate) fn remedy(&self) -> String {
        let Self { role, privilege, object, .. } = self;
        if self.by_row_security {
            format!(
                "alter role {role} bypassrls; or: create policy mangoes on {object} to {role} \
                 using (true);"
            )
        } else {
            format!("grant {privilege} on {object} to {role};")
        }
    }
}

/// Which of these rights the role does not have, of the tables that there are.
///
/// Row security counts as no hindrance where it is not active for the role, or where a policy lets
/// every row pass and no restrictive one stands against it.
pub(crate) async fn refusals(
    connection: &mut PgConnection,
    wants: &[Want],
) -> Result<Vec<Refusal>, StoreError> {
    let tables: Vec<String> = wants.iter().map(|w| w.table.to_owned()).collect();
    let privileges: Vec<String> = wants.iter().map(|w| w.privilege.to_owned()).collect();
    let refusals = sqlx::query_as!(
        Refusal,
        r#"
        with wanted as (
            select
                w.name, w.privilege, c.oid,
                format('%I.%I', s.nspname, c.relname) as object,
                case w.privilege
                    when 'select' then 'r'
                    when 'insert' then 'a'
                    when 'update' then 'w'
                    when 'delete' then 'd'
                end as command
            from unnest($1::text[], $2::text[]) as w (name, privilege)
            join pg_class c on c.relname = w.name and c.relkind = 'r'
            join pg_namespace s on s.oid = c.relnamespace
            where s.nspname = current_setting('mangoes.app_schema')
        ),
        seen as (
            select w.*, has_table_privilege(w.oid, w.privilege) as is_granted,
                w.command is not null
                    and row_security_active(w.oid)
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
                                lateral (
                                    select
                                        pg_get_expr(p.polqual, p.polrelid) as qual,
                                        pg_get_expr(p.polwithcheck, p.polrelid) as with_check
                                ) q
                            where p.polrelid = w.oid
                                and p.polcmd in ('*', w.command::"char")
                                and exists (
                                    select 1
                                    from unnest(p.polroles) r
                                    where case
                                        when r = 0 then true
                                        else pg_has_role(r, 'usage')
                                    end
                                )
                        ) p
                    ) as is_hidden
            from wanted w
        )
        select
            name as "table!",
            object as "object!",
            privilege as "privilege!",
            quote_ident(current_user) as "role!",
            is_granted as "by_row_security!"
        from seen
        where not is_granted or is_hidden
        "#,
        &tables,
        &privileges
    );
    Ok(refusals.fetch_all(connection).await?)
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
            missing(&mut session).await
        })
        .await
    }
}

/// Something that this role cannot write.
#[derive(Debug, Clone)]
pub struct MissingRight {
    pub finding: Finding,
    /// False where only bookkeeping is concerned.
    pub stops_work: bool,
}

impl MissingRight {
    /// The object, what is the matter, what helps.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Finding { object, problem, remedy } = &self.finding;
        match remedy {
            Some(remedy) => format!("{object} cannot be written: {problem}; what helps: {remedy}"),
            None => format!("{object} cannot be written: {problem}"),
        }
    }
}

async fn missing(connection: &mut PgConnection) -> Result<Vec<MissingRight>, StoreError> {
    let refusals = refusals(&mut *connection, &wants()).await?;
    let mut missing: Vec<MissingRight> = refusals.iter().map(missing_on_a_table).collect();
    missing.extend(missing_on_ours(&mut *connection).await?);
    missing.extend(missing_on_sequences(connection).await?);
    Ok(missing)
}

fn missing_on_a_table(refusal: &Refusal) -> MissingRight {
    let is_bookkeeping = AppTable::named(&refusal.table).is_some_and(AppTable::is_bookkeeping);
    MissingRight {
        finding: Finding::new(format!("table {}", refusal.object), refusal.problem())
            .remedy(refusal.remedy()),
        stops_work: !is_bookkeeping,
    }
}

/// Our own tables: migrate grants these rights, where role mangoes_app is there.
async fn missing_on_ours(connection: &mut PgConnection) -> Result<Vec<MissingRight>, StoreError> {
    let found = sqlx::query!(
        r#"
        select
            min(format('%I.%I', s.nspname, c.relname)) as object,
            quote_ident(current_user) as "role!"
        from pg_class c
        join pg_namespace s on s.oid = c.relnamespace
        where s.nspname = 'mangoes'
            and c.relkind in ('r', 'p')
            and not c.relispartition
            and c.relname not in ('schema_migration', 'schema_code', 'reader_role')
            and not (
                has_table_privilege(c.oid, 'select')
                and has_table_privilege(c.oid, 'insert')
                and has_table_privilege(c.oid, 'update')
                and has_table_privilege(c.oid, 'delete')
            )
        "#
    )
    .fetch_one(connection)
    .await?;
    let role = found.role;
    let finding = |object: String| {
        Finding::new(format!("table {object}"), format!("{role} has not all rights on it")).remedy(
            format!(
                "run migrations/roles.sql, then `mangoes migrate`, and log in as mangoes_app or a \
                 member of it (grant mangoes_app to {role};)"
            ),
        )
    };
    let missing = found.object.map(finding);
    Ok(missing.map(|finding| MissingRight { finding, stops_work: true }).into_iter().collect())
}

/// Sequences that give new rows of the app's tables their numbers.
async fn missing_on_sequences(
    connection: &mut PgConnection,
) -> Result<Vec<MissingRight>, StoreError> {
    let inserted: Vec<String> = APP_TABLES.iter().map(|t| t.name.to_owned()).collect();
    let sequences = sqlx::query!(
        r#"
        select distinct
            t.relname as "table!",
            format('%I.%I', n.nspname, q.relname) as "object!",
            quote_ident(current_user) as "role!"
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
            and case when q.relkind = 'S' then not has_sequence_privilege(q.oid, 'usage') end
        "#,
        &inserted
    )
    .fetch_all(connection)
    .await?;
    let missing = |table: &str, object: &str, role: &str| MissingRight {
        finding: Finding::new(format!("sequence {object}"), format!("{role} may not use it"))
            .remedy(format!("grant usage on sequence {object} to {role};")),
        stops_work: !AppTable::named(table).is_some_and(AppTable::is_bookkeeping),
    };
    Ok(sequences.iter().map(|s| missing(&s.table, &s.object, &s.role)).collect())
}
