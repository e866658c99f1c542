//! The lists of movies that the upstream serves.

use serde::{Deserialize, Serialize};

/// The last page that is served, whatever `total_pages` says.
pub(crate) const MAX_PAGE: u64 = 500;

/// A list of movies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum List {
    /// In cinemas now.
    NowPlaying,
    /// By popularity.
    Popular,
    /// By rating.
    TopRated,
    /// In cinemas soon.
    Upcoming,
    /// Trending today.
    TrendingDay,
    /// Trending this week.
    TrendingWeek,
}

impl List {
    const ALL: [Self; 6] = [
        Self::NowPlaying,
        Self::Popular,
        Self::TopRated,
        Self::Upcoming,
        Self::TrendingDay,
        Self::TrendingWeek,
    ];

    /// The list with this path below `/3`.
    pub(crate) fn of_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|list| list.path() == path)
    }

    /// Its path below `/3`.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::NowPlaying => "movie/now_playing",
            Self::Popular => "movie/popular",
            Self::TopRated => "movie/top_rated",
            Self::Upcoming => "movie/upcoming",
            Self::TrendingDay => "trending/movie/day",
            Self::TrendingWeek => "trending/movie/week",
        }
    }

    /// Seconds for which a cache may keep a page.
    pub(crate) fn max_age(self) -> u64 {
        match self {
            Self::NowPlaying | Self::Popular | Self::TopRated => 21_600,
            Self::Upcoming => 14_400,
            Self::TrendingDay | Self::TrendingWeek => 600,
        }
    }

    pub(crate) fn is_trending(self) -> bool {
        matches!(self, Self::TrendingDay | Self::TrendingWeek)
    }
}
