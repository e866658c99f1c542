//! Which of the app's tables there are, and how large they are.

use schemars::JsonSchema;
use serde::Serialize;
use sqlx::PgConnection;

use crate::{
    StoreError,
    schema::{
        app_tables,
        finding::{Finding, Findings},
    },
};

/// A table of the app, as it is.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AppTableState {
    /// Its name in the app's schema.
    pub name: String,
    /// False where nothing has its name.
    pub exists: bool,
    /// Rows, as the database estimates them.
    pub rows: i64,
    /// With its indexes.
    pub size_bytes: i64,
    #[serde(skip)]
    pub(crate) object: String,
    #[serde(skip)]
    pub(crate) kind: String,
}

impl AppTableState {
    pub(crate) fn is_table(&self) -> bool {
        self.kind == "r"
    }
}

pub(crate) async fn read(connection: &mut PgConnection) -> Result<Vec<AppTableState>, StoreError> {
    let tables = sqlx::query_as!(
        AppTableState,
        r#"
        select
            t.name as "name!",
            c.oid is not null as "exists!",
            case
                when c.reltuples >= 0 then c.reltuples::bigint
                else coalesce(pg_stat_get_live_tuples(c.oid), 0)
            end as "rows!",
            case when c.relkind = 'r' then pg_total_relation_size(c.oid) else 0 end
                as "size_bytes!",
            format('%I.%I', current_setting('mangoes.app_schema'), t.name) as "object!",
            coalesce(c.relkind::text, '') as "kind!"
        from unnest($1::text[]) with ordinality as t (name, place)
        left join pg_class c
            on c.relname = t.name
            and c.relnamespace = (
                select oid from pg_namespace where nspname = current_setting('mangoes.app_schema')
            )
        order by t.place
        "#,
        &app_tables::names()
    );
    Ok(tables.fetch_all(connection).await?)
}

/// What has the name of a table of the app, and is none.
pub(crate) fn check_kinds(tables: &[AppTableState], findings: &mut Findings) {
    for table in tables.iter().filter(|table| table.exists && !table.is_table()) {
        let kind = kind_words(&table.kind);
        let finding = Finding::new(&table.object, format!("is {kind}, and a table is needed"))
            .remedy(format!(
                "give it another name and make the table, or let another schema be the app's \
                 (MANGOES_APP_SCHEMA); {} is read and written row by row",
                table.object
            ));
        findings.about(&table.name, finding);
    }
}

fn kind_words(kind: &str) -> &'static str {
    match kind {
        "v" => "a view",
        "m" => "a materialized view",
        "f" => "a foreign table",
        "p" => "a partitioned table",
        "S" => "a sequence",
        "i" | "I" => "an index",
        "c" => "a composite type",
        _ => "no table",
    }
}
