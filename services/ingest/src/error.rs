//! What can go wrong while movies are brought in.

use delivery::{Classify, Fate};
use proto::{InvalidPayload, Reason, RunId};
use store::StoreError;
use tmdb::TmdbError;

/// Why a movie or a list could not be brought in.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// TMDB did not give it.
    #[error(transparent)]
    Tmdb(#[from] TmdbError),
    /// The database did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A list came under the id of a run that has ended.
    #[error("run_id '{0}' names a run that is over: leave run_id out, or give a new one")]
    RunOver(RunId),
    /// A list came under the id that a job's run is going to have.
    #[error("run_id '{0}' is kept for a run of a job: leave run_id out, or give another")]
    RunIdKept(RunId),
    /// A job's payload does not fit its action.
    #[error(transparent)]
    Payload(#[from] InvalidPayload),
}

impl Classify for IngestError {
    fn fate(&self) -> Fate {
        match self {
            Self::Tmdb(e) => e.fate(),
            Self::Store(e) => e.fate(),
            Self::RunOver(_) => Fate::Reject(Reason::RunIsOver),
            Self::Payload(_) | Self::RunIdKept(_) => Fate::Reject(Reason::InvalidPayload),
        }
    }
}
