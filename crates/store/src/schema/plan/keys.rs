//! Unique keys that our writes need, and keys that are good to have.

use sqlx::{AssertSqlSafe, PgConnection};

use crate::{
    StoreError,
    schema::{
        app_tables::APP_TABLES,
        finding::{Finding, Findings},
        plan::existing::AppTableState,
    },
};

/// From so many works on a missing index on a column that is looked up is felt.
const MANY_WORKS: i64 = 10_000;

/// Tables that are made with a reference to works.
const REFER_TO_WORKS: [&str; 5] =
    ["works_meta", "rating_sources", "aggregates", "similar_movies", "work_cards_cache"];

/// A key that a table does not have.
struct MissingKey {
    table: &'static str,
    object: String,
    columns: &'static [&'static str],
}

pub(crate) async fn check(
    connection: &mut PgConnection,
    tables: &[AppTableState],
    findings: &mut Findings,
) -> Result<(), StoreError> {
    for wanted in APP_TABLES.iter().filter(|wanted| !wanted.key.is_empty()) {
        let Some(table) = tables.iter().find(|t| t.name == wanted.name && t.is_table()) else {
            continue;
        };
        let missing =
            MissingKey { table: wanted.name, object: table.object.clone(), columns: wanted.key };
        let is_works = wanted.name == "works";
        if is_works && is_referenced_by_what_is_made(tables) {
            check_primary_key(&mut *connection, &missing, findings).await?;
            continue;
        }
        if !has_columns(&mut *connection, &missing).await?
            || is_unique(&mut *connection, &table.object, wanted.key).await?
        {
            continue;
        }
        let has_duplicates = has_duplicates(&mut *connection, &missing).await?;
        findings.stop(missing.finding(has_duplicates));
    }
    Ok(())
}

/// Whether migrate makes a table that refers to works: that needs a primary key there.
fn is_referenced_by_what_is_made(tables: &[AppTableState]) -> bool {
    tables.iter().any(|t| !t.exists && REFER_TO_WORKS.contains(&t.name.as_str()))
}

async fn check_primary_key(
    connection: &mut PgConnection,
    key: &MissingKey,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let has_key = sqlx::query_scalar!(
        r#"
        select exists (
            select 1
            from pg_index i
            join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
            where i.indrelid = $1::text::regclass
                and i.indisprimary
                and i.indimmediate
                and i.indnkeyatts = 1
                and a.attname = 'work_id'
        ) as "there!"
        "#,
        key.object
    );
    if !has_columns(&mut *connection, key).await? || has_key.fetch_one(&mut *connection).await? {
        return Ok(());
    }
    let problem = "has no primary key (work_id), to which the tables refer that are made";
    let finding = Finding::new(&key.object, problem);
    if has_duplicates(&mut *connection, key).await? {
        findings.stop(finding.remedy(format!(
            "{} shows the rows that have to go first; then add the key",
            key.duplicates()
        )));
    } else {
        findings
            .stop(finding.sql(format!("alter table {} add primary key (work_id);", key.object)));
    }
    Ok(())
}

/// A column that is missing is reported by the check of columns.
async fn has_columns(connection: &mut PgConnection, key: &MissingKey) -> Result<bool, StoreError> {
    let columns: Vec<String> = key.columns.iter().map(|&c| c.to_owned()).collect();
    let there = sqlx::query_scalar!(
        r#"
        select count(*) = cardinality($2::text[]) as "there!"
        from pg_attribute
        where attrelid = $1::text::regclass and attname = any ($2::text[]) and not attisdropped
        "#,
        key.object,
        &columns
    );
    Ok(there.fetch_one(connection).await?)
}

/// Whether `on conflict` with these columns finds an index.
async fn is_unique(
    connection: &mut PgConnection,
    object: &str,
    columns: &[&str],
) -> Result<bool, StoreError> {
    let columns: Vec<String> = columns.iter().map(|&c| c.to_owned()).collect();
    let unique = sqlx::query_scalar!(
        r#"
        select exists (
            select 1
            from pg_index i
            where i.indrelid = $1::text::regclass
                and i.indisunique
                and i.indisvalid
                and i.indimmediate
                and i.indpred is null
                and i.indexprs is null
                and (
                    select array_agg(a.attname::text order by a.attname::text)
                    from unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
                    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
                    where k.place <= i.indnkeyatts
                ) = (select array_agg(c order by c) from unnest($2::text[]) as c)
        ) as "unique!"
        "#,
        object,
        &columns
    );
    Ok(unique.fetch_one(connection).await?)
}

async fn has_duplicates(
    connection: &mut PgConnection,
    key: &MissingKey,
) -> Result<bool, StoreError> {
    let sql = format!("select exists ({})", key.duplicates());
    Ok(sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(connection).await?)
}

impl MissingKey {
    fn duplicates(&self) -> String {
        let columns = self.columns.join(", ");
        format!(
            "select {columns}, count(*) from {} group by {columns} having count(*) > 1",
            self.object
        )
    }

    fn finding(&self, has_duplicates: bool) -> Finding {
        let columns = self.columns.join(", ");
        let name = format!("{}_{}_key", self.table, self.columns.join("_"));
        let index =
            format!("create unique index concurrently {name} on {} ({columns});", self.object);
        let problem = format!("has no unique key of ({columns}), by which its rows are updated");
        if has_duplicates {
            let problem = format!("{problem}, and has rows that are there twice");
            return Finding::new(&self.object, problem).remedy(format!(
                "{};\nremove the rows that it shows, then\n{index}",
                self.duplicates()
            ));
        }
        Finding::new(&self.object, problem).sql(index)
    }
}

/// Rules of bookkeeping that are checked at the end of a transaction: what they refuse then, no
/// exception block catches, and a movie is refused with it.
pub(crate) async fn warn_of_deferred_rules(
    connection: &mut PgConnection,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let tables: Vec<String> =
        APP_TABLES.iter().filter(|t| t.is_bookkeeping()).map(|t| t.name.to_owned()).collect();
    let rules = sqlx::query!(
        r#"
        select
            format('%I.%I', s.nspname, c.relname) as "object!",
            quote_ident(k.conname) as "rule!",
            k.contype = 'f' as "is_foreign_key!"
        from pg_constraint k
        join pg_class c on c.oid = k.conrelid
        join pg_namespace s on s.oid = c.relnamespace
        where s.nspname = current_setting('mangoes.app_schema')
            and c.relname = any ($1)
            and k.condeferred
        order by 1, 2
        "#,
        &tables
    );
    for row in rules.fetch_all(connection).await? {
        let problem = format!(
            "checks {} at the end of a transaction: a row that it refuses there holds up a movie",
            row.rule
        );
        let finding = Finding::new(&row.object, problem);
        findings.warn(if row.is_foreign_key {
            let sql = format!(
                "alter table {} alter constraint {} initially immediate;",
                row.object, row.rule
            );
            finding.sql(sql)
        } else {
            finding.remedy(format!("drop {} and add it again without `deferrable`", row.rule))
        });
    }
    Ok(())
}

/// Columns of works that are looked up, and that need no unique key.
pub(crate) async fn warn_of_missing_indexes(
    connection: &mut PgConnection,
    works: &AppTableState,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    if works.rows <= MANY_WORKS {
        return Ok(());
    }
    let columns = sqlx::query_scalar!(
        r#"
        select a.attname as "column!"
        from pg_attribute a
        where a.attrelid = $1::text::regclass
            and a.attname in ('tmdb_id', 'imdb_id')
            and not exists (
                select 1
                from pg_index i
                where i.indrelid = a.attrelid
                    and i.indisvalid
                    and i.indkey[0] = a.attnum
                    and i.indpred is null
            )
        order by 1
        "#,
        works.object
    );
    for column in columns.fetch_all(connection).await? {
        let object = &works.object;
        let problem =
            format!("has no index on {column}: each look for a movie by it reads all rows");
        let index = format!("create index concurrently works_{column} on {object} ({column});");
        findings.warn(Finding::new(object, problem).sql(index));
    }
    Ok(())
}

/// Whether no two works can have one value in this column.
pub(crate) async fn works_are_unique_by(
    connection: &mut PgConnection,
    works: &AppTableState,
    column: &str,
) -> Result<bool, StoreError> {
    is_unique(connection, &works.object, &[column]).await
}
