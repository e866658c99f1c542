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
        let (problem, remedy) = if has_duplicates {
            let remedy =
                format!("{};\nremove the rows that it shows, then\n{index}", self.duplicates());
            (format!("{problem}, and has rows that are there twice"), remedy)
        } else {
            (problem, index)
        };
        Finding::new(&self.object, problem).remedy(remedy)
    }
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
        findings.warn(Finding::new(object, problem).remedy(index));
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
