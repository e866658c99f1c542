//! What the role that migrates may do, and what hides or forbids rows.

use sqlx::PgConnection;

use crate::{
    StoreError,
    schema::{
        app_tables::APP_TABLES,
        finding::{Finding, Findings},
        plan::existing::AppTableState,
        rights::{self, Want},
    },
};

/// Schemas and rights of the role, as the checks look at them.
struct Situation {
    database: String,
    role: String,
    app_schema: String,
    app_schema_exists: bool,
    may_make_in_app_schema: bool,
    may_make_schemas: bool,
    schema_owner: Option<String>,
    owns_schema: bool,
    is_owner: bool,
    /// A table or view in schema mangoes, where none of them is ours.
    foreign_object: Option<String>,
    is_read_only: bool,
}

async fn situation(connection: &mut PgConnection) -> Result<Situation, StoreError> {
    let situation = sqlx::query_as!(
        Situation,
        r#"
        select
            current_database()::text as "database!",
            quote_ident(current_user) as "role!",
            quote_ident(current_setting('mangoes.app_schema')) as "app_schema!",
            app.oid is not null as "app_schema_exists!",
            coalesce(has_schema_privilege(app.oid, 'create'), false) as "may_make_in_app_schema!",
            has_database_privilege(current_database(), 'create') as "may_make_schemas!",
            pg_get_userbyid(ours.nspowner)::text as schema_owner,
            coalesce(pg_has_role(ours.nspowner, 'usage'), false) as "owns_schema!",
            coalesce(pg_get_userbyid(ours.nspowner) = current_user, false) as "is_owner!",
            (
                select format('%I.%I', ours.nspname, min(relname))
                from pg_class
                where relnamespace = ours.oid
                having not bool_or(relname in ('schema_migration', 'schema_code'))
            ) as foreign_object,
            pg_is_in_recovery() or current_setting('transaction_read_only') = 'on'
                as "is_read_only!"
        from (values (1)) as one
        left join pg_namespace app on app.nspname = current_setting('mangoes.app_schema')
        left join pg_namespace ours on ours.nspname = 'mangoes'
        "#
    );
    Ok(situation.fetch_one(connection).await?)
}

/// The rights that making things needs.
pub(crate) async fn check(
    connection: &mut PgConnection,
    tables: &[AppTableState],
    missing_functions: &[String],
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let situation = situation(&mut *connection).await?;
    situation.check_schemas(findings);
    situation.warn_of_owners(tables, findings);
    let is_missing = tables.iter().any(|t| !t.exists) || !missing_functions.is_empty();
    if is_missing {
        situation.check_app_schema(findings);
    }
    check_app_tables(connection, tables, findings).await
}

impl Situation {
    fn check_schemas(&self, findings: &mut Findings) {
        let Self { database, role, .. } = self;
        if self.is_read_only {
            let remedy = "name the primary server in DATABASE_URL, or make the database writable";
            findings.stop(Finding::new(database, "takes no writes").remedy(remedy));
        }
        if let Some(object) = &self.foreign_object {
            let problem = format!("holds {object}, which is not ours");
            findings.stop(Finding::new("schema mangoes", problem).remedy(
                "give that schema another name: alter schema mangoes rename to another_name;",
            ));
        } else if let Some(owner) = self.schema_owner.as_ref().filter(|_| !self.owns_schema) {
            let problem = format!("belongs to {owner}, and this is {role}");
            findings.stop(
                Finding::new("schema mangoes", problem)
                    .remedy(format!("log in as {owner}, or: grant {owner} to {role};")),
            );
        } else if self.schema_owner.is_none() && !self.may_make_schemas {
            let problem = format!("{role} may not make schema mangoes in it");
            findings.stop(Finding::new(format!("database {database}"), problem).remedy(format!(
                "create schema mangoes authorization {role}; -- migrations/roles.sql does it"
            )));
        }
    }

    /// Who will own what is made, where that may surprise.
    fn warn_of_owners(&self, tables: &[AppTableState], findings: &mut Findings) {
        let Self { role, .. } = self;
        if let Some(owner) =
            self.schema_owner.as_ref().filter(|_| self.owns_schema && !self.is_owner)
        {
            let problem = format!("belongs to {owner}, and what is made will belong to {role}");
            findings.warn(
                Finding::new("schema mangoes", problem)
                    .remedy(format!("log in as {owner}, or run migrations/roles.sql afterwards")),
            );
        }
        let is_adopted = tables.iter().any(|table| table.name == "works" && table.exists);
        for table in tables.iter().filter(|table| is_adopted && !table.exists) {
            let problem = format!("migrate makes it for {role}, and nobody else has a right on it");
            findings.warn(
                Finding::new(&table.object, problem)
                    .remedy(format!("grant select on {} to whoever reads it", table.object)),
            );
        }
    }

    fn check_app_schema(&self, findings: &mut Findings) {
        let Self { role, app_schema, .. } = self;
        let object = format!("schema {app_schema}");
        if !self.app_schema_exists {
            findings.stop(
                Finding::new(object, "is missing; it is to hold the app's tables")
                    .remedy(format!("create schema {app_schema}; -- or set MANGOES_APP_SCHEMA")),
            );
        } else if !self.may_make_in_app_schema {
            let problem =
                format!("tables or functions are missing in it, and {role} may make none");
            findings.stop(
                Finding::new(object, problem)
                    .remedy(format!("grant create on schema {app_schema} to {role};")),
            );
        }
    }
}

/// A right on a table of the app that the role does not have, and row security that hides works
/// from the role which gives them their rows in title.
async fn check_app_tables(
    connection: &mut PgConnection,
    tables: &[AppTableState],
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let mut wants = vec![
        Want { table: "works", privilege: "select" },
        Want { table: "works", privilege: "trigger" },
        Want { table: "works_meta", privilege: "select" },
    ];
    if tables.iter().any(|table| !table.exists) {
        wants.push(Want { table: "works", privilege: "references" });
    }
    for refusal in rights::refusals(connection, &wants).await? {
        findings.stop(Finding::new(&refusal.object, refusal.problem()).remedy(refusal.remedy()));
    }
    Ok(())
}

/// A publication for which the server refuses updates or deletes of rows without an identity.
pub(crate) async fn check_publications(
    connection: &mut PgConnection,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let names = |privilege: &str| -> Vec<String> {
        let has = APP_TABLES.iter().filter(|t| t.privileges.contains(&privilege));
        has.map(|t| t.name.to_owned()).collect()
    };
    let tables = sqlx::query!(
        r#"
        select
            c.relname as "table!",
            format('%I.%I', s.nspname, c.relname) as "object!",
            string_agg(distinct quote_ident(t.pubname), ', ') as "publications!"
        from pg_publication_tables t
        join pg_publication p using (pubname)
        join pg_namespace s on s.nspname = t.schemaname
        join pg_class c on c.relnamespace = s.oid and c.relname = t.tablename
        where s.nspname = current_setting('mangoes.app_schema')
            and (
                p.pubupdate and c.relname = any ($1)
                or p.pubdelete and c.relname = any ($2)
            )
            and not case c.relreplident
                when 'f' then true
                when 'd' then exists (
                    select 1 from pg_index i where i.indrelid = c.oid and i.indisprimary
                )
                when 'i' then exists (
                    select 1 from pg_index i where i.indrelid = c.oid and i.indisreplident
                )
                else false
            end
        group by c.relname, s.nspname
        order by 1
        "#,
        &names("update"),
        &names("delete")
    );
    for row in tables.fetch_all(connection).await? {
        let problem = format!(
            "publication {} publishes its updates, and its rows have no replica identity: the \
             server refuses each update",
            row.publications
        );
        let remedy = format!(
            "alter table {} replica identity full; -- or give it a primary key",
            row.object
        );
        findings.about(&row.table, Finding::new(&row.object, problem).remedy(remedy));
    }
    Ok(())
}
