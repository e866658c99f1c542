//! What the role that migrates may do, and what hides or forbids rows.

use sqlx::PgConnection;

use crate::{
    StoreError,
    schema::{
        app_tables::APP_TABLES,
        finding::{Finding, Findings},
        plan::{existing::AppTableState, made::Made},
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
    /// Whether `migrations/roles.sql` has been run on this server.
    has_roles: bool,
    is_superuser: bool,
    /// Whose the app's works are, where they are another role's.
    works_owner: Option<String>,
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
            to_regrole('mangoes_migrate') is not null as "has_roles!",
            (select rolsuper from pg_roles where rolname = current_user) as "is_superuser!",
            (
                select quote_ident(pg_get_userbyid(relowner))
                from pg_class
                where relnamespace = app.oid
                    and relname = 'works'
                    and pg_get_userbyid(relowner) <> current_user
            ) as works_owner,
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
    made: &Made,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let situation = situation(&mut *connection).await?;
    situation.check_schemas(findings);
    if situation.is_for_another_role() {
        // Rights of this one would undo what the roles are for.
        return Ok(());
    }
    situation.warn_of_owners(findings);
    situation.warn_of_what_is_made(tables, made, findings);
    let is_missing = tables.iter().any(|t| !t.exists) || !made.functions.is_empty();
    if is_missing {
        situation.check_app_schema(findings);
    }
    check_app_tables(connection, tables, findings).await
}

impl Situation {
    /// Whether the role that migrates here is another than this one.
    fn is_for_another_role(&self) -> bool {
        self.schema_owner.is_some() && !self.owns_schema
            || self.role == "mangoes_app" && self.has_roles
    }

    fn check_schemas(&self, findings: &mut Findings) {
        let Self { database, role, .. } = self;
        if self.is_read_only {
            let remedy = "name the primary server in DATABASE_URL, or make the database writable";
            findings.stop(Finding::new(database, "takes no writes").remedy(remedy));
        }
        if let Some(object) = &self.foreign_object {
            let problem = format!("holds {object}, which is not ours");
            findings.stop(
                Finding::new("schema mangoes", problem)
                    .sql("alter schema mangoes rename to another_name;")
                    .remedy("any name that the app likes will do"),
            );
        } else if let Some(owner) = self.schema_owner.as_ref().filter(|_| !self.owns_schema) {
            let problem = format!("belongs to {owner}, and this is {role}");
            findings.stop(
                Finding::new("schema mangoes", problem)
                    .remedy(format!("run `mangoes migrate` as {owner}")),
            );
        } else if self.is_for_another_role() {
            let problem = format!("is missing, and {role} is for the services");
            findings.stop(
                Finding::new("schema mangoes", problem)
                    .remedy("run migrations/roles.sql, then `mangoes migrate` as mangoes_migrate"),
            );
        } else if self.schema_owner.is_none() && !self.may_make_schemas {
            let object = quoted_database(database);
            let problem = format!("{role} may not make schema mangoes in it");
            findings.stop(
                Finding::new(format!("database {object}"), problem)
                    .sql(format!("grant create on database {object} to {role};"))
                    .remedy(
                        "or run migrations/roles.sql, then `mangoes migrate` as mangoes_migrate",
                    ),
            );
        }
    }

    /// Who will own what is made, where that may surprise.
    fn warn_of_owners(&self, findings: &mut Findings) {
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
        if let Some(owner) = self.works_owner.as_ref().filter(|_| self.is_superuser) {
            let problem = format!(
                "is a superuser, and works belongs to {owner}: functions that run with its rights \
                 may do anything"
            );
            findings.warn(Finding::new(format!("role {role}"), problem).remedy(format!(
                "run migrations/roles.sql, then `mangoes migrate` as mangoes_migrate; or migrate \
                 as {owner}"
            )));
        }
    }

    /// Who will have a right on what is made beside the tables of an app.
    fn warn_of_what_is_made(&self, tables: &[AppTableState], made: &Made, findings: &mut Findings) {
        let Self { role, .. } = self;
        let absent: Vec<&str> =
            tables.iter().filter(|t| !t.exists).map(|table| table.object.as_str()).collect();
        let is_adopted = tables.iter().any(|table| table.name == "works" && table.exists);
        if is_adopted && !absent.is_empty() {
            let absent = absent.join(", ");
            let problem =
                format!("migrate makes what is missing for {role}: nobody else has a right on it");
            findings.warn(
                Finding::new(&absent, problem)
                    .remedy(format!("afterwards: grant select on {absent} to whoever reads it")),
            );
        }
        if is_adopted && !made.functions.is_empty() {
            let functions = made.signatures().join(", ");
            let problem = format!(
                "migrate makes it for {role}: beside mangoes_app and the readers, whoever calls it \
                 is granted it by hand"
            );
            findings.warn(Finding::new(&functions, problem).remedy(format!(
                "afterwards: grant execute on function {functions} to whoever calls it"
            )));
        }
    }

    fn check_app_schema(&self, findings: &mut Findings) {
        let Self { role, app_schema, .. } = self;
        let object = format!("schema {app_schema}");
        if !self.app_schema_exists {
            findings.stop(
                Finding::new(object, "is missing; it is to hold the app's tables")
                    .sql(format!("create schema {app_schema};"))
                    .remedy("or name the schema that holds them in MANGOES_APP_SCHEMA"),
            );
        } else if !self.may_make_in_app_schema {
            let problem =
                format!("tables or functions are missing in it, and {role} may make none");
            findings.stop(
                Finding::new(object, problem)
                    .sql(format!("grant create on schema {app_schema} to {role};")),
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
    let role = rights::own_role(&mut *connection).await?;
    for refusal in rights::refusals(connection, &role, &wants).await? {
        findings.stop(refusal.finding(&refusal.object));
    }
    Ok(())
}

fn quoted_database(name: &str) -> String {
    let is_plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// Whoever may make something in the app's schema, beside its owner, can put it in the way of a
/// name there.
pub(crate) async fn warn_of_open_schema(
    connection: &mut PgConnection,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let makers = sqlx::query!(
        r#"
        select
            quote_ident(s.nspname) as "schema!",
            string_agg(distinct r.role, ', ' order by r.role) as "roles!"
        from pg_namespace s,
            aclexplode(s.nspacl) a,
            lateral (
                select case a.grantee
                    when 0 then 'public'
                    else quote_ident(pg_get_userbyid(a.grantee))
                end as role
            ) r
        where s.nspname = current_setting('mangoes.app_schema')
            and a.privilege_type = 'CREATE'
            and a.grantee <> s.nspowner
            -- While something is missing, migrate makes it.
            and (r.role <> 'mangoes_migrate' or exists (
                select 1
                from pg_class c
                join pg_namespace ours on ours.oid = c.relnamespace
                where ours.nspname = 'mangoes' and c.relname = 'schema_code'
            ))
        group by s.nspname
        "#
    );
    for row in makers.fetch_all(connection).await? {
        let problem = format!("lets {} make objects in it", row.roles);
        let sql = format!("revoke create on schema {} from {};", row.schema, row.roles);
        findings.warn(
            Finding::new(format!("schema {}", row.schema), problem)
                .sql(sql)
                .remedy("as the owner of the schema, where they need it no more"),
        );
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
        let sql = format!("alter table {} replica identity full;", row.object);
        let finding =
            Finding::new(&row.object, problem).sql(sql).remedy("or give it a primary key");
        findings.about(&row.table, finding);
    }
    Ok(())
}
