//! The source of answers: an invented catalogue or recorded answers.

use crate::catalogue::Catalogue;
use crate::recorded::Recorded;
use crate::render::Renderer;

/// The source of answers.
#[derive(Debug)]
pub(crate) enum Source {
    /// An invented catalogue.
    Generated(Catalogue, Box<Renderer>),
    /// Recorded answers.
    Recorded(Recorded),
}

impl Source {
    /// True where a movie of this id was ever created.
    pub(crate) fn created(&self, id: u64) -> bool {
        match self {
            Self::Generated(catalogue, _) => catalogue.exists(id),
            Self::Recorded(recorded) => recorded.exists(id),
        }
    }

    /// No id is greater than this one.
    pub(crate) fn max_id(&self) -> u64 {
        match self {
            Self::Generated(catalogue, _) => catalogue.max_id(),
            Self::Recorded(recorded) => recorded.max_id(),
        }
    }

    /// The IMDb id of a movie, without what was edited.
    pub(crate) fn imdb_id(&self, id: u64) -> Option<String> {
        match self {
            Self::Generated(catalogue, _) => catalogue.movie(id).imdb_id.text().map(str::to_owned),
            Self::Recorded(recorded) => recorded.imdb_id(id),
        }
    }
}
