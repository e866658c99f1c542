//! Jobs made and changed by people.

use proto::{Action, JobLimit, OverlapPolicy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    Noun, Store, StoreError,
    jobs::control::{Author, Change},
};

/// What is changed of a job; what is not named stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JobEdit {
    /// Cron, a macro, `every 10m`, `at …`; several are joined by `|`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// IANA time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst_gap: Option<calendar::Gap>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst_overlap: Option<calendar::Overlap>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap_policy: Option<OverlapPolicy>,
    /// Seconds, 0 to 31536000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catch_up_secs: Option<i32>,
    /// Missed times that run, 1 to 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catch_up_max: Option<i32>,
    /// Times that this schedule matches do not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclusions: Option<String>,
    /// Seconds, 0 to 86400.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter_secs: Option<i32>,
    /// Runs after which it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_runs: Option<i32>,
    /// No nominal time before it.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<proto::Rfc3339>")]
    pub starts_at: Option<OffsetDateTime>,
    /// No nominal time after it.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<proto::Rfc3339>")]
    pub ends_at: Option<OffsetDateTime>,
    /// Failed runs in a row after which it pauses itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_after_failures: Option<i32>,
    /// Seconds without a success after which the job is overdue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overdue_after_secs: Option<i32>,
    /// Seconds without a sign of life after which a run is lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_after_secs: Option<i32>,
    /// How often a lost run begins again, 0 to 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_retries: Option<i32>,
    /// Limits that are removed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clear: Vec<JobLimit>,
}

impl JobEdit {
    /// As `job_set` takes it: null removes a limit.
    fn as_patch(&self) -> Value {
        let mut patch = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = patch.as_object_mut() {
            fields.remove("clear");
            fields.extend(self.clear.iter().map(|limit| (limit.as_str().to_owned(), Value::Null)));
        }
        patch
    }
}

impl Store {
    /// Creates a job: its action, and what `edit` says.
    ///
    /// # Errors
    /// `Refused` when the name is taken, or was; `Repeated`; or the database does not answer.
    pub async fn create_job(
        &self,
        name: &str,
        action: Action,
        edit: &JobEdit,
        author: &Author,
    ) -> Result<(), StoreError> {
        let mut change = Change::begin(self, author).await?;
        let made = sqlx::query!(
            "
            insert into job (name, action, schedule, timezone)
            values ($1, $2, $3, coalesce($4, 'UTC'))
            on conflict do nothing
            ",
            name,
            action.as_str(),
            edit.schedule.as_deref().unwrap_or_default(),
            edit.timezone
        )
        .execute(change.connection())
        .await?;
        if made.rows_affected() == 0 {
            return Err(StoreError::Refused(format!("there is a job {name} already")));
        }
        apply(change.connection(), name, edit).await?;
        change.commit(&json!({ "name": name })).await
    }

    /// Changes what `edit` names.
    ///
    /// # Errors
    /// `Unknown`, `Refused`, `Repeated`; or the database does not answer. Nothing is changed then.
    pub async fn set_job(
        &self,
        name: &str,
        edit: &JobEdit,
        author: &Author,
    ) -> Result<(), StoreError> {
        let mut change = Change::begin(self, author).await?;
        apply(change.connection(), name, edit).await?;
        change.commit(&json!({ "name": name })).await
    }
}

async fn apply(tx: &mut PgConnection, name: &str, edit: &JobEdit) -> Result<(), StoreError> {
    sqlx::query_scalar!("select job_set($1, $2)::text", name, edit.as_patch())
        .fetch_one(tx)
        .await
        .map_err(|e| StoreError::of_lookup(Noun::Job, name, e))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_names_what_is_set_and_what_is_removed() {
        let clear = vec![JobLimit::MaxRuns];
        let edit = JobEdit { jitter_secs: Some(5), clear, ..JobEdit::default() };
        assert_eq!(edit.as_patch(), json!({ "jitter_secs": 5, "max_runs": null }));
    }
}
