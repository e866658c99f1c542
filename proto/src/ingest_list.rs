//! Bring the new titles of a TMDB list into the catalogue.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Event, MaxMovies, RunId, TriggerType};

/// Which TMDB lists are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ListSource {
    /// `now_playing` and `trending/movie/week`, in turns.
    MixedDaily,
    /// `popular` and `trending/movie/week`, in turns.
    MixedWeekly,
    /// In cinemas now.
    NowPlaying,
    /// By TMDB's popularity.
    Popular,
    /// Trending this week.
    Trending,
    /// In cinemas soon.
    Upcoming,
    /// By rating.
    TopRated,
    /// All lists above, in turns.
    All,
}

impl ListSource {
    /// Every source, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::MixedDaily,
        Self::MixedWeekly,
        Self::NowPlaying,
        Self::Popular,
        Self::Trending,
        Self::Upcoming,
        Self::TopRated,
        Self::All,
    ];

    /// The word used in payloads and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MixedDaily => "mixed_daily",
            Self::MixedWeekly => "mixed_weekly",
            Self::NowPlaying => "now_playing",
            Self::Popular => "popular",
            Self::Trending => "trending",
            Self::Upcoming => "upcoming",
            Self::TopRated => "top_rated",
            Self::All => "all",
        }
    }
}

impl std::str::FromStr for ListSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|s| s.as_str()).collect();
            format!("unknown source '{text}': use one of {}", known.join(", "))
        })
    }
}

/// Read list pages until `max_movies` unique titles that the catalogue lacks are found, and ingest
/// them.
///
/// Subject `movies.ingest.list`, stream `MOVIES_INGEST`; from any app or a person, to `ingest`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IngestList {
    /// Which lists.
    pub source: ListSource,
    /// How many new titles at most.
    pub max_movies: MaxMovies,
    /// What asked for it; a person, unless said otherwise.
    #[serde(default)]
    pub trigger_type: TriggerType,
    /// The run that it belongs to; derived from the message when absent. A run reads a source once:
    /// a second message with the same two is taken for a repetition while the run is open. Not
    /// `<job>@<nominal time>`, the id of a job's run to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
}

impl Event for IngestList {
    const TYPE: &'static str = "movies.ingest.list.v1";

    fn subject(&self) -> String {
        "movies.ingest.list".to_owned()
    }
}
