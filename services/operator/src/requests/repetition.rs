//! The answer to a request whose id was used before: of the same shape as the first one.
//!
//! What a repetition is answered from is what was kept of the first request: its run, its job, or
//! its counts. A run or a job is shown as it is now.

use serde_json::{Value, json};

use super::{Requests, json_of};
use crate::{
    OperatorError,
    dead::{DeadLetterSelection, Replayed, list},
    jobs,
    verb::{DeadVerb, JobsVerb, Verb},
};

impl Requests {
    /// The answer to a repeated request, from what was kept of the first one.
    ///
    /// # Errors
    /// `Refused` when the id was used for a request of another kind.
    pub(super) async fn repeated(&self, verb: Verb, kept: &Value) -> Result<Value, OperatorError> {
        match verb {
            Verb::Jobs(verb) => self.repeated_of_jobs(verb, kept).await,
            Verb::Dead(DeadVerb::Drop) => Ok(json!({ "dropped": field(kept, "dropped")? })),
            Verb::Dead(DeadVerb::Replay) => self.repeated_replay(field(kept, "letters")?).await,
            Verb::Ingest | Verb::Refresh => Ok(json!({ "run_id": field(kept, "run_id")? })),
            // These only read.
            Verb::Dead(DeadVerb::Groups | DeadVerb::List | DeadVerb::Show)
            | Verb::Movie(_)
            | Verb::Status
            | Verb::Time => Err(OperatorError::Repeated(kept.clone())),
        }
    }

    async fn repeated_of_jobs(&self, verb: JobsVerb, kept: &Value) -> Result<Value, OperatorError> {
        let store = &self.store;
        match verb {
            JobsVerb::Run => Ok(json!({ "run_id": field(kept, "run_id")? })),
            JobsVerb::Cancel => json_of(&jobs::run_of(store, text(kept, "run_id")?).await?),
            JobsVerb::Pause | JobsVerb::Resume | JobsVerb::Set | JobsVerb::Create => {
                json_of(&jobs::get(store, text(kept, "name")?).await?)
            }
            JobsVerb::Delete => Ok(json!({ "deleted": field(kept, "name")? })),
            JobsVerb::Backfill => Ok(field(kept, "runs")?.clone()),
            JobsVerb::Hold => {
                field(kept, "held")?;
                json_of(&jobs::list(store).await?)
            }
            JobsVerb::List | JobsVerb::Get | JobsVerb::Runs | JobsVerb::Next | JobsVerb::Lint => {
                Err(OperatorError::Repeated(kept.clone()))
            }
        }
    }

    /// What became of these dead letters; one that was dropped since is left out.
    async fn repeated_replay(&self, ids: &Value) -> Result<Value, OperatorError> {
        let ids: Vec<i64> = serde_json::from_value(ids.clone()).map_err(OperatorError::Json)?;
        let most = i64::try_from(ids.len()).unwrap_or(i64::MAX);
        let selection = DeadLetterSelection { ids: Some(ids), ..DeadLetterSelection::default() };
        let letters = list(&self.store, &selection, most).await?;
        let replayed = letters.into_iter().rev().map(|letter| Replayed {
            id: letter.id,
            replayed_as: letter.replayed_as,
            reason: None,
        });
        json_of(&replayed.collect::<Vec<_>>())
    }
}

/// A field of what was kept; without it the id belongs to another kind of request.
fn field<'a>(kept: &'a Value, name: &str) -> Result<&'a Value, OperatorError> {
    kept.get(name).ok_or_else(|| {
        OperatorError::Refused(
            "this request_id was used before, for another kind of request: give each request an \
             id of its own"
                .to_owned(),
        )
    })
}

fn text<'a>(kept: &'a Value, name: &str) -> Result<&'a str, OperatorError> {
    Ok(field(kept, name)?.as_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_another_kind_of_request_is_refused() {
        let kept = json!({ "run_id": "a@b" });
        assert_eq!(text(&kept, "run_id").unwrap(), "a@b");
        let error = field(&kept, "name").unwrap_err();
        assert!(matches!(&error, OperatorError::Refused(why) if why.contains("request_id")));
    }
}
