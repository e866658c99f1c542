//! Something that a person has to do, or to know, about a database.

use schemars::JsonSchema;
use serde::Serialize;

use crate::schema::app_tables::AppTable;

/// An object of the database, what is the matter with it, and what helps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// Its name, as SQL writes it.
    pub object: String,
    /// What is the matter, as a sentence without a full stop.
    pub problem: String,
    /// SQL that helps, as it is.
    pub remedy_sql: Option<String>,
    /// What helps, as a sentence; what else there is to do, where there is SQL.
    pub remedy: Option<String>,
}

impl Finding {
    pub(crate) fn new(object: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { object: object.into(), problem: problem.into(), remedy_sql: None, remedy: None }
    }

    pub(crate) fn sql(self, sql: impl Into<String>) -> Self {
        Self { remedy_sql: Some(sql.into()), ..self }
    }

    /// The object, what is the matter, what helps, on one line.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { object, problem, .. } = self;
        let help = self.help();
        let help = if help.is_empty() { help } else { format!("; what helps: {help}") };
        format!("{object} {problem}{help}")
    }

    /// What helps, on one line; empty where nothing is known to.
    #[must_use]
    pub fn help(&self) -> String {
        let both = [&self.remedy_sql, &self.remedy].into_iter().flatten();
        both.map(|text| text.replace('\n', " ")).collect::<Vec<_>>().join("; ")
    }

    pub(crate) fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// What has to be put right first.
    pub(crate) in_the_way: Vec<Finding>,
    /// What is good to know.
    pub(crate) warnings: Vec<Finding>,
}

impl Findings {
    pub(crate) fn stop(&mut self, finding: Finding) {
        self.in_the_way.push(finding);
    }

    pub(crate) fn warn(&mut self, finding: Finding) {
        self.warnings.push(finding);
    }

    /// In the way, unless nothing waits for the table.
    pub(crate) fn about(&mut self, table: &str, finding: Finding) {
        if AppTable::named(table).is_some_and(AppTable::is_bookkeeping) {
            self.warn(finding);
        } else {
            self.stop(finding);
        }
    }
}
