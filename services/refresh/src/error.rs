//! What can go wrong while a movie is read again.

use delivery::{Classify, Fate};
use proto::{InvalidPayload, Reason, TmdbId};
use store::StoreError;
use tmdb::TmdbError;

/// Why a movie could not be refreshed.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// TMDB did not give it.
    #[error(transparent)]
    Tmdb(#[from] TmdbError),
    /// The database did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Only movies of the catalogue can be stale.
    #[error("the catalogue has no movie {0}: publish movies.ingest.movie to bring it in")]
    Unknown(TmdbId),
    /// A job's payload does not fit its action.
    #[error(transparent)]
    Payload(#[from] InvalidPayload),
}

impl Classify for RefreshError {
    fn fate(&self) -> Fate {
        match self {
            Self::Tmdb(e) => e.fate(),
            Self::Store(e) => e.fate(),
            Self::Unknown(_) => Fate::Reject(Reason::NotInCatalogue),
            Self::Payload(_) => Fate::Reject(Reason::InvalidPayload),
        }
    }
}
