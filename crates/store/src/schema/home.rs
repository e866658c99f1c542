//! Whether the app's tables are there, in the schema where this installation found them, with our
//! triggers on works.
//!
//! Which schema that was is read off the triggers themselves: no setting has to be remembered.

use sqlx::PgConnection;

use crate::{
    StoreError,
    schema::{
        app_tables::{self, AppTable},
        finding::Finding,
    },
};

/// Our triggers on the app's works, as `migrations/triggers.sql` makes them.
pub(crate) const TRIGGERS: [&str; 4] = [
    "mangoes_works_added",
    "mangoes_works_edited",
    "mangoes_works_deleted",
    "mangoes_works_truncated",
];

/// The app's tables, as far as this installation needs them.
pub(crate) struct Home {
    /// False where nothing of ours is there: nothing is missed then.
    is_ours_there: bool,
    app_schema: String,
    /// The schema whose works have our triggers.
    of_triggers: Option<String>,
    /// Tables of the app that are not there.
    missing: Vec<String>,
    /// Our triggers on works that are there, enabled or not.
    triggers: Vec<String>,
    /// Those that do nothing.
    disabled: Vec<String>,
}

/// A table of the app that is not there.
pub(crate) struct MissingTable {
    pub(crate) finding: Finding,
    /// False where nothing waits for it.
    pub(crate) stops_work: bool,
}

pub(crate) async fn read(connection: &mut PgConnection) -> Result<Home, StoreError> {
    let home = sqlx::query_as!(
        Home,
        r#"
        with ours as (
            select s.nspname, t.tgname, t.tgenabled
            from pg_trigger t
            join pg_proc p on p.oid = t.tgfoid
            join pg_namespace f on f.oid = p.pronamespace and f.nspname = 'mangoes'
            join pg_class c on c.oid = t.tgrelid and c.relname = 'works'
            join pg_namespace s on s.oid = c.relnamespace
            where t.tgname = any ($2::text[])
        ),
        here as (
            select * from ours where nspname = current_setting('mangoes.app_schema')
        )
        select
            exists (
                select 1
                from pg_class c
                join pg_namespace s on s.oid = c.relnamespace
                where s.nspname = 'mangoes' and c.relname = 'schema_code'
            ) as "is_ours_there!",
            quote_ident(current_setting('mangoes.app_schema')) as "app_schema!",
            coalesce(
                (select quote_ident(min(nspname)) from here),
                (select quote_ident(min(nspname)) from ours)
            ) as of_triggers,
            array(
                select t.name
                from unnest($1::text[]) with ordinality as t (name, place)
                where not exists (
                    select 1
                    from pg_class c
                    join pg_namespace s on s.oid = c.relnamespace
                    where c.relname = t.name
                        and s.nspname = current_setting('mangoes.app_schema')
                )
                order by t.place
            ) as "missing!",
            array(select tgname::text from here) as "triggers!",
            array(select tgname::text from here where tgenabled in ('D', 'R') order by 1)
                as "disabled!"
        "#,
        &app_tables::names(),
        &TRIGGERS.map(ToOwned::to_owned)
    );
    Ok(home.fetch_one(connection).await?)
}

impl Home {
    /// Tables that this installation had and that are not there now, the most important first.
    /// Where they are in another schema than the settings say, that is one matter.
    pub(crate) fn missing_tables(&self) -> Vec<MissingTable> {
        if !self.is_ours_there {
            return Vec::new();
        }
        if let Some(other) = self.of_triggers.as_ref().filter(|other| **other != self.app_schema) {
            return vec![MissingTable { finding: self.elsewhere(other), stops_work: true }];
        }
        let missing = |name: &String| MissingTable {
            finding: self.missing(name),
            stops_work: !AppTable::named(name).is_some_and(AppTable::is_bookkeeping),
        };
        self.missing.iter().map(missing).collect()
    }

    fn elsewhere(&self, other: &str) -> Finding {
        let is_missing = self.missing.iter().any(|name| name == "works");
        let problem = if is_missing { "is missing" } else { "is not that of this installation" };
        Finding::new(
            format!("{}.works", self.app_schema),
            format!(
                "{problem}; this installation's tables are in schema {other} (MANGOES_APP_SCHEMA)"
            ),
        )
        .remedy(format!("set MANGOES_APP_SCHEMA to {other}"))
    }

    fn missing(&self, name: &str) -> Finding {
        let problem = match &self.of_triggers {
            Some(schema) => format!(
                "is missing; this installation's tables are in schema {schema} \
                 (MANGOES_APP_SCHEMA), and it was there when they were migrated"
            ),
            None => "is missing; in no schema of this database are works that this installation \
                     keeps (MANGOES_APP_SCHEMA)"
                .to_owned(),
        };
        Finding::new(format!("{}.{name}", self.app_schema), problem).remedy(
            "restore it from a backup; migrations/0001_app_catalogue.sql and 0002_app_jobs.sql \
             show how it was made",
        )
    }

    /// Triggers of ours that somebody has stopped.
    pub(crate) fn disabled_triggers(&self) -> Vec<Finding> {
        let works = format!("{}.works", self.app_schema);
        let finding = |name: &String| {
            let problem = "is disabled: what the app does to its works is not noticed";
            Finding::new(format!("trigger {name} on {works}"), problem)
                .sql(format!("alter table {works} enable trigger {name};"))
        };
        self.disabled.iter().map(finding).collect()
    }

    /// Whether works has all our triggers, enabled or not.
    pub(crate) fn has_triggers(&self) -> bool {
        self.triggers.len() == TRIGGERS.len()
    }

    /// # Errors
    /// `Setup` where the app's works are not there: no question about them has an answer.
    pub(crate) fn check_works(&self) -> Result<(), StoreError> {
        let works = format!("{}.works", self.app_schema);
        let missing = self.missing_tables();
        match missing.iter().find(|table| table.finding.object == works) {
            Some(MissingTable { finding, .. }) => Err(StoreError::Setup(finding.sentence())),
            None => Ok(()),
        }
    }
}
