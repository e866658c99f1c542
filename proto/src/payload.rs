//! The payload that each action needs, in a job and in its ticks; checked in one place.

use serde_json::Value;

use crate::{Action, IngestList};

/// Most movies that one scan may queue.
const SCAN_LIMIT_MAX: i64 = 1_000_000;
/// Most movies that one sweep of the refresh queue may release.
const REFRESH_ITEMS_MAX: i64 = 100_000;
/// Longest time, in days, for which rows can be kept.
const DAYS_MAX: i64 = 3_650;
/// Runs of a job that stay, unless its payload says otherwise.
const RUNS_PER_JOB: i64 = 10_000;
const RUNS_PER_JOB_MAX: i64 = 1_000_000;

/// Why a payload does not fit its action; names the field and its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the job's payload does not fit the action {}: {problem}", .action.as_str())]
pub struct InvalidPayload {
    action: Action,
    problem: String,
}

/// How old rows may grow, in days from 1 to 3650; what a payload leaves out has a default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// TMDB calls.
    pub api_log_days: i64,
    /// Queue rows that are completed or failed.
    pub queue_days: i64,
    /// Runs that succeeded or were skipped.
    pub run_days: i64,
    /// Of each job, at most this many runs that succeeded or were skipped.
    pub runs_per_job: i64,
    /// Runs that did not succeed.
    pub failed_run_days: i64,
    /// Dead letters.
    pub dead_letter_days: i64,
    /// Attempts of messages that did not come again.
    pub attempt_days: i64,
}

/// How many due movies a scan may queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanPayload {
    /// 1 to 1,000,000.
    pub limit: i32,
}

/// How many movies a sweep of the refresh queue may release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshPayload {
    /// 1 to 100,000.
    pub max_items: i64,
}

/// What a reading of the change feed needs: nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedPayload;

/// The payload of one action; a value that exists is valid.
pub trait JobPayload: Sized + Send + Sync {
    /// The action that it belongs to.
    const ACTION: Action;

    /// Reads the payload of a job or of its tick.
    ///
    /// # Errors
    /// Names the field that is missing or out of its range.
    fn read(payload: &Value) -> Result<Self, InvalidPayload>;
}

impl JobPayload for IngestList {
    const ACTION: Action = Action::Ingest;

    fn read(payload: &Value) -> Result<Self, InvalidPayload> {
        serde_json::from_value(payload.clone())
            .map_err(|e| InvalidPayload { action: Self::ACTION, problem: e.to_string() })
    }
}

impl JobPayload for ScanPayload {
    const ACTION: Action = Action::Scan;

    fn read(payload: &Value) -> Result<Self, InvalidPayload> {
        let limit = Fields { action: Self::ACTION, payload }.required("limit", SCAN_LIMIT_MAX)?;
        Ok(Self { limit: i32::try_from(limit).unwrap_or(i32::MAX) })
    }
}

impl JobPayload for RefreshPayload {
    const ACTION: Action = Action::Refresh;

    fn read(payload: &Value) -> Result<Self, InvalidPayload> {
        let fields = Fields { action: Self::ACTION, payload };
        Ok(Self { max_items: fields.required("max_items", REFRESH_ITEMS_MAX)? })
    }
}

impl JobPayload for Retention {
    const ACTION: Action = Action::Maintain;

    fn read(payload: &Value) -> Result<Self, InvalidPayload> {
        let fields = Fields { action: Self::ACTION, payload };
        let days = |key: &str, default: i64| fields.optional(key, default, DAYS_MAX);
        Ok(Self {
            api_log_days: days("api_log_days", 30)?,
            queue_days: days("queue_days", 30)?,
            run_days: days("run_days", 90)?,
            runs_per_job: fields.optional("runs_per_job", RUNS_PER_JOB, RUNS_PER_JOB_MAX)?,
            failed_run_days: days("failed_run_days", 365)?,
            dead_letter_days: days("dead_letter_days", 90)?,
            attempt_days: days("attempt_days", 14)?,
        })
    }
}

impl JobPayload for FeedPayload {
    const ACTION: Action = Action::Feed;

    fn read(_: &Value) -> Result<Self, InvalidPayload> {
        Ok(Self)
    }
}

impl Action {
    /// Whether a job of this action can do something with the payload.
    ///
    /// # Errors
    /// Names the field that is missing or out of its range.
    pub fn check_payload(self, payload: &Value) -> Result<(), InvalidPayload> {
        match self {
            Self::Ingest => IngestList::read(payload).map(|_| ()),
            Self::Scan => ScanPayload::read(payload).map(|_| ()),
            Self::Refresh => RefreshPayload::read(payload).map(|_| ()),
            Self::Maintain => Retention::read(payload).map(|_| ()),
            Self::Feed => FeedPayload::read(payload).map(|_| ()),
        }
    }
}

struct Fields<'a> {
    action: Action,
    payload: &'a Value,
}

impl Fields<'_> {
    fn required(&self, key: &str, max: i64) -> Result<i64, InvalidPayload> {
        let number = self.payload.get(key).and_then(Value::as_i64);
        number.filter(|n| (1..=max).contains(n)).ok_or_else(|| InvalidPayload {
            action: self.action,
            problem: format!("{key} must be a whole number from 1 to {max}"),
        })
    }

    fn optional(&self, key: &str, default: i64, max: i64) -> Result<i64, InvalidPayload> {
        if self.payload.get(key).is_none() { Ok(default) } else { self.required(key, max) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_payload_fits_or_the_field_is_named() {
        for (action, payload, named) in [
            (Action::Ingest, json!({"source": "popular", "max_movies": 5}), None),
            (Action::Ingest, json!({"max_movies": 5}), Some("source")),
            (Action::Scan, json!({"limit": 1_000_000}), None),
            (Action::Scan, json!({"limit": 1_000_001}), Some("limit")),
            (Action::Scan, json!({}), Some("limit")),
            (Action::Refresh, json!({"max_items": 10}), None),
            (Action::Refresh, json!({"max_items": "10"}), Some("max_items")),
            (Action::Maintain, json!({}), None),
            (Action::Maintain, json!({"api_log_days": 0}), Some("api_log_days")),
            (Action::Maintain, json!({"api_log_days": "7"}), Some("api_log_days")),
            (Action::Maintain, json!({"attempt_days": 4_000}), Some("attempt_days")),
            (Action::Maintain, json!({"runs_per_job": 0}), Some("runs_per_job")),
        ] {
            let read = action.check_payload(&payload);
            match named {
                None => assert!(read.is_ok(), "{payload}: {read:?}"),
                Some(field) => {
                    let text = read.unwrap_err().to_string();
                    assert!(text.contains(field) && text.contains(action.as_str()), "{text}");
                }
            }
        }
    }

    #[test]
    fn what_a_payload_leaves_out_has_a_default() {
        let keep = Retention::read(&json!({"run_days": 7})).unwrap();
        assert_eq!((keep.run_days, keep.api_log_days, keep.attempt_days), (7, 30, 14));
    }
}
