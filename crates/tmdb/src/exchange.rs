//! What goes to TMDB, and what comes back.

use std::time::Duration;

use catalogue::Body;
use proto::TmdbId;

/// A request, without the credential.
#[derive(Debug)]
pub(crate) struct Request {
    /// Path below `/3`.
    pub(crate) endpoint: String,
    pub(crate) query: Vec<(&'static str, String)>,
    /// The movie that it is about, where there is one.
    pub(crate) movie: Option<TmdbId>,
}

/// An answer with its whole body.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// The pause that TMDB asked for.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Body,
}
