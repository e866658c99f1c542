//! What there would be after a migration that is not there now.

use sqlx::PgConnection;

use crate::{
    StoreError,
    schema::{apply, home::TRIGGERS, plan::existing::AppTableState},
};

/// What would be made.
pub(crate) struct Made {
    has_schema: bool,
    tables: Vec<String>,
    /// Functions in the app's schema.
    pub(crate) functions: Vec<String>,
    triggers: Vec<String>,
    works: Option<String>,
}

const APP_FUNCTIONS: [&str; 2] = ["is_stale", "get_stale_movies"];

pub(crate) async fn read(
    connection: &mut PgConnection,
    tables: &[AppTableState],
) -> Result<Made, StoreError> {
    let there = sqlx::query!(
        r#"
        select
            exists (select 1 from pg_namespace where nspname = 'mangoes') as "schema!",
            array(
                select p.proname::text
                from pg_proc p
                join pg_namespace s on s.oid = p.pronamespace
                where s.nspname = current_setting('mangoes.app_schema')
            ) as "functions!",
            array(
                select t.tgname::text
                from pg_trigger t
                join pg_class c on c.oid = t.tgrelid
                join pg_namespace s on s.oid = c.relnamespace
                where s.nspname = current_setting('mangoes.app_schema') and c.relname = 'works'
            ) as "triggers!",
            quote_ident(current_setting('mangoes.app_schema')) as "app_schema!"
        "#
    )
    .fetch_one(connection)
    .await?;
    let missing = |names: &[&str], there: &[String]| -> Vec<String> {
        let missing = names.iter().filter(|name| !there.iter().any(|t| t == *name));
        missing.map(|name| (*name).to_owned()).collect()
    };
    let functions = missing(&APP_FUNCTIONS, &there.functions);
    let absent = tables.iter().filter(|table| !table.exists);
    let works = tables.iter().find(|table| table.name == "works");
    Ok(Made {
        has_schema: there.schema,
        tables: absent.map(|table| table.object.clone()).collect(),
        functions: functions.iter().map(|name| format!("{}.{name}", there.app_schema)).collect(),
        triggers: missing(&TRIGGERS, &there.triggers),
        works: works.map(|works| works.object.clone()),
    })
}

impl Made {
    /// The functions with the types that they take, as `grant` wants them.
    pub(crate) fn signatures(&self) -> Vec<String> {
        let takes = |name: &str| if name.ends_with("is_stale") { "bigint" } else { "integer" };
        self.functions.iter().map(|name| format!("{name}({})", takes(name))).collect()
    }

    /// One line for each kind of thing.
    pub(crate) fn words(&self) -> Vec<String> {
        let counts = apply::counts();
        let ours =
            format!("{} tables, {} functions and views", counts.tables, counts.functions_and_views);
        let mut words = vec![if self.has_schema {
            format!("in schema mangoes: what is missing or older of {ours}")
        } else {
            format!("schema mangoes with {ours}")
        }];
        words.extend(self.tables.iter().map(|table| format!("table {table}")));
        words.extend(self.functions.iter().map(|function| format!("function {function}")));
        if let Some(works) = self.works.as_ref().filter(|_| !self.triggers.is_empty()) {
            words.push(format!("triggers {} on {works}", self.triggers.join(", ")));
        }
        words
    }
}

/// How far the works that were there before us have their rows in title.
pub(crate) struct Adoption {
    pub(crate) works_left: i64,
    pub(crate) is_finished: bool,
}

pub(crate) async fn adoption(
    connection: &mut PgConnection,
    tables: &[AppTableState],
) -> Result<Adoption, StoreError> {
    let works = tables.iter().find(|table| table.name == "works").map_or(0, |works| works.rows);
    if !apply::is_there(&mut *connection, "adoption").await? {
        return Ok(Adoption { works_left: works, is_finished: false });
    }
    let there = sqlx::query!(
        r#"
        select
            coalesce((select finished_at is not null from adoption), true) as "is_finished!",
            (select greatest(reltuples, 0)::bigint from pg_class where oid = 'title'::regclass)
                as "titles!"
        "#
    )
    .fetch_one(connection)
    .await?;
    let works_left = if there.is_finished { 0 } else { (works - there.titles).max(0) };
    Ok(Adoption { works_left, is_finished: there.is_finished })
}
