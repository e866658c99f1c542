//! Rows of works that are odd, and rules of the app that refuse our words.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::{
    StoreError,
    catalogue::ratings::{METHOD_VERSION, SOURCE_NAME},
    schema::{
        finding::{Finding, Findings},
        plan::{existing::AppTableState, keys},
    },
};

/// A look at all works that takes longer is left out.
const LOOK_LIMIT: &str = "10s";

/// Warns of works that will never be refreshed, or whose due time nobody can compute. Where a right
/// or a column is missing, that has been reported.
pub(crate) async fn warn_of_odd_works(
    connection: &mut PgConnection,
    works: &AppTableState,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    match odd_works(&mut *connection, works).await {
        Ok(odd) => odd.findings(works, findings),
        Err(_) if !findings.in_the_way.is_empty() => return Ok(()),
        Err(error) => findings.warn(not_looked(works, &error)),
    }
    for column in ["tmdb_id", "imdb_id"] {
        if keys::works_are_unique_by(&mut *connection, works, column).await? {
            continue;
        }
        match duplicates(&mut *connection, works, column).await {
            Ok(0) => {}
            Ok(n) => findings.warn(duplicate(works, column, n)),
            Err(error) => findings.warn(not_looked(works, &error)),
        }
    }
    Ok(())
}

fn not_looked(works: &AppTableState, error: &StoreError) -> Finding {
    let problem = format!("its rows were not looked at: {}", runtime::chain(error));
    Finding::new(&works.object, problem)
}

#[derive(sqlx::FromRow)]
struct OddWorks {
    odd_dates: i64,
    no_numbers: i64,
    odd_refreshes: i64,
}

/// Reads the table once, in a transaction with a limit of time.
async fn odd_works(
    connection: &mut PgConnection,
    works: &AppTableState,
) -> Result<OddWorks, StoreError> {
    let sql = format!(
        "select
            count(*) filter (
                where not isfinite(release_date) or release_date > '9999-12-31'
            ) as odd_dates,
            count(*) filter (
                where not (
                    tmdb_id::text ~ '^[1-9][0-9]{{0,9}}$'
                    and lpad(tmdb_id::text, 10, '0') <= '2147483647'
                )
            ) as no_numbers,
            count(*) filter (
                where not isfinite(last_refreshed_at)
                    or last_refreshed_at > now() + interval '1 day'
            ) as odd_refreshes
        from {}",
        works.object
    );
    let mut tx = connection.begin().await?;
    limit(&mut tx).await?;
    Ok(sqlx::query_as(AssertSqlSafe(sql)).fetch_one(&mut *tx).await?)
}

async fn limit(tx: &mut PgConnection) -> Result<(), StoreError> {
    let sql = format!("set local statement_timeout = '{LOOK_LIMIT}'");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(tx).await?;
    Ok(())
}

impl OddWorks {
    fn findings(&self, works: &AppTableState, findings: &mut Findings) {
        let object = &works.object;
        for (number, what, consequence) in [
            (self.odd_dates, "a release_date that no calendar can tell", "it counts as unknown"),
            (self.no_numbers, "a tmdb_id that is no number of TMDB", "never refreshed"),
            (
                self.odd_refreshes,
                "a last_refreshed_at in the future or at infinity",
                "due late, or at once",
            ),
        ] {
            if number > 0 {
                let problem = format!("{what} in {}: {consequence}", rows(number));
                findings.warn(Finding::new(object, problem));
            }
        }
    }
}

fn rows(number: i64) -> String {
    if number == 1 { "1 row".to_owned() } else { format!("{number} rows") }
}

async fn duplicates(
    connection: &mut PgConnection,
    works: &AppTableState,
    column: &str,
) -> Result<i64, StoreError> {
    let sql = format!(
        "select count(*)
        from (
            select 1 from {} where {column} is not null group by {column} having count(*) > 1
        ) d",
        works.object
    );
    let mut tx = connection.begin().await?;
    limit(&mut tx).await?;
    Ok(sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *tx).await?)
}

fn duplicate(works: &AppTableState, column: &str, number: i64) -> Finding {
    let what = if column == "tmdb_id" {
        "the work with the lowest work_id is refreshed, the others never"
    } else {
        "TMDB's answer is kept with one of them"
    };
    let problem = format!("{number} values of {column} belong to more than one row: {what}");
    Finding::new(&works.object, problem).sql(format!(
        "select {column}, array_agg(work_id) from {} group by 1 having count(*) > 1;",
        works.object
    ))
}

/// A word that we write into a column.
struct Word {
    table: &'static str,
    column: &'static str,
    word: &'static str,
}

const fn word(table: &'static str, column: &'static str, word: &'static str) -> Word {
    Word { table, column, word }
}

const WORDS: [Word; 12] = [
    word("works", "ingestion_status", "ingesting"),
    word("works", "ingestion_status", "complete"),
    word("rating_sources", "source_name", SOURCE_NAME),
    word("rating_sources", "scale_type", "0_10"),
    word("aggregates", "method_version", METHOD_VERSION),
    word("similar_movies", "source", "tmdb"),
    word("refresh_queue", "status", "queued"),
    word("refresh_queue", "status", "processing"),
    word("refresh_queue", "status", "completed"),
    word("refresh_queue", "status", "failed"),
    word("scheduled_ingestion_log", "trigger_type", "scheduled"),
    word("scheduled_ingestion_log", "trigger_type", "manual"),
];

/// A rule of one column.
struct Rule {
    name: Option<String>,
    expression: Option<String>,
    object: String,
    table_object: String,
    column: String,
    type_name: String,
}

/// Tries our words against the type and the check rules of their columns. Rules of more than one
/// column are not looked at.
pub(crate) async fn check_words(
    connection: &mut PgConnection,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    for word in WORDS {
        for rule in rules(&mut *connection, &word).await? {
            if !rule.takes(&mut *connection, word.word).await? {
                findings.about(word.table, rule.finding(word.word));
            }
        }
    }
    Ok(())
}

async fn rules(connection: &mut PgConnection, word: &Word) -> Result<Vec<Rule>, StoreError> {
    let rules = sqlx::query_as!(
        Rule,
        r#"
        select
            quote_ident(k.conname) as name,
            pg_get_expr(k.conbin, k.conrelid) as expression,
            format('%I.%I.%I', s.nspname, c.relname, a.attname) as "object!",
            format('%I.%I', s.nspname, c.relname) as "table_object!",
            quote_ident(a.attname) as "column!",
            format_type(a.atttypid, a.atttypmod) as "type_name!"
        from pg_class c
        join pg_namespace s on s.oid = c.relnamespace
        join pg_attribute a on a.attrelid = c.oid and a.attname = $2 and not a.attisdropped
        left join pg_constraint k
            on k.conrelid = c.oid and k.contype = 'c' and k.conkey = array[a.attnum]
        where s.nspname = current_setting('mangoes.app_schema')
            and c.relname = $1
            and c.relkind = 'r'
        "#,
        word.table,
        word.column
    );
    Ok(rules.fetch_all(connection).await?)
}

impl Rule {
    /// Nothing is written: the rule is asked about a value that is in no table.
    async fn takes(&self, connection: &mut PgConnection, word: &str) -> Result<bool, StoreError> {
        let expression = self.expression.as_deref().unwrap_or("true");
        let sql = format!(
            "select coalesce({expression}, true) from (select '{word}'::{} as {}) as row",
            self.type_name, self.column
        );
        let mut tx = connection.begin().await?;
        sqlx::raw_sql("set transaction read only").execute(&mut *tx).await?;
        let taken: Result<bool, sqlx::Error> =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *tx).await;
        match taken {
            Ok(taken) => Ok(taken),
            Err(error) if error.as_database_error().is_some() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn finding(&self, word: &str) -> Finding {
        let Self { table_object, type_name, .. } = self;
        match &self.name {
            Some(name) => Finding::new(
                &self.object,
                format!("its rule {name} refuses '{word}', which is written"),
            )
            .sql(format!("alter table {table_object} drop constraint {name};"))
            .remedy(format!(
                "then add it again, with '{word}' among its words and `not valid` at its end"
            )),
            None => Finding::new(&self.object, format!("is {type_name}, which has no '{word}'"))
                .sql(format!("alter type {type_name} add value '{word}';")),
        }
    }
}
