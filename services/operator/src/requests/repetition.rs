//! The answer to a request whose id was used before: of the same shape as the first one.
//!
//! What a repetition is answered from is what was kept of the first request: its run, its job, or
//! its counts. A run or a job is shown as it is now.

use proto::TmdbId;
use serde_json::{Value, json};

use super::{Requests, json_of};
use crate::{
    OperatorError, jobs,
    kept::{field, text},
    movies,
    verb::{DeadVerb, JobsVerb, MovieVerb, Verb},
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
            Verb::Ingest | Verb::Refresh => Ok(json!({ "run_id": field(kept, "run_id")? })),
            Verb::Movie(MovieVerb::Pin | MovieVerb::Unpin) => {
                let movie = field(kept, "tmdb_id")?.clone();
                let movie: TmdbId = serde_json::from_value(movie).map_err(OperatorError::Json)?;
                json_of(&movies::get(&self.store, movie).await?)
            }
            // A replay looks at its own repetition, and the others only read.
            Verb::Dead(DeadVerb::Replay | DeadVerb::Groups | DeadVerb::List | DeadVerb::Show)
            | Verb::Movie(
                MovieVerb::Show | MovieVerb::History | MovieVerb::Cards | MovieVerb::Ending,
            )
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
            JobsVerb::Backfill => Ok(json!({ "runs": field(kept, "runs")? })),
            JobsVerb::Hold => {
                field(kept, "held")?;
                json_of(&jobs::list(store).await?)
            }
            JobsVerb::List | JobsVerb::Show | JobsVerb::Runs | JobsVerb::Next | JobsVerb::Lint => {
                Err(OperatorError::Repeated(kept.clone()))
            }
        }
    }
}
