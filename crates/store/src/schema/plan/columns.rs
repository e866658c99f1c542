//! Columns of the app's tables that are missing, that have a type or a rule which refuses what we
//! write, or that want a value which we do not have.

use sqlx::PgConnection;

use crate::{
    StoreError,
    schema::{
        app_tables::{APP_TABLES, AppColumn, AppTable, Need},
        finding::{Finding, Findings},
    },
};

/// The columns that we need, as the arguments of one query.
#[derive(Default)]
struct Wanted {
    tables: Vec<String>,
    columns: Vec<String>,
    types: Vec<String>,
    needs: Vec<String>,
}

impl Wanted {
    fn all() -> Self {
        let mut wanted = Self::default();
        for table in &APP_TABLES {
            table.columns.iter().for_each(|column| wanted.add(table, column));
        }
        wanted
    }

    fn add(&mut self, table: &AppTable, column: &AppColumn) {
        let (need, of) = match column.need {
            Need::Is(of) => ("is", of),
            Need::Takes(of) => ("takes", of),
            Need::Word => ("word", "text"),
        };
        self.tables.push(table.name.to_owned());
        self.columns.push(column.name.to_owned());
        self.types.push(of.to_owned());
        self.needs.push(need.to_owned());
    }
}

pub(crate) async fn check(
    connection: &mut PgConnection,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    check_types(&mut *connection, findings).await?;
    warn_of_short_columns(&mut *connection, findings).await?;
    check_unwritten(connection, findings).await
}

/// A column that does not do, with what it is.
struct OddColumn {
    table: String,
    table_object: String,
    column: String,
    object: String,
    needs: String,
    has: Option<String>,
    is_generated: bool,
    is_always_identity: bool,
    /// Whether its values can become the type that is needed.
    is_castable: bool,
}

async fn check_types(
    connection: &mut PgConnection,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    for column in odd_columns(connection, &Wanted::all()).await? {
        findings.about(&column.table, column.finding());
    }
    Ok(())
}

/// A value is taken by its own type, by a text type, and by a type with a cast for assignments; an
/// array as its elements are. Names of the app's schema alone count.
async fn odd_columns(
    connection: &mut PgConnection,
    wanted: &Wanted,
) -> Result<Vec<OddColumn>, StoreError> {
    let odd = sqlx::query_as!(
        OddColumn,
        r#"
        with wanted as (
            select c.oid, w.*, w.type::regtype as type_id
            from unnest($1::text[], $2::text[], $3::text[], $4::text[])
                as w (table_name, column_name, type, need)
            join pg_class c on c.relname = w.table_name and c.relkind = 'r'
            join pg_namespace s on s.oid = c.relnamespace
            where s.nspname = current_setting('mangoes.app_schema')
        ),
        had as (
            select
                w.*, a.atttypid, a.atttypmod, a.attgenerated, a.attidentity,
                b.oid as base, b.typcategory, e.oid as element, e.typcategory as element_category,
                x.typelem as wanted_element
            from wanted w
            left join pg_attribute a
                on a.attrelid = w.oid and a.attname = w.column_name and not a.attisdropped
            left join pg_type t on t.oid = a.atttypid
            left join pg_type b on b.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
            left join pg_type e on e.oid = b.typelem and b.typcategory = 'A'
            left join pg_type x on x.oid = w.type_id
        )
        select
            h.table_name as "table!",
            format('%I.%I', current_setting('mangoes.app_schema'), h.table_name)
                as "table_object!",
            h.column_name as "column!",
            format(
                '%I.%I.%I', current_setting('mangoes.app_schema'), h.table_name, h.column_name
            ) as "object!",
            h.type as "needs!",
            format_type(h.atttypid, h.atttypmod) as has,
            coalesce(h.attgenerated <> '', false) as "is_generated!",
            coalesce(h.attidentity = 'a', false) as "is_always_identity!",
            h.type = 'text' or coalesce(h.typcategory = 'S', false)
                or exists (
                    select 1 from pg_cast k where k.castsource = h.base and k.casttarget = h.type_id
                ) as "is_castable!"
        from had h
        where h.atttypid is null
            or h.attgenerated <> ''
            or h.attidentity = 'a' and h.need = 'takes'
            or not coalesce(
                h.base = h.type_id
                or h.typcategory = 'S' and (h.type = 'text' or h.need = 'takes')
                or h.need = 'word' and h.typcategory = 'E'
                or h.need = 'takes' and (
                    exists (
                        select 1 from pg_cast k
                        where k.castsource = h.type_id and k.casttarget = h.base
                            and k.castcontext in ('a', 'i')
                    )
                    or h.wanted_element <> 0 and h.element_category = 'S'
                ),
                false
            )
        order by 1, 3
        "#,
        &wanted.tables,
        &wanted.columns,
        &wanted.types,
        &wanted.needs
    )
    .fetch_all(connection)
    .await?;
    Ok(odd)
}

impl OddColumn {
    fn finding(&self) -> Finding {
        let Self { table_object, column, object, needs, has, .. } = self;
        let Some(has) = has else {
            return Finding::new(object, format!("is missing; {needs} is needed"))
                .sql(format!("alter table {table_object} add column {column} {needs};"));
        };
        if self.is_generated {
            return Finding::new(object, "is a generated column, and it is written")
                .sql(format!("alter table {table_object} alter column {column} drop expression;"));
        }
        if self.is_always_identity {
            return Finding::new(object, "is generated always as identity, and it is written").sql(
                format!(
                    "alter table {table_object} alter column {column} set generated by default;"
                ),
            );
        }
        let finding = Finding::new(object, format!("is {has}; {needs} is needed"));
        if !self.is_castable {
            return finding.remedy(format!(
                "no {has} can become {needs}: give the column another name, and add {column} \
                 {needs}"
            ));
        }
        finding
            .sql(format!(
                "alter table {table_object} alter column {column} type {needs} \
                 using {column}::{needs};"
            ))
            .remedy("it rewrites the table")
    }
}

/// Text columns with a limit that TMDB does not know.
async fn warn_of_short_columns(
    connection: &mut PgConnection,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let mut written = Wanted::default();
    for table in &APP_TABLES {
        let is_text = |c: &&AppColumn| matches!(c.need, Need::Is("text") | Need::Takes("text"));
        table.columns.iter().filter(is_text).for_each(|column| written.add(table, column));
    }
    let columns = sqlx::query!(
        r#"
        select
            format('%I.%I', s.nspname, c.relname) as "table_object!",
            format('%I.%I.%I', s.nspname, c.relname, a.attname) as "object!",
            quote_ident(a.attname) as "column!",
            format_type(a.atttypid, a.atttypmod) as "has!"
        from unnest($1::text[], $2::text[]) as w (table_name, column_name)
        join pg_class c on c.relname = w.table_name and c.relkind = 'r'
        join pg_namespace s on s.oid = c.relnamespace
        join pg_attribute a on a.attrelid = c.oid and a.attname = w.column_name
        where s.nspname = current_setting('mangoes.app_schema')
            and a.atttypid in ('varchar'::regtype, 'bpchar'::regtype)
            and a.atttypmod > 0
        order by 2
        "#,
        &written.tables,
        &written.columns
    );
    for row in columns.fetch_all(connection).await? {
        let problem = format!("is {}: a movie with a longer text is not stored", row.has);
        findings.warn(Finding::new(&row.object, problem).sql(format!(
            "alter table {} alter column {} type text;",
            row.table_object, row.column
        )));
    }
    Ok(())
}

/// Columns that want a value, and that we do not write.
async fn check_unwritten(
    connection: &mut PgConnection,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let tables: Vec<String> = APP_TABLES.iter().map(|t| t.name.to_owned()).collect();
    let columns = sqlx::query_as!(
        UnwrittenColumn,
        r#"
        select
            c.relname as "table!",
            a.attname as "column!",
            format('%I.%I', s.nspname, c.relname) as "table_object!",
            format('%I.%I.%I', s.nspname, c.relname, a.attname) as "object!",
            format_type(a.atttypid, null) as "type_name!",
            exists (
                select 1
                from pg_index i
                where i.indrelid = c.oid and i.indisprimary and a.attnum = any (i.indkey)
            ) as "is_key!"
        from pg_class c
        join pg_namespace s on s.oid = c.relnamespace
        join pg_attribute a on a.attrelid = c.oid
        where s.nspname = current_setting('mangoes.app_schema')
            and c.relname = any ($1)
            and c.relkind = 'r'
            and a.attnum > 0
            and not a.attisdropped
            and a.attnotnull
            and not a.atthasdef
            and a.attidentity = ''
        order by 1, a.attnum
        "#,
        &tables
    )
    .fetch_all(connection)
    .await?;
    for column in columns.iter().filter(|column| !writes(&column.table, &column.column)) {
        findings.about(&column.table, column.finding());
    }
    Ok(())
}

/// A column that wants a value.
struct UnwrittenColumn {
    table: String,
    column: String,
    table_object: String,
    object: String,
    type_name: String,
    /// Part of the primary key: it can never be null.
    is_key: bool,
}

impl UnwrittenColumn {
    fn finding(&self) -> Finding {
        let Self { column, table_object, type_name, .. } = self;
        let finding =
            Finding::new(&self.object, "may not be null, has no default, and is not written");
        let alter = format!("alter table {table_object} alter column {column}");
        if !self.is_key {
            return finding.sql(format!("{alter} drop not null;")).remedy("or give it a default");
        }
        match type_name.as_str() {
            "uuid" => finding.sql(format!("{alter} set default gen_random_uuid();")),
            "bigint" | "integer" => finding.sql(format!(
                "{alter} add generated by default as identity;\n\
                 select setval(pg_get_serial_sequence('{table_object}', '{column}'), \
                 coalesce(max({column}), 0) + 1, false) from {table_object};"
            )),
            _ => finding.remedy("give it a default, as it is part of the primary key"),
        }
    }
}

/// Rows of the logs are written as far as the columns are known.
fn writes(table: &str, column: &str) -> bool {
    let known = |t: &AppTable| t.columns.iter().any(|c| c.name == column);
    // Of works_id and the like the database makes the value itself, or the check of types says so.
    AppTable::named(table).is_some_and(known)
        || matches!((table, column), ("tmdb_api_logs", "method" | "created_at"))
}
